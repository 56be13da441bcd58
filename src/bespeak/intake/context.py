"""The circumstances of an event or a decision, parsed: device, language, place, hour, campaign, referrer, consent.

The network address and the user agent are read here and not kept.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

import maxminddb
import msgspec

from bespeak.errors import ConfigError
from bespeak.intake.agents import NO_AGENT, read_agent
from bespeak.signals.events import Context

DEVICES = ("desktop", "mobile", "tablet", "tv", "bot")
_DEVICE_WORDS = {
    **{device: device for device in DEVICES},
    **dict.fromkeys(("ios", "android", "phone", "smartphone"), "mobile"),
    **dict.fromkeys(("web", "pc", "computer", "macos", "windows"), "desktop"),
}
_CAMPAIGN_KEYS = ("source", "medium", "name", "term", "content")
_PAGE_KEYS = ("path", "url", "title", "search", "referrer")
_MAX_TEXT = 2048

_MAIL_HOSTS = ("mail", "webmail", "outlook", "email")
_SITES = {
    "search": "google bing duckduckgo yahoo ecosia baidu yandex qwant startpage naver seznam brave",
    "social": "facebook fb instagram twitter x t linkedin lnkd pinterest reddit tiktok youtube youtu threads bsky vk"
    " whatsapp telegram snapchat mastodon tumblr weibo",
}
_CLASS_OF_SITE = {site: name for name, sites in _SITES.items() for site in sites.split()}
_SECOND_LEVEL = frozenset(["co", "com", "org", "net", "ac", "gov"])


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a network address lies: ISO 3166 country code and city, "" when unknown."""

    country: str = ""
    city: str = ""


NO_PLACE = Place()


class GeoIP:
    """Country and city of a network address, from a database file in the MaxMind format (`.mmdb`).

    Raises:
        ConfigError: the file is missing or of another format.
    """

    def __init__(self, path: str | Path) -> None:
        try:
            self._reader = maxminddb.open_database(str(path))
        except (OSError, maxminddb.InvalidDatabaseError) as error:
            raise ConfigError(
                f"the GeoIP database cannot be opened: {type(error).__name__}.",
                key="geoip",
                hint="Give the path of an .mmdb file with countries or cities, or leave the setting out.",
            ) from None

    def place(self, address: str) -> Place:
        """Returns where an address lies; `NO_PLACE` for private, unknown or malformed addresses."""
        try:
            found = self._reader.get(address)
        except ValueError:
            return NO_PLACE
        if not isinstance(found, dict):
            return NO_PLACE
        country = found.get("country") or found.get("registered_country")
        city = found.get("city")
        names = city.get("names") if isinstance(city, dict) else None
        code = country.get("iso_code") if isinstance(country, dict) else None
        name = names.get("en") if isinstance(names, dict) else None
        return Place(code if isinstance(code, str) else "", name if isinstance(name, str) else "")

    def close(self) -> None:
        """Releases the file."""
        self._reader.close()


def read_context(
    raw: Mapping[str, Any],
    *,
    time_ms: int,
    address: str | None = None,
    user_agent: str | None = None,
    places: GeoIP | None = None,
    is_gpc: bool = False,
    declared_keys: Collection[str] = (),
) -> Context:
    """Returns the parsed context; a field of a wrong type is left out, never an error.

    Args:
        raw: a `context` object of the Segment shape, or the flat one of a decision (`{"device": "mobile"}`).
        time_ms: when, for the local hour.
        address: network address to place on the map; it is not kept.
        user_agent: used when `raw` has none; it is not kept.
        declared_keys: keys that the project declares (mood, weather); kept under `declared` as they are.
    """
    fields: dict[str, Any] = {}
    if is_gpc or raw.get("gpc") is True:
        fields["is_gpc"] = True
    if raw or user_agent:
        _read_device(raw, user_agent, fields)
    if raw:
        _read_texts(raw, time_ms, fields)
        consent = _read_consent(raw)
        if consent is not None:
            fields["consent"] = consent
        if declared_keys:
            declared = {key: raw[key] for key in declared_keys if raw.get(key) is not None and _is_storable(raw[key])}
            if declared:
                fields["declared"] = declared
    if address and places is not None:
        place = places.place(address)
        if place.country:
            fields.setdefault("country", place.country)
        if place.city:
            fields.setdefault("city", place.city)
    return Context(**fields)


def _is_storable(value: Any) -> bool:
    """Whether a value can stand in a record: JSON knows numbers that are too large for one."""
    try:
        msgspec.msgpack.encode(value)
    except (OverflowError, RecursionError):
        return False
    return True


