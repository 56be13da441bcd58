"""Events: what a client sent, in one canonical shape, whatever the wire said.

Times are integer milliseconds since 1970 UTC. `time_ms` is the canonical time:
`received - (sent - original)`, clamped to `received + 5 minutes`. Absent text is "", so that a missing value and a
null read the same.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from bespeak.signals.ids import IdKey

EventType = Literal["identify", "track", "page", "screen", "group", "alias"]
EVENT_TYPES: tuple[EventType, ...] = ("identify", "track", "page", "screen", "group", "alias")

MAX_AHEAD_MS = 5 * 60 * 1000
MAX_PROPERTIES = 200
MAX_TRAITS = 200


class Context(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The circumstances of an event or of a decision, parsed.

    Attributes:
        device: `desktop`, `mobile`, `tablet`, `tv`, `bot` or "".
        local_hour: 0-23 in the person's time zone, or -1 when the zone is unknown.
        local_weekday: 0 (Monday) to 6, or -1.
        referrer_class: `search`, `social`, `email`, `internal`, `direct`, `other` or "".
        campaign: `source`, `medium`, `name`, `term`, `content`.
        page: `path`, `url`, `title`, `search`, `referrer`.
        consent: category -> granted as sent, or None when the event said nothing about consent.
        is_gpc: the request carried `Sec-GPC: 1`.
        declared: keys that the caller declares (mood, weather); they never enter the profile.
    """

    device: str = ""
    os: str = ""
    browser: str = ""
    locale: str = ""
    language: str = ""
    timezone: str = ""
    local_hour: int = -1
    local_weekday: int = -1
    country: str = ""
    city: str = ""
    referrer_class: str = ""
    campaign: dict[str, str] = {}
    page: dict[str, str] = {}
    library: str = ""
    consent: dict[str, bool] | None = None
    is_gpc: bool = False
    is_bot: bool = False
    declared: dict[str, Any] = {}


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event as it stands in the log.

    Attributes:
        name: the event name of a track, the page or screen name of a page or screen, else "".
        external_ids: further identifiers (`context.externalIds`; e-mail and phone of identify traits are not among
            them).
        profile_id: the household profile under the account, or "".
        is_vouched: the ids are confirmed: sent by a server source, an import, or with a valid person token.
        sent_ms: the client's clock when it sent, or None.
        original_ms: the client's own time of the event, or None.
    """

    message_id: str
    type: EventType
    time_ms: int
    received_ms: int
    name: str = ""
    user_id: str = ""
    anonymous_id: str = ""
    previous_id: str = ""
    group_id: str = ""
    profile_id: str = ""
    external_ids: tuple[IdKey, ...] = ()
    properties: dict[str, Any] = {}
    traits: dict[str, Any] = {}
    context: Context = Context()
    source: str = ""
    is_vouched: bool = False
    sent_ms: int | None = None
    original_ms: int | None = None
