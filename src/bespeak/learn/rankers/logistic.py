"""Logistic regression with a prior, bounds and a known examination: what learned weights are fitted with.

An item that is shown is looked at with a known probability e, and then brings a reward in 0..1 with

    E[reward] = e * logistic(intercept + sum(weight * value))

the position-based model of Richardson, Dominowska & Ragno (2007); e = 1 is plain logistic regression. Weights are drawn
towards prior means and may be bounded:

    minimise  -sum(reward * log(p) + (1 - reward) * log(1 - p)) / dispersion + sum((weight - mean)^2 / (2 spread^2))

A reward between 0 and 1 (several outcomes, a share that was watched) is fitted by the same quasi-likelihood (Papke &
Wooldridge, 1996); its `dispersion` says how much less it scatters than yes and no. Standard errors come from the
expected Hessian at the fit (Fisher information plus the prior's).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, log_expit

Float64s: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]

_SMALLEST = 1e-300
_MAX_STEPS = 500
_SINGULAR = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What was shown, and what came of it.

    Attributes:
        values: float64[n, f].
        rewards: float64[n], 0..1.
        examination: float64[n], above 0 and at most 1: how likely each row was looked at.
    """

    values: Float64s
    rewards: Float64s
    examination: Float64s

    @classmethod
    def of(cls, values: Float64s, rewards: Float64s, examination: Float64s | None = None) -> Rows:
        """Rows that were all looked at, unless told otherwise."""
        return cls(values, rewards, np.ones(len(rewards)) if examination is None else examination)


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """What is believed of each weight before any data.

    Attributes:
        means: float64[f].
        spreads: float64[f], standard deviations; infinite believes nothing.
        low, high: float64[f], bounds; equal ones hold a weight where it is.
    """

    means: Float64s
    spreads: Float64s
    low: Float64s
    high: Float64s

    @classmethod
    def none(cls, n: int) -> Prior:
        """Believes nothing and bounds nothing: maximum likelihood."""
        return cls(np.zeros(n), np.full(n, np.inf), np.full(n, -np.inf), np.full(n, np.inf))

    @property
    def precisions(self) -> Float64s:
        """float64[f], 1 / spread^2."""
        return 1.0 / self.spreads**2


@dataclass(frozen=True, slots=True, eq=False)
class LogisticFit:
    """Fitted weights.

    Attributes:
        intercept: of the logit.
        weights: float64[f].
        covariance: float64[f + 1, f + 1] of (intercept, weights); rows of a weight at its bound are 0.
        is_held: bool[f]: the weight stands at one of its bounds.
        log_likelihood: of the rewards, divided by the dispersion.
        evidence: log of how likely the rewards were under the prior (Laplace's approximation), up to a constant of the
            data; comparable between priors of finite spread.
    """

    intercept: float
    weights: Float64s
    covariance: Float64s
    is_held: Bools
    log_likelihood: float
    evidence: float

    @property
    def standard_errors(self) -> Float64s:
        """float64[f], of the weights; 0 for a weight at its bound."""
        return np.asarray(np.sqrt(np.diag(self.covariance)[1:]))

    def logits(self, values: Float64s) -> Float64s:
        """float64[n]: intercept + values @ weights."""
        return np.asarray(self.intercept + values @ self.weights)


def fit_logistic(rows: Rows, prior: Prior, *, dispersion: float = 1.0) -> LogisticFit:
    """Finds the weights.

    Args:
        rows: at least one.
        prior: of the weights; the intercept has none.
        dispersion: variance of the rewards as a share of a yes-or-no's, see `dispersion_of`.

    Example:
        >>> values = np.array([[0.0], [0.0], [0.0], [1.0], [1.0], [1.0]])
        >>> rewards = np.array([0.0, 0.0, 1.0, 0.0, 1.0, 1.0])
        >>> fit = fit_logistic(Rows.of(values, rewards), Prior.none(1))
        >>> round(fit.intercept, 3), fit.weights.round(3).tolist()  # log(1/2), log(2) - log(1/2)
        (-0.693, [1.386])
    """
    n = len(rows.rewards)
    centre = rows.values.mean(axis=0)
    centred = rows.values - centre
    scale = centred.std(axis=0)
    scale[scale == 0] = 1.0
    scaled = centred / scale
    means, precisions = prior.means * scale, prior.precisions / scale**2

    def loss(point: Float64s) -> tuple[float, Float64s]:
        logits = point[0] + scaled @ point[1:]
        looked, none = _chances(logits, rows.examination)
        total = rows.rewards @ looked + (1 - rows.rewards) @ np.log(none)
        slope = _slopes(logits, rows, none) / dispersion
        off = point[1:] - means
        gradient = np.concatenate([[slope.sum()], slope @ scaled + precisions * off])
        return float(-total / dispersion + 0.5 * (precisions * off) @ off) / n, gradient / n

    start = np.concatenate([[_first_intercept(rows)], np.clip(means, prior.low * scale, prior.high * scale)])
    bounds = [(None, None), *zip(prior.low * scale, prior.high * scale, strict=True)]
    found = minimize(
        loss, start, jac=True, bounds=bounds, method="L-BFGS-B",
        options={"maxiter": _MAX_STEPS, "maxfun": 4 * _MAX_STEPS, "ftol": 1e-14, "gtol": 1e-7, "maxcor": 30},
    )  # fmt: skip
    weights = np.clip(found.x[1:] / scale, prior.low, prior.high)
    intercept = float(found.x[0] - centre @ weights)
    return _described(rows, prior, intercept, weights, dispersion)


