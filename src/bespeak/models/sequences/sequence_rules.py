"""Sequence rules: what people went on to after an item.

Ludewig and Jannach, "Evaluation of session-based recommendation algorithms" (2018), sequential rules (SR), here over
the whole ordered history and normed by how common both items are:

    N_ij = sum over people and positions a < b <= a + window with items i, j of 1 / (b - a)
    W_ij = N_ij / (n_i n_j)^norm,   W_ii = 0,   score_j = sum over the last `window` likes i at distance d of W_ij / d

n is the number of likes of an item. Only positive events make the sequence. A dislike pushes down what follows the
disliked item (see `linear`).

Cost: window * events operations; at most `successors` entries per item are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy.sparse import csr_array

from bespeak.models.fits import FitMemory, link_memory, pairs_of
from bespeak.models.interactions import Csr, Float32s, History, Interactions, ItemContent
from bespeak.models.linear import SparseLinearModel, packed_weights
from bespeak.models.strength import Weighting, latest_first
from bespeak.models.topk import kept_entries, largest_per_row


@dataclass(frozen=True, eq=False)
class SequenceRules(SparseLinearModel):
    """Decayed sequential rules.

    Args:
        window: how many steps ahead a rule reaches, and how many latest likes of a history count.
        norm: exponent of the popularity of both items; 0 none, 0.5 the square root.
        successors: how many rules are kept per item.
        weighting: how the summed 1 / d of a history become strengths.
    """

    name: ClassVar[str] = "sequence_rules"

    window: int = 10
    norm: float = 0.5
    successors: int = 500
    weighting: Weighting = "linear"

    def fit_memory(self, n_people: int, n_items: int, n_events: int) -> FitMemory:
        """See `Model.fit_memory`: all rules stand in memory before the strongest are kept."""
        n_pairs = min(self.window * n_events, pairs_of(n_people, n_items, n_events))
        links = link_memory(n_items, self.successors, n_pairs)
        return FitMemory(links.peak_bytes + 25.0 * n_pairs + 32.0 * n_events, links.kept_bytes)

    def fit(self, interactions: Interactions, items: ItemContent | None = None) -> Self:
        """See `Model.fit`."""
        liked = interactions.select(interactions.weights > 0)
        n_items = interactions.n_items
        counts = np.bincount(liked.item_index, minlength=n_items).astype(np.float64)
        rules = csr_array((n_items, n_items), dtype=np.float64)
        for distance in range(1, self.window + 1):
            same = liked.user_index[distance:] == liked.user_index[:-distance]
            before, after = liked.item_index[:-distance][same], liked.item_index[distance:][same]
            steps = np.full(len(before), 1.0 / distance)
            rules = rules + csr_array((steps, (before, after)), shape=(n_items, n_items))
        rules = rules.tocsr()
        rules.sort_indices()
        rows = np.repeat(np.arange(n_items), np.diff(rules.indptr))
        rules.data /= (counts[rows] * counts[rules.indices]) ** self.norm
        rules.data[rows == rules.indices] = 0
        kept = kept_entries(rules, largest_per_row(rules, self.successors)).astype(np.float32)
        return self._fitted(interactions.item_ids, packed_weights(kept), interactions)

    @property
    def step_sizes(self) -> Float32s:
        """float32[window]: what the latest like counts, the one before it, and so on."""
        return np.float32(1) / np.arange(1, self.window + 1, dtype=np.float32)

    def _strengths(self, histories: Sequence[History]) -> Csr:
        return latest_first(histories, len(self.item_ids), self.step_sizes, self.weighting)
