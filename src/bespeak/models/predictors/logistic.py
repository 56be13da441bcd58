"""Logistic regression with a prior, bounds and a known examination: the one that everything is fitted with.

An item that is shown is looked at with a known probability e, and then brings a reward in 0..1 with

    E[reward] = e * logistic(intercept + sum(weight * value))

the position-based model of Richardson, Dominowska & Ragno (2007); e = 1 is plain logistic regression. Weights are drawn
towards prior means and may be bounded:

    minimise  -sum(c * (reward * log(p) + (1 - reward) * log(1 - p))) / dispersion
              + sum((weight - mean)^2 / (2 spread^2))

with c how often a row counts. A reward between 0 and 1 (several outcomes, a share that was watched) is fitted by the
same quasi-likelihood (Papke & Wooldridge, 1996); its `dispersion` says how much less it scatters than yes and no.

Fisher scoring over the weights that no bound holds, steps halved until they gain (projected Newton: Bertsekas, 1982): a
handful of passes over the rows. Standard errors come from the expected Hessian at the fit (Fisher information plus the
prior's).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_expit

from bespeak.models.predictors.newton import Prior, minimised

Float64s: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]

_SMALLEST = 1e-300
_SINGULAR = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What was shown, and what came of it.

    Attributes:
        values: float64[n, f].
        rewards: float64[n], 0..1.
        examination: float64[n], above 0 and at most 1: how likely each row was looked at.
        counts: float64[n], at least 0: how often each row counts.
    """

    values: Float64s
    rewards: Float64s
    examination: Float64s
    counts: Float64s

    @classmethod
    def of(
        cls,
        values: Float64s,
        rewards: Float64s,
        examination: Float64s | None = None,
        counts: Float64s | None = None,
    ) -> Rows:
        """Rows that were all looked at and count once, unless told otherwise."""
        ones = np.ones(len(rewards))
        return cls(values, rewards, ones if examination is None else examination, ones if counts is None else counts)


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


def fit_logistic(
    rows: Rows, prior: Prior, *, dispersion: float = 1.0, start: tuple[float, Float64s] | None = None
) -> LogisticFit:
    """Finds the weights.

    Args:
        rows: at least one that counts, with both rewards above 0 and below 1 among them.
        prior: of the weights; the intercept has none.
        dispersion: variance of the rewards as a share of a yes-or-no's, see `dispersion_of`.
        start: intercept and weights of a fit that is not far off; the answer is the same, sooner.

    Example:
        >>> values = np.array([[0.0], [0.0], [0.0], [1.0], [1.0], [1.0]])
        >>> rewards = np.array([0.0, 0.0, 1.0, 0.0, 1.0, 1.0])
        >>> fit = fit_logistic(Rows.of(values, rewards), Prior.none(1))
        >>> round(fit.intercept, 3), fit.weights.round(3).tolist()  # log(1/2), log(2) - log(1/2)
        (-0.693, [1.386])
    """
    scaled = _Scaled.of(rows, prior, dispersion)
    point = scaled.start(rows, prior) if start is None else scaled.taken(*start)
    point = minimised(scaled, point)
    weights = np.clip(point[1:] / scaled.scale, prior.low, prior.high)
    return _described(rows, prior, float(point[0] - scaled.centre @ weights), weights, dispersion)


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
    squares = rows.counts @ ((rows.rewards - chance) ** 2 / np.maximum(chance * (1 - chance), _SMALLEST))
    freedom = max(1.0, float(rows.counts.sum()) - rows.values.shape[1] - 1)
    return float(np.clip(squares / freedom, 1e-3, 1.0))


def _none(logits: Float64s, examination: Float64s) -> Float64s:
    """float64[n]: the chance of no reward."""
    return np.asarray(np.maximum((1 - examination) + examination * expit(-logits), _SMALLEST))