def _read_device(raw: Mapping[str, Any], user_agent: str | None, fields: dict[str, Any]) -> None:
    text = raw.get("userAgent")
    if type(text) is not str:
        text = user_agent
    agent = read_agent(text) if text else NO_AGENT
    if agent is not NO_AGENT:
        fields.update(device=agent.device, os=agent.os, browser=agent.browser, is_bot=agent.is_bot)
    device, system = raw.get("device"), raw.get("os")
    kind = device.get("type") if type(device) is dict else device
    if type(kind) is str and kind.lower() in _DEVICE_WORDS and not agent.is_bot:
        fields["device"] = _DEVICE_WORDS[kind.lower()]
    name = system.get("name") if type(system) is dict else system
    if type(name) is str and name:
        fields["os"] = name[:64]
    if not fields.get("device"):
        hints = raw.get("userAgentData")
        if type(hints) is dict and type(hints.get("mobile")) is bool:
            fields["device"] = "mobile" if hints["mobile"] else "desktop"


def _read_texts(raw: Mapping[str, Any], time_ms: int, fields: dict[str, Any]) -> None:
    locale = raw.get("locale")
    if type(locale) is str and locale:
        fields["locale"] = locale[:35]
        fields["language"] = locale[:35].replace("_", "-").split("-")[0].lower()
    zone = raw.get("timezone")
    if type(zone) is str and zone:
        fields["timezone"] = zone[:64]
        hour, weekday = local_time(zone, time_ms)
        fields["local_hour"], fields["local_weekday"] = hour, weekday
    library = raw.get("library")
    name = library.get("name") if type(library) is dict else library
    if type(name) is str:
        fields["library"] = name[:64]
    place = raw.get("location")
    where = place if type(place) is dict else raw
    for key in ("country", "city"):
        value = where.get(key)
        if type(value) is str and value:
            fields[key] = value[:128]
    campaign = raw.get("campaign")
    if type(campaign) is dict:
        fields["campaign"] = _texts(campaign, _CAMPAIGN_KEYS)
    page = raw.get("page")
    if type(page) is dict:
        fields["page"] = kept = _texts(page, _PAGE_KEYS)
        medium = fields.get("campaign", {}).get("medium", "")
        fields["referrer_class"] = (
            "email" if medium == "email" else referrer_class(kept.get("referrer", ""), kept.get("url", ""))
        )


def _texts(raw: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, str]:
    return {key: raw[key][:_MAX_TEXT] for key in keys if type(raw.get(key)) is str and raw[key]}


def _read_consent(raw: Mapping[str, Any]) -> dict[str, bool] | None:
    """Returns what the event says about consent; None when it says nothing, {} when it says that nothing is granted."""
    consent = raw.get("consent")
    if type(consent) is dict:
        preferences = consent.get("categoryPreferences")
        if type(preferences) is dict:
            return {category: granted is True for category, granted in preferences.items()}
    management = raw.get("consentManagement")
    if type(management) is dict:
        found: dict[str, bool] = {}
        for key, granted in (("allowedConsentIds", True), ("deniedConsentIds", False)):
            ids = management.get(key)
            if type(ids) is list:
                found.update({name: granted for name in ids if type(name) is str})
        return found or None
    return None


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo | None:
    # a name from a client never reaches the file system unless it is a known one
    return ZoneInfo(name) if name in _zone_names() else None


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


def local_time(zone_name: str, time_ms: int) -> tuple[int, int]:
    """Returns (hour 0-23, weekday 0 = Monday) in a time zone; (-1, -1) when the zone is unknown.

    Example:
        >>> local_time("Europe/Berlin", 1_704_164_645_000), local_time("Nowhere/Else", 0)
        ((4, 1), (-1, -1))
    """
    zone = _zone(zone_name)
    if zone is None:
        return -1, -1
    local = datetime.fromtimestamp(time_ms / 1000, zone)
    return local.hour, local.weekday()


@lru_cache(maxsize=4096)
def referrer_class(referrer: str, page_url: str) -> str:
    """Returns `direct`, `internal`, `email`, `search`, `social` or `other`.

    Example:
        >>> referrer_class("https://www.google.co.uk/", "https://shop.test/a"), referrer_class("", "https://shop.test/")
        ('search', 'direct')
    """
    if not referrer:
        return "direct"
    host = _host(referrer)
    if not host:
        return "other"
    if host == _host(page_url):
        return "internal"
    labels = host.split(".")
    if labels[0] in _MAIL_HOSTS:
        return "email"
    site = labels[-3] if len(labels) > 2 and labels[-2] in _SECOND_LEVEL else labels[-2] if len(labels) > 1 else host
    return _CLASS_OF_SITE.get(site, "other")


def _host(url: str) -> str:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    return host.removeprefix("www.")
