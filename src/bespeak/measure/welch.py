"""Welch's test: two means whose groups may differ in size and spread, looked at once.

    t = difference / sqrt(v_a + v_b),    degrees = (v_a + v_b)^2 / (v_a^2 / (n_a - 1) + v_b^2 / (n_b - 1))

with v the variance of each group's mean (Welch 1947; the degrees are Satterthwaite's). It is never worse than Student's
test by more than a trace, and right where spreads differ. It holds for one look, planned beforehand: whoever looks
forty times and stops at the first p < .05 is wrong three times in ten. For that there is `bespeak.measure.sequential`.
"""

from __future__ import annotations

from scipy.special import stdtr, stdtrit

from bespeak.measure.pair import Pair


def degrees(pair: Pair) -> float:
    """Satterthwaite's degrees of freedom; the variance of the difference must not be 0."""
    a, b = pair.from_control, pair.from_variant
    return (a + b) ** 2 / (a**2 / (pair.control_n - 1) + b**2 / (pair.variant_n - 1))


def critical(pair: Pair, alpha: float) -> float:
    """How many standard errors the interval of level 1 - alpha reaches to either side."""
    return float(stdtrit(degrees(pair), 1 - alpha / 2))


def p_value(pair: Pair, statistic: float) -> float:
    """Two-sided: how often groups that are alike differ by so many standard errors or more."""
    return float(2 * stdtr(degrees(pair), -abs(statistic)))
