"""Planner: published sample sizes and powers, inverses that agree, and plans that cannot be."""

from __future__ import annotations

import math

import pytest

from bespeak.errors import InvalidInput
from bespeak.measure.planner import Plan, days_needed
from bespeak.measure.sums import Sums

# tea-tasting's guide to power analysis: 4,000 users, orders 2,076 in 7,958 sessions.
ORDERS_PER_SESSION = Plan.of_sums(Sums.from_totals(4_000, [2_076, 7_958], [[3_942, 5_045], [5_045, 19_796]]))
ORDERS = Sums.from_totals(4_000, [2_076], [[3_942]])


def test_the_power_of_a_ratio_is_tea_tastings():
    assert ORDERS_PER_SESSION.power(0.1 * ORDERS_PER_SESSION.mean, 4_000) == pytest.approx(0.5212, abs=2e-3)


@pytest.mark.parametrize(("n", "difference"), [(10_000, 0.036718369594829665), (20_000, 0.025962929726636767)])
def test_the_smallest_difference_of_a_mean_is_tea_tastings(n, difference):
    found = Plan.of_sums(ORDERS, alpha=0.1).smallest_difference(n, power=0.7)
    assert found == pytest.approx(difference, rel=2e-4)  # theirs takes Student's distribution


def test_the_usual_rule_of_sixteen_variances():
    plan = Plan(mean=5.0, variance=4.0)
    assert plan.units_needed(0.2) == pytest.approx(2 * 16 * 4 / 0.2**2, rel=0.02)


def test_the_number_of_units_is_the_smallest_that_is_enough():
    plan = Plan.of_rate(0.05, share=0.3)
    n = plan.units_needed(0.01, power=0.9)
    assert plan.power(0.01, n - 1) < 0.9 <= plan.power(0.01, n)


def test_the_smallest_difference_and_the_number_of_units_agree():
    for plan in (Plan.of_rate(0.05), Plan(10.0, 90.0, is_sequential=True)):
        n = plan.units_needed(0.01 * plan.mean)
        assert plan.smallest_difference(n) == pytest.approx(0.01 * plan.mean, rel=1e-3)


def test_looking_again_and_again_takes_more_units_and_equal_halves_the_fewest():
    assert Plan.of_rate(0.05, is_sequential=True).units_needed(0.01) > Plan.of_rate(0.05).units_needed(0.01)
    assert Plan(1.0, 1.0, share=0.1).units_needed(0.1) > Plan(1.0, 1.0).units_needed(0.1)


def test_without_a_difference_the_power_is_alpha():
    assert Plan(1.0, 1.0).power(0.0, 100) == pytest.approx(0.05)


def test_a_rate_that_cannot_rise_so_far_has_no_smallest_difference():
    assert Plan.of_rate(0.99).smallest_difference(20) == math.inf


def test_days_come_in_whole_weeks():
    assert [days_needed(units, 100) for units in (1, 700, 701)] == [7, 7, 14]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Plan.of_sums(Sums.of([1.0, 2.0], [1.0, -1.0])), "sum to zero"),
        (lambda: Plan.of_sums(Sums.of([1.0])), "fewer than two units"),
        (lambda: Plan.of_rate(0.0), "leaves nothing to compare"),
        (lambda: Plan(1.0, 0.0), "variance must be above zero"),
        (lambda: Plan(1.0, 1.0, share=1.0), "must lie between 0 and 1"),
        (lambda: Plan.of_rate(0.9).power(0.2, 100), "cannot change by 0.2"),
        (lambda: Plan(1.0, 1.0).units_needed(0.0), "difference of zero"),
        (lambda: Plan(1.0, 1.0).units_needed(0.1, power=0.01), "must lie between alpha"),
        (lambda: Plan(1.0, 1.0).units_needed(1e-12), "too small for any experiment"),
        (lambda: Plan(1.0, 1.0).smallest_difference(3), "four units or more"),
        (lambda: days_needed(10, 0), "Nobody comes"),
    ],
)
def test_plans_that_cannot_be_are_refused(make, says):
    with pytest.raises(InvalidInput, match=says):
        make()
