"""The best of many scores among the items that may be shown, for several models in one go."""

from __future__ import annotations

from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.decide.rankers.order import best_positive_first

Bools: TypeAlias = npt.NDArray[np.bool_]
Float32s: TypeAlias = npt.NDArray[np.float32]
Int32s: TypeAlias = npt.NDArray[np.int32]
Int64s: TypeAlias = npt.NDArray[np.int64]

SAMPLE_STEP = 32
_MANY = 20
"""So many times what is wanted, and to look for the edge first takes less than to sort them all."""


def best_of(values: Float32s, eligible: Bools, limit: int) -> Int32s:
    """int32: the eligible items with the largest positive values, best first, ties by lower index.

    Example:
        >>> best_of(np.array([0.5, 2.0, -1.0, 2.0], np.float32), np.ones(4, np.bool_), 2).tolist()
        [1, 3]
    """
    return _best_among(np.flatnonzero(eligible & (values > 0)), values, limit)


def best_of_each(table: Float32s, eligible: Bools, limit: int) -> list[Int32s]:
    """As `best_of`, for every row of a table [m, n] in one go, of which most items have something to say."""
    n_items = table.shape[1]
    passing = np.flatnonzero(table >= _guessed_floors(table, eligible, limit)[:, None])
    items = passing % max(n_items, 1)
    allowed = eligible.take(items)
    passing, items = passing.compress(allowed), items.compress(allowed)
    values = table.ravel().take(passing)
    stops = np.searchsorted(passing, np.arange(len(table) + 1) * n_items).tolist()
    found = []
    for place, (start, stop) in enumerate(pairwise(stops)):
        if stop - start < limit:
            found.append(best_of(table[place], eligible, limit))
        else:
            found.append(best_positive_first(items[start:stop], values[start:stop])[:limit].astype(np.int32))
    return found


def first_eligible(order: Int32s, eligible: Bools, limit: int) -> Int32s:
    """int32: the first eligible items of an order; looks at no more of it than it needs."""
    size = max(4 * limit, 256)
    head = order[:size]
    found = head[eligible[head]]
    return found[:limit] if len(found) >= limit or size >= len(order) else order[eligible[order]][:limit]


def _best_among(items: Int64s, values: Float32s, limit: int) -> Int32s:
    """The best of some items that all have more than 0."""
    chosen = values.take(items)
    if len(items) > _MANY * limit:
        edge = np.partition(chosen, len(items) - limit)[len(items) - limit]
        items, chosen = items.compress(chosen >= edge), chosen.compress(chosen >= edge)
    return best_positive_first(items, chosen)[:limit].astype(np.int32)


def _guessed_floors(table: Float32s, eligible: Bools, limit: int) -> Float32s:
    """float32[m]: values that two to four times as many eligible items reach as are wanted, told from every 32nd item.

    To look for the edge among so few takes a tenth of the time. Infinite where the guess would be 0 or less.
    """
    sample = np.ascontiguousarray(table[:, ::SAMPLE_STEP])
    n_eligible = max(int(np.count_nonzero(eligible)), 1)
    wanted = 2 * limit * len(eligible) // (SAMPLE_STEP * n_eligible)
    place = sample.shape[1] - wanted - 5  # the 5 keep the guess for a short list from being too high
    if place < 0:
        return np.full(len(table), np.inf, np.float32)
    sample.sort(axis=1)  # which takes half the time of a partition
    floors = sample[:, place]
    floors[floors <= 0] = np.inf
    return floors
