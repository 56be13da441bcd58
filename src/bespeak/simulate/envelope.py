"""Writes what happens in one visit as Segment-shaped events, as a browser client would send them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from bespeak.simulate.people import Device, Person

Event = dict[str, Any]
"""One Segment event: `type`, `messageId`, ids, `timestamp`, `context` and what its type brings."""

SHOP_URL = "https://shop.example"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso_time(at_ms: int) -> str:
    """Milliseconds since 1970 UTC as the ISO text that clients send; the width is fixed, so text order is time order.

    Example:
        >>> iso_time(1_700_000_000_000)
        '2023-11-14T22:13:20.000Z'
    """
    return (_EPOCH + timedelta(milliseconds=at_ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Visit:
    """One visit on one device: a clock that only moves forward, and the events so far.

    Args:
        person: who visits.
        device: on what.
        at_ms: begin, milliseconds since 1970 UTC.
        message_prefix: begin of every message id; unique per visit.
        logged_in: the device knows the user id from the start.
        campaign: what brought the visit here (`source`, `medium`, `name`), if anything.
        referrer: address of the page before, or an empty text.
    """

    def __init__(
        self,
        person: Person,
        device: Device,
        at_ms: int,
        *,
        message_prefix: str,
        logged_in: bool = False,
        campaign: Mapping[str, str] | None = None,
        referrer: str = "",
    ) -> None:
        self.person = person
        self.device = device
        self.at_ms = at_ms
        self.events: list[Event] = []
        self._prefix = message_prefix
        self._user_id = person.user_id if logged_in else None
        self._page = {"path": "/", "url": f"{SHOP_URL}/", "title": "Home", "referrer": referrer}
        self._context: dict[str, Any] = {
            "userAgent": device.user_agent,
            "locale": person.locale,
            "timezone": person.timezone,
            "library": {"name": "bespeak.js", "version": "1"},
        }
        if campaign is not None:
            self._context["campaign"] = dict(campaign)
        preferences = person.consent.preferences
        if preferences is not None:
            self._context["consent"] = {"categoryPreferences": preferences}

    @property
    def logged_in(self) -> bool:
        """Whether events carry the user id by now."""
        return self._user_id is not None

    def wait(self, seconds: float) -> None:
        """Lets time pass, at least a millisecond."""
        self.at_ms += max(int(seconds * 1000), 1)

    def go_to(self, path: str, title: str) -> None:
        """Opens another page; the one before becomes the referrer."""
        referrer = self._page["url"]
        self._page = {"path": path, "url": f"{SHOP_URL}{path}", "title": title, "referrer": referrer}

    def page(self, name: str, properties: Mapping[str, Any] | None = None) -> None:
        """Sends a page view of the page that is open."""
        self._send({"type": "page", "name": name, "properties": {**self._page, "name": name, **(properties or {})}})

    def track(self, event: str, properties: Mapping[str, Any]) -> None:
        """Sends a track event."""
        self._send({"type": "track", "event": event, "properties": dict(properties)})

    def identify(self) -> None:
        """Logs the person in: their user id and traits go out, and every later event carries the user id."""
        if self.person.user_id is not None:
            self._user_id = self.person.user_id
            self._send({"type": "identify", "traits": self.person.traits()})

    def _send(self, body: Event) -> None:
        event: Event = {
            "messageId": f"{self._prefix}-{len(self.events)}",
            "timestamp": iso_time(self.at_ms),
            "anonymousId": self.device.anonymous_id,
            **({"userId": self._user_id} if self._user_id is not None else {}),
            **body,
            "context": {**self._context, "page": dict(self._page)},
        }
        self.events.append(event)
        self.wait(0.001)
