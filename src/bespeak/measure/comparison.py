"""The difference of a variant from its control: how large, between what ends, and how surprising if there were none."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bespeak.errors import InvalidInput
from bespeak.measure import sequential, welch
from bespeak.measure.lift import Interval, lift, lift_interval
from bespeak.measure.pair import Pair, metric, pair
from bespeak.measure.sums import Sums

_ROUNDING = 1e-14


@dataclass(frozen=True, slots=True)
class Comparison:
    """A variant beside its control.

    Attributes:
        control, variant: the metric of each group as it stands, unadjusted.
        control_n, variant_n: units.
        difference: variant - control, adjusted where there is a covariate; standard_error: of it.
        difference_interval: None where neither group varies: nothing can be said of how sure the difference is.
        lift: difference / control, both adjusted; None where the control is zero.
        lift_interval: None where the control cannot be told from zero. Of a share it begins at -1 at the lowest.
        p_value: of the difference; it is below alpha where its interval leaves zero out. None like the interval.
    """

    control: float
    variant: float
    control_n: int
    variant_n: int
    difference: float
    standard_error: float
    difference_interval: Interval | None
    lift: float | None
    lift_interval: Interval | None
    p_value: float | None


def compare(
    control: Sums,
    variant: Sums,
    *,
    is_proportion: bool = False,
    is_sequential: bool = False,
    alpha: float = 0.05,
    tightest_at: int = sequential.TIGHTEST_AT,
) -> Comparison:
    """Compares two groups.

    Args:
        control, variant: sums of the same columns. A covariate in them adjusts both (CUPED).
        is_proportion: each value is 0 or 1.
        is_sequential: interval and p-value hold at every look; else at one that was planned.
        alpha: 1 - level of the intervals.
        tightest_at: of the sequence, units of both groups; chosen before the first look.

    Raises:
        InvalidInput: fewer than two units in a group, denominators that sum to zero, or alpha out of range.

    Example:
        >>> found = compare(Sums.from_totals(44_700, [8_502], [[8_502]]),
        ...                 Sums.from_totals(45_489, [8_279], [[8_279]]), is_proportion=True)
        >>> f"{found.difference:.5f} {found.lift:.4f} p = {found.p_value:.4f}"
        '-0.00820 -0.0431 p = 0.0016'
    """
    if not 0 < alpha < 1:
        raise InvalidInput(f"alpha {alpha} must lie between 0 and 1.", hint="0.05 gives intervals of 95 %.")
    held = pair(control, variant, is_proportion=is_proportion)
    difference, error = held.variant - held.control, math.sqrt(held.difference_variance)
    difference_ends = lift_ends = p = None
    if error > _ROUNDING * max(abs(held.control), abs(held.variant)):
        reach, p = _test(held, difference / error, is_sequential, alpha, tightest_at)
        difference_ends = Interval(difference - reach * error, difference + reach * error)
        lift_ends = lift_interval(held, reach)
        if is_proportion and lift_ends is not None:  # a share does not fall by more than all of it
            lift_ends = Interval(max(lift_ends.low, -1.0), lift_ends.high)
    return Comparison(
        control=metric(control),
        variant=metric(variant),
        control_n=control.n,
        variant_n=variant.n,
        difference=difference,
        standard_error=error,
        difference_interval=difference_ends,
        lift=lift(held),
        lift_interval=lift_ends,
        p_value=p,
    )


def _test(held: Pair, statistic: float, is_sequential: bool, alpha: float, tightest_at: int) -> tuple[float, float]:
    """How many standard errors the interval reaches to either side, and the p-value."""
    if is_sequential:
        reach = sequential.critical(held.n, alpha, tightest_at)
        return reach, sequential.p_value(held.n, statistic, alpha, tightest_at)
    return welch.critical(held, alpha), welch.p_value(held, statistic)
