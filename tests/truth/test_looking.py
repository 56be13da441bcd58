"""What looking does: A/A tests looked at forty times, and power beside the planner's. Seeds fixed beforehand."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.measure.comparison import Comparison, compare
from bespeak.measure.planner import Plan
from bespeak.measure.sums import Sums

RUNS, LOOKS, A_LOOK = 4_000, 40, 500
SEEN = A_LOOK * np.arange(1, LOOKS + 1)
"""Units of each group at each look."""

NEAR = {False: 1.9, True: 2.9}
"""Standard errors below which no test rejects: fixed ones need 1.96, always-valid ones 3.0. Only looks beyond them are
compared, or forty looks at 4,000 tests would take a minute."""


def looks(seed: int, *rates: float, runs: int = RUNS) -> np.ndarray:
    """int64[runs, looks, 2]: conversions of two groups, counted up to each look."""
    return np.random.default_rng(seed).binomial(A_LOOK, rates, (runs, LOOKS, 2)).cumsum(axis=1)


def distance(counts: np.ndarray, difference: float = 0.0, factor: float = 1.0) -> np.ndarray:
    """float64[runs, looks]: standard errors between (variant - factor * control) and a difference."""
    rate = counts / SEEN[:, None]
    variance = rate * (1 - rate) / SEEN[:, None]
    apart = rate[..., 1] - factor * rate[..., 0] - difference
    return np.abs(apart) / np.sqrt(variance[..., 1] + factor**2 * variance[..., 0])


def compared(counts: np.ndarray, look: int, *, is_sequential: bool) -> Comparison:
    a, b = (rate(int(SEEN[look]), int(count)) for count in counts[look])
    return compare(a, b, is_proportion=True, is_sequential=is_sequential)


def rate(n: int, converted: int) -> Sums:
    return Sums.from_totals(n, [converted], [[converted]])


def is_rejected(counts: np.ndarray, look: int, *, is_sequential: bool) -> bool:
    p = compared(counts, look, is_sequential=is_sequential).p_value
    return p is not None and p < 0.05


def ever_rejected(seed: int, *, is_sequential: bool) -> float:
    runs = looks(seed, 0.25, 0.25)
    is_far = distance(runs) > NEAR[is_sequential]
    found = [
        any(is_rejected(run, look, is_sequential=is_sequential) for look in np.flatnonzero(far))
        for run, far in zip(runs, is_far, strict=True)
    ]
    near = [(run, look) for run, far in zip(runs[:60], is_far, strict=False) for look in np.flatnonzero(~far)[::8]]
    assert not any(is_rejected(run, look, is_sequential=is_sequential) for run, look in near)
    return float(np.mean(found))


def test_forty_looks_at_nothing_find_something_in_5_percent_of_always_valid_tests_at_most():
    assert ever_rejected(201, is_sequential=True) <= 0.05


def test_forty_looks_at_nothing_find_something_in_three_of_ten_fixed_tests():
    assert 0.27 <= ever_rejected(202, is_sequential=False) <= 0.34


def test_one_look_at_nothing_finds_something_in_5_percent():
    runs = looks(203, 0.25, 0.25)
    assert 0.04 <= np.mean([is_rejected(run, LOOKS - 1, is_sequential=False) for run in runs]) <= 0.06


def test_always_valid_intervals_cover_a_true_lift_at_all_of_forty_looks():
    runs = looks(208, 0.20, 0.24)
    worst = np.maximum(distance(runs, 0.04), distance(runs, factor=1.2)) > 2.5
    missed = {"difference_interval": 0, "lift_interval": 0}
    for run, far in zip(runs, worst, strict=True):
        found = [compared(run, look, is_sequential=True) for look in np.flatnonzero(far)]
        for ends, truth in (("difference_interval", 0.04), ("lift_interval", 0.2)):
            missed[ends] += any(not getattr(one, ends).low <= truth <= getattr(one, ends).high for one in found)
    assert max(missed.values()) <= 0.05 * RUNS


@pytest.mark.parametrize(
    ("seed", "plan", "difference", "power"),
    [
        (204, Plan.of_rate(0.05), 0.01, 0.8),
        (205, Plan.of_rate(0.05, share=0.2), -0.01, 0.9),
        (206, Plan.of_rate(0.3), 0.03, 0.5),
        (207, Plan.of_rate(0.10, is_sequential=True), 0.015, 0.8),
    ],
)
def test_as_many_experiments_succeed_as_the_planner_said(seed, plan, difference, power):
    draw = np.random.default_rng(seed)
    units = plan.units_needed(difference, power)
    n = round((1 - plan.share) * units), round(plan.share * units)
    drawn = zip(
        *(draw.binomial(size, true, RUNS) for size, true in zip(n, (plan.mean, plan.mean + difference), strict=True)),
        strict=True,
    )
    found = [
        compare(
            *(rate(size, int(c)) for size, c in zip(n, counts, strict=True)),
            is_proportion=True,
            is_sequential=plan.is_sequential,
        ).p_value
        for counts in drawn
    ]
    assert np.mean(np.array(found) < 0.05) == pytest.approx(power, abs=0.03)
