"""The slate, one position at a time: mask what the constraints forbid given what is placed, then take.

A constraint is never traded against the score: when nothing is allowed any more, the slate is shorter. The chooser
decides how a position is taken from what is open; the deterministic one takes the best with probability 1. Because the
mask depends only on the items placed before, a chooser that samples knows its exact propensity given that prefix, and
the slate's is the product.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Bools: TypeAlias = npt.NDArray[np.bool_]
Int32s: TypeAlias = npt.NDArray[np.int32]
Float64s: TypeAlias = npt.NDArray[np.float64]


class Choice(NamedTuple):
    """One taken position: which candidate, and with which probability given the positions before."""

    candidate: int
    propensity: float


Chooser: TypeAlias = Callable[[Float64s, Bools, int], Choice]
"""(scores float64[c], open bool[c] with at least one True, position from 1) -> the candidate to place."""


def best(scores: Float64s, is_open: Bools, position: int) -> Choice:
    """The open candidate with the highest score; of equals the first."""
    return Choice(int(np.argmax(np.where(is_open, scores, -np.inf))), 1.0)


@dataclass(frozen=True, eq=False)
class Cap:
    """At most `limit` items of a slate share a value.

    Attributes:
        codes: int32[c, width], each candidate's values; `n_values` pads.
    """

    name: str
    limit: int
    codes: Int32s
    n_values: int


@dataclass(frozen=True, eq=False)
class Constraints:
    """What a slate must fulfil.

    Attributes:
        groups: int32[c], or None when several items of a group may stand together.
        caps: limits per attribute.
        min_score: items that score less stay out.
    """

    groups: Int32s | None = None
    caps: tuple[Cap, ...] = ()
    min_score: float | None = None


@dataclass(frozen=True, eq=False)
class Slate:
    """The built slate.

    Attributes:
        chosen: the candidates in order, with their propensities.
        removed: rule -> how many candidates it closed while the slate was built.
    """

    chosen: tuple[Choice, ...]
    removed: Mapping[str, int]


def build(scores: Float64s, count: int, constraints: Constraints, choose: Chooser = best) -> Slate:
    """Builds a slate of at most `count` candidates; they are in catalogue order, so ties go to the lower index."""
    is_open = np.isfinite(scores)
    removed: dict[str, int] = {}

    def close(rule: str, which: Bools) -> None:
        closed = is_open & which
        n_closed = int(np.count_nonzero(closed))
        if n_closed:
            removed[rule] = removed.get(rule, 0) + n_closed
            is_open[closed] = False

    if constraints.min_score is not None:
        close("min_score", np.less(scores, constraints.min_score))
    held = [np.zeros(cap.n_values + 1, np.int64) for cap in constraints.caps]
    chosen: list[Choice] = []
    while len(chosen) < count and is_open.any():
        choice = choose(scores, is_open, len(chosen) + 1)
        chosen.append(choice)
        taken = choice.candidate
        is_open[taken] = False
        if len(chosen) == count:
            break
        if constraints.groups is not None:
            close("group", constraints.groups == constraints.groups[taken])
        for cap, counts in zip(constraints.caps, held, strict=True):
            own = [code for code in set(cap.codes[taken].tolist()) if code < cap.n_values]
            counts[own] += 1
            full = [code for code in own if counts[code] >= cap.limit]
            if full:
                reached = np.zeros(cap.n_values + 1, np.bool_)
                reached[full] = True
                holds: Bools = np.asarray(reached[cap.codes].any(axis=1))
                close(f"cap.{cap.name}", holds)
    return Slate(tuple(chosen), removed)
