"""Gamma-Gamma: what a customer spends per purchase on average, pulled towards everybody where little is known.

Purchases of a customer vary around their own mean (gamma with shape p), the means vary among customers (gamma with
shape q and scale v). With x purchases of mean m:

    L = G(p x + q) / (G(p x) G(q)) * v^q m^(p x - 1) x^(p x) / (v + x m)^(p x + q)
    E[M | x, m] = p (v + x m) / (p x + q - 1)

Fader and Hardie (2013), "The Gamma-Gamma model of monetary value", equations 1a and 5. The model takes what people
spend to be independent of how often they buy: `independence` says whether the data allow that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import numpy as np
import scipy  # imports `scipy.optimize` when it is first used: it is a tenth of what starting costs
from scipy.special import digamma, gammaln

from bespeak.errors import InvalidInput
from bespeak.models.predictors.repeat_purchases import Float64s

MIN_SPENDERS = 20
SLIGHT = 0.1
"""A correlation up to this does no harm."""

_LOW, _HIGH = 1e-3, 1e4
_STARTS = ((5.0, 4.0, 3.0), (1.0, 2.0, 1.0), (20.0, 3.0, 0.2))
_TWO_SIDED_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Independence:
    """How spending goes along with the number of purchases.

    Attributes:
        correlation: Pearson's; 0 where either does not vary.
        low, high: its 95 % interval (Fisher's z).
        holds: False where the whole interval lies beyond `SLIGHT` on one side.
    """

    correlation: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether the data allow spending to be independent of the number of purchases."""
        return self.low <= SLIGHT and self.high >= -SLIGHT


@dataclass(frozen=True, slots=True)
class GammaGamma:
    """The spending of a population.

    Attributes:
        p, q, v: as above; p v / (q - 1) is what everybody spends on average, if q > 1.

    Example:
        >>> note = GammaGamma(p=6.25, q=3.74, v=15.44)
        >>> round(note.mean_spent, 2), round(float(note.expected_spent([2.0], [50.0])[0]), 2)
        (35.22, 47.34)
    """

    p: float
    q: float
    v: float

    @classmethod
    def fit(cls, n_purchases: Float64s, mean_spent: Float64s) -> GammaGamma:
        """The parameters of the largest likelihood.

        Args:
            n_purchases: float64[n], at least 1; mean_spent: float64[n], above 0.

        Raises:
            InvalidInput: fewer than `MIN_SPENDERS` customers, figures out of range, or all spend the same.
        """
        x, m = _checked(n_purchases, mean_spent)
        scale = float(m.mean())
        found = min(
            (
                scipy.optimize.minimize(
                    _negative_mean,
                    np.log(start),
                    args=(x, m / scale),
                    jac=True,
                    method="L-BFGS-B",
                    bounds=[(np.log(_LOW), np.log(_HIGH))] * 3,
                    options={"maxiter": 1000, "ftol": 1e-15, "gtol": 1e-9},
                )
                for start in _STARTS
            ),
            key=lambda result: float(result.fun),
        )
        p, q, v = (float(value) for value in np.exp(found.x))
        return cls(p, q, v * scale)

    @property
    def mean_spent(self) -> float:
        """What a customer of whom nothing is known spends per purchase; infinite where q <= 1."""
        return self.p * self.v / (self.q - 1.0) if self.q > 1.0 else math.inf

    def log_likelihood(self, n_purchases: Float64s, mean_spent: Float64s) -> float:
        """The sum over customers, in the currency they are given in."""
        value, _ = _negative_mean(np.log([self.p, self.q, self.v]), n_purchases, mean_spent)
        return -value * len(n_purchases)

    def expected_spent(self, n_purchases: Float64s | list[float], mean_spent: Float64s | list[float]) -> Float64s:
        """float64[n]: the average per purchase to expect; `n_purchases` 0 gives everybody's (`mean_spent`)."""
        x = np.asarray(n_purchases, np.float64)
        m = np.where(x > 0, np.asarray(mean_spent, np.float64), 0.0)
        below = self.p * x + self.q - 1.0
        with np.errstate(divide="ignore"):
            return cast("Float64s", np.where(below > 0, self.p * (self.v + x * m) / below, np.inf))


def independence(n_purchases: Float64s, mean_spent: Float64s) -> Independence:
    """How strongly what customers spend per purchase goes along with how often they buy."""
    n = len(n_purchases)
    if n < 4 or np.ptp(n_purchases) == 0 or np.ptp(mean_spent) == 0:
        return Independence(0.0, -1.0, 1.0)
    correlation = float(np.corrcoef(n_purchases, mean_spent)[0, 1])
    z, reach = math.atanh(min(max(correlation, -1 + 1e-12), 1 - 1e-12)), _TWO_SIDED_95 / math.sqrt(n - 3)
    return Independence(correlation, math.tanh(z - reach), math.tanh(z + reach))


def _checked(n_purchases: Float64s, mean_spent: Float64s) -> tuple[Float64s, Float64s]:
    x, m = np.asarray(n_purchases, np.float64), np.asarray(mean_spent, np.float64)
    if len(x) != len(m) or not (np.isfinite(x) & np.isfinite(m)).all() or (x < 1).any() or (m <= 0).any():
        raise InvalidInput("Spending needs a count of at least 1 and a mean above 0 for each customer.")
    if len(x) < MIN_SPENDERS:
        raise InvalidInput(
            f"{len(x):,} customers have repeat purchases with an amount; what they spend needs {MIN_SPENDERS}.",
            hint="Take a longer period.",
        )
    if np.ptp(m) <= 1e-9 * float(m.max()):
        raise InvalidInput("All customers spend the same, so there is nothing to predict.")
    return x, m


def _negative_mean(theta: Float64s, x: Float64s, m: Float64s) -> tuple[float, Float64s]:
    p, q, v = np.exp(theta)
    px, below = p * x, np.log(v + x * m)
    value = gammaln(px + q) - gammaln(px) - gammaln(q) + q * np.log(v)
    value += (px - 1.0) * np.log(m) + px * np.log(x) - (px + q) * below
    by_parameter = np.stack(
        [
            x * (digamma(px + q) - digamma(px) + np.log(m) + np.log(x) - below),
            digamma(px + q) - digamma(q) + np.log(v) - below,
            q / v - (px + q) / (v + x * m),
        ]
    )
    return -float(value.mean()), -by_parameter.mean(axis=1) * np.array([p, q, v])
