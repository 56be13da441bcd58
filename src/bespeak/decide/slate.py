"""The slate, one position at a time: mask what the constraints forbid given what is placed, then take.

A constraint is never traded against the score: when nothing is allowed any more, the slate is shorter. The chooser
decides how a position is taken from what is open: the deterministic one takes the best with probability 1, and
`exploration` draws. Mask and scores depend only on the request and on the items placed before, so a chooser knows the
exact propensity of what it takes given that prefix, and the slate's is the product.
"""

from __future__ import annotations

from collections.abc import Callable
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
class Values:
    """The values of one attribute.

    Attributes:
        codes: int32[c, width], each candidate's values; `n_values` pads.
    """

    codes: Int32s
    n_values: int

    def own(self, candidate: int) -> list[int]:
        """The distinct values of one candidate."""
        return [code for code in set(self.codes[candidate].tolist()) if code < self.n_values]

    def sharing(self, values: list[int]) -> Bools:
        """bool[c]: which candidates have one of these values."""
        is_one = np.zeros(self.n_values + 1, np.bool_)
        is_one[values] = True
        columns = is_one.take(self.codes.T)  # column by column: much faster than row by row over a few columns
        return columns[0] if len(columns) == 1 else np.asarray(columns.any(axis=0))


@dataclass(frozen=True, eq=False)
class Cap:
    """At most `limit` items of a slate share a value."""

    name: str
    limit: int
    values: Values


@dataclass(frozen=True, eq=False)
class Pin:
    """Which candidates a position is kept for, as long as one of them is open; the others take it when none is.

    Attributes:
        position: from 1.
        allowed: bool[c].
    """

    position: int
    allowed: Bools


@dataclass(frozen=True, eq=False)
class Diversity:
    """Maximal marginal relevance (Carbonell & Goldstein, 1998): what is like an item that stands already counts less.

    `score(i | prefix) = (1 - strength) * score(i) - strength * span * max over placed j of likeness(i, j)`

    likeness is the share of j's attributes in which i has a common value; span is how far the best score is above the
    median one, so that one strength means the same whatever the scale of the scores.

    Attributes:
        strength: 0 to 1; 0 changes nothing, 1 goes by unlikeness alone after the first position.
        attributes: what candidates are compared by.
    """

    strength: float
    attributes: tuple[Values, ...]

    def likeness(self, candidate: int) -> Float64s:
        """float64[c], 0..1: how like one candidate the others are."""
        owned = [(values, own) for values in self.attributes if (own := values.own(candidate))]
        shared = [values.sharing(own) for values, own in owned]
        return np.mean(shared, axis=0, dtype=np.float64) if shared else np.zeros(1)

    def span(self, scores: Float64s) -> float:
        """How much of the score full likeness may cost; 1 where all score alike."""
        finite = scores[np.isfinite(scores)]
        return float(finite.max() - np.median(finite)) or 1.0 if len(finite) else 0.0


@dataclass(frozen=True, eq=False)
class Constraints:
    """What a slate must fulfil.

    Attributes:
        groups: int32[c], or None when several items of a group may stand together.
        caps: limits per attribute.
        min_score: items that score less stay out.
        pins: positions kept for some candidates; no two have the same position. No other rule gives way to a pin.
        diversity: None orders by score alone.
    """

    groups: Int32s | None = None
    caps: tuple[Cap, ...] = ()
    min_score: float | None = None
    pins: tuple[Pin, ...] = ()
    diversity: Diversity | None = None


class Closing(NamedTuple):
    """What one rule closed at one moment: bool[c], and the candidate whose place was the cause, -1 for none."""

    rule: str
    closed: Bools
    cause: int


