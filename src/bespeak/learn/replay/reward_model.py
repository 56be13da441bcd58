"""What a choice earns, foretold: the reward model that off-policy estimators correct.

Ridge regression on the features of context and action: of rewards 0 and 1 logistic, fitted by Newton's method; of other
rewards linear. No row is predicted by a model that has seen it or another row of its unit (cross-fitting: Chernozhukov
et al. 2018), so that what the model learned by heart does not pass for knowledge.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.special import expit

Float64s: TypeAlias = npt.NDArray[np.float64]
Int64s: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]
Csr: TypeAlias = Any
"""float64 CSR matrix of SciPy, which has no types."""

N_FOLDS = 5
L2 = 1.0
_STEPS = 30
_CLOSE = 1e-8


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
        pull = np.append(np.full(d, l2), 1e-9)
        held = np.zeros(d + 1)
        if not is_binary:
            held = _solve(wide, np.ones(n), pull, wide.T @ rewards)
            return cls(held[:-1], float(held[-1]), is_binary)
        mean = (rewards.sum() + 0.5) / (n + 1)
        held[-1] = np.log(mean / (1 - mean))
        for _ in range(_STEPS):
            chance = expit(wide @ held)
            slope = wide.T @ (rewards - chance) - pull * held
            step = _solve(wide, np.maximum(chance * (1 - chance), 1e-10), pull, slope)
            step *= min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-300))  # a long step may overshoot
            held = held + step
            if np.abs(step).max() < _CLOSE:
                break
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


def _solve(features: Csr, weights: Float64s, pull: Float64s, right: Float64s) -> Float64s:
    gram = (features.T @ features.multiply(weights[:, None]).tocsr()).toarray()
    gram[np.diag_indices_from(gram)] += pull
    return np.asarray(np.linalg.solve(gram, right), np.float64)
