"""One event as the profile sees it: consent-filtered signals, and everything about them that was known at intake."""

from __future__ import annotations

from typing import Any

import msgspec

from bespeak.signals.events import Context
from bespeak.signals.ids import IdKey
from bespeak.signals.signal import Signal

FacetValue = list[str] | float
ItemFacets = dict[str, FacetValue]


class Observation(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What one event adds to one profile. It is stored with the log row, so that a replay folds exactly the same.

    Attributes:
        time_ms: canonical time of the event.
        received_ms: when it came in; with `message_id` it breaks ties between events of one time.
        type: identify, track, page, screen, group or alias.
        name: the event's name, or "".
        ids: the identifiers that belong to this person (`Plan.ids`): a merely claimed id is not among them.
        signals: what the event says, those without a granted purpose already removed.
        facets: item id -> facet -> values (or one number), as the catalogue knew them at intake. The key "" holds
            what the event itself said about no particular item, for signals without an item.
        traits: typed traits; None unsets one.
        source: name of the source that sent it.
        context: the parsed circumstances. Its declared keys are never folded.
        is_bot: a bot's event never folds.
        is_visit: the person did it on the site or in the app. Deliveries, server jobs and imports of records do not
            make sessions.
        is_profiled: the purpose of the profile was granted, so that traits, sessions, pages, devices and dates may be
            kept. Without it only `consent` and `signals` count.
        consent: purpose -> granted, when the event changed the consent.
        order_id: the order that the event tells of, or "".
    """

    time_ms: int
    received_ms: int
    message_id: str
    type: str = "track"
    name: str = ""
    ids: tuple[IdKey, ...] = ()
    signals: tuple[Signal, ...] = ()
    facets: dict[str, ItemFacets] = {}
    traits: dict[str, Any] = {}
    source: str = ""
    context: Context = Context()
    is_bot: bool = False
    is_visit: bool = True
    is_profiled: bool = True
    consent: dict[str, bool] | None = None
    order_id: str = ""
