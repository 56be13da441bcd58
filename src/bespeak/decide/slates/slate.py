"""The slate, one position at a time: mask what the constraints forbid given what is placed, then take.

A constraint is never traded against the score: when nothing is allowed any more, the slate is shorter. The chooser
decides how a position is taken from what is open: the deterministic one takes the best with probability 1, and
`exploration` draws. Mask and scores depend only on the request and on the items placed before, so a chooser knows the
exact propensity of what it takes given that prefix, and the slate's is the product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Bools: TypeAlias = npt.NDArray[np.bool_]
Int32s: TypeAlias = npt.NDArray[np.int32]
Int64s: TypeAlias = npt.NDArray[np.int64]
Float64s: TypeAlias = npt.NDArray[np.float64]


LEAST_SHARE_OF_SCORE = 1e-6


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
    """At most `limit` items of a slate share a value.

    Attributes:
        window: of any so many positions in a row instead of the whole slate; 0 for the whole slate.
        held: int64[n_values], items of each value that stand elsewhere and count too; None for none. Not with a window.
    """

    name: str
    limit: int
    values: Values
    window: int = 0
    held: Int64s | None = None


@dataclass(frozen=True, eq=False)
class Share:
    """How many of some candidates a slate shows.

    Attributes:
        members: bool[c], the candidates.
        least: so many, as far as there are any that may stand there. It decides which candidates a position may take,
            from where waiting longer would leave too few positions.
        most: never more.
    """

    name: str
    members: Bools
    least: int
    most: int


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
    median one, so that one strength means the same whatever the scale of the scores. A hair of the score always counts,
    so that of items that are equally unlike the better one stands first.

    Attributes:
        strength: 0 to 1; 0 changes nothing, 1 goes by unlikeness alone after the first position.
        attributes: what candidates are compared by.
    """

    strength: float
    attributes: tuple[Values, ...]

    def values(self, scores: Float64s, nearest: Float64s, span: float) -> Float64s:
        """float64[c]: what candidates count for beside what stands; `nearest` is the largest likeness to any of it."""
        return max(1 - self.strength, LEAST_SHARE_OF_SCORE) * scores - self.strength * span * nearest

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
        shares: how many of some candidates are shown.
        taken: bool[c], what stands elsewhere on the page; None for nothing.
    """

    groups: Int32s | None = None
    caps: tuple[Cap, ...] = ()
    min_score: float | None = None
    pins: tuple[Pin, ...] = ()
    diversity: Diversity | None = None
    shares: tuple[Share, ...] = ()
    taken: Bools | None = None


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
        short: names of the shares of which fewer are shown than at least should be.
    """

    chosen: tuple[Choice, ...]
    closings: tuple[Closing, ...] = ()
    unmet: tuple[int, ...] = ()
    short: tuple[str, ...] = ()

    @property
    def removed(self) -> dict[str, int]:
        """Rule -> how many candidates it closed."""
        removed: dict[str, int] = {}
        for rule, closed, _ in self.closings:
            removed[rule] = removed.get(rule, 0) + int(np.count_nonzero(closed))
        return removed


