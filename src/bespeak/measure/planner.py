"""How many units show an effect, how probably they do, and how many days that takes.

The estimate of a difference delta is about normal with standard error s, and is told from zero when it lies more than c
standard errors away: with probability

    power = Phi(delta / s - c) + Phi(-delta / s - c),    s^2 = var_control / n_control + var_variant / n_variant

c is the normal quantile for a test that is looked at once. For intervals that hold at every look c is their reach at
the last one, so the power is that of the last look alone; stopping earlier only adds to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import ndtr, ndtri

from bespeak.errors import InvalidInput
from bespeak.measure import sequential
from bespeak.measure.pair import metric, unit_variance
from bespeak.measure.sums import Sums

ASSUMED_RATE = 0.02
"""A usual conversion rate: what is planned with where too few converted yet."""

ENOUGH_FOR_A_RATE = 20
"""Conversions from which on a plan goes by what was observed."""

_MOST = 2**53


@dataclass(frozen=True, slots=True)
class Plan:
    """An experiment before it starts.

    Attributes:
        mean: the metric without the change.
        variance: of one unit's contribution to it; after CUPED (1 - correlation^2) of that.
        is_proportion: the variance follows from the mean, also of the variant: p (1 - p).
        share: of the variant among the units of both groups.
        alpha: 1 - level of the intervals.
        is_sequential: looked at again and again.

    Raises:
        InvalidInput: a variance or share that cannot be.

    Example:
        >>> plan = Plan.of_rate(0.02)
        >>> plan.units_needed(0.1 * plan.mean), round(plan.power(0.002, 161_000), 3)
        (161357, 0.799)
    """

    mean: float
    variance: float
    is_proportion: bool = False
    share: float = 0.5
    alpha: float = 0.05
    is_sequential: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.variance < math.inf:
            raise InvalidInput("The variance must be above zero.", hint="A metric that never varies shows no effect.")
        if not 0 < self.share < 1 or not 0 < self.alpha < 1:
            raise InvalidInput("The variant's share and alpha must lie between 0 and 1.")

    @classmethod
    def of_rate(cls, rate: float, *, share: float = 0.5, alpha: float = 0.05, is_sequential: bool = False) -> Plan:
        """The plan for a share of units that convert."""
        if not 0 < rate < 1:
            raise InvalidInput(f"A rate of {rate} leaves nothing to compare.", hint="Give a rate between 0 and 1.")
        return cls(rate, rate * (1 - rate), is_proportion=True, share=share, alpha=alpha, is_sequential=is_sequential)

    @classmethod
    def of_sums(cls, sums: Sums, *, share: float = 0.5, alpha: float = 0.05, is_sequential: bool = False) -> Plan:
        """The plan for a metric as it was in earlier data; a covariate in the sums is not used."""
        variance = unit_variance(sums)
        return cls(metric(sums), variance, share=share, alpha=alpha, is_sequential=is_sequential)

    def power(self, difference: float, n: int) -> float:
        """The probability that n units of both groups show a difference of the metric."""
        rate = self.mean + difference
        if self.is_proportion and not 0 <= rate <= 1:
            raise InvalidInput(f"A rate of {self.mean} cannot change by {difference}.")
        other = rate * (1 - rate) if self.is_proportion else self.variance
        error = math.sqrt(self.variance / ((1 - self.share) * n) + other / (self.share * n))
        reach = sequential.critical(n, self.alpha) if self.is_sequential else float(ndtri(1 - self.alpha / 2))
        return float(ndtr(difference / error - reach) + ndtr(-difference / error - reach))

    def units_needed(self, difference: float, power: float = 0.8) -> int:
        """The fewest units of both groups that show a difference with at least this probability.

        Raises:
            InvalidInput: no difference, or a power that is not between alpha and 1.
        """
        self._check_power(power)
        if difference == 0:
            raise InvalidInput("No number of units shows a difference of zero.")
        high = 4
        while self.power(difference, high) < power:
            high *= 2
            if high > _MOST:
                raise InvalidInput(f"A difference of {difference} is too small for any experiment.")
        low = high // 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.power(difference, middle) >= power else (middle, high)
        return high

    def smallest_difference(self, n: int, power: float = 0.8) -> float:
        """The smallest rise of the metric that n units of both groups show with this probability.

        Returns:
            Infinity where a rate cannot rise so far.

        Raises:
            InvalidInput: fewer than four units, or a power that is not between alpha and 1.
        """
        self._check_power(power)
        if n < 4:
            raise InvalidInput("Two groups need four units or more.")
        low, high = 0.0, math.sqrt(self.variance)
        most = 1 - self.mean if self.is_proportion else math.inf
        while self.power(min(high, most), n) < power:
            if high >= most:
                return math.inf
            low, high = high, 2 * high
        high = min(high, most)
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (low, middle) if self.power(middle, n) >= power else (middle, high)
        return high

    def _check_power(self, power: float) -> None:
        if not self.alpha < power < 1:
            raise InvalidInput(f"The power {power} must lie between alpha ({self.alpha}) and 1.")


def days_needed(units: int, units_a_day: float) -> int:
    """The days in which so many units come, in whole weeks, so that working days and weekends count alike.

    Raises:
        InvalidInput: nobody comes.

    Example:
        >>> days_needed(10_000, 1_000)
        14
    """
    if not units_a_day > 0:
        raise InvalidInput("Nobody comes, so no number of days is enough.")
    return 7 * math.ceil(units / units_a_day / 7)
