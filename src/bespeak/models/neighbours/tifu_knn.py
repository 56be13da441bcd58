"""TIFU-KNN: how often a person took each item, lately above all, and how often people with like habits did.

Hu, He, Gao, Zhang, "Modeling personalized item frequency information for next-basket recommendation", SIGIR 2020. The
baskets of a person, latest first b = 0, 1, ..., stand in groups of `group_size`; with the group g = b // group_size,
the place p = b mod group_size and n_g baskets in group g of G,

    v_j = 1 / G sum over baskets with item j of group_decay^g * basket_decay^p / n_g
    score = own * h + (1 - own) * mean of the `neighbours` vectors v nearest to h in Euclidean distance

h is the vector of the person asked about, made from the history of the moment. Baskets are visits or orders; in data
without times every event is one. We differ in one point: only people who share an item with h can be neighbours, since
those who bought little of anything are near to everybody. Dislikes are subtracted from the disliked item alone.

The arrays hold single people, so `forget` takes people out, and a stored version must be rewritten when one of them is
erased.

Cost: one pass over the events; an answer costs the sum over its items of the people who took them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import ClassVar, Self

import numpy as np
from scipy.sparse import csr_array

from bespeak.models.base import Model
from bespeak.models.fits import FitMemory
from bespeak.models.interactions import Csr, Float32s, Float64s, History, Int64s, Interactions, ItemContent
from bespeak.models.linear import dense, dense_product
from bespeak.models.packing import pack_csr, pack_strings, unpack_csr, unpack_strings
from bespeak.models.sequences.visits import Uses, uses_of, uses_of_log
from bespeak.models.strength import dislikes, stacked
from bespeak.models.topk import kept_entries, largest_per_row

_BLOCK_PAIRS = 8_000_000
"""Upper bound of the pairs of asked and known people that are compared at once."""


@dataclass(frozen=True, eq=False)
class TifuKnn(Model):
    """Temporal item frequencies with nearest neighbours.

    Args:
        neighbours: how many people speak for one.
        own: share of the person's own frequencies in the score, 0 to 1.
        group_size: baskets per group.
        basket_decay: what a basket counts beside the next later one in its group.
        group_decay: what a group counts beside the next later one.
        gap_minutes: a longer pause begins a new basket.
    """

    name: ClassVar[str] = "tifu_knn"
    holds_people: ClassVar[bool] = True

    neighbours: int = 300
    own: float = 0.7
    group_size: int = 7
    basket_decay: float = 0.9
    group_decay: float = 0.7
    gap_minutes: float = 30.0

    def fit_memory(self, n_people: int, n_items: int, n_events: int) -> FitMemory:
        """See `Model.fit_memory`: what is kept is the log."""
        kept = 8.0 * n_events + 32.0 * n_people
        return FitMemory(kept + 120.0 * n_events, kept)

    def fit(self, interactions: Interactions, items: ItemContent | None = None) -> Self:
        """See `Model.fit`. People without a single like are not kept."""
        uses = uses_of_log(interactions, self.gap_minutes)
        people, owners = np.unique(uses.owners, return_inverse=True)
        uses = Uses(owners.astype(np.int64), uses.items, uses.steps, uses.times_ms)
        vectors = self._vectors(uses, (len(people), interactions.n_items))
        held = pack_strings("user_ids", [interactions.user_ids[row] for row in people.tolist()])
        arrays = pack_csr("people", vectors) | held | {"has_times": np.array([interactions.has_times])}
        return self._fitted(interactions.item_ids, arrays, interactions)

    def scores(self, histories: Sequence[History], now_ms: int) -> Float32s:
        """See `Model.scores`; the time plays no part."""
        n_items = len(self.item_ids)
        gap_minutes = self.gap_minutes if self._array("has_times")[0] else None
        asked = self._vectors(uses_of(histories, n_items, gap_minutes), (len(histories), n_items))
        scores = np.float32(self.own) * dense(asked)
        n_pairs = np.diff(self._by_item.indptr)[asked.indices]
        pairs_until = np.append(0, np.cumsum(n_pairs))[asked.indptr]
        for start, stop in _pieces(pairs_until):
            scores[start:stop] += np.float32(1 - self.own) * self._mean_of_nearest(asked[start:stop])
        disliked = dislikes(stacked(histories, n_items, "log"))
        return scores - dense(disliked) if disliked.nnz else scores

    def forget(self, user_ids: Iterable[str]) -> Self:
        """A copy without these people; those it does not hold are ignored."""
        gone = set(user_ids)
        known = unpack_strings("user_ids", self._arrays)
        kept = np.array([row for row, user in enumerate(known) if user not in gone], np.int64)
        people = pack_csr("people", self._people[kept]) | pack_strings("user_ids", [known[row] for row in kept])
        return self._fitted(self.item_ids, people | {"has_times": self._array("has_times")})

    @cached_property
    def _people(self) -> Csr:
        self._array("people_data")
        return unpack_csr("people", self._arrays)

    @cached_property
    def _by_item(self) -> Csr:
        return self._people.T.tocsr()

    @cached_property
    def _squares(self) -> Float64s:
        """float64[people]: the squared length of each vector."""
        return np.asarray(self._people.multiply(self._people).sum(axis=1), np.float64).reshape(-1)

    def _vectors(self, uses: Uses, shape: tuple[int, int]) -> Csr:
        n_baskets = np.zeros(shape[0], np.int64)
        np.maximum.at(n_baskets, uses.owners, uses.steps + 1)
        n_baskets = n_baskets[uses.owners]
        group, place = np.divmod(uses.steps, self.group_size)
        of_group = np.minimum(n_baskets - group * self.group_size, self.group_size)
        n_groups = -(-n_baskets // self.group_size)
        weights = self.group_decay**group * self.basket_decay**place / (of_group * n_groups)
        vectors = csr_array((weights, (uses.owners, uses.items)), shape=shape)
        vectors.sum_duplicates()
        return vectors.astype(np.float32)

    def _mean_of_nearest(self, asked: Csr) -> Float32s:
        shared = (asked @ self._by_item).tocsr()
        shared.sort_indices()
        rows = np.repeat(np.arange(shared.shape[0]), np.diff(shared.indptr))
        own_squares = np.asarray(asked.multiply(asked).sum(axis=1), np.float64).reshape(-1)
        distances = np.maximum(own_squares[rows] + self._squares[shared.indices] - 2 * shared.data, 0)
        near = csr_array((1 / (1 + distances), shared.indices, shared.indptr), shape=shared.shape)
        nearest = kept_entries(near, largest_per_row(near, self.neighbours)).astype(np.float32)
        sizes = np.diff(nearest.indptr)
        nearest.data = (1 / np.repeat(np.maximum(sizes, 1), sizes)).astype(np.float32)
        return dense_product(nearest, self._people)


def _pieces(pairs_until: Int64s) -> list[tuple[int, int]]:
    """Consecutive rows whose pairs stay near `_BLOCK_PAIRS`."""
    n = len(pairs_until) - 1
    edges = [0, *(np.flatnonzero(np.diff(pairs_until[:-1] // _BLOCK_PAIRS)) + 1).tolist(), n]
    return [(start, stop) for start, stop in pairwise(edges) if stop > start]
