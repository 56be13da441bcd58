"""User agents: what kind of device, which system and browser, and whether it is a bot. The text itself is not kept."""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec
from ua_parser import parse

_MAX_CHARS = 512

# Declared crawlers, link previews and plain HTTP libraries. Headless browsers are not among them: sites test themselves
# with those, and whoever drives one for another reason does not say so here.
_BOT = re.compile(
    r"bot\b|bot/|crawl|spider|slurp|facebookexternalhit|whatsapp/|telegrambot|embedly|preview|lighthouse|pingdom|uptime"
    r"|monitor|^curl/|^wget/|python-requests|python-urllib|aiohttp|okhttp/|go-http-client|java/|libwww|scrapy|httpclient"
    r"|^node-fetch|^axios/",
    re.IGNORECASE,
)
_TV = re.compile(
    r"smart-?tv|hbbtv|apple ?tv|google ?tv|android tv|\broku|\baft[a-z]+\b|bravia|crkey|web0s|netcast", re.I
)
_TABLET = re.compile(r"ipad|tablet|kindle|silk/|playbook", re.IGNORECASE)
_MOBILE = re.compile(r"mobi|iphone|ipod|windows phone", re.IGNORECASE)
_DESKTOP_SYSTEMS = re.compile(r"windows nt|macintosh|x11|linux x86|cros ", re.IGNORECASE)


class Agent(msgspec.Struct, frozen=True, gc=False):
    """What a user agent says; "" where it says nothing."""

    device: str = ""
    os: str = ""
    browser: str = ""
    is_bot: bool = False


NO_AGENT = Agent()


@lru_cache(maxsize=8192)
def read_agent(user_agent: str) -> Agent:
    """Returns device class (`desktop`, `mobile`, `tablet`, `tv`, `bot`), system and browser.

    Example:
        >>> read_agent("Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0")
        Agent(device='desktop', os='Linux', browser='Firefox', is_bot=False)
    """
    text = user_agent[:_MAX_CHARS].strip()
    if not text:
        return NO_AGENT
    parsed = parse(text)
    device = parsed.device.family if parsed.device else ""
    is_bot = device == "Spider" or _BOT.search(text) is not None
    return Agent(
        device="bot" if is_bot else _device_class(text),
        os=parsed.os.family if parsed.os else "",
        browser=parsed.user_agent.family if parsed.user_agent else "",
        is_bot=is_bot,
    )


def _device_class(text: str) -> str:
    if _TV.search(text):
        return "tv"
    # an Android that does not call itself mobile is a tablet, by the platform's own convention
    if _TABLET.search(text) or ("Android" in text and not _MOBILE.search(text)):
        return "tablet"
    if _MOBILE.search(text):
        return "mobile"
    return "desktop" if _DESKTOP_SYSTEMS.search(text) else ""
