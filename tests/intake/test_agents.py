"""User agents."""

from __future__ import annotations

import pytest

from bespeak.intake.agents import NO_AGENT, read_agent

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile/15E148 Safari/604"
)
PIXEL = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/126.0.0.0 Mobile Safari/537.36"
TABLET = "Mozilla/5.0 (Linux; Android 13; SM-X710) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36"
IPAD = "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 Version/16.6 Safari/604.1"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0"
TELEVISION = "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 Chrome/94.0 Safari/537.36"
HEADLESS = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36"
)


@pytest.mark.parametrize(
    ("text", "device"),
    [
        (IPHONE, "mobile"),
        (PIXEL, "mobile"),
        (TABLET, "tablet"),
        (IPAD, "tablet"),
        (WINDOWS, "desktop"),
        (TELEVISION, "tv"),
        (HEADLESS, "desktop"),
        ("UA/1", ""),
    ],
)
def test_a_user_agent_tells_the_class_of_device(text: str, device: str) -> None:
    agent = read_agent(text)
    assert (agent.device, agent.is_bot) == (device, False)


@pytest.mark.parametrize(
    "text",
    [
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (compatible; bingbot/2.0)",
        "curl/8.5.0",
        "python-requests/2.32",
        "facebookexternalhit/1.1",
        "Mozilla/5.0 (compatible; AhrefsBot/7.0)",
    ],
)
def test_bots_are_flagged(text: str) -> None:
    assert read_agent(text).is_bot
    assert read_agent(text).device == "bot"


def test_nothing_says_nothing_and_nonsense_is_no_error() -> None:
    assert read_agent("  ") is NO_AGENT
    assert read_agent("\x00" * 5_000).device == ""
