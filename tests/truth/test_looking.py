"""What looking does: A/A tests looked at forty times, and power beside the planner's. Seeds fixed beforehand."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.measure.comparison import compare
from bespeak.measure.planner import Plan
from bespeak.measure.sums import Sums

RUNS, LOOKS, A_LOOK = 1_000, 40, 500


def looks(seed: int, rate: float) -> np.ndarray:
    """int64[runs, looks, 2]: conversions of two groups alike, counted up to each look."""
    draw = np.random.default_rng(seed)
    return draw.binomial(A_LOOK, rate, (RUNS, LOOKS, 2)).cumsum(axis=1)


def is_rejected(counts: np.ndarray, n: int, *, is_sequential: bool) -> bool:
    a, b = (Sums.from_totals(n, [int(c)], [[int(c)]]) for c in counts)
    p = compare(a, b, is_proportion=True, is_sequential=is_sequential).p_value
    return p is not None and p < 0.05


def ever_rejected(seed: int, *, is_sequential: bool) -> float:
    runs = looks(seed, 0.25)
    found = [
        any(is_rejected(run[look], A_LOOK * (look + 1), is_sequential=is_sequential) for look in range(LOOKS))
        for run in runs
    ]
    return float(np.mean(found))


def test_forty_looks_at_nothing_find_something_in_5_percent_of_always_valid_tests_at_most():
    assert ever_rejected(201, is_sequential=True) <= 0.05


def test_forty_looks_at_nothing_find_something_in_three_of_ten_fixed_tests():
    assert 0.25 <= ever_rejected(202, is_sequential=False) <= 0.36


def test_one_look_at_nothing_finds_something_in_5_percent():
    last = looks(203, 0.25)[:, -1]
    assert 0.035 <= np.mean([is_rejected(run, A_LOOK * LOOKS, is_sequential=False) for run in last]) <= 0.065


def test_always_valid_intervals_cover_a_true_lift_at_all_of_forty_looks():
    draw = np.random.default_rng(208)
    runs = draw.binomial(A_LOOK, (0.20, 0.24), (400, LOOKS, 2)).cumsum(axis=1)
    covered = {"difference_interval": 0, "lift_interval": 0}
    for run in runs:
        found = [
            compare(
                *(Sums.from_totals(A_LOOK * (look + 1), [int(c)], [[int(c)]]) for c in counts),
                is_proportion=True,
                is_sequential=True,
            )
            for look, counts in enumerate(run)
        ]
        for ends, truth in (("difference_interval", 0.04), ("lift_interval", 0.2)):
            covered[ends] += all(getattr(one, ends).low <= truth <= getattr(one, ends).high for one in found)
    assert min(covered.values()) >= 0.95 * len(runs)


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
        *(draw.binomial(size, rate, 4_000) for size, rate in zip(n, (plan.mean, plan.mean + difference), strict=True)),
        strict=True,
    )
    found = [
        compare(
            *(Sums.from_totals(size, [int(c)], [[int(c)]]) for size, c in zip(n, counts, strict=True)),
            is_proportion=True,
            is_sequential=plan.is_sequential,
        ).p_value
        for counts in drawn
    ]
    assert np.mean(np.array(found) < 0.05) == pytest.approx(power, abs=0.03)
