"""From a log entry to what the profile sees: one function, used when an event comes in and when its log is replayed.

Because both paths call it, a replay folds exactly what was folded live.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

import msgspec

from bespeak.profiles.fold import fold
from bespeak.profiles.merge import merge
from bespeak.profiles.observation import Observation
from bespeak.profiles.profile import Consent, Profile
from bespeak.profiles.settings import FoldSettings
from bespeak.profiles.view import Predictor
from bespeak.signals.catalogue import SignalCatalogue
from bespeak.signals.events import Context, Event
from bespeak.signals.ids import IdKey
from bespeak.signals.purposes import Purposes
from bespeak.signals.signal import Signal
from bespeak.storage.tables.log import Entry


class Observer:
    """Reads log entries under one configuration.

    Args:
        signals: the signal catalogue.
        purposes: the project's purposes.
        fold_settings: what the profile keeps.
        visit_sources: sources whose events a person did on the site; events of others make no sessions.
        predictors: tells what foretells something of people now.
    """

    def __init__(
        self,
        signals: SignalCatalogue,
        purposes: Purposes,
        fold_settings: FoldSettings,
        visit_sources: frozenset[str],
        predictors: Callable[[], Mapping[str, Predictor]] = dict,
    ) -> None:
        self.signals = signals
        self.purposes = purposes
        self.fold_settings = fold_settings
        self.predictors = predictors
        self._visit_sources = visit_sources
        self._class_bits = {name: purposes.bit(c.purpose) for name, c in signals.classes.items()}

    def allowed(self, event: Event, granted: int) -> list[Signal]:
        """Returns the event's signals whose purpose is granted."""
        bits = self._class_bits
        return [signal for signal in self.signals.signals_of(event) if bits[signal.signal_class] & granted]

    def observation(self, entry: Entry, signals: Iterable[Signal] | None = None) -> Observation:
        """Returns what the profile sees of an entry; `signals` saves computing them again."""
        event = entry.body.event
        assert event is not None
        granted = entry.purposes
        is_profiled = bool(granted & self.purposes.personalize)
        return Observation(
            time_ms=event.time_ms,
            received_ms=event.received_ms,
            message_id=event.message_id,
            type=event.type,
            name=event.name,
            ids=tuple(entry.body.ids) if is_profiled else (),
            signals=tuple(self.allowed(event, granted) if signals is None else signals),
            facets=entry.body.facets,
            traits=self.signals.traits_of(event) if is_profiled else {},
            source=event.source,
            context=event.context,
            is_bot=entry.is_bot,
            is_visit=event.source in self._visit_sources,
            is_profiled=is_profiled,
            consent=entry.body.consent,
            order_id=self.signals.order_of(event),
        )

    def replay(
        self, entries: Iterable[Entry], baselines: dict[int, Profile] | None = None
    ) -> Iterator[tuple[int, Profile]]:
        """Yields person -> profile after folding entries in log order, merges included."""
        held: dict[int, Profile] = dict(baselines or {})
        for entry in entries:
            if entry.kind == "merge":
                absorbed = held.pop(entry.body.absorbed, None) if entry.body.absorbed is not None else None
                if absorbed is not None:
                    merge(held.setdefault(entry.person_id, Profile()), absorbed, self.fold_settings)
            else:
                fold(held.setdefault(entry.person_id, Profile()), self.observation(entry), self.fold_settings)
        yield from held.items()


def stamp_of(word: Consent) -> tuple[int, int, str]:
    """Returns what tells which of two words on one purpose is the later: time, receipt and message id."""
    return word.time_ms, word.received_ms, word.message_id


def minimised(event: Event, granted: int, purposes: Purposes, ids: Collection[IdKey]) -> Event:
    """Returns the event without what its purposes do not allow to keep.

    Without `personalize` traits are dropped. So are ids that were named without proof and are not among `ids`, the
    person's own: a claim is kept apart, where an erasure finds it. Declared context never leaves the decision or event
    it came with, so it stays.
    """
    if event.is_vouched and not event.traits:
        return event
    changes: dict[str, object] = {}
    if not event.is_vouched:
        changes["user_id"] = changes["previous_id"] = ""
        changes["external_ids"] = tuple(key for key in event.external_ids if key in ids)
    if event.traits and not granted & purposes.personalize:
        changes["traits"] = {}
    return msgspec.structs.replace(event, **changes) if changes else event


def only_consent(event: Event) -> Event:
    """Returns what may be kept of a consent statement when nothing else may: who, when and what was said."""
    context = Context(consent=event.context.consent, is_gpc=event.context.is_gpc, is_bot=event.context.is_bot)
    return msgspec.structs.replace(
        event, name="", properties={}, traits={}, external_ids=(), previous_id="", group_id="", context=context
    )
