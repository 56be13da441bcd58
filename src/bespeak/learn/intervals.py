"""Bootstrap intervals over people: for a mean, and for the paired difference of two models on the same people.

Percentile bootstrap (Efron 1979) with draws of whole people. The differences are paired: both models answered for
the same person, so what makes a person hard for both cancels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bespeak.models.interactions import Float64s

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


def mean_interval(values: Float64s, rng: np.random.Generator, *, level: float = 0.95, draws: int = 2000) -> Interval:
    """The mean of one figure per person and its bootstrap interval.

    Example:
        >>> interval = mean_interval(np.array([0.0, 1.0, 0.0, 1.0]), np.random.default_rng(1))
        >>> interval.mean, interval.low < 0.5 < interval.high
        (0.5, True)
    """
    n = len(values)
    if n == 0:
        return Interval(0.0, 0.0, 0.0, 0)
    step = max(1, _BLOCK_ENTRIES // n)
    means = np.concatenate(
        [values[rng.integers(0, n, size=(min(step, draws - at), n))].mean(axis=1) for at in range(0, draws, step)]
    )
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(values.mean()), float(low), float(high), n, float(means.std()))


def difference_interval(
    ours: Float64s, theirs: Float64s, rng: np.random.Generator, *, level: float = 0.95, draws: int = 2000
) -> Interval:
    """The mean of `ours - theirs` over the same people, in the same order, and its bootstrap interval."""
    return mean_interval(ours - theirs, rng, level=level, draws=draws)
