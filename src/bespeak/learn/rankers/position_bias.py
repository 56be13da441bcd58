"""How likely each position is looked at, from positions that exploration drew.

Where an item is drawn into a slate that would not have shown it, it is chance alone at which position it stands. So
what comes of one item at two positions differs by how likely the positions are looked at, and by nothing else
(intervention harvesting: Agarwal, Zaitsev, Wang, Li, Najork & Joachims, 2019). With rewards proportional to examination
e_k and to the item's own appeal, the rewards of an item are spread over positions as

    share of position k = n_ik * e_k / (sum over l of n_il * e_l)

n_ik is how often item i was drawn to position k, weighed by 1 / propensity. That likelihood knows no appeal. It is
maximised together with a weak prior: a power of the position, give or take `_WOBBLE`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.learn.rankers.shown import ShownItems
from bespeak.models.predictors.logistic import Rows, fit_logistic
from bespeak.models.predictors.newton import Prior

Float64s: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]

MIN_REWARDED = 50
"""So many drawn items that something came of are needed for a curve."""

_USUAL = 0.5
"""A choice of at least this propensity was the slate's own; below it, it was tried."""

_WOBBLE = 0.25
_EXPONENT_SPREAD = 1.0
_STEPS = 50
_EXPONENTS = np.arange(0.0, 1.61, 0.1)


@dataclass(frozen=True, slots=True, eq=False)
class PositionCurve:
    """How likely positions are looked at, the likeliest as 1.

    Attributes:
        examination: float64[k], position 1 first.
        standard_errors: float64[k], of the logarithms, relative to position 1.
        n_rewarded: drawn items that something came of.
        is_harvested: estimated from drawn positions; else a power of the position that explains the rewards best.
    """

    examination: Float64s
    standard_errors: Float64s
    n_rewarded: int
    is_harvested: bool


@dataclass(frozen=True, slots=True, eq=False)
class PositionBias:
    """The curve of a placement, and those of devices that have rows enough for one of their own."""

    curve: PositionCurve
    by_device: Mapping[str, PositionCurve] = field(default_factory=dict)

    def examination_of(self, shown: ShownItems) -> Float64s:
        """float64[n]: how likely each row was looked at; positions beyond a curve count as its last."""
        curves = [self.by_device.get(name, self.curve).examination for name in shown.device_names]
        table = np.stack([_extended(curve, max(map(len, curves))) for curve in curves])
        return np.asarray(table[shown.devices, np.minimum(shown.positions, table.shape[1]) - 1])


def position_bias(shown: ShownItems) -> PositionBias:
    """Estimates the curves of a placement; without enough drawn positions, the power that suits the rewards best."""
    if not len(shown):
        return PositionBias(PositionCurve(np.ones(1), np.zeros(1), 0, False))
    tried = tried_rows(shown)
    common = harvested(shown.select(tried))
    if common is None:
        return PositionBias(_fitted_power(shown))
    own = {}
    for code, name in enumerate(shown.device_names):
        found = harvested(shown.select(tried & (shown.devices == code)))
        if found is not None and len(shown.device_names) > 1:
            own[name] = found
    return PositionBias(common, own)


def tried_rows(shown: ShownItems) -> Bools:
    """bool[n]: the rows that exploration drew and that nothing else would have put into their slate.

    Such an item scores below everything that the slate itself chose, so whatever position it is drawn for, it is tried
    there: its position is chance. One that scores higher would have stood at a later position anyway.
    """
    is_tried = shown.propensities < _USUAL
    _, place = np.unique(shown.decisions, return_inverse=True)
    lowest = np.full(place.max() + 1 if len(place) else 0, np.inf)
    np.minimum.at(lowest, place[~is_tried], shown.scores[~is_tried])
    return np.asarray(is_tried & (shown.scores < lowest[place]))


def harvested(tried: ShownItems) -> PositionCurve | None:
    """The curve of rows whose positions were drawn; None where too few of them were rewarded.

    Newton's method on the logarithms of e_2..e_K relative to position 1; the problem is concave.
    """
    if tried.n_rewarded < MIN_REWARDED:
        return None
    n_positions = int(tried.positions.max())
    items, item = np.unique(tried.items, return_inverse=True)
    cell = item * n_positions + tried.positions - 1
    weights = 1.0 / tried.propensities
    weights /= weights.mean()
    shape = len(items), n_positions
    n = np.bincount(cell, weights, items.size * n_positions).reshape(shape)
    rewards = np.bincount(cell, weights * tried.rewards, items.size * n_positions).reshape(shape)
    logs = np.log(np.arange(1, n_positions + 1))
    precision = np.linalg.inv(_WOBBLE**2 * np.eye(n_positions - 1) + _EXPONENT_SPREAD**2 * np.outer(logs[1:], logs[1:]))
    theta, totals = np.zeros(n_positions), rewards.sum(axis=1)
    information = precision
    for _ in range(_STEPS):
        looked = n * np.exp(theta)
        shares = looked / looked.sum(axis=1, keepdims=True)
        gradient = (rewards - totals[:, None] * shares).sum(axis=0)[1:] - precision @ theta[1:]
        spread = np.diag(totals @ shares) - (shares * totals[:, None]).T @ shares
        information = spread[1:, 1:] + precision
        step = np.linalg.solve(information, gradient)
        theta[1:] += np.clip(step, -1, 1)
        if np.abs(step).max(initial=0.0) < 1e-10:
            break
    errors = np.concatenate([[0.0], np.sqrt(np.diag(np.linalg.inv(information)))])
    return PositionCurve(np.exp(theta - theta.max()), errors, tried.n_rewarded, is_harvested=True)


def _fitted_power(shown: ShownItems) -> PositionCurve:
    """The power of the position under which the logged scores explain the rewards best; no drawn position needed."""
    powers = np.arange(1.0, shown.positions.max() + 1)
    scores = shown.scores[:, None]
    likelihoods = [
        fit_logistic(Rows.of(scores, shown.rewards, (powers**-e)[shown.positions - 1]), Prior.none(1)).log_likelihood
        for e in _EXPONENTS
    ]
    exponent = _EXPONENTS[int(np.argmax(likelihoods))]
    return PositionCurve(powers**-exponent, np.full(len(powers), np.inf), 0, is_harvested=False)


def _extended(curve: Float64s, n: int) -> Float64s:
    return np.append(curve, np.full(n - len(curve), curve[-1]))
