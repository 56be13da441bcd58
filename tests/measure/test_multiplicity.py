"""Raised p-values: the figures of tea-tasting, and of SciPy for false discoveries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from bespeak.errors import InvalidInput
from bespeak.measure.multiplicity import benjamini_hochberg, holm

SIX = [0.005, 0.06, 0.007, 0.04, 0.01, 0.03]  # tea-tasting, tests/test_multiplicity.py
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def test_six_comparisons_are_raised_as_published():
    assert benjamini_hochberg(SIX) == pytest.approx([0.02, 0.06, 0.02, 0.048, 0.02, 0.045])


def test_holm_by_hand():
    assert holm(SIX) == pytest.approx([0.03, 0.09, 0.035, 0.09, 0.04, 0.09])


@given(P_VALUES)
def test_benjamini_hochberg_is_scipys(p):
    assert benjamini_hochberg(p) == pytest.approx(list(false_discovery_control(p)))


@given(P_VALUES)
def test_raised_values_keep_their_order_and_are_never_lower(p):
    for raised in (holm(p), benjamini_hochberg(p)):
        assert all(after >= before - 1e-12 for before, after in zip(p, raised, strict=True))
        assert [raised[i] for i in sorted(range(len(p)), key=p.__getitem__)] == sorted(raised)


def test_holm_is_never_below_benjamini_hochberg():
    assert all(a >= b for a, b in zip(holm(SIX), benjamini_hochberg(SIX), strict=True))


def test_one_look_raises_nothing_and_none_gives_none():
    assert (holm([0.03]), benjamini_hochberg([0.03]), holm([])) == ([0.03], [0.03], [])


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_what_is_no_probability_is_refused(value):
    with pytest.raises(InvalidInput, match="outside 0 to 1"):
        holm([0.5, value])
