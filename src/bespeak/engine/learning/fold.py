"""The job that folds decisions and their outcomes into sums, and what an erasure does to them.

Every few seconds it takes in what is new: a decision counts a little as soon as it has settled and more as its window
goes by (see `shares`), and a reward counts in full as soon as it is in the log. When a window closes the decision is
read once more with all that came of it, and what it had put into the sums is replaced by that. So in the end the sums
are those of closed windows, whatever was foretold on the way.

Only one node folds at a time, and sums are written only over those that were read. Once a day, when somebody was
erased, and when the settings changed, they are made anew from the log: that takes in what came late, and leaves out who
withdrew. Both ways give the same sums.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from bespeak.decide.world import World
from bespeak.engine.folding.observe import Observer
from bespeak.engine.learning.lessons import PREFIX, AnyLesson, Lesson, lessons_of
from bespeak.engine.learning.news import News, decisions_touched, read_news
from bespeak.engine.learning.outcomes import is_learned_from, joined, wanted
from bespeak.engine.learning.state import LearnedState, ask_for_refit, moment_of, put_state, read_state
from bespeak.engine.learning.sums_in_work import SumsInWork
from bespeak.signals.subjects import ReceiptLine, Subject
from bespeak.storage.base import Session, Store, Transaction
from bespeak.storage.tables import records

REFIT_EVERY_MS = 86_400_000
WRITE_EVERY_MS = 60_000
WRITE_EVERY_ENTRIES = 1_000
HALF_LIVES = 40


class Learnt(NamedTuple):
    """What one turn did: the placement, decisions taken in, decisions told more of, and whether all was made anew."""

    placement: str
    n_decisions: int
    n_corrected: int
    is_refit: bool


def learn(store: Store, world: World, observer: Observer, now_ms: int) -> list[Learnt]:
    """Takes in the outcomes of every placement that learns; returns those where anything was new.

    Args:
        store: holds the log and the sums.
        world: whose placements learn.
        observer: reads the log.
        now_ms: the time that decay is computed for.
    """
    lessons = lessons_of(world)
    found = []
    with store.read() as session:
        idle = _idle(session, lessons, now_ms)
        held = {one.key: read_state(session, one.key, one.digest) for one in lessons}
        after = [state.log_position for state in held.values() if state is not None]
        news = read_news(observer, session, min(after, default=session.log_ceiling()))
        for lesson in lessons:
            start = held[lesson.key]
            is_refit = start is None or now_ms - start.refitted_ms >= REFIT_EVERY_MS
            if start is None or is_refit:
                work = _made_anew(observer, session, lesson, now_ms)
            else:
                work = _advanced(observer, session, lesson, start, news, now_ms)
            found.append((lesson, start, work, is_refit))
    if idle:
        with store.write() as tx:
            records.drop_settings(tx, idle)
    turns = []
    for lesson, start, work, is_refit in found:
        if is_refit or work.is_changed or start is None or _is_due(start, work, news):
            state = work.state(news.position, now_ms if is_refit or start is None else start.refitted_ms)
            with store.write() as tx:
                if not put_state(tx, lesson.key, start, state):
                    continue  # another node was faster; the next turn goes on
        if is_refit or work.is_changed:
            turns.append(Learnt(lesson.placement, work.n_new, work.n_corrected, is_refit))
    return turns


def _is_due(start: LearnedState, work: SumsInWork[Any], news: News) -> bool:
    """Whether sums that did not change are stored all the same, so that the next turn has less to look at."""
    is_old = work.now_ms - start.moment_ms >= WRITE_EVERY_MS
    return is_old or news.position - start.log_position >= WRITE_EVERY_ENTRIES


def _idle(session: Session, lessons: Sequence[AnyLesson], now_ms: int) -> list[str]:
    """The rows that nothing is learned into for a day; one of yesterday's policy is there when it comes back."""
    unknown = set(records.setting_names(session, PREFIX)) - {lesson.key for lesson in lessons}
    return sorted(key for key in unknown if now_ms - moment_of(session, key) >= REFIT_EVERY_MS)


def _made_anew(observer: Observer, session: Session, lesson: Lesson[Any], now_ms: int) -> SumsInWork[Any]:
    """The sums from the log alone."""
    work = SumsInWork(lesson, None, now_ms, observer.purposes.improve)
    oldest = 0 if lesson.half_life_ms is None else max(0, now_ms - int(HALF_LIVES * lesson.half_life_ms))
    for batch in wanted(session, lesson.placement, oldest, now_ms, lesson.is_row):
        work.correct(batch, joined(observer, session, batch, lesson.window_ms))
    return work


def _advanced(
    observer: Observer, session: Session, lesson: Lesson[Any], start: LearnedState, news: News, now_ms: int
) -> SumsInWork[Any]:
    """The sums of a while ago, brought up to now."""
    work = SumsInWork(lesson, start, max(now_ms, start.moment_ms), observer.purposes.improve)
    closed_ms = work.now_ms - lesson.shares.closed_ms
    for after, until in lesson.shares.spans(start.moment_ms, work.now_ms):
        for batch in wanted(session, lesson.placement, after, until, lesson.is_row):
            closing = [decision for decision in batch if decision.time_ms <= closed_ms]
            if closing:
                work.correct(closing, joined(observer, session, closing, lesson.window_ms))
            work.grow([decision for decision in batch if decision.time_ms > closed_ms])
    work.has_grown()
    if not news.is_whole:
        for batch in wanted(session, lesson.placement, closed_ms, work.now_ms, lesson.is_row):
            work.correct(batch, joined(observer, session, batch, lesson.window_ms))
        return work
    ids, people = news.touched(start.log_position, lesson.named | lesson.done)
    touched = [
        decision
        for decision in decisions_touched(session, lesson.placement, ids, people, closed_ms, work.now_ms)
        if is_learned_from(decision, lesson.is_row)
    ]
    if touched:
        work.correct(touched, joined(observer, session, touched, lesson.window_ms))
    return work


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
        """Has the sums that the person is in made anew, and drops those that nothing is learned into."""
        known = {lesson.key for lesson in self._lessons}
        records.drop_settings(self._tx, [k for k in records.setting_names(self._tx, PREFIX) if k not in known])
        held = self._held(subject)
        marked = {lesson.key: lesson.digest for lesson in held}
        n_marked = sum(ask_for_refit(self._tx, key, digest) for key, digest in sorted(marked.items()))
        return ReceiptLine(holder=self.name, n_held=len(held), n_removed=len(held), n_rewritten=n_marked)
