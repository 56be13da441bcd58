"""From summed weights to strengths: how much the tenth view counts after the first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from scipy.sparse import csr_array

from bespeak.models.interactions import Csr, Float32s, History, Int32s, Int64s

Weighting: TypeAlias = Literal["log", "linear", "presence"]
"""`log`: log2(1 + w), so that one event of weight 1 counts 1; `linear`: w; `presence`: 1 for any positive sum."""


def strength(weights: Float32s, weighting: Weighting) -> Float32s:
    """Strength of each signed sum of weights; odd, so a dislike is as strong as the like of the same size.

    Example:
        >>> import numpy as np
        >>> strength(np.array([3.0, -1.0, 0.0], np.float32), "log").tolist()
        [2.0, -1.0, 0.0]
    """
    if weighting == "linear":
        return weights.astype(np.float32)
    if weighting == "presence":
        return np.sign(weights).astype(np.float32)
    logged: Float32s = (np.sign(weights) * np.log2(1 + np.abs(weights))).astype(np.float32)
    return logged


def strengthened(matrix: Csr, weighting: Weighting) -> Csr:
    """The same CSR matrix with strengths for weights. It shares its pattern with the input: never write to it."""
    return csr_array((strength(matrix.data, weighting), matrix.indices, matrix.indptr), shape=matrix.shape)


def stacked(histories: Sequence[History], n_items: int, weighting: Weighting) -> Csr:
    """CSR float32[n, n_items]: signed strengths of the summed weights, sorted by item; unknown items left out."""
    sizes = np.fromiter((len(history) for history in histories), np.int64, count=len(histories))
    rows = np.repeat(np.arange(len(histories)), sizes)
    items = np.concatenate([h.items for h in histories]) if histories else np.zeros(0, np.int32)
    weights = np.concatenate([h.weights for h in histories]) if histories else np.zeros(0, np.float32)
    return summed(rows, items, weights, (len(histories), n_items), weighting)


def latest_first(histories: Sequence[History], n_items: int, sizes: Float32s, weighting: Weighting) -> Csr:
    """CSR float32[n, n_items]: the latest likes sized by their place from the end, dislikes by their weights.

    Args:
        histories: oldest event first; strangers take no place.
        n_items: how many items the model knows.
        sizes: float32[window], what the latest like counts, the one before it, and so on.
        weighting: how summed sizes become strengths.
    """
    rows: list[Int64s] = []
    items: list[Int32s] = []
    weights: list[Float32s] = []
    for row, history in enumerate(histories):
        known = (history.items >= 0) & (history.items < n_items)
        liked = known & (history.weights > 0)
        latest = history.items[liked][::-1][: len(sizes)]
        disliked = history.items[known & ~liked]
        rows.append(np.full(len(latest) + len(disliked), row))
        items.extend([latest, disliked])
        weights.extend([sizes[: len(latest)], history.weights[known & ~liked]])
    shape = (len(histories), n_items)
    if not rows:
        return csr_array(shape, dtype=np.float32)
    return summed(np.concatenate(rows), np.concatenate(items), np.concatenate(weights), shape, weighting)


def summed(rows: np.ndarray, items: np.ndarray, weights: Float32s, shape: tuple[int, int], weighting: Weighting) -> Csr:
    """Sums weights per (row, item), then takes strengths; items outside of the shape and zero sums are left out."""
    known = (items >= 0) & (items < shape[1])
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows[known], minlength=shape[0]))])
    net = csr_array((weights[known].astype(np.float32), items[known], indptr), shape=shape)
    net.sum_duplicates()
    net.data = strength(net.data, weighting)
    net.eliminate_zeros()
    return net


def likes(signed: Csr) -> Csr:
    """The positive entries of a signed CSR matrix."""
    return signed.maximum(0) if signed.nnz else signed


def dislikes(signed: Csr) -> Csr:
    """The negative entries of a signed CSR matrix, as positive numbers."""
    return (-signed).maximum(0) if signed.nnz else signed
