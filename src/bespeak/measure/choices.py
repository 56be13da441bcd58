"""A log of choices as arrays: what was chosen, with which probability, what came of it, and what another policy does.

One row is one choice: an action that the logging policy took with `propensity`, and that the evaluated policy would
have taken with `target`. A slate is several rows, one for each position. The importance weight of a row is target /
propensity. Two assumptions say what a reward hangs on:

*position*: on the item and its position alone. Probabilities are those of the item at that position (IIPS).
*cascade*: on the item and what stands before it. Probabilities are those given what stands before; the weight of a row
is the product of the ratios down to its position (RIPS).

For single choices the two are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.errors import InvalidInput
from bespeak.measure.sums import Float64s

Int64s: TypeAlias = npt.NDArray[np.int64]
Assumption = Literal["position", "cascade"]

_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Choices:
    """A log and a policy to evaluate.

    Attributes:
        reward: float64[n], what came of the choice.
        propensity: float64[n], above 0 and at most 1: how likely the log's policy was to take what it took.
        target: float64[n], 0 to 1: how likely the evaluated policy is to take that.
        predicted: float64[n], the reward that a model expects of what was taken; None without a model. Under the
            cascade the reward from this position on.
        expected: float64[n], the model's prediction averaged over what the evaluated policy takes.
        decision: int64[n], whose slate a row belongs to; None where each row is a choice of its own.
        position: int64[n], place in the slate; needed with `decision`.
        unit: int64[n], whose rows depend on one another (a person); None where decisions are independent.
        unsupported: float64[n], the evaluated policy's probability of what the log's policy never takes there; None
            where the log does not tell.
        assumption: see above.

    Raises:
        InvalidInput: no rows, columns of different lengths, a probability out of range, a value that is no finite
            number, a model's columns that are not both given, or two rows at one position of a decision.

    Example:
        >>> log = Choices(np.array([1.0, 0.0]), np.array([0.5, 0.25]), np.array([1.0, 0.0]))
        >>> log.weights.tolist(), log.n_decisions
        ([2.0, 0.0], 2)
    """

    reward: Float64s
    propensity: Float64s
    target: Float64s
    predicted: Float64s | None = None
    expected: Float64s | None = None
    decision: Int64s | None = None
    position: Int64s | None = None
    unit: Int64s | None = None
    unsupported: Float64s | None = None
    assumption: Assumption = "position"

    def __post_init__(self) -> None:
        n = len(self.reward)
        if n == 0:
            raise InvalidInput("The log holds no choice.", hint="It needs a row for each choice with its reward.")
        for name in ("reward", "propensity", "target", "predicted", "expected", "unsupported"):
            column = getattr(self, name)
            if column is not None and (column.shape != (n,) or not np.isfinite(column).all()):
                raise InvalidInput(f"The {name} is not one finite number for each of the {n} choices.")
        for name in ("decision", "position", "unit"):
            column = getattr(self, name)
            if column is not None and column.shape != (n,):
                raise InvalidInput(f"The {name} is not one number for each of the {n} choices.")
        _check_probabilities(self.propensity, self.target)
        if (self.predicted is None) != (self.expected is None):
            raise InvalidInput("A reward model gives a prediction of what was taken and of what would be taken.")
        if (self.decision is None) != (self.position is None):
            raise InvalidInput("A slate needs the decision and the position of each row.")
        if len(np.unique(self._cells)) < n:
            raise InvalidInput("A position of a decision stands in the log twice.", hint="One row for each position.")

    @cached_property
    def decisions(self) -> Int64s:
        """int64[n], the decision of each row, numbered from 0."""
        if self.decision is None:
            return np.arange(len(self.reward))
        return np.unique(self.decision, return_inverse=True)[1]

    @cached_property
    def positions(self) -> Int64s:
        """int64[n], the position of each row, numbered from 0; 0 for single choices."""
        if self.position is None:
            return np.zeros(len(self.reward), np.int64)
        return np.unique(self.position, return_inverse=True)[1]

    @cached_property
    def n_decisions(self) -> int:
        """How many slates, or single choices."""
        return int(self.decisions.max()) + 1

    @cached_property
    def n_positions(self) -> int:
        """The number of different positions."""
        return int(self.positions.max()) + 1

    @cached_property
    def units(self) -> Int64s:
        """int64[n_decisions], the unit of each decision, numbered from 0."""
        if self.unit is None:
            return np.arange(self.n_decisions)
        held = np.zeros(self.n_decisions, np.int64)
        held[self.decisions] = self.unit
        return np.unique(held, return_inverse=True)[1]

    @cached_property
    def ratios(self) -> Float64s:
        """float64[n], target / propensity."""
        return self.target / self.propensity

    @cached_property
    def weights(self) -> Float64s:
        """float64[n], the importance weight of each row under the assumption."""
        return self.ratios if self.assumption == "position" else self._down_to[1]

    @cached_property
    def weights_before(self) -> Float64s:
        """float64[n], the weight of what stands before each row; 1 under the position assumption."""
        return np.ones(len(self.reward)) if self.assumption == "position" else self._down_to[0]

    def per_decision(self, terms: Float64s) -> Float64s:
        """float64[n_decisions], the sum of the rows' terms."""
        return np.bincount(self.decisions, terms, self.n_decisions).astype(np.float64, copy=False)

    @cached_property
    def _cells(self) -> Int64s:
        return self.decisions * self.n_positions + self.positions

    @cached_property
    def _down_to(self) -> tuple[Float64s, Float64s]:
        """The products of the ratios before each row, and with it."""
        before, after = np.empty(len(self.reward)), np.empty(len(self.reward))
        product = np.ones(self.n_decisions)
        for position in range(self.n_positions):
            rows = np.flatnonzero(self.positions == position)
            of = self.decisions[rows]
            before[rows] = product[of]
            product[of] *= self.ratios[rows]
            after[rows] = product[of]
        return before, after


def _check_probabilities(propensity: Float64s, target: Float64s) -> None:
    if not ((propensity > 0) & (propensity <= 1 + _ROUNDING)).all():
        worst = int(np.argmin((propensity > 0) & (propensity <= 1 + _ROUNDING)))
        raise InvalidInput(
            f"The propensity of row {worst + 1} is not above 0 and at most 1.",
            hint="It is the probability with which the log's policy took what it took.",
        )
    if not ((target >= 0) & (target <= 1 + _ROUNDING)).all():
        worst = int(np.argmin((target >= 0) & (target <= 1 + _ROUNDING)))
        raise InvalidInput(
            f"The target probability of row {worst + 1} is not within 0 to 1.",
            hint="It is the probability with which the evaluated policy takes what the log's policy took.",
        )
