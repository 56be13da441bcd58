"""Uplift: by how much a treatment raises the outcome of a single person.

T-learner (Kuenzel et al. 2019, "Metalearners"): one regression of the treated, one of the others; the uplift is their
difference. DR-learner (Kennedy 2023, "Towards optimal doubly robust estimation of heterogeneous causal effects",
Electronic Journal of Statistics 17): outcomes are turned into

    phi = m1(x) - m0(x) + t (y - m1(x)) / e - (1 - t) (y - m0(x)) / (1 - e)

whose expectation is the uplift if either the regressions m (each row's fitted on other rows) or the probability e of
being treated are right, and phi is regressed on x. The response model, which ranks by the outcome of the treated, is no
uplift model: it finds who buys anyway. It is here to be beaten.

The treatment is taken to be assigned at random, with the same probability for everybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from bespeak.errors import InvalidInput
from bespeak.models.predictors.repeat_purchases import Float64s
from bespeak.models.predictors.ridge import Kind, Ridge, cross_fitted, fit_ridge, fit_tuned, folds_of

Treated = npt.NDArray[np.bool_]

MIN_ARM = 50


class UpliftModel(Protocol):
    """Scores people by what a treatment does to them."""

    def uplift(self, x: Float64s) -> Float64s:
        """float64[n]: higher is more worth treating."""
        ...


@dataclass(frozen=True, slots=True)
class TLearner:
    """One regression an arm."""

    treated: Ridge
    control: Ridge

    @classmethod
    def fit(cls, x: Float64s, y: Float64s, treated: Treated, *, kind: Kind, rng: np.random.Generator) -> TLearner:
        """Fits both arms, each with the penalty that predicts its own held-out rows best.

        Raises:
            InvalidInput: fewer than `MIN_ARM` rows in an arm.
        """
        _check(treated)
        folds = folds_of(len(y), rng)
        arms = (fit_tuned(x[rows], y[rows], kind=kind, folds=folds[rows]) for rows in (treated, ~treated))
        return cls(*arms)

    def uplift(self, x: Float64s) -> Float64s:
        """float64[n]: the difference of the two predictions."""
        return self.treated.predict(x) - self.control.predict(x)


@dataclass(frozen=True, slots=True)
class DrLearner:
    """A regression of doubly robust outcomes."""

    effect: Ridge

    @classmethod
    def fit(cls, x: Float64s, y: Float64s, treated: Treated, *, kind: Kind, rng: np.random.Generator) -> DrLearner:
        """Fits the regressions of both arms on other folds than they predict, then the effect.

        Raises:
            InvalidInput: fewer than `MIN_ARM` rows in an arm.
        """
        _check(treated)
        folds = folds_of(len(y), rng)
        share = float(treated.mean())
        m1, m0 = (_outcome_of(arm, x, y, kind, folds) for arm in (treated, ~treated))
        phi = m1 - m0 + np.where(treated, (y - m1) / share, -(y - m0) / (1 - share))
        return cls(fit_tuned(x, phi, kind="amount", folds=folds_of(len(y), rng)))

    def uplift(self, x: Float64s) -> Float64s:
        """float64[n]: the predicted effect."""
        return self.effect.predict(x)


@dataclass(frozen=True, slots=True)
class ResponseModel:
    """The outcome of the treated: what most campaigns rank by."""

    treated: Ridge

    @classmethod
    def fit(cls, x: Float64s, y: Float64s, treated: Treated, *, kind: Kind, rng: np.random.Generator) -> ResponseModel:
        """Fits the treated alone."""
        _check(treated)
        return cls(fit_tuned(x[treated], y[treated], kind=kind, folds=folds_of(int(treated.sum()), rng)))

    def uplift(self, x: Float64s) -> Float64s:
        """float64[n]: the predicted outcome, which is no uplift."""
        return self.treated.predict(x)


def _outcome_of(arm: Treated, x: Float64s, y: Float64s, kind: Kind, folds: npt.NDArray[np.int64]) -> Float64s:
    l2 = fit_tuned(x[arm], y[arm], kind=kind, folds=folds[arm]).l2
    return cross_fitted(lambda rows: fit_ridge(x[rows & arm], y[rows & arm], kind=kind, l2=l2).predict, x, folds)


def _check(treated: Treated) -> None:
    fewest = min(int(treated.sum()), int((~treated).sum()))
    if fewest < MIN_ARM:
        raise InvalidInput(
            f"An arm has {fewest:,} rows to learn from; at least {MIN_ARM} are needed.", hint="Wait for more data."
        )
