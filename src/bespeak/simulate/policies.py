"""Policies: what is shown to whom. A policy is a function of visits and candidates; these need no engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bespeak.simulate.crowd.choice import Appeal, Visits
from bespeak.simulate.draws import Draws, Purpose
from bespeak.simulate.offer.stock import Stock

_CHUNK = 2_000_000  # visits x candidates scored at once by the oracle: bounds its memory


@dataclass(frozen=True, eq=False)
class Slates:
    """What a policy shows, one row per visit.

    Attributes:
        items: indices of items in the order shown, -1 behind the end of a short slate, int64[m, k].
        propensity: probability of each item at its position given the items before it, float64[m, k].
        decision_ids: the engine's decisions, "" where none is logged.
        arm: index into the names of an experiment's arms, -1 outside of one, int64[m].
    """

    items: NDArray[np.int64]
    propensity: NDArray[np.float64]
    decision_ids: tuple[str, ...] = ()
    arm: NDArray[np.int64] | None = None


class Policy(Protocol):
    """Chooses slates for all visits of a day at once."""

    def __call__(self, visits: Visits, candidates: NDArray[np.int64], size: int) -> Slates:
        """Chooses.

        Args:
            visits: who comes, in the order of time.
            candidates: indices of the items that can be shown that day, ascending, int64[c].
            size: positions to fill; fewer when there are fewer candidates.
        """
        ...


class RandomPolicy:
    """Every candidate is equally likely at every position: the policy to learn from, with exact propensities."""

    def __init__(self, draws: Draws) -> None:
        self._draws = draws

    def __call__(self, visits: Visits, candidates: NDArray[np.int64], size: int) -> Slates:
        """Draws without replacement: position j is uniform over the n - j that are left."""
        n, m = len(candidates), len(visits)
        size = min(size, n)
        places = np.zeros((m, size), dtype=np.int64)
        uniform = self._draws.uniform(Purpose.POLICY, visits.person[:, None], visits.day, np.arange(size))
        for position in range(size):
            left = (uniform[:, position] * (n - position)).astype(np.int64)
            # The left-th of those not taken yet: pass over each taken place, smallest first.
            for taken in np.sort(places[:, :position], axis=1).T:
                left += left >= taken
            places[:, position] = left
        propensity = np.broadcast_to(1.0 / (n - np.arange(size)), (m, size))
        return Slates(candidates[places], propensity)


class PopularPolicy:
    """The best that knows nobody: the most popular candidates, for everybody alike."""

    def __init__(self, stock: Stock) -> None:
        self._popularity = stock.popularity

    def __call__(self, visits: Visits, candidates: NDArray[np.int64], size: int) -> Slates:
        """Shows the same slate in every visit."""
        best = candidates[np.argsort(-self._popularity[candidates], kind="stable")[:size]]
        items = np.broadcast_to(best, (len(visits), len(best)))
        return Slates(items, np.ones(items.shape))


class OraclePolicy:
    """The best there is for the clicks of a visit: candidates by their true utility, best first."""

    def __init__(self, appeal: Appeal) -> None:
        self._appeal = appeal

    def __call__(self, visits: Visits, candidates: NDArray[np.int64], size: int) -> Slates:
        """Scores every candidate for every visit; attention falls with position, so sorting is optimal."""
        size = min(size, len(candidates))
        items = np.zeros((len(visits), size), dtype=np.int64)
        step = max(1, _CHUNK // max(1, len(candidates)))
        for first in range(0, len(visits), step):
            some = visits.only(np.arange(first, min(first + step, len(visits))))
            scores = self._appeal.utility(some, np.broadcast_to(candidates, (len(some), len(candidates))))
            items[first : first + step] = candidates[np.argsort(-scores, axis=1, kind="stable")[:, :size]]
        return Slates(items, np.ones(items.shape))


class Experiment:
    """Two policies beside each other: a fixed share of the people, drawn by a hash, sees the treated one.

    Args:
        treated: what the treated see.
        control: what everybody else sees, and everybody before `from_day`.
        draws: the world's random numbers.
        share: of the people who are treated; 1 compares nothing, and tells nobody an arm.
        from_day: first day of the experiment; what people did before is their pre-period.
        moved: the fault `broken_assignment`: this share of the treated with a phone lands in the control.
        uses_phone: whether each person's main device is a phone, bool[n].
    """

    ARMS = ("control", "treated")

    def __init__(
        self,
        treated: Policy,
        control: Policy,
        draws: Draws,
        *,
        share: float = 0.5,
        from_day: int = 0,
        moved: float = 0.0,
        uses_phone: NDArray[np.bool_] | None = None,
    ) -> None:
        self._treated = treated
        self._control = control
        self._draws = draws
        self._share = share
        self._moved = moved
        self._uses_phone = uses_phone
        self.from_day = from_day

    def arm(self, people: NDArray[np.int64]) -> NDArray[np.int64]:
        """The arm of each person for good, 1 is treated, int64[m]."""
        is_treated = self._draws.uniform(Purpose.ASSIGNMENT, people) < self._share
        if self._moved and self._uses_phone is not None:
            is_moved = self._draws.uniform(Purpose.FAULT, people, 0) < self._moved
            is_treated &= ~(is_moved & self._uses_phone[people])
        return is_treated.astype(np.int64)

    def __call__(self, visits: Visits, candidates: NDArray[np.int64], size: int) -> Slates:
        """Asks each policy for its own visits."""
        if visits.day < self.from_day:
            return self._control(visits, candidates, size)
        arm = self.arm(visits.person)
        size = min(size, len(candidates))
        items = np.full((len(visits), size), -1, dtype=np.int64)
        propensity = np.zeros((len(visits), size))
        decision_ids = [""] * len(visits)
        for number, policy in enumerate((self._control, self._treated)):
            rows = np.flatnonzero(arm == number)
            if not len(rows):
                continue
            slates = policy(visits.only(rows), candidates, size)
            width = slates.items.shape[1]
            items[rows, :width], propensity[rows, :width] = slates.items, slates.propensity
            for row, decision_id in zip(rows, slates.decision_ids, strict=False):
                decision_ids[row] = decision_id
        return Slates(items, propensity, tuple(decision_ids), arm if self._share < 1 else None)
