"""What was shown and what came of it, as arrays: the rows that weights are learned from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt

Float64s: TypeAlias = npt.NDArray[np.float64]
Int32s: TypeAlias = npt.NDArray[np.int32]
Int64s: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]

_LEAST_EXAMINATION = 0.1
"""A reward at a place that hardly anybody looks at counts ten times at most."""


@dataclass(frozen=True, slots=True, eq=False)
class ShownItems:
    """Shown items of one placement, one row each; rows of a decision stand together, decisions in the order of time.

    Attributes:
        names: f signals.
        values: float64[n, f], as they were logged with the decision; 0 where none was.
        rewards: float64[n], 0..1, what came of it within the attribution window.
        decisions: int64[n], ascending: which decision.
        people: int64[n], whose.
        items: int32[n], which item.
        positions: int32[n], from 1.
        devices: int32[n] into `device_names`.
        device_names: as contexts name them.
        propensities: float64[n], as logged.
        scores: float64[n], as logged.
        times_ms: int64[n], of the decision.
    """

    names: tuple[str, ...]
    values: Float64s
    rewards: Float64s
    decisions: Int64s
    people: Int64s
    items: Int32s
    positions: Int32s
    devices: Int32s
    device_names: tuple[str, ...]
    propensities: Float64s
    scores: Float64s
    times_ms: Int64s

    def __len__(self) -> int:
        return len(self.rewards)

    @property
    def n_decisions(self) -> int:
        """How many decisions the rows come from."""
        return len(np.unique(self.decisions))

    @property
    def n_people(self) -> int:
        """How many people they were shown to."""
        return len(np.unique(self.people))

    @property
    def n_rewarded(self) -> int:
        """How many rows anything came of."""
        return int(np.count_nonzero(self.rewards))

    def select(self, chosen: Bools | npt.NDArray[np.intp]) -> Self:
        """Some of the rows, or all in another order."""
        columns = (
            "values", "rewards", "decisions", "people", "items", "positions", "devices", "propensities", "scores",
            "times_ms",
        )  # fmt: skip
        return replace(self, **{name: getattr(self, name)[chosen] for name in columns})

    def cut(self, share: float, gap_ms: int) -> tuple[Bools, Bools]:
        """(bool[n], bool[n]): the rows of the first `share` of the decisions, and those of the others, later ones.

        Args:
            share: of the decisions, 0 to 1.
            gap_ms: the attribution window: what was shown so short a time before the cut is left out, for its outcome
                lies behind it.
        """
        starts = self.times_ms[np.flatnonzero(np.diff(self.decisions, prepend=-1))]
        cut_ms = int(starts[min(int(share * len(starts)), len(starts) - 1)])
        return self.times_ms < cut_ms - gap_ms, self.times_ms >= cut_ms


def no_rows(names: tuple[str, ...] = ()) -> ShownItems:
    """Nothing shown yet."""
    none, ids, codes = np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int32)
    return ShownItems(
        names=names,
        values=np.zeros((0, len(names))),
        rewards=none,
        decisions=ids,
        people=ids,
        items=codes,
        positions=codes,
        devices=codes,
        device_names=(),
        propensities=none,
        scores=none,
        times_ms=ids,
    )


def choice_likelihood(shown: ShownItems, chances: Float64s) -> tuple[Float64s, Int64s]:
    """How likely it was that people chose what they chose, given that they chose: (logarithm, whose) of each decision.

    With chances p the odds p / (1 - p) of the rewarded items as a share of the slate's. How often somebody chooses at
    all does not count, only what: the order. Decisions of several items that something came of, in their order.

    Args:
        shown: the rows.
        chances: float64[n], of a reward of each row at the position where it stood, above 0 and below 1.
    """
    _, place = np.unique(shown.decisions, return_inverse=True)
    odds = chances / (1 - chances)
    logs = np.log(odds / np.bincount(place, odds)[place])
    sizes, totals = np.bincount(place), np.bincount(place, shown.rewards)
    is_asked = (totals > 0) & (sizes > 1)
    sums = np.bincount(place, shown.rewards * logs)
    first = np.searchsorted(place, np.flatnonzero(is_asked))
    return sums[is_asked] / totals[is_asked], shown.people[first]


def reordered_gain(shown: ShownItems, scores: Float64s, examination: Float64s) -> Float64s:
    """float64[d]: what the items of each decision would bring in the order of their scores.

    The discounted gain: a reward at rank r counts 1 / log2(1 + r), times 1 / examination of where it stood: as often as
    it would have come, had everybody looked there (Joachims, Swaminathan & Schnabel, 2017). It is not divided by what
    is possible, for in a slate with one reward that would undo the correction. Equal scores are ordered by a fixed
    shuffle, not as they were shown.

    Args:
        shown: the rows.
        scores: float64[n], what to order by.
        examination: float64[n], how likely each place was looked at.
    """
    gains = shown.rewards / np.maximum(examination, _LEAST_EXAMINATION)
    _, place = np.unique(shown.decisions, return_inverse=True)
    shuffled = np.modf(np.arange(len(scores)) * 0.6180339887498949)[0]
    order = np.lexsort((shuffled, -scores, place))
    sorted_place = place[order]
    starts = np.flatnonzero(np.diff(sorted_place, prepend=-1))
    ranks = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order)))) + 1
    return np.bincount(sorted_place, gains[order] / np.log2(1 + ranks)).astype(np.float64)