def dispersion_of(rows: Rows, fit: LogisticFit) -> float:
    """Variance of the rewards around a fit as a share of the variance that yes or no would have; 1 at most.

    Example:
        >>> rewards = np.array([0.4, 0.6] * 50)
        >>> rows = Rows.of(np.zeros((100, 1)), rewards)
        >>> round(dispersion_of(rows, fit_logistic(rows, Prior.none(1))), 3)  # 0.01 of 0.25
        0.041
    """
    if np.isin(rows.rewards, (0.0, 1.0)).all():
        return 1.0
    chance = rows.examination * expit(fit.logits(rows.values))
    squares = (rows.rewards - chance) ** 2 / np.maximum(chance * (1 - chance), _SMALLEST)
    freedom = max(1, len(rows.rewards) - rows.values.shape[1] - 1)
    return float(np.clip(squares.sum() / freedom, 1e-3, 1.0))


def _chances(logits: Float64s, examination: Float64s) -> tuple[Float64s, Float64s]:
    """(log of the chance of a reward, chance of none)."""
    none = (1 - examination) + examination * expit(-logits)
    return np.log(examination) + log_expit(logits), np.maximum(none, _SMALLEST)


def _slopes(logits: Float64s, rows: Rows, none: Float64s) -> Float64s:
    """float64[n]: derivative of the negative log-likelihood by each logit."""
    chance = rows.examination * expit(logits)
    return np.asarray((chance - rows.rewards) * expit(-logits) / none)


def _first_intercept(rows: Rows) -> float:
    share = float(np.clip(rows.rewards.sum() / rows.examination.sum(), 1e-6, 1 - 1e-6))
    return float(np.log(share / (1 - share)))


def _described(rows: Rows, prior: Prior, intercept: float, weights: Float64s, dispersion: float) -> LogisticFit:
    """The fit with its covariance: the inverse information over the weights that no bound holds."""
    n, f = rows.values.shape
    logits = intercept + rows.values @ weights
    looked, none = _chances(logits, rows.examination)
    log_likelihood = float(rows.rewards @ looked + (1 - rows.rewards) @ np.log(none)) / dispersion
    chance = rows.examination * expit(logits)
    information_of_row = chance * expit(-logits) ** 2 / none / dispersion
    design = np.column_stack([np.ones(n), rows.values])
    information = design.T @ (information_of_row[:, None] * design)
    information[np.arange(1, f + 1), np.arange(1, f + 1)] += prior.precisions
    is_held = (weights <= prior.low) | (weights >= prior.high)
    free = np.flatnonzero(np.concatenate([[True], ~is_held]))
    block = information[np.ix_(free, free)]
    block[np.diag_indices_from(block)] += _SINGULAR * np.trace(block) / len(block)
    covariance = np.zeros((f + 1, f + 1))
    covariance[np.ix_(free, free)] = np.linalg.inv(block)
    believed = np.isfinite(prior.spreads) & (prior.spreads > 0) & (prior.low < prior.high)
    off = (weights - prior.means)[believed] / prior.spreads[believed]
    evidence = log_likelihood - 0.5 * float(off @ off) - float(np.log(prior.spreads[believed]).sum())
    evidence -= 0.5 * float(np.linalg.slogdet(block)[1])
    return LogisticFit(intercept, weights, covariance, is_held, log_likelihood, evidence)
