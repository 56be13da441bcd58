"""Item-to-item links by three steps on the graph of people and items: item -> person -> item.

    W_ij = sum over people u of x_ui x_uj / (d_u^person d_i^known d_j^scored)

x are strengths of likes, d_u and d_i their sums per person and per item. The three exponents say how much less it tells
that a busy person liked both, that the known item is popular, and that the scored item is. Half, half and one make the
cosine-like matrix of GF-CF; RP3beta (Paudel et al., 2017) ties `person` to `known`; LinkProp (Fu et al., WWW 2022)
leaves all three free.

Cost: sum over people of (items of that person)^2 operations; memory is bounded by working on blocks of items.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.sparse import csr_array, vstack

from bespeak.models.interactions import Csr, Float32s
from bespeak.models.topk import kept_entries, largest_per_row

_BLOCK_PAIRS = 8_000_000
"""Upper bound of the pairs that one block of items may produce before they are cut to the strongest."""


def degrees(strengths: Csr, axis: int) -> Float32s:
    """float32: sums of strengths per item (`axis` 0) or person (`axis` 1); 1 where there are none.

    Example:
        >>> degrees(csr_array(np.array([[1.0, 0.0], [2.0, 0.0]])), 0).tolist()
        [3.0, 1.0]
    """
    sums = np.asarray(strengths.sum(axis=axis), np.float32).reshape(-1)
    return np.where(sums > 0, sums, np.float32(1))


def rescaled(strengths: Csr, per_person: Float32s, per_item: Float32s) -> Csr:
    """CSR float32: every strength times the factor of its person and of its item; the pattern is shared."""
    rows = np.repeat(np.arange(strengths.shape[0]), np.diff(strengths.indptr))
    data = strengths.data * per_person[rows] * per_item[strengths.indices]
    return csr_array((data.astype(np.float32), strengths.indices, strengths.indptr), shape=strengths.shape)


def three_steps(strengths: Csr, *, person: float, known: float, scored: float, neighbours: int) -> Csr:
    """CSR float32[n_items, n_items]: W without its diagonal, each row cut to its largest `neighbours`, columns sorted.

    Args:
        strengths: CSR float32[n_users, n_items], positive.
        person: exponent of the sums of people.
        known: exponent of the sums of the items one starts from (rows).
        scored: exponent of the sums of the items one arrives at (columns).
        neighbours: entries kept per row.
    """
    of_items = degrees(strengths, 0)
    starts = rescaled(strengths, degrees(strengths, 1) ** -np.float32(person), of_items ** -np.float32(known))
    ends = rescaled(strengths, np.ones(strengths.shape[0], np.float32), of_items ** -np.float32(scored))
    parts = [_strongest(starts, ends, block, neighbours) for block in item_blocks(strengths, _BLOCK_PAIRS)]
    if not parts:
        return csr_array((strengths.shape[1], strengths.shape[1]), dtype=np.float32)
    links = vstack(parts, format="csr")
    links.sort_indices()
    return links


def item_blocks(strengths: Csr, most_pairs: int) -> list[slice]:
    """Consecutive items whose pairs stay below `most_pairs`: per item the sum of what its people liked."""
    per_person = np.diff(strengths.indptr)
    n_items = strengths.shape[1]
    liked_by_its_people = np.bincount(strengths.indices, np.repeat(per_person, per_person), minlength=n_items)
    block_of = np.cumsum(np.minimum(liked_by_its_people, n_items)) // most_pairs
    edges = [0, *(np.flatnonzero(np.diff(block_of)) + 1).tolist(), n_items]
    return [slice(start, stop) for start, stop in pairwise(edges) if stop > start]


def _strongest(starts: Csr, ends: Csr, block: slice, neighbours: int) -> Csr:
    links = (starts[:, block].T.tocsr() @ ends).tocsr()
    links.sort_indices()  # of equal links the lower items are kept
    rows = np.repeat(np.arange(block.start, block.stop), np.diff(links.indptr))
    links.data[rows == links.indices] = 0
    return kept_entries(links, largest_per_row(links, neighbours))
