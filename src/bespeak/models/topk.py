"""Exact top-k with exclusion. Ties go to the lower item index; NaN counts as minus infinity."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from bespeak.models.interactions import Bools, Csr, Float32s, Int32s, Int64s


def top_k(scores: npt.ArrayLike, k: int, exclude: Csr | Bools | None = None) -> tuple[Int32s, Float32s]:
    """The k best items of each row, best first.

    Args:
        scores: [n, n_items], higher is better; left untouched.
        k: how many at most.
        exclude: bool[n, n_items], or a CSR matrix of that shape whose stored entries are left out.

    Returns:
        index int32[n, k], score float32[n, k]; where fewer than k items are left: index -1, score minus infinity.

    Example:
        >>> index, score = top_k([[1.0, 3.0, 3.0]], 2)
        >>> index.tolist(), score.tolist()
        ([[1, 2]], [[3.0, 3.0]])
    """
    ranked = np.array(scores, np.float32, ndmin=2)  # a copy: the caller's array may be mapped read-only
    n, n_items = ranked.shape
    np.copyto(ranked, -np.inf, where=np.isnan(ranked))
    if exclude is not None:
        if isinstance(exclude, np.ndarray):
            np.copyto(ranked, -np.inf, where=exclude)
        else:
            rows = np.repeat(np.arange(n), np.diff(exclude.indptr))
            ranked[rows, exclude.indices] = -np.inf
    index = np.full((n, k), -1, np.int32)
    best = np.full((n, k), -np.inf, np.float32)
    width = min(k, n_items)
    if n == 0 or width <= 0:
        return index, best
    chosen = _exact_members(ranked, width)
    values = np.take_along_axis(ranked, chosen, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")  # chosen is ascending, so ties keep the lower index first
    index[:, :width] = np.take_along_axis(chosen, order, axis=1)
    best[:, :width] = np.take_along_axis(values, order, axis=1)
    index[np.isneginf(best)] = -1
    return index, best


def _exact_members(ranked: Float32s, width: int) -> npt.NDArray[np.int64]:
    """int64[n, width]: which items are in the top, ascending; at the edge the lowest indices among equals."""
    n, n_items = ranked.shape
    if width == n_items:
        return np.broadcast_to(np.arange(n_items), (n, n_items))
    # Of the negated scores, since partitioning far behind thousands of equal zeros takes twenty times as long.
    edge = -np.partition(-ranked, width - 1, axis=1)[:, width - 1, None]
    member = ranked >= edge
    sizes = np.count_nonzero(member, axis=1)
    for row in np.flatnonzero(sizes > width).tolist():
        at_edge = np.flatnonzero(ranked[row] == edge[row])
        member[row, at_edge[len(at_edge) - (sizes[row] - width) :]] = False
    return np.nonzero(member)[1].reshape(n, width)


def largest_per_row(matrix: Csr, k: int) -> Int64s:
    """Where in `matrix.data` the k largest positive entries of each row stand, ascending; ties go to the lower column.

    With sorted indices, that is: of equals the entries that are stored first are kept.

    Example:
        >>> from scipy.sparse import csr_array
        >>> largest_per_row(csr_array(np.array([[1.0, 3.0, 2.0, 2.0]])), 2).tolist()
        [1, 2]
    """
    starts, sizes = matrix.indptr, np.diff(matrix.indptr)
    edges = np.where(sizes > k, np.inf, 0).astype(matrix.data.dtype)  # the least that is kept of each row
    for row in np.flatnonzero(sizes > k).tolist() if k else ():
        values = matrix.data[starts[row] : starts[row + 1]].copy()
        values.partition(len(values) - k)
        edges[row] = values[len(values) - k]
    keep = matrix.data >= np.repeat(edges, sizes)
    keep &= matrix.data > 0
    kept = np.flatnonzero(keep)
    too_many = np.diff(np.searchsorted(kept, starts)) - k
    for row in np.flatnonzero(too_many > 0).tolist():
        equals = starts[row] + np.flatnonzero(matrix.data[starts[row] : starts[row + 1]] == edges[row])
        keep[equals[len(equals) - too_many[row] :]] = False  # the highest columns among equals
    return np.flatnonzero(keep) if np.any(too_many > 0) else kept


def kept_entries(matrix: Csr, kept: Int64s) -> Csr:
    """The CSR matrix that holds only the entries of `matrix` at the positions `kept` (ascending)."""
    parts = (matrix.data[kept], matrix.indices[kept], np.searchsorted(kept, matrix.indptr))
    return csr_array(parts, shape=matrix.shape)
