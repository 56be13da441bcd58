"""Bootstrap intervals over people: for a mean, and for the paired difference of two models on the same people.

Percentile bootstrap (Efron 1979) with draws of whole people. The differences are paired: both models answered for
the same person, so what makes a person hard for both cancels. `sign_flip_p` and `holm` say how surprising such
differences would be between models that are alike, one looked at or many.

A bootstrap draws nobody who was not asked: from one person it makes a point, from ten without a hit a certain zero. So
of a figure that cannot leave known bounds, below 30 people, the interval is Gaffke's: every mixture of the people asked
and of one more, who stands at the bound. It is Clopper's and Pearson's where all figures are 0 or 1, and covers in the
finite samples that were tried (Gaffke 2005; Learned-Miller and Thomas 2019). One person leaves nearly the whole range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from bespeak.models.interactions import Float64s, Int32s

_BLOCK_ENTRIES = 4_000_000
FEW_PEOPLE = 30
"""Below it the bootstrap pretends: the few who were asked are taken for everybody there is."""

Bounds: TypeAlias = tuple[float, float]
"""What a figure cannot go below and above."""

SHARE: Bounds = (0.0, 1.0)
"""Of NDCG and its kin."""

SHARE_DIFFERENCE: Bounds = (-1.0, 1.0)
"""Of what one has beyond another."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its interval.

    Attributes:
        mean: the mean; 0 without people.
        low: lower end.
        high: upper end.
        n: people.
        standard_error: standard deviation of the bootstrap means.
    """

    mean: float
    low: float
    high: float
    n: int
    standard_error: float = 0.0

    @property
    def above_zero(self) -> bool:
        """Whether the whole interval lies above zero."""
        return self.n > 1 and self.low > 0

    @property
    def below_zero(self) -> bool:
        """Whether the whole interval lies below zero."""
        return self.n > 1 and self.high < 0


def mean_interval(
    values: Float64s,
    rng: np.random.Generator,
    *,
    groups: Int32s | None = None,
    bounds: Bounds | None = None,
    level: float = 0.95,
    draws: int = 2000,
) -> Interval:
    """The mean of one figure per person and its interval.

    Args:
        values: float64[n].
        rng: draws whole people.
        groups: int32[n], whose figure each is where people have several; then people are drawn with all of theirs.
        bounds: that no figure can leave; without them few people are drawn from as many are.
        level: share of the draws between the ends.
        draws: how many.

    Example:
        >>> interval = mean_interval(np.array([0.0, 1.0, 0.0, 1.0]), np.random.default_rng(1))
        >>> interval.mean, interval.low < 0.5 < interval.high
        (0.5, True)
        >>> of_one = mean_interval(np.array([0.3]), np.random.default_rng(1), bounds=SHARE)
        >>> of_one.low < 0.02, of_one.high > 0.97
        (True, True)
    """
    n = len(values)
    if n == 0:
        return Interval(0.0, 0.0, 0.0, 0)
    sums, counts = (values, np.ones(n)) if groups is None else group_sums(values, groups)
    step = max(1, _BLOCK_ENTRIES // len(sums))
    means = np.empty(draws)
    for at in range(0, draws, step):
        drawn = rng.integers(0, len(sums), size=(min(step, draws - at), len(sums)))
        means[at : at + step] = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    if bounds is not None and len(sums) < FEW_PEOPLE:
        low, high = _few_ends(sums, counts, rng, bounds, level, draws)
    return Interval(float(values.mean()), float(low), float(high), n, float(means.std()))


def difference_interval(
    ours: Float64s,
    theirs: Float64s,
    rng: np.random.Generator,
    *,
    groups: Int32s | None = None,
    bounds: Bounds | None = None,
) -> Interval:
    """The mean of `ours - theirs` over the same people, in the same order, and its interval.

    Args:
        ours: float64[n].
        theirs: float64[n].
        rng: draws whole people.
        groups: int32[n], whose figure each is where people have several.
        bounds: that neither figure can leave.
    """
    widest = None if bounds is None else (bounds[0] - bounds[1], bounds[1] - bounds[0])
    return mean_interval(ours - theirs, rng, groups=groups, bounds=widest)


def _few_ends(
    sums: Float64s, counts: Float64s, rng: np.random.Generator, bounds: Bounds, level: float, draws: int
) -> tuple[float, float]:
    """Both ends by Gaffke's bounds; the one person more was asked as often as people are on average."""
    shares = rng.exponential(size=(draws, len(sums) + 1))  # in proportion: the spacings of uniform draws
    often = counts.mean()
    n_asked = shares @ np.append(counts, often)
    low, high = (shares @ np.append(sums, often * bound) / n_asked for bound in bounds)
    return float(np.quantile(low, (1 - level) / 2)), float(np.quantile(high, (1 + level) / 2))


