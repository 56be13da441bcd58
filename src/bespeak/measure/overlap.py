"""Whether a log can say anything of another policy: enough of what it would do must have been tried.

effective sample size   (sum w)^2 / sum w^2: as many equally weighted rows would tell as much (Kong 1992)
mean weight             1 where the propensities are true and the log's policy takes all that the other one takes: the
                        weights' expectation is the evaluated policy's supported mass, whatever the rewards are
unsupported mass        how much of what the evaluated policy does the log's policy never does: nothing is known of it

Of a slate the position with the fewest effective rows counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from bespeak.measure.choices import Choices
from bespeak.measure.lift import Interval
from bespeak.measure.sums import Float64s

FEWEST_EFFECTIVE = 200
MOST_UNSUPPORTED = 0.05
WRONG_AT = 0.001
"""p below which a mean weight is called wrong; as for sample ratios, because it is looked at each time."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much a log and an evaluated policy have in common.

    Attributes:
        n: rows; n_decisions: slates or single choices.
        effective: the effective sample size, at the position where it is least.
        weakest_position: that position as numbered from 0.
        effective_by_position: of each position.
        max_weight: the largest weight; share_matched: rows whose weight is above 0.
        mean_weight: over all rows; mean_weight_interval: of 1 - `WRONG_AT`.
        unsupported: the evaluated policy's mass on what the log's policy never takes; None where the log does not tell.
    """

    n: int
    n_decisions: int
    effective: float
    weakest_position: int
    effective_by_position: tuple[float, ...]
    max_weight: float
    share_matched: float
    mean_weight: float
    mean_weight_interval: Interval
    unsupported: float | None

    @property
    def has_wrong_propensities(self) -> bool:
        """Whether the mean weight lies where it cannot by chance."""
        due = 1 - (self.unsupported or 0.0)
        low, high = self.mean_weight_interval
        return not low - 1e-9 <= due <= high + 1e-9

    @property
    def suspicion(self) -> str:
        """What a wrong mean weight tells; "" where it is not wrong."""
        if not self.has_wrong_propensities:
            return ""
        low, high = self.mean_weight_interval
        due = 1 - (self.unsupported or 0.0)
        said = f"The mean weight is {self.mean_weight:.3f} ({low:.3f} to {high:.3f}) and should be {due:.3f}: "
        if self.mean_weight < due and self.unsupported is None:
            return said + "the propensities are wrong, or the evaluated policy takes what the log never shows."
        return said + "the propensities are wrong."

    @property
    def refusal(self) -> str:
        """Why no figure may be given; "" where one may."""
        if self.unsupported is not None and self.unsupported > MOST_UNSUPPORTED:
            return (
                f"{self.unsupported:.1%} of what the policy would do was never tried in the log; "
                f"at most {MOST_UNSUPPORTED:.0%} may be unknown."
            )
        if self.unsupported is None and self.mean_weight_interval.high < 1 - MOST_UNSUPPORTED:
            return (
                f"The mean weight is {self.mean_weight:.3f}: about {1 - self.mean_weight:.0%} of what the policy would "
                f"do was never tried in the log, or the propensities are wrong."
            )
        if self.effective < FEWEST_EFFECTIVE:
            where = f" at position {self.weakest_position + 1}" if len(self.effective_by_position) > 1 else ""
            return (
                f"The log tells as much of this policy as {self.effective:,.0f} choices would{where}; "
                f"{FEWEST_EFFECTIVE} are needed."
            )
        return ""


def overlap(choices: Choices) -> Overlap:
    """Works out how much a log and the evaluated policy have in common.

    Example:
        >>> log = Choices(np.ones(1000), np.full(1000, 0.5), np.tile([1.0, 0.0], 500))
        >>> found = overlap(log)
        >>> found.effective, found.mean_weight, found.refusal
        (500.0, 1.0, '')
    """
    weights = choices.weights
    by_position = tuple(
        effective_size(weights[choices.positions == position]) for position in range(choices.n_positions)
    )
    weakest = int(np.argmin(by_position))
    mean = float(weights.mean())
    reach = float(ndtri(1 - WRONG_AT / 2)) * _error_of_mean(choices, weights - mean)
    held = choices.unsupported
    return Overlap(
        n=len(weights),
        n_decisions=choices.n_decisions,
        effective=by_position[weakest],
        weakest_position=weakest,
        effective_by_position=by_position,
        max_weight=float(weights.max()),
        share_matched=float((weights > 0).mean()),
        mean_weight=mean,
        mean_weight_interval=Interval(mean - reach, mean + reach),
        unsupported=None if held is None else float(held.mean()),
    )


def effective_size(weights: Float64s) -> float:
    """(sum w)^2 / sum w^2; 0 where all weights are 0.

    Example:
        >>> effective_size(np.array([1.0, 1.0, 1.0])), effective_size(np.array([1.0, 0.0, 0.0]))
        (3.0, 1.0)
    """
    squares = float(weights @ weights)
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def _error_of_mean(choices: Choices, apart: Float64s) -> float:
    """The standard error of the rows' mean, whose distances from it are given; rows of a unit depend on one another."""
    sums = np.bincount(choices.units, choices.per_decision(apart))
    m = len(sums)
    return math.sqrt(float(sums @ sums) * m / (m - 1)) / len(apart) if m > 1 else math.inf
