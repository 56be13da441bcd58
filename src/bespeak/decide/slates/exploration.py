"""Exploration: positions that are drawn, so that what is never shown can be learned of, with exact propensities.

At every position the open candidates have the probabilities

    p(i | prefix) = (1 - share) * usual(i) + share * [i may be tried] / (number of those open that may be tried)

usual(i) is 1 for the best, or at a temperature T the softmax of score / T. All open candidates may be tried, not only
those at the top: then no policy over the same candidates ever shows what this one could not have shown, which is what
weighing records by 1 / propensity needs. The sources have already cut the catalogue to what is worth a try; who wants
to try less lowers their limits. A placement that tries new items alone keeps the first term whole where none is open.

The numbers that are drawn with come from a counter-based generator (Salmon et al., "Parallel random numbers: as easy
as 1, 2, 3", 2011) under a hash of project, placement and decision: the same decision id repeats its draw on any node.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from bespeak.decide.slates.slate import Choice, Chooser

Bools: TypeAlias = npt.NDArray[np.bool_]
Float64s: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Exploration:
    """How positions are drawn.

    Attributes:
        share: of the probability that is spread evenly, above 0 and at most 1.
        temperature: of the softmax, in units of the score; 0 takes the best.
        may_try: bool[c], the candidates that the share is spread over; None for all.
    """

    share: float
    temperature: float = 0.0
    may_try: Bools | None = None

    def probabilities(self, scores: Float64s, is_open: Bools) -> Float64s:
        """float64[c], adding up to 1: how likely each candidate is at the next position; 0 for what is closed.

        Example:
            >>> scores, is_open = np.array([2.0, 5.0, 3.0]), np.array([True, False, True])
            >>> Exploration(0.2).probabilities(scores, is_open).tolist()
            [0.1, 0.0, 0.9]
        """
        rows = np.flatnonzero(is_open)
        offered = scores[rows]
        if self.temperature > 0:
            usual = np.exp((offered - offered.max()) / self.temperature)
            usual /= usual.sum()
        else:
            usual = np.zeros(len(rows))
            usual[np.argmax(offered)] = 1.0
        tried = np.ones(len(rows), np.bool_) if self.may_try is None else self.may_try[rows]
        n_tried = np.count_nonzero(tried)
        found = np.zeros(len(scores))
        found[rows] = (1 - self.share) * usual + self.share / n_tried * tried if n_tried else usual
        return found

    def chooser(self, numbers: Float64s) -> Chooser:
        """Draws position k with the k-th of `numbers`, float64, evenly from 0 (included) to 1 (not)."""

        def draw(scores: Float64s, is_open: Bools, position: int) -> Choice:
            chances = self.probabilities(scores, is_open)
            sums = np.cumsum(chances)
            # Numbers stay below 1, so this is below the last sum: a candidate without a chance is never hit.
            candidate = int(np.searchsorted(sums, numbers[position - 1] * sums[-1], side="right"))
            return Choice(candidate, float(chances[candidate]))

        return draw


def numbers_of(seed: int, placement: str, decision_id: str, n: int) -> Float64s:
    """float64[n], evenly from 0 to 1 (not included): the numbers of one decision.

    Example:
        >>> numbers_of(0, "home", "d1", 2).tolist() == numbers_of(0, "home", "d1", 3)[:2].tolist()
        True
        >>> numbers_of(0, "home", "d1", 1).tolist() == numbers_of(0, "home", "d2", 1).tolist()
        False
    """
    words = _counter_based(seed, placement, decision_id).random_raw(n)
    return np.asarray((words >> np.uint64(11)) * 2.0**-53, np.float64)


def generator_of(seed: int, placement: str, decision_id: str) -> np.random.Generator:
    """The generator of one decision, for draws that need more than `numbers_of`; it starts with the same words."""
    return np.random.Generator(_counter_based(seed, placement, decision_id))


def _counter_based(seed: int, placement: str, decision_id: str) -> np.random.Philox:
    key = blake2b(msgspec.json.encode((seed, placement, decision_id)), digest_size=16).digest()
    return np.random.Philox(key=int.from_bytes(key, "little"))
