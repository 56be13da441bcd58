"""Item neighbours: items liked by the same people.

Sarwar, Karypis, Konstan, Riedl, "Item-based collaborative filtering recommendation algorithms", WWW 2001, with the
shrinkage of Bell and Koren (2007) against chance meetings:

    W_ij = x_i . x_j / (|x_i| |x_j| + shrinkage),  each row cut to its largest `neighbours`,  W_ii = 0,  scores = x W

x_i is the column of strengths of item i over all people (positive sums). For every pair the number of distinct people
behind it is kept: `similar` shows a pair only from `min_people` on, so that no row of "people who liked this" gives
away what one person did.

Cost: sum over people of (items of that person)^2 operations; memory is bounded by working on blocks of items, the
result takes 12 bytes per kept neighbour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, vstack

from bespeak.models.fits import FitMemory, link_memory, pairs_of
from bespeak.models.interactions import Csr, Float32s, Int32s, Interactions, ItemContent
from bespeak.models.item_weights.propagation import item_blocks
from bespeak.models.linear import SparseLinearModel, packed_weights
from bespeak.models.neighbours.meetings import Meetings
from bespeak.models.strength import Weighting, strengthened
from bespeak.models.topk import kept_entries, largest_per_row, top_k

_BLOCK_PAIRS = 500_000
"""Upper bound of the pairs of one block of items: so few that each takes over the memory of the last."""


@dataclass(frozen=True, eq=False)
class ItemNeighbours(SparseLinearModel):
    """Cosine item-to-item neighbourhoods.

    Args:
        neighbours: how many are kept per item.
        shrinkage: added to the denominator; more means that pairs need more evidence.
        min_people: distinct people that a pair needs before `similar` shows it. Scores use every pair.
        weighting: how summed weights become strengths.
    """

    name: ClassVar[str] = "item_neighbours"

    neighbours: int = 200
    shrinkage: float = 10.0
    min_people: int = 5
    weighting: Weighting = "log"

    def fit_memory(self, n_people: int, n_items: int, n_events: int) -> FitMemory:
        """See `Model.fit_memory`: links and the people behind each."""
        links = link_memory(n_items, self.neighbours, pairs_of(n_people, n_items, n_events), n_copies=3)
        return FitMemory(links.peak_bytes + 16.0 * n_events, 1.5 * links.kept_bytes)

    def fit(self, interactions: Interactions, items: ItemContent | None = None) -> Self:
        """See `Model.fit`."""
        strengths = strengthened(interactions.matrix, self.weighting)
        lengths = np.sqrt(np.asarray(strengths.multiply(strengths).sum(axis=0), np.float32).reshape(-1))
        meetings = Meetings.of(strengths)
        parts = [self._nearest(meetings, lengths, block) for block in item_blocks(strengths, _BLOCK_PAIRS)]
        nearest = vstack([part for part, _ in parts], format="csr") if parts else csr_array((0, 0), dtype=np.float32)
        people = np.concatenate([count for _, count in parts]) if parts else np.zeros(0, np.int32)
        return self._fitted(interactions.item_ids, packed_weights(nearest) | {"people": people}, interactions)

    def similar(self, item_index: npt.ArrayLike, k: int) -> tuple[Int32s, Float32s]:
        """See `Model.similar`; pairs with fewer than `min_people` distinct people are left out."""
        chosen = np.asarray(item_index, np.int64)
        nearest = self._weights
        shown = csr_array((np.where(self._array("people") >= self.min_people, nearest.data, 0), nearest.indices,
                           nearest.indptr), shape=nearest.shape)[chosen].toarray()  # fmt: skip
        return top_k(np.where(shown > 0, shown, -np.inf), k)

    def people_behind(self, item: int, other: int) -> int:
        """How many distinct people like both; 0 for a pair that is not kept."""
        starts, indices = self._weights.indptr, self._weights.indices
        counts = [0]
        for one, two in ((item, other), (other, item)):
            entries = slice(starts[one], starts[one + 1])
            counts.extend(self._array("people")[entries][indices[entries] == two].tolist())
        return max(counts)

    def _nearest(self, meetings: Meetings, lengths: Float32s, block: slice) -> tuple[Csr, Int32s]:
        """The nearest items of one block: CSR float32[block, n_items], and the people behind each entry."""
        together, people = meetings.block(block)
        sizes = np.diff(together.indptr)
        both = np.repeat(lengths[block], sizes)
        both *= lengths[together.indices]
        both += np.float32(self.shrinkage)
        together.data /= both
        together.data[np.repeat(np.arange(block.start, block.stop, dtype=np.int32), sizes) == together.indices] = 0
        kept = largest_per_row(together, self.neighbours)
        nearest = kept_entries(together, kept)
        nearest.data = kept  # sorted by way of its columns, with where each entry stood
        nearest = nearest.tocsc().tocsr()
        stood = nearest.data
        nearest.data = together.data[stood]
        return nearest, people[stood]
