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
        return self._figures([self._order(scores)], np.ones(len(self)), ())[0][0]

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

        Args:
            scores: name -> float64[n], higher first. shares: for uplift at k.
            rng: draws people with replacement; draws: how often.
        """
        n = len(self)
        orders = [self._order(values) for values in scores.values()]
        found = self._figures(orders, np.ones(n), shares)
        drawn = [
            self._figures(orders, np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64), shares)
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
        people = np.argsort(-held, kind="stable")
        ends = np.flatnonzero(np.append(np.diff(held[people]) != 0, True))
        return _Order(people, ends, self._y[people], self._treated[people])

    def _figures(
        self, orders: Sequence[_Order], weights: Float64s, shares: Sequence[float]
    ) -> list[list[float | None]]:
        """For each order Qini, AUUC and uplift at each share, each person counted `weights` times."""
        best = _qini_area(self._perfect.curve(weights)) if self._perfect else None
        found = []
        for order in orders:
            curve = order.curve(weights)
            qini = _qini_area(curve) / best if best is not None and best > 0 else None
            found.append([qini, _auuc(curve), *(curve.uplift_at(share) for share in shares)])
        return found


@dataclass(frozen=True, slots=True)
class _Order:
    """People from first to last.

    Attributes:
        people: int64[n]; ends: int64[m], the places of the last of each group of equal scores.
        y, treated: theirs, in this order.
    """

    people: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    y: Float64s
    treated: npt.NDArray[np.bool_]

    def curve(self, weights: Float64s) -> _Curve:
        w = weights[self.people]
        w1 = np.where(self.treated, w, 0.0)
        w0 = w - w1
        sums = np.cumsum(np.stack([w1, w0, w1 * self.y, w0 * self.y]), axis=1)[:, self.ends]
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
