"""Sentences: which way, how much, and nothing claimed that the figures do not say."""

from __future__ import annotations

from bespeak.measure.comparison import compare
from bespeak.measure.sums import Sums
from bespeak.measure.words import sentence
from measure.published import RETENTION_7, rate, tea_tasting


def said(control, variant, kind="mean", metric="revenue", p_value=None):
    found = compare(control, variant, is_proportion=kind == "proportion")
    p = found.p_value if p_value is None else p_value
    return sentence(found, metric=metric, kind=kind, control="A", variant="B", p_value=p)


def test_a_rate_that_falls_is_said_to_fall():
    assert said(*RETENTION_7, "proportion", "retention_7") == (
        "B converts 4.3 % less often than A (retention_7: 18.20 % instead of 19.02 %; from 6.9 % less to 1.7 % less; "
        "p = 0.0016)."
    )


def test_a_mean_that_rises_is_said_to_rise():
    columns = ("revenue", None, "revenue_before")
    text = said(tea_tasting("control", *columns), tea_tasting("treatment", *columns))
    assert text.startswith("revenue is 14.3 % higher with B than with A (")
    assert "from 3.8 % higher to 25.9 % higher" in text


def test_what_cannot_be_told_apart_is_said_so_with_what_is_possible():
    text = said(tea_tasting("control", "orders"), tea_tasting("treatment", "orders"), metric="orders")
    assert text == "B and A cannot be told apart in orders: from 1.9 % lower to 19.1 % higher is possible (p = 0.12)."


def test_a_p_value_that_was_raised_decides():
    assert said(*RETENTION_7, "proportion", "retention_7", p_value=0.06) == (
        "B and A cannot be told apart in retention_7 in one of several comparisons: alone it says from 6.9 % less "
        "to 1.7 % less (p = 0.06, raised for their number)."
    )


def test_a_control_of_zero_is_compared_in_points():
    text = said(rate(100, 0), rate(100, 9), "proportion", "bought")
    assert text.startswith("B converts 9.00 points more often than A (bought: 9.00 % instead of 0.00 %; from 3.")


def test_a_rise_from_a_negative_control_is_a_rise():
    text = said(Sums.of([-9.0, -10.0, -11.0, -10.0]), Sums.of([-4.0, -5.0, -6.0, -5.0]), metric="margin")
    assert text.startswith("margin is 50.0 % higher with B than with A (-5 instead of -10; from")
    assert "lower" not in text


def test_groups_that_do_not_vary_are_not_compared():
    assert said(Sums.of([2.0, 2.0]), Sums.of([2.0, 2.0])) == (
        "B and A cannot be compared: revenue does not vary in them."
    )
