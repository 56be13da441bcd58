"""What is new in the log, as far as lessons ask for it: which decisions events name, and who did something."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from bespeak.engine.folding.observe import Observer
from bespeak.signals.decisions import Decision
from bespeak.storage.base import Session
from bespeak.storage.tables import log, people, records

AT_MOST = 50_000
"""Entries that are looked at in one turn."""

_AT_ONCE = 5_000


class Fact(NamedTuple):
    """What one entry of the log may change.

    Attributes:
        people: whose it is; of a merge both.
        decision_id: that the event names, or "".
        told: signal classes and names.
        is_about_all: somebody spoke about their consent or was joined with somebody: all of theirs may count otherwise.
    """

    log_id: int
    people: tuple[int, ...]
    decision_id: str
    told: frozenset[str]
    is_about_all: bool = False


class News(NamedTuple):
    """The entries since a position.

    Attributes:
        after, position: the entries after one position, up to another (included).
        facts: in log order.
        is_whole: False where there are so many that they were passed over.
    """

    after: int
    position: int
    facts: list[Fact]
    is_whole: bool

    def touched(self, after: int, names: Collection[str]) -> tuple[set[str], set[int]]:
        """Returns (ids of decisions, people) of whom anything after a position may count that a lesson asks for."""
        decisions: set[str] = set()
        persons: set[int] = set()
        for fact in self.facts:
            if fact.log_id <= after:
                continue
            if fact.decision_id:
                decisions.add(fact.decision_id)
            if fact.is_about_all or not fact.told.isdisjoint(names):
                persons.update(fact.people)
        return decisions, persons


def read_news(observer: Observer, session: Session, after: int) -> News:
    """Returns what is new after a position, up to where the log is settled."""
    position = session.log_ceiling()
    if position - after > AT_MOST:
        return News(after, position, [], is_whole=False)
    facts, last = [], after
    while entries := log.follow(session, last, _AT_ONCE):
        last = entries[-1].log_id
        facts += [fact for entry in entries if (fact := _fact(observer, entry)) is not None]
    return News(after, max(position, last), facts, is_whole=True)


def _fact(observer: Observer, entry: log.Entry) -> Fact | None:
    event, absorbed = entry.body.event, entry.body.absorbed
    both = (entry.person_id,) if absorbed is None else (entry.person_id, absorbed)
    is_about_all = entry.kind == "merge" or entry.body.consent is not None
    if event is None or entry.is_bot or not entry.purposes & observer.purposes.improve:
        return Fact(entry.log_id, both, "", frozenset(), is_about_all) if is_about_all else None
    told = {name for one in observer.allowed(event, entry.purposes) for name in (one.signal_class, one.name)}
    return Fact(entry.log_id, both, observer.signals.decision_of(event), frozenset(told), is_about_all)


def decisions_touched(
    session: Session, placement: str, ids: Collection[str], persons: Collection[int], after_ms: int, until_ms: int
) -> Iterator[Decision]:
    """Yields the decisions of a placement and a span of time that are named or were made for, or seen by, a person."""
    root_of = people.roots_of(session, persons)
    members = people.members_of(session, set(root_of.values()))
    seen = records.decisions_seen(session, members, after_ms)
    found = {d.decision_id: d for d in records.decisions_named(session, {*ids, *seen})}
    found |= {d.decision_id: d for d in records.decisions_for(session, placement, members, after_ms)}
    for decision in sorted(found.values(), key=lambda d: (d.time_ms, d.decision_id)):
        if decision.placement == placement and after_ms < decision.time_ms <= until_ms:
            yield decision
