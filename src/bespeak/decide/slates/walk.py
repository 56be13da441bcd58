"""The slate that nothing is drawn for, by one walk down the candidates in order of score.

What `build` takes at a position is then the first candidate in that order which no earlier one has closed. A group or a
cap closes for good, so it is enough to know which groups and values are full: no candidate is looked at twice. Pins,
shares, windows and diversity depend on the position, so slates with one of those are built.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.decide.slates.slate import Bools, Cap, Constraints, Slate, build, placed

Float64s: TypeAlias = npt.NDArray[np.float64]
Int64s: TypeAlias = npt.NDArray[np.int64]


def best_slate(scores: Float64s, best_first: Int64s, count: int, constraints: Constraints) -> Slate:
    """The slate of `build` without a draw; `best_first` is int64[c], the candidates by falling score, ties by place."""
    if not _can_walk(constraints):
        return build(scores, count, constraints)
    return placed(scores, _walk(scores, best_first, count, constraints), count, constraints)


def best_candidates(scores: Float64s, best_first: Int64s, count: int, constraints: Constraints) -> list[int]:
    """The candidates of `best_slate` in order, where nobody asks which rule closed what.

    Example:
        >>> groups = np.array([0, 1, 1, 2], np.int32)
        >>> best_candidates(np.array([1.0, 4.0, 3.0, 2.0]), np.array([1, 2, 3, 0]), 2, Constraints(groups))
        [1, 3]
    """
    if not _can_walk(constraints):
        return [choice.candidate for choice in build(scores, count, constraints).chosen]
    return _walk(scores, best_first, count, constraints)


def _can_walk(constraints: Constraints) -> bool:
    depends_on_position = constraints.pins or constraints.shares or constraints.diversity is not None
    return not depends_on_position and not any(cap.window for cap in constraints.caps)


def _walk(scores: Float64s, best_first: Int64s, count: int, constraints: Constraints) -> list[int]:
    open_first = best_first[_open_at_first(scores, constraints)[best_first]].tolist()
    groups, used = constraints.groups, set[int]()
    counted = [_Counted(cap) for cap in constraints.caps]
    chosen: list[int] = []
    for candidate in open_first:
        if len(chosen) == count:
            break
        group = -1 if groups is None else int(groups[candidate])
        if (groups is None or group not in used) and not any(cap.closes(candidate) for cap in counted):
            chosen.append(candidate)
            used.add(group)
            for cap in counted:
                cap.take(candidate)
    return chosen


def _open_at_first(scores: Float64s, constraints: Constraints) -> Bools:
    is_open: Bools = np.isfinite(scores)
    if constraints.taken is not None:
        is_open &= ~constraints.taken
    if constraints.min_score is not None:
        is_open &= scores >= constraints.min_score
    return is_open


class _Counted:
    """A cap, and how many items of each value stand already; a value is full once as many do as may."""

    def __init__(self, cap: Cap) -> None:
        self._cap = cap
        self._held: dict[int, int] = {}
        self._full: set[int] = set()
        if cap.held is not None:
            self._held = {code: int(cap.held[code]) for code in np.flatnonzero(cap.held).tolist()}
            self._full = set(np.flatnonzero(cap.held >= cap.limit).tolist())

    def closes(self, candidate: int) -> bool:
        """Whether a candidate has a value that is full."""
        return bool(self._full) and not self._full.isdisjoint(self._cap.values.own(candidate))

    def take(self, candidate: int) -> None:
        """Counts a candidate that stands."""
        for code in self._cap.values.own(candidate):
            self._held[code] = self._held.get(code, 0) + 1
            if self._held[code] >= self._cap.limit:
                self._full.add(code)
