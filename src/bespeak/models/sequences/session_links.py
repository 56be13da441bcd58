"""Session links: what stands near an item in visits, before it or after it, in one step or in two.

Neighbourhoods of visits in which every visit speaks and counts from each shared item add up to a matrix of items, so no
visit needs to be kept. With the places a, b of the visits s:

    N_ij = sum over s of |s|^(-length) e^(-age(s) / recency) * sum over a of i, b of j, |b - a| <= window, of c(b - a)
    c(g) = e^(-(g - 1) / ahead) after,  behind_share e^(-(-g - 1) / behind) before,  1 at g = 0
    A_ij = N_ij / sum of row i, both without the diagonal
    W_ij = n_i^(-rarity) n_j^(-item_rarity) (N_ij + second_step * (sum of row i of N) * (A A)_ij)
    score_j = sum over the last `window` likes i of a history, d steps from its end, of e^(-d / query_steps) W_ij

n_i is the number of visits with item i, age(s) the share of all visits that came after s. A A walks one step further:
it reaches items that never shared a visit with the query. W_ii stays, for going back is common where repeats are
allowed. The neighbourhoods are those of Jannach and Ludewig (RecSys 2017), the decays those of Garg et al. (STAN, SIGIR
2019); that a matrix of items can hold both, and the second step, are ours. Choi et al. (SLIST, WWW 2021) fit such a
matrix by ridge regression, which takes n_items^2 memory.

Cost: window * events for N, n_items * `fan`^2 for the second step; at most `links` entries per item are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy.sparse import csr_array, dia_array, vstack

from bespeak.models.fits import FitMemory, link_memory, pairs_of
from bespeak.models.interactions import Csr, Float32s, Float64s, History, Interactions, ItemContent
from bespeak.models.linear import SparseLinearModel, packed_weights
from bespeak.models.sequences.visits import Visits, emphasis_of, latest_likes, visits_of
from bespeak.models.strength import latest_first
from bespeak.models.topk import kept_entries, largest_per_row

_BLOCK_PAIRS = 8_000_000
"""Upper bound of the pairs that one block of items may produce in the second step."""


@dataclass(frozen=True, eq=False)
class SessionLinks(SparseLinearModel):
    """Decayed links inside visits.

    Args:
        gap_minutes: a longer pause begins a new visit; None makes one visit of all that a person did.
        window: how many places a link reaches, and how many latest likes of a history count.
        query_steps: after so many steps back a like of the history counts 1 / e.
        ahead: after so many places a later item counts 1 / e.
        behind: the same for earlier items.
        behind_share: what an earlier item counts beside a later one; 0 makes rules that only look ahead.
        second_step: what two steps count beside one; 0 stays with items that shared a visit.
        rarity: exponent of how much a common item of the history counts less.
        item_rarity: exponent of how much a common recommended item counts less.
        length: exponent of how much a long visit counts less.
        recency: a visit counts 1 / e once this share of all visits came after it; 0: all ages count the same; None: the
            likeliest for the data.
        links: how many are kept per item.
        fan: how many of an item's links the second step follows.
    """

    name: ClassVar[str] = "session_links"

    gap_minutes: float | None = 30.0
    window: int = 20
    query_steps: float = 2.0
    ahead: float = 3.0
    behind: float = 4.0
    behind_share: float = 0.7
    second_step: float = 1.5
    rarity: float = 0.6
    item_rarity: float = 0.3
    length: float = 0.4
    recency: float | None = None
    links: int = 300
    fan: int = 100

    def fit_memory(self, n_people: int, n_items: int, n_events: int) -> FitMemory:
        """See `Model.fit_memory`: all links of one step stand in memory before the strongest of both are kept."""
        n_pairs = min(2 * self.window * n_events, pairs_of(n_people, n_items, n_events))
        links = link_memory(n_items, self.links, min(3 * n_pairs, n_items**2))
        return FitMemory(links.peak_bytes + 25.0 * n_pairs + 64.0 * n_events, links.kept_bytes)

    def fit(self, interactions: Interactions, items: ItemContent | None = None) -> Self:
        """See `Model.fit`."""
        n_items = interactions.n_items
        visits = visits_of(interactions, self.gap_minutes)
        near = self._near(visits, n_items)
        common = np.maximum(visits.n_with(n_items), 1).astype(np.float64)
        kept = self._with_second_step(near, common**-self.rarity, common**-self.item_rarity)
        return self._fitted(interactions.item_ids, packed_weights(kept), interactions)

    def _near(self, visits: Visits, n_items: int) -> Csr:
        """N of the module docstring, CSR float64[n_items, n_items]."""
        lengths = visits.lengths
        emphasis = emphasis_of(visits, n_items, self.length, self.recency)
        visit = np.repeat(np.arange(len(visits)), lengths)
        itself = np.bincount(visits.items, emphasis[visit], minlength=n_items).astype(np.float64)
        after = before = csr_array((n_items, n_items), dtype=np.float64)
        for gap in range(1, min(self.window, int(lengths.max(initial=1)) - 1) + 1):
            same = visit[gap:] == visit[:-gap]
            ends = (visits.items[:-gap][same], visits.items[gap:][same])
            together = csr_array((emphasis[visit[gap:][same]], ends), shape=(n_items, n_items))
            after = after + np.exp(-(gap - 1) / self.ahead) * together
            before = before + self.behind_share * np.exp(-(gap - 1) / self.behind) * together
        return (after + before.T + _diagonal(itself)).tocsr()

    def _with_second_step(self, near: Csr, row_factors: Float64s, column_factors: Float64s) -> Csr:
        """W of the module docstring, cut to `links` per row."""
        columns = _diagonal(column_factors)
        one_step = _diagonal(row_factors) @ near
        if self.second_step:
            steps = _without_diagonal(near)
            steps.sort_indices()
            steps = kept_entries(steps, largest_per_row(steps, self.fan))
            steps = _diagonal(1 / np.maximum(steps.sum(axis=1), np.finfo(np.float64).tiny)) @ steps
            reaching = _diagonal(self.second_step * one_step.sum(axis=1)) @ steps
        block = max(1, _BLOCK_PAIRS // self.fan**2)
        parts = []
        for start in range(0, near.shape[0], block):
            links = one_step[start : start + block]
            if self.second_step:
                links = links + _without_diagonal(reaching[start : start + block] @ steps, start)
            links = (links @ columns).tocsr()
            links.sort_indices()
            parts.append(kept_entries(links, largest_per_row(links, self.links)).astype(np.float32))
        return vstack(parts, format="csr") if parts else csr_array((0, 0), dtype=np.float32)

    @property
    def step_sizes(self) -> Float32s:
        """float32[window]: what the latest like counts, the one before it, and so on."""
        return np.asarray(np.exp(-np.arange(self.window) / self.query_steps), np.float32)

    def _strengths(self, histories: Sequence[History]) -> Csr:
        shape = (len(histories), len(self.item_ids))
        likes = latest_likes(histories, shape[1], self.window)
        sizes = self.step_sizes[likes.steps]
        dislikes = latest_first(histories, shape[1], np.zeros(0, np.float32), "linear")  # of no likes
        return csr_array((sizes, (likes.rows, likes.items)), shape=shape) + dislikes


def _diagonal(values: Float64s) -> Csr:
    return dia_array((values[None, :], [0]), shape=(len(values), len(values))).tocsr()


def _without_diagonal(matrix: Csr, first_row: int = 0) -> Csr:
    """A copy in which row r has nothing at column `first_row` + r."""
    kept = matrix.tocsr(copy=True)
    rows = np.repeat(np.arange(first_row, first_row + kept.shape[0]), np.diff(kept.indptr))
    kept.data[rows == kept.indices] = 0
    kept.eliminate_zeros()
    return kept
