"""Whether an order of people by uplift is worth anything: Qini, AUUC and uplift at k, from a randomised test.

Nobody's own uplift can be seen, but that of the first n in an order can: with Y and N the outcomes and the people among
them, treated (1) and not (0),

    Qini curve     Q(n) = Y1 - Y0 N1 / N0                 (Radcliffe 2007)
    uplift curve   U(n) = (Y1 / N1 - Y0 / N0) n           (Gutierrez and Gerardy 2017)

`qini` is the area between Q and the straight line to its end, divided by the same area of the perfect order (treated
with the outcome first, untreated with it last): 0 is random, 1 perfect. `auuc` is the area under U over the share of
people, per head: half the average uplift is random. People with equal scores count as being in random order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bespeak.errors import InvalidInput
from bespeak.measure.lift import Interval

Float64s = npt.NDArray[np.float64]
SHARES = (0.1, 0.2, 0.3)
DRAWS = 500
_COARSE = 1_000
"""Points of a curve that is drawn again."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and its 95 % bootstrap interval; None where there is no answer."""

    value: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class UpliftFigures:
    """How good an order is.

    Attributes:
        qini: None for outcomes other than 0 and 1, which have no perfect order.
        auuc: per head, in units of the outcome.
        uplift_at: share of the people -> outcome of the treated less that of the others among them.
    """

    qini: Figure
    auuc: Figure
    uplift_at: Mapping[float, Figure]


class UpliftTest:
    """The people of a randomised test whose order is judged.

    Args:
        y: float64[n], outcomes; treated: bool[n].

    Raises:
        InvalidInput: lengths differ, or either arm is empty.
    """

    def __init__(self, y: npt.ArrayLike, treated: npt.ArrayLike) -> None:
        self._y = np.asarray(y, np.float64)
        self._treated = np.asarray(treated, np.bool_)
        if len(self._y) != len(self._treated):
            raise InvalidInput("Outcomes and treatments must be of equal length.")
        if self._treated.all() or not self._treated.any():
            raise InvalidInput("An order can only be judged where some were treated and some were not.")
        is_binary = bool(((self._y == 0) | (self._y == 1)).all())
        self._perfect = self._order(np.where(self._treated, self._y, -self._y)) if is_binary else None

    def __len__(self) -> int:
        return len(self._y)

    def average(self) -> float:
        """The uplift of treating everybody."""
        return float(self._y[self._treated].mean() - self._y[~self._treated].mean())

    def qini(self, scores: npt.ArrayLike) -> float | None:
        """The normalised Qini of an order, highest first; None where there is no perfect order."""
        return self._figures([self._order(scores)], None, ())[0][0]

    def judge(
        self,
        scores: Mapping[str, npt.ArrayLike],
        rng: np.random.Generator,
        *,
        shares: Sequence[float] = SHARES,
        draws: int = DRAWS,
        level: float = 0.95,
    ) -> dict[str, UpliftFigures]:
        """Judges several orders, with intervals from the same draws of people.

        The orders stay as they are in every draw: an interval says how far chance in who was in the test carries, not
        what other learners would have said. It is of the curve at a thousand points, the figure of all.

        Args:
            scores: name -> float64[n], higher first. shares: for uplift at k.
            rng: draws people with replacement; draws: how often.
        """
        n = len(self)
        orders = [self._order(values) for values in scores.values()]
        found = self._figures(orders, None, shares)
        coarse = [order.coarse(_COARSE) for order in orders]
        drawn = [
            self._figures(coarse, np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64), shares)
            for _ in range(draws)
        ]
        told = {}
        for place, name in enumerate(scores):
            columns = zip(found[place], *(draw[place] for draw in drawn), strict=True)
            qini, auuc, *at = (_figure(column[0], column[1:], level) for column in columns)
            told[name] = UpliftFigures(qini, auuc, dict(zip(shares, at, strict=True)))
        return told

    def _order(self, scores: npt.ArrayLike) -> _Order:
        held = np.asarray(scores, np.float64)
        if len(held) != len(self) or not np.isfinite(held).all():
            raise InvalidInput("An order needs one finite score for each person.")
        _, place, counts = np.unique(-held, return_inverse=True, return_counts=True)
        return _Order(place * 2 + self._treated, counts)

    def _figures(
        self, orders: Sequence[_Order], weights: Float64s | None, shares: Sequence[float]
    ) -> list[list[float | None]]:
        """For each order Qini, AUUC and uplift at each share; each person counts `weights` times, else once."""
        times = np.ones(len(self)) if weights is None else weights
        outcomes = times * self._y
        best = _qini_area(self._perfect.curve(times, outcomes)) if self._perfect else None
        found = []
        for order in orders:
            curve = order.curve(times, outcomes)
            qini = _qini_area(curve) / best if best is not None and best > 0 else None
            found.append([qini, _auuc(curve), *(curve.uplift_at(share) for share in shares)])
        return found


@dataclass(frozen=True, slots=True, eq=False)
class _Order:
    """Groups of people of equal scores, from first to last.

    Attributes:
        cells: int64[n], of each person: twice the place of the group, plus 1 if treated.
        counts: int64[m], the people of each group.
    """

    cells: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]

    def coarse(self, most: int) -> _Order:
        """The same order in at most `most` groups of neighbours, of about the same size; groups are never split."""
        if len(self.counts) <= most:
            return self
        into = (np.cumsum(self.counts) - 1) * most // self.counts.sum()
        _, into = np.unique(into, return_inverse=True)
        merged = np.bincount(into, self.counts).astype(np.int64)
        return _Order(into[self.cells // 2] * 2 + self.cells % 2, merged)

    def curve(self, times: Float64s, outcomes: Float64s) -> _Curve:
        """Sums over the first groups; `times` each person counts, with so much of the outcome."""
        m = len(self.counts)
        n, y = (np.bincount(self.cells, part, 2 * m).reshape(m, 2).T for part in (times, outcomes))
        sums = np.cumsum(np.stack([n[1], n[0], y[1], y[0]]), axis=1)
        return _Curve(*np.concatenate([np.zeros((4, 1)), sums], axis=1))


@dataclass(frozen=True, slots=True)
class _Curve:
    """Sums over the first people of an order, from none to all: people and outcomes, treated (1) and not (0)."""

    n1: Float64s
    n0: Float64s
    y1: Float64s
    y0: Float64s

    def uplift_at(self, share: float) -> float | None:
        n = self.n1 + self.n0
        n1, n0, y1, y0 = (float(np.interp(share * n[-1], n, part)) for part in (self.n1, self.n0, self.y1, self.y0))
        return y1 / n1 - y0 / n0 if n1 > 0 and n0 > 0 else None


def _qini_area(curve: _Curve) -> float:
    n = curve.n1 + curve.n0
    q = curve.y1 - curve.y0 * curve.n1 / np.maximum(curve.n0, 1.0)
    return float(np.trapezoid(q, n)) - 0.5 * float(q[-1] * n[-1])


def _auuc(curve: _Curve) -> float:
    n = curve.n1 + curve.n0
    rate1, rate0 = curve.y1 / np.maximum(curve.n1, 1.0), curve.y0 / np.maximum(curve.n0, 1.0)
    return float(np.trapezoid((rate1 - rate0) * n, n) / n[-1] ** 2)


def _figure(value: float | None, drawn: Sequence[float | None], level: float) -> Figure:
    known = [one for one in drawn if one is not None]
    if value is None or len(known) < 2:
        return Figure(value, None)
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Figure(value, Interval(float(low), float(high)))
