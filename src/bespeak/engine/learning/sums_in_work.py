"""The sums of one lesson while one turn brings them up to date."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from bespeak.decide.variants.bandits import ArmSums
from bespeak.decide.variants.creative_sums import CreativeSums
from bespeak.engine.learning.lessons import Lesson
from bespeak.engine.learning.outcomes import Joined
from bespeak.engine.learning.state import Heard, LearnedState, key_of
from bespeak.signals.decisions import Decision

S = TypeVar("S", ArmSums, CreativeSums)
Float64s = npt.NDArray[np.float64]


class SumsInWork(Generic[S]):
    """The sums of one lesson on their way from one moment to another.

    What a decision has put into the sums is known without keeping it: its record, what was heard of it, and how much a
    decision of its age counted. So it can be taken out to the last digits and put in again as it is known now.

    Attributes:
        now_ms: the moment that they are brought to.
        n_new: how many more decisions are in them.
        n_corrected: of how many decisions something else is known.
        is_changed: whether the sums are others.

    Args:
        lesson: what is learned.
        start: the sums to begin with; None for none.
        now_ms: the moment.
        improve: bit of the purpose that must have been granted.
    """

    def __init__(self, lesson: Lesson[S], start: LearnedState | None, now_ms: int, improve: int) -> None:
        self.now_ms = now_ms
        self.n_new = self.n_corrected = 0
        self.is_changed = False
        self._lesson: Lesson[S] = lesson
        self._improve = improve
        self._n_before = 0 if start is None else start.n_decisions
        self._moment_ms = 0 if start is None else start.moment_ms
        self._heard = {} if start is None else dict(start.heard)
        self._sums: S = lesson.read(None if start is None else start.sums)
        if start is not None and lesson.half_life_ms is not None:
            self._sums = self._sums.times(float(lesson.fades(np.array([now_ms - start.moment_ms], np.float64))[0]))

    def grow(self, decisions: Sequence[Decision]) -> None:
        """Lets decisions whose window is open count as much as their age now asks for."""
        rows = [Joined(d, frozenset(), frozenset()) for d in decisions if self._known(d).is_in]
        if not rows:
            return
        heard = [self._known(row.decision) for row in rows]
        before, now = self._shares([row.decision for row in rows], heard, heard)
        self._sums += self._lesson.sums(rows, self._fades(rows), now - before)
        self.n_new += int(np.count_nonzero((before == 0) & (now > 0)))
        self.is_changed = True

    def has_grown(self) -> None:
        """From here on every decision counts as much as its age now asks for."""
        self._moment_ms = self.now_ms

    def correct(self, decisions: Sequence[Decision], found: Iterable[Joined]) -> None:
        """Replaces what decisions have put into the sums by what is known of them now.

        Args:
            decisions: all of them; those without a row do not count any more.
            found: their rows.
        """
        rows = {row.decision.decision_id: row for row in found}
        knew = [self._known(decision) for decision in decisions]
        hears = [self._lesson.heard(rows.get(decision.decision_id)) for decision in decisions]
        before, now = self._shares(decisions, knew, hears)
        is_open = np.array([d.time_ms > self.now_ms - self._lesson.shares.closed_ms for d in decisions])
        out: list[tuple[Joined, float]] = []
        into: list[tuple[Joined, float]] = []
        shares = zip(before.tolist(), now.tolist(), is_open.tolist(), strict=True)
        for decision, known, heard, (was, will, stays) in zip(decisions, knew, hears, shares, strict=True):
            row = rows.get(decision.decision_id)
            if (known, was) != (heard, will):
                if known.is_in:
                    out.append((Joined(decision, frozenset(known.named), frozenset(known.done)), was))
                if row is not None:
                    into.append((row, will))
                self.n_new += (heard.is_in and will > 0) - (known.is_in and was > 0)
                self.n_corrected += known != heard
            self._keep(decision, heard, is_open=stays)
        for sign, part in ((-1.0, out), (1.0, into)):
            if part:
                of_part = [row for row, _ in part]
                counts = np.array([share for _, share in part])
                self._sums += self._lesson.sums(of_part, sign * self._fades(of_part), counts)
                self.is_changed = True

    def state(self, log_position: int, refitted_ms: int) -> LearnedState:
        """The sums as they are stored."""
        return LearnedState(
            digest=self._lesson.digest,
            moment_ms=self.now_ms,
            log_position=log_position,
            n_decisions=self._n_before + self.n_new,
            refitted_ms=refitted_ms,
            sums=self._lesson.packed(self._sums),
            heard=self._heard,
        )

    def _is_usual(self, decision: Decision) -> bool:
        """Whether a decision counts before anything is heard of it."""
        return decision.person is not None and not decision.is_ahead and bool(decision.purposes & self._improve)

    def _known(self, decision: Decision) -> Heard:
        held = self._heard.get(key_of(decision.decision_id))
        return Heard(is_in=self._is_usual(decision)) if held is None else held

    def _keep(self, decision: Decision, heard: Heard, *, is_open: bool) -> None:
        key = key_of(decision.decision_id)
        if is_open and heard != Heard(is_in=self._is_usual(decision)):
            self._heard[key] = heard
        else:
            self._heard.pop(key, None)

    def _shares(
        self, decisions: Sequence[Decision], knew: Sequence[Heard], hears: Sequence[Heard]
    ) -> tuple[Float64s, Float64s]:
        """(float64[n] how much each has counted, float64[n] how much it counts now).

        One that was answered counts at least what it does once it has settled: a reward of no decision would say that
        a variant earns without end.
        """
        times = np.array([decision.time_ms for decision in decisions], np.int64)
        shares = self._lesson.shares
        before = shares.at(self._moment_ms - times) if self._moment_ms else np.zeros(len(times))
        least = [shares.first * np.array([bool(one.named or one.done) for one in of]) for of in (knew, hears)]
        return np.maximum(before, least[0]), np.maximum(shares.at(self.now_ms - times), least[1])

    def _fades(self, rows: Sequence[Joined]) -> Float64s:
        return self._lesson.fades(np.array([self.now_ms - row.decision.time_ms for row in rows], np.float64))
