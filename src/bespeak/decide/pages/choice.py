"""Which rows a page shows, in which order.

    value(row | rows above) = weight of the row * sum over its places c of worth(item at c) / log2(1 + c)
    value(page) = sum over its rows r of value(row at r | rows above) / log2(1 + r)

worth(i) lies between 0 and 1 and goes by one set of weights for all rows, so that the items of rows with weights of
their own can be compared. Where weights were learned for a row's placement, those of the first such row: worth is then
the learned chance of a reward. Else the weights of the project: worth is then the logistic of how many standard
deviations the score lies above the mean of all candidates of the page.

Rows are chosen one at a time, from the top, the most valuable first, with the slate that each would show given what
stands above it; so an item, a group or a capped value that one row has used up counts for no other. A row that would
hold too few items is left out. Rows are compared by the slates without exploration; when one is chosen, its positions
are drawn where its placement explores. So which rows stand where depends on nothing but what was drawn above, and the
propensities, given everything above and before, are exact.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from bespeak.decide.decide import Prepared, Ranked
from bespeak.decide.occasion import Occasion
from bespeak.decide.scoring.features import FeatureMatrix
from bespeak.decide.settings.pages import Page, RowSettings
from bespeak.decide.slates.beside import Beside
from bespeak.decide.slates.slate import Constraints
from bespeak.decide.trial import Policy
from bespeak.decide.world import World

Bools: TypeAlias = npt.NDArray[np.bool_]
Int64s: TypeAlias = npt.NDArray[np.int64]
Float64s: TypeAlias = npt.NDArray[np.float64]

TOO_FEW = "too few items are left for it"
NO_ROOM = "other rows are worth more"


@dataclass(frozen=True, eq=False)
class Row:
    """One row that may be shown.

    Attributes:
        number: from 0, in the order declared.
        is_further: not the first of several rows of its placement.
        policy: what decides in place of the placement's own settings.
    """

    number: int
    settings: RowSettings
    prepared: Prepared
    is_further: bool = False
    policy: Policy | None = None

    @property
    def position(self) -> int | None:
        """Where it stands if it stands at all; None where it may stand anywhere."""
        return None if self.is_further else self.settings.position

    @property
    def occasion(self) -> Occasion:
        """What it is decided by."""
        return self.prepared.situation.occasion


def chosen_rows(
    rows: Sequence[Row], page: Page, world: World, *, keeps_order: bool
) -> tuple[list[tuple[Row, Ranked]], list[tuple[Row, str]]]:
    """The rows that are shown, from the top, with their slates; and the others, each with why it is not.

    Args:
        rows: those that may be shown, in the order declared.
        page: what holds across them.
        world: the snapshot.
        keeps_order: all of them are shown, in that order.
    """
    shown = Beside.nothing(world, page.caps, one_per_group=page.one_per_group)
    queue = _Queue(() if keeps_order else rows, _Values(rows, world), shown, page.min_items)
    made: list[tuple[Row, Ranked]] = []
    while len(made) < (len(rows) if keeps_order else page.max_rows):
        row = rows[len(made)] if keeps_order else queue.best(len(made) + 1)
        if row is None:
            break
        ranked = row.prepared.ranked(row.occasion.draw, _beside(row, shown))
        shown.add(ranked.candidates.rows[choice.candidate] for choice in ranked.slate.chosen)
        made.append((row, ranked))
    dropped = [(row, TOO_FEW) for row in queue.too_few] + [(row, NO_ROOM) for row in queue.waiting()]
    return made, dropped


def _beside(row: Row, shown: Beside) -> Constraints:
    """The constraints of a row, given what stands above it."""
    return shown.constraints(row.prepared.constraints, row.prepared.candidates.rows)


class _Values:
    """What slates are worth."""

    def __init__(self, rows: Sequence[Row], world: World) -> None:
        known = (row.prepared.situation.weights for row in rows)
        self._weights = next((weights for weights in known if weights.slope > 0), world.weights)
        self._scores = {row.number: self._common(row.prepared.matrix, world.models.best) for row in rows}
        every = np.concatenate([*self._scores.values(), np.zeros(0)])
        self._mean = float(every.mean()) if len(every) else 0.0
        self._spread = (float(every.std()) if len(every) else 0.0) or 1.0

    def of(self, row: Row, chosen: Sequence[int]) -> float:
        """The value of a row that shows these candidates."""
        scores = self._scores[row.number][list(chosen)]
        if self._weights.slope > 0:
            worth = expit(self._weights.intercept + self._weights.slope * scores)
        else:
            worth = expit((scores - self._mean) / self._spread)
        return row.settings.value * float((worth / np.log2(np.arange(2, len(scores) + 2))).sum())

    def _common(self, matrix: FeatureMatrix, best_model: str) -> Float64s:
        """float64[c]: the scores under the weights that hold for all rows."""
        return np.asarray(matrix.values @ self._weights.of(matrix.names, best_model), np.float64)


class _Queue:
    """The rows that are not shown yet, the most valuable first.

    What stands on the page only takes from the value of a row, so the value that a row had before is a bound: only the
    row that leads by these bounds is worked out again, until it leads by its value.
    """

    def __init__(self, rows: Sequence[Row], values: _Values, shown: Beside, min_items: int) -> None:
        self._rows = {row.number: row for row in rows}
        self._values = values
        self._shown = shown
        self._min_items = min_items
        self._fixed = {row.position: row for row in rows if row.position is not None}
        self._heap: list[tuple[float, int, int]] = [
            (-np.inf, row.number, -1) for row in rows if row.position is None
        ]  # (less than any value, number, position that the value is of); equal values go by number
        self.too_few: list[Row] = []

    def best(self, position: int) -> Row | None:
        """Takes out the row that is to stand at a position; None where none is left."""
        fixed = self._fixed.pop(position, None)
        if fixed is not None and self._value(fixed) is not None:
            return fixed
        while self._heap:
            _, number, seen_at = heapq.heappop(self._heap)
            row = self._rows[number]
            if seen_at == position:
                return row
            value = self._value(row)
            if value is not None:
                heapq.heappush(self._heap, (-value, number, position))
        for later in sorted(self._fixed):  # on a page that ends earlier they move up
            row = self._fixed.pop(later)
            if self._value(row) is not None:
                return row
        return None

    def waiting(self) -> list[Row]:
        """The rows that are left, in the order declared."""
        left = [self._rows[number] for _, number, _ in self._heap] + list(self._fixed.values())
        return sorted(left, key=lambda row: row.number)

    def _value(self, row: Row) -> float | None:
        """The value of a row given what is shown; None, and the row is out, where it would hold too few items."""
        chosen = row.prepared.best(_beside(row, self._shown))
        least = self._min_items if row.settings.min_items is None else row.settings.min_items
        if len(chosen) < min(least, row.prepared.situation.count):
            self.too_few.append(row)
            return None
        return self._values.of(row, chosen)
