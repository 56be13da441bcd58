"""Two groups side by side: what each one's metric is, adjusted for a covariate, and how sure the two figures are.

The metric is a ratio r = ybar / dbar; a change of the means by (dy, dd) changes it by (dy - r dd) / dbar. So its
variance is that of the units' (y - r d) / dbar, over n: the delta method, which is also right where a person brings
several rows to the denominator (Deng, Knoblich and Lu 2018, "Applying the Delta Method in Metric Analytics").

CUPED takes from the metric what a covariate from before the experiment explains (Deng, Xu, Kohavi and Walker 2013,
"Improving the Sensitivity of Online Controlled Experiments by Utilizing Pre-Experiment Data", WSDM):

    adjusted_g = r_g - theta (c_g - c),    theta = cov(r, c) / var(c)

with theta and the mean covariate c over both groups. Because c comes from both, the two adjusted figures depend on each
other a little. That cancels in their difference and not in their ratio, so the covariance is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bespeak.errors import InvalidInput
from bespeak.measure.sums import Float64s, Sums

_ROUNDING = 1e-12
"""Share of what a variance is summed from that rounding may leave; of a mean, that it may leave as a spread."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The metric of a control and of a variant, adjusted, with their (co)variances.

    Attributes:
        control, variant: the metric in each group.
        control_variance, variant_variance, covariance: of these two figures, not of single units.
        from_control, from_variant: what each group's units contribute to the variance of the difference.
        control_n, variant_n: units.
    """

    control: float
    variant: float
    control_variance: float
    variant_variance: float
    covariance: float
    from_control: float
    from_variant: float
    control_n: int
    variant_n: int

    @property
    def n(self) -> int:
        """Units of both groups."""
        return self.control_n + self.variant_n

    @property
    def difference_variance(self) -> float:
        """Variance of variant - control."""
        return self.from_control + self.from_variant


def metric(sums: Sums) -> float:
    """The metric of one group as it stands, unadjusted: the ratio of its sums.

    Raises:
        InvalidInput: the denominators sum to zero.
    """
    _check_denominator(sums)
    return float(sums.means[0] / sums.means[1])


def unit_variance(sums: Sums, *, is_proportion: bool = False) -> float:
    """The variance of one unit's contribution to the metric; over n, the variance of the metric. For planning.

    Raises:
        InvalidInput: see `pair`.
    """
    _check(sums)
    outcome, _ = _gradients(sums)
    return _form(outcome, sums, is_proportion) * sums.n


def pair(control: Sums, variant: Sums, *, is_proportion: bool = False) -> Pair:
    """Sets two groups side by side; adjusts them where their sums hold a covariate that varies.

    Args:
        control, variant: sums of the same columns.
        is_proportion: values are 0 or 1, whose variance is p (1 - p); else the unbiased n - 1 divides. Where nobody (or
            everybody) of one group did it and the other group varies, p of that variance is (x + 1) / (n + 2): that
            none was seen does not say that there are none (Agresti and Caffo 2000).

    Raises:
        InvalidInput: fewer than two units in a group, or denominators that sum to zero.
    """
    _check(control)
    _check(variant)
    values = metric(control), metric(variant)
    (y_c, x_c), (y_v, x_v) = _gradients(control), _gradients(variant)
    both = control + variant
    theta = _theta(both)
    shares = control.n / both.n, variant.n / both.n
    apart = _covariate(variant) - _covariate(control)
    # Rows: the adjusted figures of control and variant; for each, how it moves with the means of either group.
    by_control = np.stack([y_c - theta * shares[1] * x_c, theta * shares[0] * x_c])
    by_variant = np.stack([theta * shares[1] * x_v, y_v - theta * shares[0] * x_v])
    spread = _spread(by_control, control, is_proportion) + _spread(by_variant, variant, is_proportion)
    unseen = _unseen(control, variant) if is_proportion else (0.0, 0.0)
    return Pair(
        control=values[0] + theta * shares[1] * apart,
        variant=values[1] - theta * shares[0] * apart,
        control_variance=max(float(spread[0, 0]), 0.0) + unseen[0],
        variant_variance=max(float(spread[1, 1]), 0.0) + unseen[1],
        covariance=float(spread[0, 1]),
        from_control=_form(by_control[1] - by_control[0], control, is_proportion) + unseen[0],
        from_variant=_form(by_variant[1] - by_variant[0], variant, is_proportion) + unseen[1],
        control_n=control.n,
        variant_n=variant.n,
    )


def _check(sums: Sums) -> None:
    if sums.n < 2:
        raise InvalidInput("A group has fewer than two units.", hint="A spread cannot be told from one.")
    _check_denominator(sums)


def _check_denominator(sums: Sums) -> None:
    if sums.means[1] == 0 or sums.means[3] == 0:
        raise InvalidInput("The denominators of a group sum to zero.", hint="A ratio needs something to divide by.")


def _gradients(sums: Sums) -> tuple[Float64s, Float64s]:
    """How the metric, and the covariate, move with the four means."""
    y, d, c, w = sums.means
    return np.array([1 / d, -y / d**2, 0.0, 0.0]), np.array([0.0, 0.0, 1 / w, -c / w**2])


def _covariate(sums: Sums) -> float:
    return float(sums.means[2] / sums.means[3])


def _theta(both: Sums) -> float:
    """How much of the covariate to take off; 0 where it is constant."""
    _check_denominator(both)
    outcome, covariate = _gradients(both)
    spread = float(covariate @ both.products @ covariate)
    is_constant = spread <= both.n * (_ROUNDING * _covariate(both)) ** 2
    return 0.0 if is_constant else float(outcome @ both.products @ covariate) / spread


def _spread(rows: Float64s, sums: Sums, is_proportion: bool) -> Float64s:
    """float64[2, 2]: the (co)variances that one group's units give two figures."""
    return rows @ sums.products @ rows.T / (sums.n * _freedom(sums, is_proportion))


def _form(row: Float64s, sums: Sums, is_proportion: bool) -> float:
    """The variance that one group's units give one figure; what is only rounding is 0."""
    found = float(row @ sums.products @ row)
    largest = float(np.abs(row) @ np.abs(sums.products) @ np.abs(row))
    return found / (sums.n * _freedom(sums, is_proportion)) if found > _ROUNDING * largest else 0.0


def _unseen(control: Sums, variant: Sums) -> tuple[float, float]:
    """The variance of each group's share where it is 0 or 1 in that group alone; 0 of any other."""
    varies = control.products[0, 0] > 0, variant.products[0, 0] > 0
    if varies[0] == varies[1]:
        return 0.0, 0.0
    still = variant if varies[0] else control
    p = (still.n * float(still.means[0]) + 1) / (still.n + 2)
    found = p * (1 - p) / still.n
    return (0.0, found) if varies[0] else (found, 0.0)


def _freedom(sums: Sums, is_proportion: bool) -> int:
    return sums.n if is_proportion else sums.n - 1
