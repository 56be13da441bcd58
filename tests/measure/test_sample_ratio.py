"""Sample ratio: published p-values, the two thresholds, and shares that fit no groups."""

from __future__ import annotations

import pytest

from bespeak.errors import InvalidInput
from bespeak.measure.sample_ratio import check_sample_ratio
from measure.published import GATE_30, GATE_40


def test_cookie_cats_is_doubtful_and_not_broken():
    found = check_sample_ratio({"gate_30": GATE_30, "gate_40": GATE_40})
    assert found.statistic == pytest.approx(6.902, abs=5e-4)
    assert found.p_value == pytest.approx(0.00861, abs=5e-6)
    assert (found.is_doubtful, found.is_broken) == (True, False)


def test_hillstroms_three_groups_are_as_meant():
    found = check_sample_ratio({"control": 21_306, "women": 21_387, "men": 21_307})
    assert found.p_value == pytest.approx(0.904, abs=5e-4)


def test_tea_tastings_example():
    assert check_sample_ratio({"0": 2023, "1": 1977}).p_value == pytest.approx(0.477, abs=1e-2)


def test_a_lost_twentieth_of_one_group_is_found():
    assert check_sample_ratio({"A": 10_000, "B": 9_500}).is_broken
    assert not check_sample_ratio({"A": 10_000, "B": 9_500}, {"A": 20, "B": 19}).is_doubtful


@pytest.mark.parametrize(
    ("counts", "expected", "says"),
    [
        ({"A": 5}, None, "two groups or more"),
        ({"A": 0, "B": 0}, None, "two groups or more"),
        ({"A": 5, "B": 5}, {"A": 1}, "share of 'B' must be above zero"),
        ({"A": 5, "B": 5}, {"A": 1, "B": 0}, "share of 'B' must be above zero"),
        ({"A": 5, "B": 5}, {"A": 1, "B": 1, "C": 1}, "no variant 'C'"),
    ],
)
def test_shares_that_fit_no_groups_are_refused(counts, expected, says):
    with pytest.raises(InvalidInput, match=says):
        check_sample_ratio(counts, expected)
