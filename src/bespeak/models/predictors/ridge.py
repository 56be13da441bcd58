"""Ridge regression: logistic for yes and no, linear for amounts, with the penalty chosen by cross-validation.

    logistic   minimise  sum w (log(1 + exp(eta)) - y eta) + l2 / 2 |beta|^2,     eta = intercept + x beta
    linear     minimise  1/2 sum w (y - eta)^2 + l2 / 2 |beta|^2

The intercept is never penalised, so that predictions are right on average over the rows that were fitted; columns are
expected standardised (see `design`). The logistic one is that of `logistic`, with a prior around 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import numpy.typing as npt
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.special import expit

from bespeak.errors import InvalidInput
from bespeak.models.predictors.logistic import Rows, fit_logistic
from bespeak.models.predictors.newton import Prior
from bespeak.models.predictors.repeat_purchases import Float64s

Kind = Literal["binary", "amount"]

PENALTIES = (1.0, 10.0, 100.0, 1_000.0, 10_000.0)
FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Ridge:
    """A fitted regression.

    Attributes:
        kind: binary predicts the probability of 1; amount a number.
        beta: float64[columns].
        l2: the penalty it was fitted with.
    """

    kind: Kind
    intercept: float
    beta: Float64s
    l2: float

    def predict(self, x: Float64s) -> Float64s:
        """float64[n]: probabilities, or amounts."""
        eta = self.intercept + x @ self.beta
        return cast("Float64s", expit(eta) if self.kind == "binary" else eta)


def fit_ridge(
    x: Float64s,
    y: Float64s,
    *,
    kind: Kind,
    l2: float,
    weights: Float64s | None = None,
    near: Ridge | None = None,
) -> Ridge:
    """Fits one penalty.

    Args:
        x: float64[n, columns], standardised. y: float64[n]; 0 and 1 for `binary` (shares between them are taken too).
        weights: float64[n], at least 0; else all 1.
        near: a fit that is not far off, to start from; the answer is the same, sooner.

    Raises:
        InvalidInput: no rows, lengths that differ, or values that are not finite or out of range.
    """
    w = np.ones(len(y)) if weights is None else weights
    _check(x, y, w, kind)
    mean = float(w @ y / w.sum())
    if kind == "amount":
        centre = w @ x / w.sum()
        part = (x - centre) * w[:, None]
        beta = _solved(part.T @ (x - centre) + l2 * np.eye(x.shape[1]), part.T @ (y - mean))
        return Ridge(kind, mean - float(centre @ beta), beta, l2)
    if mean in (0.0, 1.0):  # nobody, or everybody, did it: the intercept would run away; half a row of each is put in
        share = (mean * w.sum() + 0.5) / (w.sum() + 1.0)
        return Ridge(kind, float(np.log(share / (1.0 - share))), np.zeros(x.shape[1]), l2)
    start = None if near is None else (near.intercept, near.beta)
    fit = fit_logistic(Rows.of(x, y, counts=w), Prior.shrunk(x.shape[1], l2), start=start)
    return Ridge(kind, fit.intercept, fit.weights, l2)


def fit_tuned(
    x: Float64s,
    y: Float64s,
    *,
    kind: Kind,
    folds: npt.NDArray[np.int64],
    weights: Float64s | None = None,
    penalties: Sequence[float] = PENALTIES,
) -> Ridge:
    """Fits the penalty that predicts held-out rows best (log loss, or squared error).

    Args:
        folds: int64[n], which part each row is held out in.
    """
    w = np.ones(len(y)) if weights is None else weights
    sums = dict.fromkeys(penalties, 0.0)
    for fold in np.unique(folds):
        held_out = folds == fold
        near: Ridge | None = None
        for l2 in sorted(penalties, reverse=True):
            near = fit_ridge(x[~held_out], y[~held_out], kind=kind, l2=l2, weights=w[~held_out], near=near)
            sums[l2] += float(w[held_out] @ loss(y[held_out], near.predict(x[held_out]), kind))
    best = min(penalties, key=lambda l2: sums[l2])
    return fit_ridge(x, y, kind=kind, l2=best, weights=weights)


def cross_fitted(
    fit: Callable[[npt.NDArray[np.bool_]], Callable[[Float64s], Float64s]],
    x: Float64s,
    folds: npt.NDArray[np.int64],
) -> Float64s:
    """float64[n]: each row predicted by what `fit` (told bool[n], the rows to learn from) made of the other folds."""
    found = np.zeros(len(x))
    for fold in np.unique(folds):
        held_out = folds == fold
        found[held_out] = fit(~held_out)(x[held_out])
    return found


def loss(y: Float64s, predicted: Float64s, kind: Kind) -> Float64s:
    """float64[n]: log loss of probabilities, squared error of amounts."""
    if kind == "amount":
        return (y - predicted) ** 2
    p = np.clip(predicted, 1e-12, 1 - 1e-12)
    return -(y * np.log(p) + (1 - y) * np.log1p(-p))


def folds_of(n: int, rng: np.random.Generator, n_folds: int = FOLDS) -> npt.NDArray[np.int64]:
    """int64[n]: parts of equal size, in random order."""
    return rng.permutation(np.arange(n, dtype=np.int64) % n_folds)


def _solved(matrix: Float64s, right: Float64s) -> Float64s:
    try:
        return cast("Float64s", cho_solve(cho_factor(matrix), right))
    except LinAlgError:
        return cast("Float64s", np.linalg.lstsq(matrix, right, rcond=None)[0])


def _check(x: Float64s, y: Float64s, w: Float64s, kind: Kind) -> None:
    if not len(x) == len(y) == len(w):
        raise InvalidInput("Rows, outcomes and weights must be of equal length.")
    if len(y) == 0 or w.sum() <= 0:
        raise InvalidInput("There is no row to learn from.")
    if not (np.isfinite(x).all() and np.isfinite(y).all() and np.isfinite(w).all() and (w >= 0).all()):
        raise InvalidInput("Rows, outcomes and weights must be finite, weights at least 0.")
    if kind == "binary" and ((y < 0) | (y > 1)).any():
        raise InvalidInput("A binary outcome lies between 0 and 1.")
