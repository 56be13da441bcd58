"""What a choice earns, foretold: the reward model that off-policy estimators correct.

Ridge regression on the features of context and action: of rewards 0 and 1 logistic, of other rewards linear. No row is
predicted by a model that has seen it or another row of its unit (cross-fitting: Chernozhukov et al. 2018), so that what
the model learned by heart does not pass for knowledge.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.special import expit, log_expit

from bespeak.models.predictors.newton import minimised

Float64s: TypeAlias = npt.NDArray[np.float64]
Int64s: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]
Csr: TypeAlias = Any
"""float64 CSR matrix of SciPy, which has no types."""

N_FOLDS = 5
L2 = 1.0
_PULL_OF_INTERCEPT = 1e-9


@dataclass(frozen=True, eq=False)
class RewardModel:
    """A fitted model.

    Attributes:
        weights: float64[d]; intercept: what stands for no feature at all.
        is_binary: whether rewards are 0 and 1, so that predictions are probabilities.
    """

    weights: Float64s
    intercept: float
    is_binary: bool

    @classmethod
    def fit(cls, features: Csr, rewards: Float64s, l2: float = L2, *, is_linear: bool = False) -> RewardModel:
        """Fits a model; the intercept is not shrunk.

        Args:
            features: CSR float64[n, d].
            rewards: float64[n].
            l2: pull of each weight to 0.
            is_linear: whether rewards of 0 and 1 get a linear model too.

        Example:
            >>> x = sparse.csr_matrix(np.repeat([[1.0, 0.0], [0.0, 1.0]], 500, axis=0))
            >>> y = np.tile([1.0, 0.0, 0.0, 0.0, 0.0], 200) + 0.0
            >>> RewardModel.fit(x, y).predict(x)[[0, -1]].round(2).tolist()
            [0.2, 0.2]
        """
        n, d = features.shape
        is_binary = not is_linear and bool(((rewards == 0) | (rewards == 1)).all())
        wide = sparse.hstack([features, np.ones((n, 1))], format="csr")
        pull = np.append(np.full(d, l2), _PULL_OF_INTERCEPT)
        if is_binary:
            mean = (rewards.sum() + 0.5) / (n + 1)
            held = minimised(_Logistic(wide, rewards, pull), np.append(np.zeros(d), np.log(mean / (1 - mean))))
        else:
            held = np.asarray(np.linalg.solve(_gram(wide, np.ones(n), pull), wide.T @ rewards), np.float64)
        return cls(held[:-1], float(held[-1]), is_binary)

    def raw(self, features: Csr) -> Float64s:
        """float64[n]: predictions before the link; sums of these may be taken of parts of the features."""
        return np.asarray(features @ self.weights, np.float64) + self.intercept

    def linked(self, raw: Float64s) -> Float64s:
        """The reward that raw predictions stand for."""
        return expit(raw) if self.is_binary else raw

    def predict(self, features: Csr) -> Float64s:
        """float64[n]: the expected rewards."""
        return self.linked(self.raw(features))


def cross_fitted(
    features: Csr,
    rewards: Float64s,
    units: Int64s,
    rng: np.random.Generator,
    *,
    n_folds: int = N_FOLDS,
    is_linear: bool = False,
) -> Iterator[tuple[Bools, RewardModel]]:
    """Yields (which rows to predict, a model of the other units' rows) so that every row is predicted once.

    Args:
        features: CSR float64[n, d].
        rewards: float64[n].
        units: int64[n], numbered from 0: rows of one unit stay together.
        rng: spreads units over folds.
        n_folds: fewer where there are fewer units; at least two.
        is_linear: as `RewardModel.fit`.
    """
    n_units = int(units.max()) + 1
    folds = rng.permutation(np.arange(n_units) % max(2, min(n_folds, n_units)))[units]
    for fold in np.unique(folds).tolist():
        held_out = folds == fold
        yield held_out, RewardModel.fit(features[~held_out], rewards[~held_out], is_linear=is_linear)


@dataclass(frozen=True, slots=True, eq=False)
class _Logistic:
    """The loss of `models.predictors.logistic` without its bounds: features here are sparse, and far too wide to fill.

    Attributes:
        features: CSR float64[n, d], the intercept's column among them.
        rewards: float64[n], 0 or 1.
        pull: float64[d], of each weight to 0.
    """

    features: Csr
    rewards: Float64s
    pull: Float64s

    @property
    def low(self) -> Float64s:
        return np.full(len(self.pull), -np.inf)

    @property
    def high(self) -> Float64s:
        return np.full(len(self.pull), np.inf)

    def loss(self, point: Float64s) -> float:
        logits = self.features @ point
        told = self.rewards @ log_expit(logits) + (1 - self.rewards) @ log_expit(-logits)
        return float(0.5 * (self.pull * point) @ point - told)

    def derivatives(self, point: Float64s) -> tuple[Float64s, Float64s]:
        """(the slope, the expected information) of the loss."""
        chance = expit(self.features @ point)
        slope = self.features.T @ (chance - self.rewards) + self.pull * point
        return slope, _gram(self.features, chance * (1 - chance), self.pull)


def _gram(features: Csr, counts: Float64s, pull: Float64s) -> Float64s:
    """float64[d, d]: products of the features over rows that count so much, and the pull on each."""
    gram = np.asarray((features.T @ features.multiply(counts[:, None]).tocsr()).toarray(), np.float64)
    gram[np.diag_indices_from(gram)] += pull
    return gram
