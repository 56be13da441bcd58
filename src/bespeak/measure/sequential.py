"""Intervals and p-values that hold at every look, however many there are and whenever one stops.

The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (arXiv 2103.06476, version 7):
after n units the interval reaches (equation 9; s the standard error, so that their sigma is s sqrt(n))

    s sqrt(2 (n rho^2 + 1) / (n rho^2) log(sqrt(n rho^2 + 1) / alpha))

to either side, and with z = estimate / s (equation 155)

    p = min(1, sqrt(n rho^2 + 1) exp(-n rho^2 z^2 / (2 (n rho^2 + 1))))

rho sets where the sequence is tightest. For a number of units N chosen beforehand (equation 161)

    rho = sqrt((-2 log alpha + log(1 - 2 log alpha)) / N)

The guarantee is asymptotic: it needs means that are about normal from the first look on. Where few convert, wait for
about `MIN_CONVERSIONS` in each group.
"""

from __future__ import annotations

import math

from bespeak.errors import InvalidInput

TIGHTEST_AT = 5_000
"""Units of both groups at which the sequence is tightest, unless said otherwise; far from it, it is a little wider."""

MIN_CONVERSIONS = 100
"""Conversions (units, for other metrics) that each group needs before the first look."""


def critical(n: int, alpha: float, tightest_at: int = TIGHTEST_AT) -> float:
    """How many standard errors the interval reaches to either side after n units of both groups.

    Raises:
        InvalidInput: alpha is no probability, or `tightest_at` is below 1.

    Example:
        >>> round(critical(5_000, 0.05), 2), round(critical(500_000, 0.05), 2)
        (3.04, 3.56)
    """
    spread = _spread(n, alpha, tightest_at)
    return math.sqrt(2 * (spread + 1) / spread * math.log(math.sqrt(spread + 1) / alpha))


def p_value(n: int, statistic: float, alpha: float, tightest_at: int = TIGHTEST_AT) -> float:
    """The always-valid p-value of an estimate that many standard errors from zero.

    It is at most alpha exactly where the interval of level 1 - alpha leaves zero out. The sequence's shape depends on
    alpha a little, so use the same for both.
    """
    spread = _spread(n, alpha, tightest_at)
    return min(1.0, math.exp(0.5 * math.log(spread + 1) - spread * statistic**2 / (2 * (spread + 1))))


def _spread(n: int, alpha: float, tightest_at: int) -> float:
    """n rho^2."""
    if not 0 < alpha < 1 or tightest_at < 1:
        raise InvalidInput(f"alpha {alpha} must lie between 0 and 1, and the sequence be tightest at 1 unit or more.")
    return n * (-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))) / tightest_at