def group_sums(values: Float64s, groups: Int32s) -> tuple[Float64s, Float64s]:
    """Per group that occurs the sum of its values and how many there are.

    Example:
        >>> sums, counts = group_sums(np.array([1.0, 2.0, 5.0]), np.array([7, 7, 3]))
        >>> sums.tolist(), counts.tolist()
        ([5.0, 3.0], [1.0, 2.0])
    """
    _, place = np.unique(groups, return_inverse=True)
    return np.bincount(place, values).astype(np.float64), np.bincount(place).astype(np.float64)


def mean_intervals(
    values: Float64s,
    rng: np.random.Generator,
    *,
    bounds: Sequence[Bounds | None] = (),
    level: float = 0.95,
    draws: int = 2000,
) -> list[Interval]:
    """The mean of each column of one row per person, with intervals from the same draws for all columns.

    A NaN leaves that person out of that column alone. For columns without one it equals `mean_interval` up to rounding.

    Args:
        values: float64[n, columns].
        rng: draws whole people.
        bounds: of each column, that no figure can leave; None, or left out, where there are none.
        level: share of the draws between the ends.
        draws: how many.
    """
    n, n_columns = values.shape
    known = ~np.isnan(values)
    counts = known.sum(axis=0)
    if n == 0:
        return [Interval(0.0, 0.0, 0.0, 0)] * n_columns
    filled, weights = np.where(known, values, 0.0), known.astype(np.float64)
    step = max(1, _BLOCK_ENTRIES // n)
    means = []
    for at in range(0, draws, step):
        rows = min(step, draws - at)
        drawn = rng.integers(0, n, size=(rows, n)) + np.arange(rows)[:, None] * n
        times = np.bincount(drawn.reshape(-1), minlength=rows * n).reshape(rows, n).astype(np.float64)
        sums, sizes = times @ filled, times @ weights
        means.append(np.divide(sums, sizes, out=np.full_like(sums, np.nan), where=sizes > 0))
    drawn_means = np.concatenate(means)
    found = []
    for column in range(n_columns):
        if not counts[column]:
            found.append(Interval(0.0, 0.0, 0.0, 0))
            continue
        of_column = drawn_means[:, column][~np.isnan(drawn_means[:, column])]
        low, high = np.quantile(of_column, [(1 - level) / 2, (1 + level) / 2])
        within = bounds[column] if bounds else None
        if within is not None and counts[column] < FEW_PEOPLE:
            held = values[known[:, column], column]
            low, high = _few_ends(held, np.ones(len(held)), rng, within, level, draws)
        mean = float(filled[:, column].sum() / counts[column])
        found.append(Interval(mean, float(low), float(high), int(counts[column]), float(of_column.std())))
    return found


def sign_flip_p(differences: Float64s, rng: np.random.Generator, *, draws: int = 9_999) -> Float64s:
    """float64[columns]: two-sided p-values of paired differences, by Fisher's randomization test.

    Were two models alike, a person's difference could as well have the other sign. p is the share of random signs whose
    mean is at least as far from zero as the one seen, that one counted too; no differences at all give 1. Smucker,
    Allan and Carterette (2007) find it the test to use for rankings.

    Args:
        differences: float64[n, columns], one row per person.
        rng: of the signs.
        draws: how many.

    Example:
        >>> sign_flip_p(np.array([[0.2, 0.0]] * 20), np.random.default_rng(0)).tolist()
        [0.0001, 1.0]
    """
    n, n_columns = differences.shape
    if n == 0:
        return np.ones(n_columns)
    seen = np.abs(differences.sum(axis=0)) * (1 - 1e-9)  # sums in another order may differ in the last digit
    as_far = np.zeros(n_columns, np.int64)
    step = max(1, _BLOCK_ENTRIES // n)
    for at in range(0, draws, step):
        signs = 2.0 * rng.integers(0, 2, size=(min(step, draws - at), n), dtype=np.int8) - 1.0
        as_far += (np.abs(signs @ differences) >= seen).sum(axis=0)
    return np.asarray((as_far + 1) / (draws + 1), np.float64)
