"""Learning from the outcomes of placements with variants: decisions joined to what came of them, folded into sums.

A decision becomes a row once its window has closed: then its reward is known, and an open window is never read as "no".
Its features and its variant stand in its record. Its reward is what the person's events in the window are worth: those
that name the decision (`reward`), and any of theirs (`conversion`). A decision for a device of which nothing was known
belongs to whom its exposure came from.

Only rows count whose person let their data be used for improving when the decision was made, and has not withdrawn that
since. Decisions that were not drawn, those of bots, and those made ahead that nobody said were seen are no rows.

A job folds what is new every few seconds and remembers how far it came; only one node does at a time, and the sums are
written only over those that were read. Once a day, when somebody was erased, and when the settings changed, the sums
are made anew from the log: that takes in what came late, and leaves out who withdrew. Both ways give the same sums.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from bespeak.decide.variants.bandits import ArmSums
from bespeak.decide.variants.context import vector_of
from bespeak.decide.variants.settings import VariantPlacement
from bespeak.engine.core import Core
from bespeak.engine.learned import LearnedState, ask_for_refit, packed, put_state, read_state
from bespeak.signals.decisions import Decision
from bespeak.signals.subjects import ReceiptLine, Subject
from bespeak.storage import log, people, records
from bespeak.storage.base import Session, Transaction

SETTLED_MS = 5_000
REFIT_EVERY_MS = 86_400_000
FADE_EVERY_MS = 60_000
HALF_LIVES = 40
_DECISIONS_AT_ONCE = 2_000


class Row(NamedTuple):
    """One decision with what came of it."""

    time_ms: int
    variant: str
    features: Mapping[str, float]
    reward: float


class Learnt(NamedTuple):
    """What one turn did: the placement, decisions taken in, and whether all was made anew."""

    placement: str
    n_decisions: int
    is_refit: bool


def learn(core: Core) -> list[Learnt]:
    """Takes in the outcomes of every placement that learns; returns those where anything was new."""
    done = []
    for placement in core.config.variants.values():
        if placement.settings.learn is not None:
            learnt = _learn_one(core, placement)
            if learnt.n_decisions or learnt.is_refit:
                done.append(learnt)
    return done


def _learn_one(core: Core, placement: VariantPlacement) -> Learnt:
    now_ms = core.now_ms()
    until_ms = now_ms - _window_ms(placement) - SETTLED_MS
    with core.store.read() as session:
        held = read_state(session, placement)
        is_refit = held is None or now_ms - held.refitted_ms >= REFIT_EVERY_MS
        start = None if is_refit else held
        state = _folded(core, session, placement, start, until_ms, now_ms)
    n_new = state.n_decisions - (start.n_decisions if start is not None else 0)
    is_due = held is None or state.folded_ms - held.folded_ms >= FADE_EVERY_MS
    if n_new or is_refit or is_due:
        with core.store.write() as tx:
            if not put_state(tx, placement, held, state):
                return Learnt(
                    placement.name, 0, is_refit=False
                )  # another node was faster; the next turn goes on from it
    return Learnt(placement.name, n_new, is_refit)


def _folded(
    core: Core,
    session: Session,
    placement: VariantPlacement,
    start: LearnedState | None,
    until_ms: int,
    now_ms: int,
) -> LearnedState:
    """The sums of `start` and of the decisions after it; from the log alone where there is no start."""
    settings, n_arms = placement.settings, len(placement.arms)
    half_life_ms = settings.half_life_days * log.DAY_MS if settings.half_life_days else None
    if start is None:
        after_ms = 0 if half_life_ms is None else max(0, until_ms - int(HALF_LIVES * half_life_ms))
        sums, n_decisions = ArmSums.empty(n_arms, settings.dimension), 0
    else:
        until_ms, after_ms = max(until_ms, start.folded_ms), start.folded_ms
        sums, n_decisions = start.sums(n_arms, settings.dimension), start.n_decisions
        if half_life_ms is not None:
            sums = sums.times(0.5 ** ((until_ms - start.folded_ms) / half_life_ms))
    arm_of = {variant: arm for arm, variant in enumerate(placement.arms)}
    for rows in _rows(core, session, placement, after_ms, until_ms):
        kept = [row for row in rows if row.variant in arm_of]
        if not kept:
            continue
        ages = np.array([until_ms - row.time_ms for row in kept], np.float64)
        sums += ArmSums.of(
            np.array([vector_of(row.features, settings.dimension) for row in kept]),
            np.array([arm_of[row.variant] for row in kept], np.int64),
            np.array([row.reward for row in kept], np.float64),
            n_arms=n_arms,
            weights=None if half_life_ms is None else 0.5 ** (ages / half_life_ms),
        )
        n_decisions += len(kept)
    return LearnedState(
        digest=placement.learning_digest(),
        folded_ms=max(until_ms, 0),
        n_decisions=n_decisions,
        refitted_ms=now_ms if start is None else start.refitted_ms,
        moments=packed(sums.moments),
        rewards=packed(sums.rewards),
        squares=packed(sums.squares),
    )


def _window_ms(placement: VariantPlacement) -> int:
    return round(placement.settings.window_minutes * 60_000)


def _rows(
    core: Core, session: Session, placement: VariantPlacement, after_ms: int, until_ms: int
) -> Iterator[list[Row]]:
    """The rows of decisions made after one moment and up to another, in parts, in the order of time."""
    last = after_ms + 1, ""
    while True:
        batch = records.decisions_at(session, placement.name, last, until_ms, _DECISIONS_AT_ONCE)
        if not batch:
            return
        last = batch[-1].time_ms, batch[-1].decision_id
        drawn = [decision for decision in batch if _is_drawn(decision)]
        if drawn:
            yield list(_joined(core, session, placement, drawn))


def _is_drawn(decision: Decision) -> bool:
    shown = decision.items[0]
    is_learned = shown.sources == ("learned",) and shown.propensity < 1
    return is_learned and not decision.context.get("is_bot", False)


def _joined(core: Core, session: Session, placement: VariantPlacement, decisions: Sequence[Decision]) -> Iterator[Row]:
    """The decisions of known people who let them be learned from, with their rewards."""
    improve = core.config.purposes.improve
    seen_by = records.seen_by(session, [d.decision_id for d in decisions if d.person is None or d.is_ahead])
    decisions = [d for d in decisions if not d.is_ahead or d.decision_id in seen_by]
    if not decisions:
        return
    owner = {d.decision_id: d.person if d.person is not None else seen_by.get(d.decision_id) for d in decisions}
    root_of = people.roots_of(session, {person for person in owner.values() if person is not None})
    refusing = _refusing(session, set(root_of.values()))
    window_ms = _window_ms(placement)
    span = decisions[0].time_ms, decisions[-1].time_ms + window_ms
    told = _Outcomes(core, session, set(root_of.values()) - refusing, span)
    settings = placement.settings
    for decision in decisions:
        person = owner[decision.decision_id]
        root = None if person is None else root_of.get(person)
        if root is None or root in refusing:
            continue
        named, any_of = told.of(decision, root, window_ms)
        granted = decision.purposes if decision.person is not None else told.granted_to(decision.decision_id)
        if not granted & improve:
            continue
        reward = sum(worth for name, worth in settings.reward.items() if name in named)
        reward += sum(worth for name, worth in settings.conversion.items() if name in any_of)
        shown = decision.items[0]
        yield Row(decision.time_ms, shown.item_id, shown.features, reward)


class _Outcomes:
    """What people did in a span of time, by person and by the decision that they named.

    Args:
        roots: whose events; those of everybody who was joined into them count.
        span: first and last moment.
    """

    def __init__(self, core: Core, session: Session, roots: Collection[int], span: tuple[int, int]) -> None:
        observer, improve = core.runtime.observer, core.config.purposes.improve
        root_of = people.members_of(session, roots)
        self._by_root: dict[int, list[tuple[int, frozenset[str]]]] = defaultdict(list)
        self._naming: dict[str, list[tuple[int, frozenset[str]]]] = defaultdict(list)
        self._granted: dict[str, int] = {}
        for entry in log.entries_between(session, root_of, *span):
            event = entry.body.event
            if event is None or entry.is_bot or not entry.purposes & improve:
                continue
            classes = frozenset(signal.signal_class for signal in observer.allowed(event, entry.purposes))
            decision_id = observer.signals.decision_of(event)
            if decision_id:
                self._granted[decision_id] = self._granted.get(decision_id, 0) | entry.purposes
            if classes:
                self._by_root[root_of[entry.person_id]].append((entry.time_ms, classes))
                if decision_id:
                    self._naming[decision_id].append((entry.time_ms, classes))

    def of(self, decision: Decision, root: int, window_ms: int) -> tuple[set[str], set[str]]:
        """(classes of events that name a decision, classes of everything its person did), both in its window."""
        first, last = decision.time_ms, decision.time_ms + window_ms
        # A client's clock may run a little behind, but who names a decision has seen it.
        named = {name for at, names in self._naming.get(decision.decision_id, ()) if at <= last for name in names}
        done = {name for at, names in self._by_root.get(root, ()) if first < at <= last for name in names}
        return named, done | named

    def granted_to(self, decision_id: str) -> int:
        """The purposes of the events that name a decision."""
        return self._granted.get(decision_id, 0)


def _refusing(session: Session, roots: Collection[int]) -> set[int]:
    """Of these persons those whose latest word on improving is no."""
    latest: dict[int, tuple[tuple[int, int, str], bool]] = {}
    for change in people.consents_of(session, roots):
        if change.purpose == "improve":
            word = (change.time_ms, change.received_ms, change.message_id), change.is_granted
            latest[change.person_id] = max(latest.get(change.person_id, word), word)
    return {person for person, (_, is_granted) in latest.items() if not is_granted}


class BanditHolder:
    """The sums as a holder: whoever's decisions are in them is taken out by making the sums anew from the log.

    The erasure itself marks the sums; `learn`, which an erasure runs before it returns, makes them anew.

    Args:
        tx: the transaction of the erasure.
        variants: the placements with variants.
    """

    name = "bandits"

    def __init__(self, tx: Transaction, variants: Iterable[VariantPlacement]) -> None:
        self._tx = tx
        self._learning = {placement.name: placement for placement in variants if placement.settings.learn is not None}

    def _held(self, subject: Subject) -> list[str]:
        """The placement of every decision of theirs that was learned."""
        if not self._learning:
            return []
        decisions = records.decisions_of(self._tx, subject.people)
        seen = {exposure.decision_id for exposure in records.exposures_of(self._tx, subject.people)}
        seen -= {decision.decision_id for decision in decisions}
        decisions += [found for one in seen if (found := records.decision(self._tx, one)) is not None]
        return [decision.placement for decision in decisions if decision.placement in self._learning]

    def holds(self, subject: Subject) -> int:
        """Returns how many decisions of the person are learned from."""
        return len(self._held(subject))

    def export(self, subject: Subject) -> list[dict[str, object]]:
        """Returns nothing: the sums are drawn from decisions and events, which are exported."""
        del subject
        return []

    def erase(self, subject: Subject) -> ReceiptLine:
        """Has the sums that the person is in made anew."""
        held = self._held(subject)
        n_marked = sum(ask_for_refit(self._tx, self._learning[name]) for name in sorted(set(held)))
        return ReceiptLine(holder=self.name, n_held=len(held), n_removed=len(held), n_rewritten=n_marked)