@dataclass(frozen=True, eq=False)
class Slate:
    """The built slate.

    Attributes:
        chosen: the candidates in order, with their propensities.
        closings: which rule closed which candidates while the slate was built; no candidate is closed twice.
        unmet: positions of pins that hold nothing that they were kept for.
    """

    chosen: tuple[Choice, ...]
    closings: tuple[Closing, ...] = ()
    unmet: tuple[int, ...] = ()

    @property
    def removed(self) -> dict[str, int]:
        """Rule -> how many candidates it closed."""
        removed: dict[str, int] = {}
        for rule, closed, _ in self.closings:
            removed[rule] = removed.get(rule, 0) + int(np.count_nonzero(closed))
        return removed


class _Board:
    """The open candidates while a slate is built, and which rule closed the others."""

    def __init__(self, scores: Float64s, constraints: Constraints) -> None:
        self.is_open: Bools = np.isfinite(scores)
        self.closings: list[Closing] = []
        self._constraints = constraints
        self._held = [np.zeros(cap.values.n_values, np.int64) for cap in constraints.caps]
        if constraints.min_score is not None:
            self._close("min_score", np.less(scores, constraints.min_score))

    def take(self, candidate: int) -> None:
        """Closes a candidate and what may not stand beside it."""
        self.is_open[candidate] = False
        groups = self._constraints.groups
        if groups is not None:
            self._close("group", groups == groups[candidate], candidate)
        for cap, counts in zip(self._constraints.caps, self._held, strict=True):
            own = cap.values.own(candidate)
            counts[own] += 1
            full = [code for code in own if counts[code] >= cap.limit]
            if full:
                self._close(f"cap.{cap.name}", cap.values.sharing(full), candidate)

    def _close(self, rule: str, which: Bools, cause: int = -1) -> None:
        closed = self.is_open & which
        if np.count_nonzero(closed):
            self.closings.append(Closing(rule, closed, cause))
            self.is_open[closed] = False


def build(scores: Float64s, count: int, constraints: Constraints, choose: Chooser = best) -> Slate:
    """Builds a slate of at most `count` candidates; they are in catalogue order, so ties go to the lower index.

    A pin that one candidate alone fulfils is kept for it before anything is placed, in order of position, so that no
    item before it uses up its group or caps; in a slate that ends earlier it stands last.
    """
    board = _Board(scores, constraints)
    pins = {pin.position: pin.allowed for pin in constraints.pins if pin.position <= count}
    kept = _keep(board, pins)
    diversity, values, nearest = constraints.diversity, scores, np.zeros(1)
    span = diversity.span(scores) if diversity is not None else 0.0
    chosen: list[Choice] = []
    while len(chosen) < count:
        position = len(chosen) + 1
        if position in kept:
            choice = Choice(kept.pop(position), 1.0)
        elif np.count_nonzero(board.is_open):
            choice = choose(values, _offered(board.is_open, pins.get(position)), position)
        elif kept:
            choice = Choice(kept.pop(min(kept)), 1.0)
        else:
            break
        chosen.append(choice)
        if len(chosen) == count:
            break
        if board.is_open[choice.candidate]:
            board.take(choice.candidate)
        if diversity is not None:
            nearest = np.maximum(nearest, diversity.likeness(choice.candidate))
            values = (1 - diversity.strength) * scores - diversity.strength * span * nearest
    unmet = [p for p, allowed in pins.items() if p > len(chosen) or not allowed[chosen[p - 1].candidate]]
    return Slate(tuple(chosen), tuple(board.closings), tuple(unmet))


def _keep(board: _Board, pins: dict[int, Bools]) -> dict[int, int]:
    """Position -> candidate, taken off the board, of the pins that one open candidate alone fulfils."""
    kept: dict[int, int] = {}
    for position in sorted(pins):
        left = np.flatnonzero(pins[position] & board.is_open)
        if len(left) == 1:
            kept[position] = int(left[0])
            board.take(kept[position])
    return kept


def _offered(is_open: Bools, allowed: Bools | None) -> Bools:
    """What a position may take: those that it is kept for, else all that are open."""
    if allowed is None:
        return is_open
    kept_for: Bools = is_open & allowed
    return kept_for if kept_for.any() else is_open
