"""Decisions joined to what came of them.

What came of a decision are the person's events in its window: those that name the decision, and any of theirs. A
decision for a device of which nothing was known belongs to whom its exposure came from.

Only decisions count whose person let their data be used for a purpose (improving, for what is learned) when they were
made, and has not withdrawn that since. Those made for bots, and those made ahead that nobody said were seen, do not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

from bespeak.engine.folding.observe import Observer
from bespeak.signals.decisions import Decision
from bespeak.signals.purposes import IMPROVE
from bespeak.storage.base import Session
from bespeak.storage.tables import log, people, records

_DECISIONS_AT_ONCE = 2_000

Told = tuple[str, str]
"""(signal class or name, item id): what an event said; the item is "" where it names none."""


class Joined(NamedTuple):
    """One decision with what came of it in its window.

    Attributes:
        named: said by events that name the decision.
        done: classes and names of everything that the person did.
        person: whose it is, as they count today; -1 where sums are all that is wanted.
    """

    decision: Decision
    named: frozenset[Told]
    done: frozenset[str]
    person: int = -1


def wanted(
    session: Session, placement: str, after_ms: int, until_ms: int, is_wanted: Callable[[Decision], bool]
) -> Iterator[list[Decision]]:
    """Yields the wanted decisions made after one moment and up to another, in parts, in the order of time."""
    last = after_ms + 1, ""
    while True:
        batch = records.decisions_at(session, placement, last, until_ms, _DECISIONS_AT_ONCE)
        if not batch:
            return
        last = batch[-1].time_ms, batch[-1].decision_id
        found = [decision for decision in batch if is_learned_from(decision, is_wanted)]
        if found:
            yield found


def is_learned_from(decision: Decision, is_wanted: Callable[[Decision], bool]) -> bool:
    """Whether anything may be learned from a decision, whoever it was for."""
    return is_wanted(decision) and not decision.context.get("is_bot", False)


def joined(
    observer: Observer, session: Session, decisions: Sequence[Decision], window_ms: int, purpose: str = IMPROVE
) -> Iterator[Joined]:
    """Yields those of wanted decisions, in the order of time, that count, with what came of them so far."""
    bit = observer.purposes.bit(purpose)
    seen_by = records.seen_by(session, [d.decision_id for d in decisions if d.person is None or d.is_ahead])
    decisions = [d for d in decisions if not d.is_ahead or d.decision_id in seen_by]
    if not decisions:
        return
    owner = {d.decision_id: d.person if d.person is not None else seen_by.get(d.decision_id) for d in decisions}
    root_of = people.roots_of(session, {person for person in owner.values() if person is not None})
    refusing = _refusing(session, set(root_of.values()), purpose)
    span = decisions[0].time_ms, decisions[-1].time_ms + window_ms
    told = _Events(observer, session, set(root_of.values()) - refusing, span, bit)
    for decision in decisions:
        person = owner[decision.decision_id]
        root = None if person is None else root_of.get(person)
        if root is None or root in refusing:
            continue
        granted = decision.purposes if decision.person is not None else told.granted_to(decision.decision_id)
        if granted & bit:
            yield told.joined(decision, root, window_ms)


class _Events:
    """What people did in a span of time, by person and by the decision that they named.

    Args:
        roots: whose events; those of everybody who was joined into them count.
        span: first and last moment.
        bit: of the purpose that their rows must be granted for.
    """

    def __init__(
        self, observer: Observer, session: Session, roots: Collection[int], span: tuple[int, int], bit: int
    ) -> None:
        root_of = people.members_of(session, roots)
        self._by_root: dict[int, list[tuple[int, str]]] = defaultdict(list)
        self._naming: dict[str, list[tuple[int, Told]]] = defaultdict(list)
        self._granted: dict[str, int] = {}
        for entry in log.entries_between(session, root_of, *span):
            event = entry.body.event
            if event is None or entry.is_bot or not entry.purposes & bit:
                continue
            decision_id = observer.signals.decision_of(event)
            if decision_id:
                self._granted[decision_id] = self._granted.get(decision_id, 0) | entry.purposes
            for signal in observer.allowed(event, entry.purposes):
                for name in (signal.signal_class, signal.name):
                    self._by_root[root_of[entry.person_id]].append((entry.time_ms, name))
                    if decision_id:
                        self._naming[decision_id].append((entry.time_ms, (name, signal.item_id)))

    def joined(self, decision: Decision, root: int, window_ms: int) -> Joined:
        """The decision of a person with what they said and did in its window."""
        first, last = decision.time_ms, decision.time_ms + window_ms
        # A client's clock may run a little behind, but who names a decision has seen it.
        named = frozenset(told for at, told in self._naming.get(decision.decision_id, ()) if at <= last)
        done = {name for at, name in self._by_root.get(root, ()) if first < at <= last}
        return Joined(decision, named, frozenset(done | {name for name, _ in named}), root)

    def granted_to(self, decision_id: str) -> int:
        """The purposes of the events that name a decision."""
        return self._granted.get(decision_id, 0)


def _refusing(session: Session, roots: Collection[int], purpose: str) -> set[int]:
    """Of these persons those whose latest word on a purpose is no."""
    latest: dict[int, tuple[tuple[int, int, str], bool]] = {}
    for change in people.consents_of(session, roots):
        if change.purpose == purpose:
            word = (change.time_ms, change.received_ms, change.message_id), change.is_granted
            latest[change.person_id] = max(latest.get(change.person_id, word), word)
    return {person for person, (_, is_granted) in latest.items() if not is_granted}
