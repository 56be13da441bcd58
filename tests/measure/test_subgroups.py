"""Subgroups: each like the whole, raised for their number, and asked whether they differ."""

from __future__ import annotations

import pytest
from scipy.stats import chi2

from bespeak.measure.comparison import compare
from bespeak.measure.multiplicity import holm
from bespeak.measure.subgroups import compare_subgroups
from measure.published import rate


def test_each_part_is_compared_alone_and_raised_for_all():
    groups = {"new": (rate(500, 50), rate(500, 80)), "old": (rate(900, 90), rate(900, 95))}
    found = compare_subgroups(groups, is_proportion=True)
    alone = [compare(*pair, is_proportion=True) for pair in groups.values()]
    assert [part.name for part in found.parts] == ["new", "old"]
    assert [part.comparison for part in found.parts] == alone
    assert [part.p_value for part in found.parts] == holm([one.p_value for one in alone])


def test_effects_that_differ_are_told_from_effects_that_do_not():
    same = {"a": (rate(5_000, 500), rate(5_000, 600)), "b": (rate(5_000, 500), rate(5_000, 605))}
    other = {"a": (rate(5_000, 500), rate(5_000, 600)), "b": (rate(5_000, 600), rate(5_000, 500))}
    assert compare_subgroups(same, is_proportion=True).differ_p_value > 0.5
    assert compare_subgroups(other, is_proportion=True).differ_p_value < 1e-4


def test_cochrans_q_by_hand():
    # Two effects of .02 and -.02 with the same standard error s: Q = 2 (.02 / s)^2.
    found = compare_subgroups(
        {"a": (rate(1_000, 100), rate(1_000, 120)), "b": (rate(1_000, 120), rate(1_000, 100))}, is_proportion=True
    )
    s = found.parts[0].comparison.standard_error
    assert found.differ_p_value == pytest.approx(chi2.sf(2 * (0.02 / s) ** 2, 1))


def test_a_part_that_does_not_vary_says_nothing_and_costs_nothing():
    found = compare_subgroups({"a": (rate(50, 5), rate(50, 9)), "b": (rate(50, 0), rate(50, 0))}, is_proportion=True)
    assert found.parts[1].p_value is None
    assert found.parts[0].p_value == found.parts[0].comparison.p_value
    assert found.differ_p_value is None
