"""Comparisons: the figures of GrowthBook, tea-tasting and Cookie Cats to the digits given, and what has no answer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bespeak.errors import InvalidInput
from bespeak.measure.comparison import compare
from bespeak.measure.sums import Sums
from measure.published import (
    CONVERSIONS,
    GATE_30,
    GROWTHBOOK_CUPED,
    GROWTHBOOK_RATIO_CUPED,
    RETENTION_1,
    RETENTION_7,
    REVENUE_A,
    REVENUE_A_SEQUENTIAL,
    REVENUE_B,
    ROUNDS,
    VISITS,
    rate,
    tea_tasting,
)

DIGITS = 5.1e-6


def test_a_difference_of_means_is_that_of_growthbook():
    found = compare(REVENUE_A, REVENUE_B)
    assert found.difference == pytest.approx(0.29, abs=DIGITS)
    assert found.difference_interval == pytest.approx((0.04538, 0.53462), abs=DIGITS)
    assert found.standard_error == pytest.approx(0.12478, abs=DIGITS)
    assert found.p_value == pytest.approx(0.02016, abs=DIGITS)
    assert found.lift == pytest.approx(0.70732, abs=DIGITS)


@pytest.mark.parametrize(
    ("columns", "difference", "ends", "lift", "p_value"),
    [
        (("sessions",), -0.013243251420000268, (-0.07496462168707, 0.04847811884707), -0.0066347443344, 0.674020719962),
        (("orders",), 0.04269014577177832, (-0.0108002015982, 0.0961804931417), 0.0804866401643, 0.1177317799871),
        (("revenue",), 0.4890831037404775, (-0.132618814827, 1.110785022308), 0.0933181595898, 0.123069885542),
        (
            ("orders", "sessions"),
            0.02330500550889,
            (-0.0024594336679, 0.0490694446856),
            0.0877032732944,
            0.0762375997816,
        ),
        (
            ("sessions", None, "sessions_before"),
            -0.0135219629050,
            (-0.064432037934, 0.037388112124),
            -0.00677390867,
            0.602581183814,
        ),
        (
            ("orders", None, "orders_before"),
            0.0583038926086,
            (0.015696510168, 0.100911275048),
            0.111547264832,
            0.00733040980868,
        ),
        (
            ("revenue", None, "revenue_before"),
            0.731014448269,
            (0.202287024690, 1.259741871848),
            0.142735735610,
            0.00674392928120,
        ),
        (
            ("orders", "sessions", "orders_before"),
            0.0301602410228,
            (0.00866944250939, 0.0516510395362),
            0.114967367466,
            0.00595995493552,
        ),
        (
            ("orders", "sessions", "orders_before", "sessions_before"),
            0.0317342630367,
            (0.0113444770177, 0.0521240490558),
            None,
            0.00229294384252,
        ),
    ],
)
def test_means_ratios_and_cuped_are_those_of_tea_tasting(columns, difference, ends, lift, p_value):
    found = compare(tea_tasting("control", *columns), tea_tasting("treatment", *columns))
    assert found.difference == pytest.approx(difference, rel=1e-8)
    assert found.difference_interval == pytest.approx(ends, rel=1e-8)
    assert found.p_value == pytest.approx(p_value, rel=1e-8)
    # A ratio whose covariate is a ratio too is centred differently there: equal to the six digits that count.
    assert found.lift == pytest.approx(
        lift if lift is not None else 0.1213275648423, rel=1e-8 if lift is not None else 1e-5
    )


def test_cuped_of_a_ratio_is_that_of_growthbook():
    # They take theta of a ratio within the groups, we of both as for means: one unit of the last digit apart.
    found = compare(*GROWTHBOOK_RATIO_CUPED)
    assert found.difference / found.control == pytest.approx(-0.0007, abs=1.1e-5)
    assert found.standard_error / found.control == pytest.approx(0.00391, abs=DIGITS)


def test_cuped_of_a_mean_is_that_of_growthbook():
    found = compare(*GROWTHBOOK_CUPED)
    assert found.difference / found.control == pytest.approx(0.50338, abs=DIGITS)


@pytest.mark.parametrize(
    ("groups", "difference", "p_value"), [(RETENTION_1, -0.0059, 0.0744), (RETENTION_7, -0.0082, 0.0016)]
)
def test_cookie_cats_comes_out_as_published(groups, difference, p_value):
    found = compare(*groups, is_proportion=True)
    assert found.difference == pytest.approx(difference, abs=5e-5)
    assert found.p_value == pytest.approx(p_value, abs=5e-5)


def test_the_interval_of_cookie_cats_is_the_published_one():
    found = compare(*RETENTION_7, is_proportion=True)
    assert found.difference_interval == pytest.approx((-0.01328, -0.00312), abs=DIGITS)
    assert found.lift_interval == pytest.approx((-0.0693, -0.0170), abs=1e-4)


def test_the_relative_interval_of_cookie_cats_and_its_rounds_with_and_without_the_one_heavy_player():
    assert compare(*RETENTION_7, is_proportion=True).lift == pytest.approx(-0.0431, abs=5e-5)
    assert compare(*ROUNDS).p_value == pytest.approx(0.376, abs=5e-4)
    total = 2_344_795 - 49_854
    without = Sums.from_totals(GATE_30 - 1, [total], [[3_068_811_771 - 49_854**2]])
    assert compare(without, ROUNDS[1]).p_value == pytest.approx(0.949, abs=5e-4)


@pytest.mark.parametrize(
    ("groups", "shares", "difference", "statistic"),
    [
        (VISITS[:2], (0.10617, 0.15140), 0.04523, 13.985),
        ((VISITS[0], VISITS[2]), (0.10617, 0.18276), 0.07659, 22.620),
        (CONVERSIONS[:2], (0.00573, 0.00884), 0.00311, None),
        ((CONVERSIONS[0], CONVERSIONS[2]), (0.00573, 0.01253), 0.00681, None),
    ],
)
def test_hillstroms_mails_come_out_as_published(groups, shares, difference, statistic):
    found = compare(*groups)
    assert (found.control, found.variant) == pytest.approx(shares, abs=5.1e-6)
    assert found.difference == pytest.approx(difference, abs=5.1e-6)
    if statistic is not None:
        assert found.difference / found.standard_error == pytest.approx(statistic, abs=6e-4)


def test_values_give_what_scipy_gives():
    draw = np.random.default_rng(11)
    a, b = draw.gamma(2, 3, 80), draw.gamma(2, 4, 120)
    expected = stats.ttest_ind(b, a, equal_var=False)
    found = compare(Sums.of(a), Sums.of(b))
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.difference_interval == pytest.approx(tuple(expected.confidence_interval()), rel=1e-9)


def test_cuped_is_the_regression_on_group_and_covariate():
    # With theta from both groups, the difference is that of least squares up to the groups' chance imbalance.
    draw = np.random.default_rng(12)
    x = draw.normal(size=4_000)
    group = draw.integers(0, 2, 4_000)
    y = 3 * x + 0.2 * group + draw.normal(size=4_000)
    found = compare(Sums.of(y[group == 0], covariate=x[group == 0]), Sums.of(y[group == 1], covariate=x[group == 1]))
    design = np.stack([np.ones(4_000), group, x], axis=1)
    slope = np.linalg.lstsq(design, y, rcond=None)[0][1]
    assert found.difference == pytest.approx(slope, abs=2e-3)
    plain = compare(Sums.of(y[group == 0]), Sums.of(y[group == 1]))
    assert found.standard_error < 0.35 * plain.standard_error
    assert (found.control, found.variant) == (plain.control, plain.variant), "means stand as they are"


def test_a_covariate_that_says_nothing_changes_nothing():
    plain = compare(Sums.of([1.0, 2.0, 4.0]), Sums.of([2.0, 5.0, 6.0]))
    same = compare(Sums.of([1.0, 2.0, 4.0], covariate=[7.0] * 3), Sums.of([2.0, 5.0, 6.0], covariate=[7.0] * 3))
    assert same == plain
    near = [Sums.of(y, covariate=[0.1] * 3) for y in ([1.0, 2.0, 4.0], [2.0, 5.0, 6.0])]
    assert compare(near[0] + near[0], near[1] + near[1]).difference == plain.difference


@pytest.mark.parametrize("factor", [1e-9, 1e9])
def test_the_unit_of_the_metric_changes_no_lift_and_no_p_value(factor):
    a, b = np.array([1.0, 2.0, 4.0, 1.5]), np.array([2.0, 5.0, 6.0, 4.0])
    one, other = compare(Sums.of(a), Sums.of(b)), compare(Sums.of(factor * a), Sums.of(factor * b))
    assert other.p_value == pytest.approx(one.p_value)
    assert other.lift == pytest.approx(one.lift)
    assert other.lift_interval == pytest.approx(one.lift_interval)


def test_the_p_value_is_below_alpha_exactly_where_the_interval_leaves_zero_out():
    draw = np.random.default_rng(13)
    for step in range(200):
        a, b = rate(400, int(draw.integers(20, 60))), rate(500, int(draw.integers(20, 80)))
        found = compare(a, b, is_proportion=True, is_sequential=step % 2 == 0)
        low, high = found.difference_interval
        assert (found.p_value < 0.05) == (low > 0 or high < 0)
        low, high = found.lift_interval  # the control is far from well known: Fieller's
        assert (found.p_value < 0.05) == (low > 0 or high < 0)


def test_always_valid_intervals_are_wider_and_their_p_values_larger():
    once, always = compare(REVENUE_A, REVENUE_B), compare(REVENUE_A, REVENUE_B, is_sequential=True)
    assert always.difference == once.difference
    assert always.difference_interval.low < once.difference_interval.low
    assert always.p_value > once.p_value


def test_sequential_intervals_are_those_of_growthbook():
    # Theirs are of the lift; by the delta method its standard error is 0.33341 and 0.03386.
    found = compare(REVENUE_A_SEQUENTIAL, REVENUE_B, is_sequential=True, tightest_at=1_000)
    reach = (found.difference_interval.high - found.difference) / found.standard_error
    assert (0.50336 - 0.33341 * reach, 0.50336 + 0.33341 * reach) == pytest.approx((-0.55844, 1.56516), abs=3e-5)
    found = compare(rate(3000, 1396), rate(3461, 2422), is_proportion=True, is_sequential=True)
    assert found.lift_interval == pytest.approx((0.40098, 0.60675), abs=DIGITS)
    assert found.p_value == pytest.approx(0, abs=DIGITS)


def test_the_other_way_round_the_difference_is_the_same_with_the_other_sign():
    one, other = compare(REVENUE_A, REVENUE_B), compare(REVENUE_B, REVENUE_A)
    assert other.difference == pytest.approx(-one.difference)
    assert other.p_value == pytest.approx(one.p_value)
    assert other.difference_interval == pytest.approx((-one.difference_interval.high, -one.difference_interval.low))


def test_groups_that_do_not_vary_have_a_difference_but_no_interval():
    found = compare(Sums.of([0.1] * 7), Sums.of([0.1] * 3) + Sums.of([0.1] * 11))
    assert (found.difference_interval, found.lift_interval, found.p_value) == (None, None, None)
    assert found.difference == pytest.approx(0)
    found = compare(Sums.of([1.0, 2.0, 3.0], [2.0, 4.0, 6.0]), Sums.of([2.0, 3.0], [4.0, 6.0]))
    assert found.p_value is None, "a ratio that is the same for each unit does not vary"


def test_a_control_of_zero_has_a_difference_and_no_lift():
    found = compare(rate(100, 0), rate(100, 9), is_proportion=True)
    assert (found.lift, found.lift_interval) == (None, None)
    assert found.difference_interval.low > 0


def test_a_group_in_which_nobody_did_it_is_not_known_to_be_without():
    none, few = rate(1_000, 0), rate(1_000, 20)
    found = compare(few, none, is_proportion=True)
    assert found.lift == -1
    low, high = found.lift_interval
    assert low == -1
    assert -0.99 < high < -0.8, "a twentieth of the control's share is possible"
    assert found.p_value > compare(few, none).p_value, "as a mean only the control's spread is known"
    everybody = compare(rate(1_000, 980), rate(1_000, 1_000), is_proportion=True)
    assert everybody.standard_error == pytest.approx(found.standard_error)
    assert compare(none, rate(50, 0), is_proportion=True).p_value is None, "nothing varies"


def test_a_share_falls_by_no_more_than_all_of_it():
    found = compare(rate(167, 26), rate(167, 6), is_proportion=True, is_sequential=True)
    assert found.lift_interval.low == -1
    assert compare(rate(167, 26), rate(167, 6), is_sequential=True).lift_interval.low < -1, "a mean may fall below zero"


def test_a_control_that_may_be_zero_has_a_lift_without_ends():
    found = compare(Sums.of([-3.0, 4.0, 1.0]), Sums.of([5.0, 9.0, 7.0]))
    assert found.lift is not None
    assert found.lift_interval is None


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: compare(Sums.of([1.0]), Sums.of([1.0, 2.0])), "fewer than two units"),
        (lambda: compare(Sums.of([1.0, 2.0]), Sums.none()), "fewer than two units"),
        (lambda: compare(Sums.of([1.0, 2.0], [0.0, 0.0]), Sums.of([1.0, 2.0])), "sum to zero"),
        (lambda: compare(REVENUE_A, REVENUE_B, alpha=1.5), "alpha 1.5 must lie between 0 and 1"),
        (lambda: compare(REVENUE_A, REVENUE_B, is_sequential=True, tightest_at=0), "tightest at 1 unit or more"),
    ],
)
def test_what_cannot_be_compared_is_refused(make, says):
    with pytest.raises(InvalidInput, match=says):
        make()
