"""What weights are believed to be, and the solver that all regressions with bounds share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.linalg import LinAlgError, cho_factor, cho_solve

Float64s: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]

_MAX_STEPS = 100
_SETTLED = 1e-13
_LEAST_STEP = 1e-9
_SINGULAR = 1e-10


class Problem(Protocol):
    """A loss with bounds.

    Attributes:
        low, high: float64[f], bounds of a point.
    """

    @property
    def low(self) -> Float64s: ...

    @property
    def high(self) -> Float64s: ...

    def loss(self, point: Float64s) -> float:
        """The loss at float64[f]."""
        ...

    def derivatives(self, point: Float64s) -> tuple[Float64s, Float64s]:
        """(float64[f], float64[f, f]): the slope of the loss, and its expected second derivative."""
        ...


def minimised(problem: Problem, start: Float64s) -> Float64s:
    """float64[f]: where a loss is least.

    Newton steps over what no bound holds, halved until they gain (projected Newton: Bertsekas, 1982).

    Args:
        problem: convex, or nearly so.
        start: float64[f], within the bounds.
    """
    point, value = start, problem.loss(start)
    for _ in range(_MAX_STEPS):
        slope, information = problem.derivatives(point)
        is_free = ~((point <= problem.low) & (slope > 0) | (point >= problem.high) & (slope < 0))
        step = np.zeros(len(point))
        step[is_free] = _solved(information[np.ix_(is_free, is_free)], slope[is_free])
        size, before, tried = 1.0, value, point
        while size > _LEAST_STEP:
            tried = np.clip(point - size * step, problem.low, problem.high)
            value = problem.loss(tried)
            if value <= before:
                break
            size /= 2
        else:
            return point
        point = tried
        if before - value <= _SETTLED * (abs(before) + 1.0):
            break
    return point


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

    @classmethod
    def shrunk(cls, n: int, l2: float) -> Prior:
        """Draws every weight to 0 as the penalty l2 / 2 * weight^2 does."""
        spread = 1.0 / np.sqrt(l2) if l2 > 0 else np.inf
        return cls(np.zeros(n), np.full(n, spread), np.full(n, -np.inf), np.full(n, np.inf))

    def beside_free(self, n: int) -> Prior:
        """The same with n weights before it of which nothing is believed."""
        none = Prior.none(n)
        pairs = zip((none.means, none.spreads, none.low, none.high), (self.means, self.spreads, self.low, self.high),
                    strict=True)  # fmt: skip
        return Prior(*(np.append(first, second) for first, second in pairs))

    def believed(self, weights: Float64s, information: Float64s, log_likelihood: float) -> Believed:
        """What is known of weights at which the posterior is highest.

        Args:
            weights: float64[f].
            information: float64[f, f], of the rows alone.
            log_likelihood: of the rows.
        """
        is_held = (weights <= self.low) | (weights >= self.high)
        free = np.flatnonzero(~is_held)
        block = information[np.ix_(free, free)] + np.diag(self.precisions[free])
        block[np.diag_indices_from(block)] += _SINGULAR * np.trace(block) / max(len(block), 1)
        covariance = np.zeros_like(information)
        covariance[np.ix_(free, free)] = np.linalg.inv(block)
        known = np.isfinite(self.spreads) & (self.spreads > 0) & (self.low < self.high)
        off = (weights - self.means)[known] / self.spreads[known]
        evidence = log_likelihood - 0.5 * float(off @ off) - float(np.log(self.spreads[known]).sum())
        return Believed(covariance, is_held, evidence - 0.5 * float(np.linalg.slogdet(block)[1]))

    @property
    def precisions(self) -> Float64s:
        """float64[f], 1 / spread^2."""
        return 1.0 / self.spreads**2


class Believed(NamedTuple):
    """What is known of weights.

    Attributes:
        covariance: float64[f, f]; rows of a weight at its bound are 0.
        is_held: bool[f]: the weight stands at one of its bounds.
        evidence: log of how likely the rows were under the prior (Laplace's approximation), up to a constant of the
            rows; comparable between priors of finite spread.
    """

    covariance: Float64s
    is_held: Bools
    evidence: float


def _solved(information: Float64s, slope: Float64s) -> Float64s:
    information[np.diag_indices_from(information)] += _SINGULAR * max(
        float(np.trace(information)) / max(len(slope), 1), 1e-12
    )
    try:
        return np.asarray(cho_solve(cho_factor(information), slope))
    except LinAlgError:
        return np.asarray(np.linalg.lstsq(information, slope, rcond=None)[0])
