"""Lifts: both intervals by published figures, and the rule that says which."""

from __future__ import annotations

import math

import pytest

from bespeak.measure import sequential, welch
from bespeak.measure.lift import WELL_KNOWN, delta_interval, fieller_interval, lift, lift_interval
from bespeak.measure.pair import Pair, pair
from measure.published import REVENUE_A, REVENUE_A_SEQUENTIAL, REVENUE_B, rate


def known(control: float, error: float, variant: float = 1.1, variant_error: float = 0.1) -> Pair:
    a, b = error**2, variant_error**2
    return Pair(control, variant, a, b, 0.0, a, b, 1_000, 1_000)


def test_the_delta_method_gives_growthbooks_interval():
    # Theirs takes Welch's degrees of the difference, as we do.
    held = pair(REVENUE_A, REVENUE_B)
    assert delta_interval(held, welch.critical(held, 0.05)) == pytest.approx((-0.03526, 1.44989), abs=5.1e-6)
    held = pair(rate(28, 14), rate(30, 16), is_proportion=True)
    assert delta_interval(held, welch.critical(held, 0.05)) == pytest.approx((-0.47767, 0.61101), abs=5.1e-6)


def test_the_delta_method_gives_growthbooks_sequential_interval():
    held = pair(REVENUE_A_SEQUENTIAL, REVENUE_B)
    assert delta_interval(held, sequential.critical(held.n, 0.05, 1_000)) == pytest.approx(
        (-0.55844, 1.56516), abs=5.1e-6
    )


def test_fiellers_ends_are_where_the_test_of_the_difference_turns():
    held = known(1.0, 0.1)
    for end in fieller_interval(held, 1.96):
        r = 1 + end
        distance = abs(held.variant - r * held.control)
        assert distance == pytest.approx(1.96 * math.sqrt(held.variant_variance + r**2 * held.control_variance))


def test_fieller_has_no_ends_where_the_control_may_be_zero():
    assert fieller_interval(known(0.19, 0.1), 1.96) is None
    assert fieller_interval(known(0.20, 0.1), 1.96) is not None


def test_both_are_nearly_alike_where_the_control_is_well_known():
    held = known(1.0, 1 / WELL_KNOWN, variant_error=1 / WELL_KNOWN)
    delta, fieller = delta_interval(held, 1.96), fieller_interval(held, 1.96)
    width = delta.high - delta.low
    assert max(abs(delta.low - fieller.low), abs(delta.high - fieller.high)) < 0.02 * width


@pytest.mark.parametrize(("errors", "chosen"), [(WELL_KNOWN + 1, delta_interval), (WELL_KNOWN - 1, fieller_interval)])
def test_the_rule_takes_the_delta_method_for_well_known_controls_only(errors, chosen):
    held = known(1.0, 1 / errors)
    assert lift_interval(held, 1.96) == chosen(held, 1.96)


def test_a_negative_control_has_a_lift_as_defined():
    held = known(-2.0, 0.1, variant=-1.0)
    assert lift(held) == pytest.approx(-0.5)
    low, high = lift_interval(held, 1.96)
    assert low < -0.5 < high


def test_a_control_of_zero_has_none():
    assert lift(known(0.0, 0.1)) is None
    assert lift_interval(known(0.0, 0.1), 1.96) is None
    assert lift_interval(known(0.0, 0.0), 1.96) is None
