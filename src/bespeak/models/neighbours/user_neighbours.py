"""User neighbours: what people with a similar history like.

Resnick et al., "GroupLens", CSCW 1994, for implicit signals: with unit vectors u of likes,

    similarity(h, v) = h . v,   score_j = sum over the `neighbours` most similar people v of similarity(h, v) x_vj

x is signed: what a neighbour dislikes counts against it. A person's own dislikes choose no neighbours; they are
subtracted from the disliked item alone.

This is the stated exception to "item-side parameters only": the arrays hold the training people, so `forget` takes
people out, and a stored version must be rewritten when one of them is erased.

Cost: nothing to fit; scoring costs the sum over history items of the people who like them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from scipy.sparse import csr_array

from bespeak.models.base import Model
from bespeak.models.fits import FitMemory
from bespeak.models.interactions import Csr, Float32s, History, Interactions, ItemContent
from bespeak.models.linear import dense_product
from bespeak.models.packing import pack_csr, pack_strings, unpack_csr, unpack_strings
from bespeak.models.strength import Weighting, dislikes, likes, stacked, strengthened
from bespeak.models.topk import kept_entries, largest_per_row


@dataclass(frozen=True, eq=False)
class UserNeighbours(Model):
    """Neighbourhoods of people.

    Args:
        neighbours: how many people speak for one.
        weighting: how summed weights become strengths.
    """

    name: ClassVar[str] = "user_neighbours"
    holds_people: ClassVar[bool] = True

    neighbours: int = 100
    weighting: Weighting = "log"

    def fit_memory(self, n_people: int, n_items: int, n_events: int) -> FitMemory:
        """See `Model.fit_memory`: what is kept is the log."""
        kept = 8.0 * n_events + 32.0 * n_people
        return FitMemory(3 * kept, kept)

    def fit(self, interactions: Interactions, items: ItemContent | None = None) -> Self:
        """See `Model.fit`. People without a single like are not kept."""
        signed = strengthened(interactions.net, self.weighting)
        useful = np.flatnonzero(np.diff(interactions.matrix.indptr))
        people = pack_strings("user_ids", [interactions.user_ids[row] for row in useful.tolist()])
        arrays = pack_csr("people", signed[useful]) | people
        return self._fitted(interactions.item_ids, arrays, interactions)

    def scores(self, histories: Sequence[History], now_ms: int) -> Float32s:
        """See `Model.scores`; the time plays no part."""
        signed = stacked(histories, len(self.item_ids), self.weighting)
        similarities = (_unit_rows(likes(signed)) @ self._unit_people_by_item).tocsr()
        similarities.sort_indices()
        nearest = kept_entries(similarities, largest_per_row(similarities, self.neighbours))
        scores = dense_product(nearest, self._people)
        disliked = dislikes(signed)
        return scores - disliked.toarray() if disliked.nnz else scores

    def forget(self, user_ids: Iterable[str]) -> Self:
        """A copy without these people; those it does not hold are ignored."""
        gone = set(user_ids)
        known = unpack_strings("user_ids", self._arrays)
        kept = np.array([row for row, user in enumerate(known) if user not in gone], np.int64)
        arrays = pack_csr("people", self._people[kept]) | pack_strings("user_ids", [known[row] for row in kept])
        return self._fitted(self.item_ids, arrays)

    @cached_property
    def _people(self) -> Csr:
        self._array("people_data")
        return unpack_csr("people", self._arrays)

    @cached_property
    def _unit_people_by_item(self) -> Csr:
        return _unit_rows(likes(self._people)).T.tocsr()


def _unit_rows(matrix: Csr) -> Csr:
    """Each row divided by its Euclidean length; empty rows stay empty."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    lengths = np.sqrt(np.bincount(rows, matrix.data.astype(np.float64) ** 2, minlength=matrix.shape[0]))
    return csr_array(((matrix.data / lengths[rows]).astype(np.float32), matrix.indices, matrix.indptr), matrix.shape)
