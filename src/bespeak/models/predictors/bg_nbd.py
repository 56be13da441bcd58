"""BG/NBD: how often a customer will buy again, where nobody tells that they have left.

A customer who is still there buys at random at their own rate; after each purchase they leave with their own
probability. Rates are gamma distributed (shape r, rate alpha), leaving is beta distributed (a, b). With x repeats, the
last at t_x, watched for T:

    L = B(a, b + x) / B(a, b) * G(r + x) alpha^r / (G(r) (alpha + T)^(r + x))
      + [x > 0] B(a + 1, b + x - 1) / B(a, b) * G(r + x) alpha^r / (G(r) (alpha + t_x)^(r + x))

Fader, Hardie and Lee (2005), "Counting your customers" the easy way, Marketing Science 24, equations 4, 6 and 10. Who
never bought again counts as still there: in this model nobody leaves before their first repeat.

Everything runs on logarithms and on time in units of the average age, so that neither heavy buyers nor the unit of time
break it. The expectation uses Euler's form of the hypergeometric function, in which nothing grows with x:

    E[Y(t)] = (a + b + x - 1) / (a - 1) * (1 - (1 - z)^(a - 1) 2F1(a + b - 1 - r, a - 1; a + b + x - 1; z)) * P(alive)

with z = t / (alpha + T + t).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import scipy  # imports `scipy.optimize` when it is first used: it is a tenth of what starting costs
from scipy.special import digamma, expit, gammaln, hyp2f1

from bespeak.errors import InvalidInput
from bespeak.models.predictors.repeat_purchases import Float64s, RepeatPurchases

MIN_CUSTOMERS = 20
MIN_REPEATERS = 5
LOW, HIGH = 1e-4, 1e4
"""Between these the four parameters are sought, alpha in average ages."""

_STARTS = ((0.5, 0.5, 1.0, 2.0), (1.0, 0.1, 0.5, 5.0), (0.1, 1.0, 2.0, 2.0))
_FROM_POLE = 1e-7


@dataclass(frozen=True, slots=True)
class BgNbd:
    """The buying of a population.

    Attributes:
        r, alpha: shape and rate of the gamma distribution of purchase rates; r / alpha purchases a unit of time is the
            average among those who are still there.
        a, b: of the beta distribution of leaving after a purchase; a / (a + b) is its average.
        at_bounds: parameters that ran to the end of their range: the data do not tell them.

    Example:
        >>> cdnow = BgNbd(r=0.2426, alpha=4.4135, a=0.7929, b=2.4258)
        >>> one = RepeatPurchases([2.0], [30.43], [38.86])
        >>> round(float(cdnow.expected_purchases(one, 39.0)[0]), 3)
        1.226
    """

    r: float
    alpha: float
    a: float
    b: float
    at_bounds: tuple[str, ...] = ()

    @classmethod
    def fit(cls, customers: RepeatPurchases) -> BgNbd:
        """The parameters of the largest likelihood.

        Raises:
            InvalidInput: fewer than `MIN_CUSTOMERS` customers, fewer than `MIN_REPEATERS` who came again, or all
                watched for no time.
        """
        _check(customers)
        unit = float(customers.age.mean())
        scaled = _Likelihood(customers, unit)
        bounds = [(np.log(LOW), np.log(HIGH))] * 4
        found = min(
            (
                scipy.optimize.minimize(
                    scaled.negative_mean,
                    np.log(start),
                    jac=True,
                    method="L-BFGS-B",
                    bounds=bounds,
                    options={"maxiter": 1000, "ftol": 1e-15, "gtol": 1e-9},
                )
                for start in _STARTS
            ),
            key=lambda result: float(result.fun),
        )
        r, alpha, a, b = (float(value) for value in np.exp(found.x))
        ends = [name for name, value in zip(["r", "alpha", "a", "b"], found.x, strict=True) if _is_end(value)]
        return cls(r, alpha * unit, a, b, tuple(ends))

    def log_likelihood(self, customers: RepeatPurchases) -> float:
        """The sum over customers, of the densities of their times in the unit they are given in."""
        theta = np.log([self.r, self.alpha, self.a, self.b])
        return -_Likelihood(customers, 1.0).negative_mean(theta)[0] * len(customers)

    def alive(self, customers: RepeatPurchases) -> Float64s:
        """float64[n]: the probability that a customer is still there; 1 for who never bought again."""
        x, t_x, age = customers.repeats, customers.recency, customers.age
        with np.errstate(divide="ignore"):
            odds = np.log(self.a) - np.log(self.b + x - 1.0, where=x > 0, out=np.zeros_like(x))
        odds += (self.r + x) * (np.log(self.alpha + age) - np.log(self.alpha + t_x))
        return np.where(x > 0, expit(-odds), 1.0)

    def expected_purchases(self, customers: RepeatPurchases, time: float) -> Float64s:
        """float64[n]: purchases expected in the next `time` units, E[Y(t) | x, t_x, T].

        Raises:
            InvalidInput: `time` is negative or not finite.
        """
        if not np.isfinite(time) or time < 0:
            raise InvalidInput(f"The time ahead must be finite and at least 0 (it is {time}).")
        a = _off(self.a, 1.0)
        c = a + self.b + customers.repeats - 1.0
        c = np.where(np.abs(c) < _FROM_POLE, _FROM_POLE, c)
        z = time / (self.alpha + customers.age + time)
        stays = np.exp((a - 1.0) * np.log1p(-z)) * hyp2f1(c - customers.repeats - self.r, a - 1.0, c, z)
        return cast("Float64s", np.maximum(0.0, c / (a - 1.0) * (1.0 - stays)) * self.alive(customers))


class _Likelihood:
    """The mean negative log-likelihood and its gradient, in units of `unit`; alike customers are counted once."""

    def __init__(self, customers: RepeatPurchases, unit: float) -> None:
        rows = np.stack([customers.repeats, customers.recency / unit, customers.age / unit], axis=1)
        held, n = np.unique(rows, axis=0, return_counts=True)
        self.x, self.t_x, self.age = held.T
        self.share = n / len(customers)
        self.is_repeater = self.x > 0
        # The density of each repeat's time is per unit: in the caller's unit it is smaller by `unit` to the power of x.
        self.offset = float(self.share @ self.x) * np.log(unit)

    def negative_mean(self, theta: Float64s) -> tuple[float, Float64s]:
        r, alpha, a, b = np.exp(theta)
        x, rest = self.x, np.where(self.is_repeater, b + self.x - 1.0, 1.0)
        log_age, log_last = np.log(alpha + self.age), np.log(alpha + self.t_x)
        common = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        common += gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
        stays = -(r + x) * log_age
        left = np.where(self.is_repeater, np.log(a) - np.log(rest) - (r + x) * log_last, -np.inf)
        value = common + np.logaddexp(stays, left)
        p_left = np.where(self.is_repeater, expit(left - stays), 0.0)
        p_stays = 1.0 - p_left
        by_parameter = np.stack(
            [
                digamma(r + x) - digamma(r) + np.log(alpha) - p_stays * log_age - p_left * log_last,
                r / alpha - (r + x) * (p_stays / (alpha + self.age) + p_left / (alpha + self.t_x)),
                digamma(a + b) - digamma(a + b + x) + p_left / a,
                digamma(a + b) + digamma(b + x) - digamma(b) - digamma(a + b + x) - p_left / rest,
            ]
        )
        gradient = by_parameter @ self.share * np.array([r, alpha, a, b])
        return -float(self.share @ value) + self.offset, -gradient


def _check(customers: RepeatPurchases) -> None:
    n, n_again = len(customers), int((customers.repeats > 0).sum())
    if n < MIN_CUSTOMERS:
        raise InvalidInput(
            f"Too few customers to learn from: {n:,}; buying again needs at least {MIN_CUSTOMERS}.",
            hint="Take a longer period, or a later end of it.",
        )
    if n_again < MIN_REPEATERS:
        raise InvalidInput(
            f"Of {n:,} customers {n_again:,} bought on a second day; at least {MIN_REPEATERS} must have.",
            hint="How often people buy again cannot be told from people who did not.",
        )


def _is_end(log_value: float) -> bool:
    return bool(log_value < np.log(LOW) + 1e-3 or log_value > np.log(HIGH) - 1e-3)


def _off(value: float, pole: float) -> float:
    """The value, a hair beside the pole where it lies on it: the same there to six digits."""
    return pole + _FROM_POLE if abs(value - pole) < _FROM_POLE else value
