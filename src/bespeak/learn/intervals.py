"""Bootstrap intervals over people: for a mean, and for the paired difference of two models on the same people.

Percentile bootstrap (Efron 1979) with draws of whole people. The differences are paired: both models answered for
the same person, so what makes a person hard for both cancels. `sign_flip_p` and `holm` say how surprising such
differences would be between models that are alike, one looked at or many.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bespeak.models.interactions import Float64s, Int32s

_BLOCK_ENTRIES = 4_000_000


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
    level: float = 0.95,
    draws: int = 2000,
) -> Interval:
    """The mean of one figure per person and its bootstrap interval.

    Args:
        values: float64[n].
        rng: draws whole people.
        groups: int32[n], whose figure each is where people have several; then people are drawn with all of theirs.
        level: share of the draws between the ends.
        draws: how many.

    Example:
        >>> interval = mean_interval(np.array([0.0, 1.0, 0.0, 1.0]), np.random.default_rng(1))
        >>> interval.mean, interval.low < 0.5 < interval.high
        (0.5, True)
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
    return Interval(float(values.mean()), float(low), float(high), n, float(means.std()))


def difference_interval(
    ours: Float64s, theirs: Float64s, rng: np.random.Generator, *, groups: Int32s | None = None
) -> Interval:
    """The mean of `ours - theirs` over the same people, in the same order, and its bootstrap interval."""
    return mean_interval(ours - theirs, rng, groups=groups)


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
    values: Float64s, rng: np.random.Generator, *, level: float = 0.95, draws: int = 2000
) -> list[Interval]:
    """The mean of each column of one row per person, with intervals from the same draws for all columns.

    A NaN leaves that person out of that column alone. For columns without one it equals `mean_interval` up to rounding.

    Args:
        values: float64[n, columns].
        rng: draws whole people.
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