def _log_likelihood(logits: Float64s, rows: Rows) -> float:
    some = np.log(rows.examination) + log_expit(logits)
    told = rows.rewards * some + (1 - rows.rewards) * np.log(_none(logits, rows.examination))
    return float(rows.counts @ told)


def _slopes(logits: Float64s, rows: Rows) -> Float64s:
    """float64[n]: derivative of the negative log-likelihood by each logit."""
    none = _none(logits, rows.examination)
    chance = rows.examination * expit(logits)
    return np.asarray(rows.counts * (chance - rows.rewards) * expit(-logits) / none)


def _information(logits: Float64s, rows: Rows) -> Float64s:
    """float64[n]: the expected second derivative by each logit."""
    chance = rows.examination * expit(logits)
    return np.asarray(rows.counts * chance * expit(-logits) ** 2 / _none(logits, rows.examination))


@dataclass(frozen=True, slots=True, eq=False)
class _Scaled:
    """The problem in columns of mean 0 and spread 1, the intercept first; points are float64[f + 1]."""

    rows: Rows
    centre: Float64s
    scale: Float64s
    means: Float64s
    precisions: Float64s
    low: Float64s
    high: Float64s
    dispersion: float

    @classmethod
    def of(cls, rows: Rows, prior: Prior, dispersion: float) -> _Scaled:
        centre = rows.counts @ rows.values / rows.counts.sum()
        design = np.empty((len(rows.rewards), rows.values.shape[1] + 1))
        design[:, 0] = 1.0
        np.subtract(rows.values, centre, out=design[:, 1:])
        scale = design[:, 1:].std(axis=0)
        scale[scale == 0] = 1.0
        design[:, 1:] /= scale
        return cls(
            rows=Rows(design, rows.rewards, rows.examination, rows.counts),
            centre=centre,
            scale=scale,
            means=np.append(0.0, prior.means * scale),
            precisions=np.append(0.0, prior.precisions / scale**2),
            low=np.append(-np.inf, prior.low * scale),
            high=np.append(np.inf, prior.high * scale),
            dispersion=dispersion,
        )

    def start(self, rows: Rows, prior: Prior) -> Float64s:
        weights = np.clip(prior.means, prior.low, prior.high) * self.scale
        return np.append(_first_intercept(rows), weights)

    def taken(self, intercept: float, weights: Float64s) -> Float64s:
        return np.clip(np.append(intercept + self.centre @ weights, weights * self.scale), self.low, self.high)

    def loss(self, point: Float64s) -> float:
        off = point - self.means
        total = _log_likelihood(self.rows.values @ point, self.rows)
        return -total / self.dispersion + 0.5 * float((self.precisions * off) @ off)

    def derivatives(self, point: Float64s) -> tuple[Float64s, Float64s]:
        """(the slope, the expected information) of the loss."""
        design = self.rows.values
        logits = design @ point
        slope = design.T @ _slopes(logits, self.rows) / self.dispersion + self.precisions * (point - self.means)
        information = design.T @ ((_information(logits, self.rows) / self.dispersion)[:, None] * design)
        information[np.diag_indices_from(information)] += self.precisions
        return slope, information


def _first_intercept(rows: Rows) -> float:
    share = float(np.clip(rows.counts @ rows.rewards / (rows.counts @ rows.examination), 1e-6, 1 - 1e-6))
    return float(np.log(share / (1 - share)))


def _described(rows: Rows, prior: Prior, intercept: float, weights: Float64s, dispersion: float) -> LogisticFit:
    """The fit with its covariance: the inverse information over the weights that no bound holds."""
    logits = intercept + rows.values @ weights
    log_likelihood = _log_likelihood(logits, rows) / dispersion
    design = np.column_stack([np.ones(len(logits)), rows.values])
    information = design.T @ ((_information(logits, rows) / dispersion)[:, None] * design)
    found = prior.beside_free(1).believed(np.append(intercept, weights), information, log_likelihood)
    return LogisticFit(intercept, weights, found.covariance, found.is_held[1:], log_likelihood, found.evidence)
