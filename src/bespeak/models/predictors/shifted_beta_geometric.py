"""Shifted beta-geometric: how long subscriptions last, where customers differ and each ends by chance.

At every occasion a customer does not renew with a probability of their own, the same each time; among customers it is
beta distributed (alpha, beta). Who is likely to leave leaves early, so the rest is renewed more and more surely:

    r(t) = (beta + t - 1) / (alpha + beta + t - 1)         is renewed at occasion t, of those who reach it
    S(t) = r(1) ... r(t) = B(alpha, beta + t) / B(alpha, beta)

The likelihood needs no more than how many were renewed and how many were lost at each occasion, whatever subscriptions
they are of; so those of several starts fit together:

    LL = sum over t of kept(t) log r(t) + lost(t) log (1 - r(t))

Fader and Hardie (2007), "How to project customer retention", Journal of Interactive Marketing 21, equations 5 to 7 and
B3, written by occasions. A retention that falls with time is beyond this model: see `hazard`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import scipy  # imports `scipy.optimize` when it is first used: it is a tenth of what starting costs
from scipy.special import betaln

from bespeak.errors import InvalidInput
from bespeak.models.predictors.repeat_purchases import Float64s

MIN_SUBSCRIPTIONS = 20
MIN_LOST = 5
LOW, HIGH = 1e-4, 1e4
"""Between these both parameters are sought."""

_STARTS = ((1.0, 1.0), (0.5, 5.0), (5.0, 50.0))


@dataclass(frozen=True, slots=True)
class ShiftedBetaGeometric:
    """The renewing of a population.

    Attributes:
        alpha, beta: alpha / (alpha + beta) do not renew at the first occasion.
        at_bounds: parameters that ran to the end of their range: the data do not tell them. Large ones say that
            customers hardly differ.

    Example:
        >>> high_end = ShiftedBetaGeometric(alpha=0.668, beta=3.806)
        >>> high_end.survival(np.arange(8, 13)).round(3).tolist()
        [0.46, 0.436, 0.414, 0.395, 0.378]
    """

    alpha: float
    beta: float
    at_bounds: tuple[str, ...] = ()

    @classmethod
    def fit(cls, kept: Float64s, lost: Float64s) -> ShiftedBetaGeometric:
        """The parameters of the largest likelihood.

        Args:
            kept, lost: float64[k], how many were renewed and lost at the first, second ... occasion.

        Raises:
            InvalidInput: fewer than `MIN_SUBSCRIPTIONS` came to an occasion, or fewer than `MIN_LOST` were lost.
        """
        _check(kept, lost)
        total = float((kept + lost).sum())

        def negative_mean(theta: Float64s) -> tuple[float, Float64s]:
            value, slope = _likelihood(np.exp(theta), kept, lost)
            return -value / total, -slope * np.exp(theta) / total

        found = min(
            (
                scipy.optimize.minimize(
                    negative_mean,
                    np.log(start),
                    jac=True,
                    method="L-BFGS-B",
                    bounds=[(np.log(LOW), np.log(HIGH))] * 2,
                    options={"maxiter": 1000, "ftol": 1e-15, "gtol": 1e-10},
                )
                for start in _STARTS
            ),
            key=lambda result: float(result.fun),
        )
        ends = [name for name, value in zip(("alpha", "beta"), found.x, strict=True) if _is_end(value)]
        alpha, beta = (float(value) for value in np.exp(found.x))
        return cls(alpha, beta, tuple(ends))

    def log_likelihood(self, kept: Float64s, lost: Float64s) -> float:
        """Of what happened at the first, second ... occasion."""
        return _likelihood(np.array([self.alpha, self.beta]), kept, lost)[0]

    def retention(self, occasion: npt.ArrayLike) -> Float64s:
        """float64[n]: the share that is renewed at an occasion (from 1), of those who reach it."""
        before = self.beta + np.asarray(occasion, np.float64) - 1.0
        return before / (self.alpha + before)

    def survival(self, n_occasions: npt.ArrayLike) -> Float64s:
        """float64[n]: the share that is still there after so many occasions."""
        n = np.asarray(n_occasions, np.float64)
        return cast("Float64s", np.exp(betaln(self.alpha, self.beta + n) - betaln(self.alpha, self.beta)))

    def stays(self, made: npt.ArrayLike, n_ahead: npt.ArrayLike) -> Float64s:
        """float64[n]: the probability that who renewed so often renews at all of the next occasions."""
        made, ahead = np.asarray(made, np.float64), np.asarray(n_ahead, np.float64)
        beta = self.beta + made
        return cast("Float64s", np.exp(betaln(self.alpha, beta + ahead) - betaln(self.alpha, beta)))

    def expected_renewals(self, made: npt.ArrayLike, n_ahead: npt.ArrayLike) -> Float64s:
        """float64[n]: renewals expected at the next occasions of who renewed so often: the sum of staying so long."""
        before, ahead = self.beta + np.atleast_1d(np.asarray(made, np.float64)), np.atleast_1d(np.asarray(n_ahead))
        still, expected = np.ones(len(before)), np.zeros(len(before))
        for step in range(int(ahead.max(initial=0))):
            still *= (before + step) / (self.alpha + before + step)
            expected += np.where(step < ahead, still, 0.0)
        return expected


def _likelihood(parameters: Float64s, kept: Float64s, lost: Float64s) -> tuple[float, Float64s]:
    """The log-likelihood, and how it moves with both parameters."""
    alpha, beta = parameters
    before = beta + np.arange(len(kept))
    both = kept + lost
    value = float(kept @ np.log(before) + lost.sum() * np.log(alpha) - both @ np.log(alpha + before))
    share = both / (alpha + before)
    return value, np.array([lost.sum() / alpha - share.sum(), (kept / before - share).sum()])


def _check(kept: Float64s, lost: Float64s) -> None:
    if len(kept) != len(lost) or (kept < 0).any() or (lost < 0).any():
        raise InvalidInput("Renewed and lost must be of equal length and at least 0.")
    n, n_lost = int(kept[:1].sum() + lost[:1].sum()), int(lost.sum())
    if n < MIN_SUBSCRIPTIONS:
        raise InvalidInput(
            f"{n:,} subscriptions came to their first renewal; at least {MIN_SUBSCRIPTIONS} must have.",
            hint="Take a later end, or a shorter period.",
        )
    if n_lost < MIN_LOST:
        raise InvalidInput(
            f"{n_lost:,} subscriptions ended; at least {MIN_LOST} must have.",
            hint="How long they last cannot be told from those that go on.",
        )


def _is_end(log_value: float) -> bool:
    return bool(log_value < np.log(LOW) + 1e-3 or log_value > np.log(HIGH) - 1e-3)