class _Board:
    """The candidates while a slate is built: which are open, which rule closed the others, what stands where."""

    def __init__(self, scores: Float64s, constraints: Constraints) -> None:
        self.is_open: Bools = np.isfinite(scores)
        self.closings: list[Closing] = []
        self.placed: dict[int, int] = {}
        self._constraints = constraints
        self._caps = [cap for cap in constraints.caps if not cap.window]
        self._windows = [cap for cap in constraints.caps if cap.window]
        self._held = [_counts(cap) for cap in self._caps]
        self._shared = _shared(constraints.groups)
        self._shown = [0] * len(constraints.shares)
        if constraints.taken is not None:
            self._close("page", constraints.taken)
        if constraints.min_score is not None:
            self._close("min_score", np.less(scores, constraints.min_score))
        for cap, counts in zip(self._caps, self._held, strict=True):
            if cap.held is not None:
                self._close(f"cap.{cap.name}", cap.values.sharing(np.flatnonzero(counts >= cap.limit).tolist()))
        for share in constraints.shares:
            if share.most < 1:
                self._close(f"share.{share.name}", share.members)

    def take(self, candidate: int, position: int, *, is_last: bool = False) -> None:
        """Sets a candidate at a position; closes it and, unless it is the last one, what may not stand beside it."""
        self.placed[position] = candidate
        self.is_open[candidate] = False
        for place, share in enumerate(self._constraints.shares):
            self._shown[place] += bool(share.members[candidate])
        if is_last:
            return
        groups = self._constraints.groups
        if groups is not None and int(groups[candidate]) in self._shared:
            self._close("group", groups == groups[candidate], candidate)
        for cap, counts in zip(self._caps, self._held, strict=True):
            own = cap.values.own(candidate)
            counts[own] += 1
            full = [code for code in own if counts[code] >= cap.limit]
            if full:
                self._close(f"cap.{cap.name}", cap.values.sharing(full), candidate)
        for place, share in enumerate(self._constraints.shares):
            if share.members[candidate] and self._shown[place] == share.most:
                self._close(f"share.{share.name}", share.members, candidate)

    def offered(self, position: int) -> Bools:
        """bool[c]: what is open and may stand at a position, given what stands around it."""
        found = self.is_open
        for cap in self._windows:
            full = self._full_around(cap, position)
            if full:
                found = found & ~cap.values.sharing(full)
        return found

    def may_stand(self, candidate: int, position: int) -> bool:
        """Whether a candidate that is set aside may stand at a position, given what stands around it."""
        return not any(set(self._full_around(cap, position)) & set(cap.values.own(candidate)) for cap in self._windows)

    def owed(self, n_left: int) -> Bools | None:
        """bool[c]: what the positions that are left must take so that no share stays short; None where all may wait."""
        missing = [share.least - n for share, n in zip(self._constraints.shares, self._shown, strict=True)]
        if sum(max(n, 0) for n in missing) < n_left or not any(n > 0 for n in missing):
            return None
        owed = [share.members for share, n in zip(self._constraints.shares, missing, strict=True) if n > 0]
        return np.asarray(np.any(owed, axis=0))

    def short(self) -> tuple[str, ...]:
        """The shares of which too few are shown."""
        shares = zip(self._constraints.shares, self._shown, strict=True)
        return tuple(share.name for share, n in shares if n < share.least)

    def _full_around(self, cap: Cap, position: int) -> list[int]:
        """The values that one more item at this position would show too often within a window."""
        around: dict[int, list[int]] = {}
        for place in range(position - cap.window + 1, position + cap.window):
            if place != position and place in self.placed:
                for code in cap.values.own(self.placed[place]):
                    around.setdefault(code, []).append(place)
        return [code for code, places in around.items() if _is_crowded(sorted([*places, position]), cap)]

    def _close(self, rule: str, which: Bools, cause: int = -1) -> None:
        closed = self.is_open & which
        if np.count_nonzero(closed):
            self.closings.append(Closing(rule, closed, cause))
            self.is_open ^= closed


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
        offered = board.offered(position) if position not in kept else None
        if position in kept:
            choice = Choice(kept.pop(position), 1.0)
        elif offered is not None and offered.any():
            owed = board.owed(count - len(chosen) - len(kept))
            choice = choose(values, _narrowed(offered, pins.get(position), owed), position)
            board.take(choice.candidate, position, is_last=position == count)
        else:
            moved = _moved_up(board, kept, position)
            if moved is None:
                break
            choice = Choice(moved, 1.0)
        chosen.append(choice)
        if len(chosen) < count and diversity is not None:
            nearest = np.maximum(nearest, diversity.likeness(choice.candidate))
            values = diversity.values(scores, nearest, span)
    unmet = [p for p, allowed in pins.items() if p > len(chosen) or not allowed[chosen[p - 1].candidate]]
    return Slate(tuple(chosen), tuple(board.closings), tuple(unmet), board.short())


def placed(scores: Float64s, chosen: Sequence[int], count: int, constraints: Constraints) -> Slate:
    """The slate of at most `count` candidates that are known to be the ones that are taken, without a draw.

    The constraints hold no pins.
    """
    board = _Board(scores, constraints)
    for position, candidate in enumerate(chosen, 1):
        board.take(candidate, position, is_last=position == count)
    return Slate(tuple(Choice(candidate, 1.0) for candidate in chosen), tuple(board.closings), (), board.short())


def _keep(board: _Board, pins: dict[int, Bools]) -> dict[int, int]:
    """Position -> candidate, taken off the board, of the pins that one open candidate alone fulfils."""
    kept: dict[int, int] = {}
    for position in sorted(pins):
        left = np.flatnonzero(pins[position] & board.offered(position))
        if len(left) == 1:
            kept[position] = int(left[0])
            board.take(kept[position], position)
    return kept


def _moved_up(board: _Board, kept: dict[int, int], position: int) -> int | None:
    """The candidate of the first pin that may stand here, where nothing else may; None where none may."""
    for later in sorted(kept):
        candidate = kept[later]
        del board.placed[later]
        if board.may_stand(candidate, position):
            del kept[later]
            board.placed[position] = candidate
            return candidate
        board.placed[later] = candidate
    return None


def _narrowed(offered: Bools, allowed: Bools | None, owed: Bools | None) -> Bools:
    """What a position may take: those that it is kept for, else those of a share that is owed, else all."""
    for wanted in (allowed, owed):
        if wanted is not None and (offered & wanted).any():
            return offered & wanted
    return offered


def _shared(groups: Int32s | None) -> set[int]:
    """The groups that several candidates are of; in most catalogues few.

    Example:
        >>> sorted(_shared(np.array([4, 1, 4, 7, 7, 4], np.int32)))
        [4, 7]
    """
    if groups is None:
        return set()
    ordered = np.sort(groups)
    return set(ordered[1:][ordered[1:] == ordered[:-1]].tolist())


def _counts(cap: Cap) -> Int64s:
    """int64[n_values]: how many items of each value count already."""
    return np.zeros(cap.values.n_values, np.int64) if cap.held is None else cap.held.copy()


def _is_crowded(places: list[int], cap: Cap) -> bool:
    """Whether some window holds more of these positions than the cap allows.

    Example:
        >>> cap = Cap("brand", 1, Values(np.zeros((1, 1), np.int32), 1), window=3)
        >>> _is_crowded([1, 4], cap), _is_crowded([1, 3], cap)
        (False, True)
    """
    pairs = zip(places, places[cap.limit :], strict=False)
    return any(last - first < cap.window for first, last in pairs)
