"""The confidence sequence: tightest where it was told, and p-values that agree with its intervals."""

from __future__ import annotations

import pytest

from bespeak.errors import InvalidInput
from bespeak.measure import sequential


def test_the_p_value_is_alpha_exactly_at_the_intervals_end():
    for n in (50, 5_000, 10**6):
        assert sequential.p_value(n, sequential.critical(n, 0.05), 0.05) == pytest.approx(0.05)


def test_the_sequence_is_tightest_near_where_it_was_told():
    def reach(tightest_at):
        return sequential.critical(6_461, 0.05, tightest_at)

    assert reach(6_461) < reach(10_000) < reach(1_000) < reach(10)


def test_no_surprise_has_a_p_value_of_one():
    assert sequential.p_value(1_000, 0.0, 0.05) == 1


def test_it_reaches_further_than_a_single_look_at_any_n():
    assert all(sequential.critical(n, 0.05) > 2.9 for n in (10, 100, 1_000, 10_000, 10**7))


@pytest.mark.parametrize("alpha", [0, 1, -0.1])
def test_an_alpha_that_is_no_probability_is_refused(alpha):
    with pytest.raises(InvalidInput, match="must lie between 0 and 1"):
        sequential.critical(100, alpha)
