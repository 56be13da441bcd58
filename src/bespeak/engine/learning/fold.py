"""The job that folds outcomes into sums, and what an erasure does to them.

It folds what is new every few seconds and remembers how far it came; only one node does at a time, and sums are written
only over those that were read. Once a day, when somebody was erased, and when the settings changed, they are made anew
from the log: that takes in what came late, and leaves out who withdrew. Both ways give the same sums.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from bespeak.engine.core import Core
from bespeak.engine.folding.observe import Observer
from bespeak.engine.learning.lessons import Lesson, lessons
from bespeak.engine.learning.outcomes import joined
from bespeak.engine.learning.state import LearnedState, ask_for_refit, put_state, read_state
from bespeak.signals.subjects import ReceiptLine, Subject
from bespeak.storage import records
from bespeak.storage.base import Session, Transaction

SETTLED_MS = 5_000
REFIT_EVERY_MS = 86_400_000
FADE_EVERY_MS = 60_000
HALF_LIVES = 40


class Learnt(NamedTuple):
    """What one turn did: the placement, decisions taken in, and whether all was made anew."""

    placement: str
    n_decisions: int
    is_refit: bool


def learn(core: Core) -> list[Learnt]:
    """Takes in the outcomes of every placement that learns; returns those where anything was new."""
    turns = [_learn_one(core, lesson) for lesson in lessons(core.config)]
    return [turn for turn in turns if turn.n_decisions or turn.is_refit]


def _learn_one(core: Core, lesson: Lesson[Any]) -> Learnt:
    now_ms = core.now_ms()
    with core.store.read() as session:
        held = read_state(session, lesson.key, lesson.digest)
        is_refit = held is None or now_ms - held.refitted_ms >= REFIT_EVERY_MS
        start = None if is_refit else held
        observer = core.runtime.observer
        state = _folded(observer, session, lesson, start, now_ms)
    n_new = state.n_decisions - (start.n_decisions if start is not None else 0)
    is_due = held is None or state.folded_ms - held.folded_ms >= FADE_EVERY_MS
    if n_new or is_refit or is_due:
        with core.store.write() as tx:
            if not put_state(tx, lesson.key, held, state):
                return Learnt(lesson.placement, 0, is_refit=False)  # another node was faster; the next turn goes on
    return Learnt(lesson.placement, n_new, is_refit)


def _folded(
    observer: Observer, session: Session, lesson: Lesson[Any], start: LearnedState | None, now_ms: int
) -> LearnedState:
    """The sums of `start` and of the decisions after it; from the log alone where there is no start."""
    until_ms = now_ms - lesson.window_ms - SETTLED_MS
    half_life_ms = lesson.half_life_ms
    if start is None:
        after_ms = 0 if half_life_ms is None else max(0, until_ms - int(HALF_LIVES * half_life_ms))
        sums, n_decisions = lesson.read(None), 0
    else:
        until_ms, after_ms = max(until_ms, start.folded_ms), start.folded_ms
        sums, n_decisions = lesson.read(start.sums), start.n_decisions
        if half_life_ms is not None:
            sums = sums.times(0.5 ** ((until_ms - start.folded_ms) / half_life_ms))
    for rows in joined(observer, session, lesson.placement, after_ms, until_ms, lesson.window_ms, lesson.is_row):
        ages = np.array([until_ms - row.decision.time_ms for row in rows], np.float64)
        weights = np.ones(len(rows)) if half_life_ms is None else 0.5 ** (ages / half_life_ms)
        if rows:
            sums += lesson.sums(rows, weights)
        n_decisions += len(rows)
    return LearnedState(
        digest=lesson.digest,
        folded_ms=max(until_ms, 0),
        n_decisions=n_decisions,
        refitted_ms=now_ms if start is None else start.refitted_ms,
        sums=lesson.packed(sums),
    )


class LearningHolder:
    """The sums as a holder: whoever's decisions are in them is taken out by making the sums anew from the log.

    The erasure itself marks the sums; `learn`, which an erasure runs before it returns, makes them anew.

    Args:
        tx: the transaction of the erasure.
        learned: what is learned.
    """

    name = "bandits"

    def __init__(self, tx: Transaction, learned: Iterable[Lesson[Any]]) -> None:
        self._tx = tx
        self._lessons = list(learned)

    def _held(self, subject: Subject) -> list[Lesson[Any]]:
        """The lesson of every decision of theirs that is learned from."""
        if not self._lessons:
            return []
        decisions = records.decisions_of(self._tx, subject.people)
        seen = {exposure.decision_id for exposure in records.exposures_of(self._tx, subject.people)}
        seen -= {decision.decision_id for decision in decisions}
        decisions += [found for one in seen if (found := records.decision(self._tx, one)) is not None]
        return [
            lesson
            for decision in decisions
            for lesson in self._lessons
            if lesson.placement == decision.placement and lesson.is_row(decision)
        ]

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
        marked = {lesson.key: lesson.digest for lesson in held}
        n_marked = sum(ask_for_refit(self._tx, key, digest) for key, digest in sorted(marked.items()))
        return ReceiptLine(holder=self.name, n_held=len(held), n_removed=len(held), n_rewritten=n_marked)
