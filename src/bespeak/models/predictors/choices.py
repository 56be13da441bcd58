"""Conditional logit: which rows of a group were chosen, given how much was chosen of it (McFadden, 1974).

    share of a row = e * exp(sum(weight * value)) / (the same summed over its group)

with e how likely the row was looked at. How often somebody chooses at all drops out, and with it all that is the same
for a whole group: who it was shown to, when, and how much is to be found there. So people who choose much do not pass
for items that are chosen much. Weights are drawn towards prior means and may be bounded, as in `logistic`:

    minimise  -sum(reward * log(share)) / dispersion + sum((weight - mean)^2 / (2 spread^2))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.models.predictors.newton import Prior, minimised

Float64s: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]
Int64s: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """Groups of which something was chosen; rows of a group stand together.

    Attributes:
        values: float64[n, f].
        rewards: float64[n], 0..1.
        offsets: float64[n], log of how likely each row was looked at.
        starts: int64[g], the first row of each group.
    """

    values: Float64s
    rewards: Float64s
    offsets: Float64s
    starts: Int64s

    @classmethod
    def of(cls, values: Float64s, rewards: Float64s, examination: Float64s, groups: Int64s) -> Choices:
        """Takes the groups of several rows of which anything was chosen; `groups` is ascending, int64[n]."""
        _, place, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        kept = ((np.bincount(place, rewards) > 0) & (sizes > 1))[place]
        starts = np.flatnonzero(np.diff(place[kept], prepend=-1))
        return cls(values[kept], rewards[kept], np.log(examination[kept]), starts)

    @property
    def sizes(self) -> Int64s:
        """int64[g], rows of each group."""
        return np.diff(np.append(self.starts, len(self.rewards)))


@dataclass(frozen=True, slots=True, eq=False)
class ChoiceFit:
    """Fitted weights.

    Attributes:
        weights, standard_errors: float64[f]; the error of a weight at its bound is 0.
        is_held: bool[f]: the weight stands at one of its bounds.
        evidence: as `newton.Believed`.
    """

    weights: Float64s
    standard_errors: Float64s
    is_held: Bools
    evidence: float


def fit_choices(choices: Choices, prior: Prior, *, dispersion: float = 1.0) -> ChoiceFit:
    """Finds the weights; the prior's means where nothing was chosen.

    Args:
        choices: the groups.
        prior: of the weights.
        dispersion: variance of the rewards as a share of a yes-or-no's, see `logistic.dispersion_of`.

    Example:
        >>> values = np.array([[0.0], [1.0]] * 4)
        >>> rewards = np.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0])
        >>> choices = Choices.of(values, rewards, np.ones(8), np.repeat(np.arange(4), 2))
        >>> fit_choices(choices, Prior.none(1)).weights.round(3).tolist()  # log(3): three of four
        [1.099]
    """
    start = np.clip(prior.means, prior.low, prior.high)
    problem = _Problem(choices, prior, dispersion)
    weights = minimised(problem, start) if len(choices.starts) else start
    believed = prior.believed(weights, problem.information(weights), problem.log_likelihood(weights))
    return ChoiceFit(weights, np.sqrt(np.diag(believed.covariance)), believed.is_held, believed.evidence)


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    choices: Choices
    prior: Prior
    dispersion: float

    @property
    def low(self) -> Float64s:
        return self.prior.low

    @property
    def high(self) -> Float64s:
        return self.prior.high

    def loss(self, point: Float64s) -> float:
        off = point - self.prior.means
        return 0.5 * float((self.prior.precisions * off) @ off) - self.log_likelihood(point)

    def derivatives(self, point: Float64s) -> tuple[Float64s, Float64s]:
        expected = self._expected(point)
        slope = (expected - self.choices.rewards) @ self.choices.values / self.dispersion
        information = self.information(point) + np.diag(self.prior.precisions)
        return slope + self.prior.precisions * (point - self.prior.means), information

    def log_likelihood(self, point: Float64s) -> float:
        return float(self.choices.rewards @ self._logs(point)) / self.dispersion

    def information(self, point: Float64s) -> Float64s:
        """float64[f, f]: the second derivative of the negative log-likelihood."""
        values, expected = self.choices.values, self._expected(point)
        if not len(expected):
            return np.zeros((values.shape[1], values.shape[1]))
        weighed = expected[:, None] * values
        sums = np.add.reduceat(weighed, self.choices.starts)
        totals = np.add.reduceat(expected, self.choices.starts)
        return np.asarray(values.T @ weighed - sums.T @ (sums / totals[:, None])) / self.dispersion

    def _expected(self, point: Float64s) -> Float64s:
        """float64[n]: the reward of each row that its share of the group's makes."""
        choices = self.choices
        if not len(choices.starts):
            return np.zeros(0)
        totals = np.add.reduceat(choices.rewards, choices.starts)
        return np.asarray(np.exp(self._logs(point)) * np.repeat(totals, choices.sizes))

    def _logs(self, point: Float64s) -> Float64s:
        """float64[n]: log of the share of each row."""
        choices = self.choices
        if not len(choices.starts):
            return np.zeros(0)
        logits = choices.values @ point + choices.offsets
        logits -= np.repeat(np.maximum.reduceat(logits, choices.starts), choices.sizes)
        sums = np.add.reduceat(np.exp(logits), choices.starts)
        return np.asarray(logits - np.repeat(np.log(sums), choices.sizes))
