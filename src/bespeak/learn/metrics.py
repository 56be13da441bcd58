"""Ranking metrics: one figure per person, so that intervals and paired differences can be taken over people.

With T the right answers of a person and L the first k recommended items:

    recall  |L and T| / |T|
    ndcg    sum over hits of 1 / log2(rank + 1), divided by the same sum over ranks 1..min(k, |T|)
    hit     1 with a hit, else 0
    mrr     1 / rank of the first hit, 0 without one
    map     sum over hits of (hits up to that rank / rank), divided by min(k, |T|)

A person without recommendations counts as 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bespeak.models.interactions import Bools, Csr, Float64s, Int32s


@dataclass(frozen=True, slots=True, eq=False)
class RankingFigures:
    """Each float64[n], one figure per person."""

    recall: Float64s
    ndcg: Float64s
    hit: Float64s
    mrr: Float64s
    map: Float64s


def hits(index: Int32s, truth: Csr) -> Bools:
    """bool[n, k]: whether each recommended item is a right answer.

    Args:
        index: int32[n, k], recommended items, best first, -1 for none.
        truth: CSR [n, n_items] with ones at the right answers.
    """
    n, k = index.shape
    n_items = np.int64(max(1, truth.shape[1]))
    rows = np.arange(n, dtype=np.int64)
    right = np.repeat(rows, np.diff(truth.indptr)) * n_items + truth.indices
    given = np.where(index >= 0, rows[:, None] * n_items + index, -1)
    return np.isin(given, right).reshape(n, k)


def ranking_figures(index: Int32s, truth: Csr) -> RankingFigures:
    """All figures at k = `index.shape[1]`. Each person needs at least one right answer.

    Example:
        >>> from scipy.sparse import csr_array
        >>> figures = ranking_figures(np.array([[2, 0]], np.int32), csr_array([[1.0, 1.0, 0.0]]))
        >>> figures.recall.tolist(), figures.mrr.tolist(), round(float(figures.ndcg[0]), 4)
        ([0.5], [0.5], 0.3869)
    """
    found = hits(index, truth)
    k = index.shape[1]
    ranks = np.arange(1, k + 1)
    n_right = np.diff(truth.indptr).astype(np.float64)
    n_ideal = np.minimum(n_right, k).astype(np.int64)
    gains = 1 / np.log2(ranks + 1)
    ideal = np.concatenate([[0.0], np.cumsum(gains)])[n_ideal]
    so_far = np.cumsum(found, axis=1)
    first = found & (so_far == 1)
    return RankingFigures(
        recall=found.sum(axis=1) / n_right,
        ndcg=(found * gains).sum(axis=1) / ideal,
        hit=np.asarray(found.any(axis=1), np.float64),
        mrr=(first / ranks).sum(axis=1),
        map=(found * so_far / ranks).sum(axis=1) / n_ideal,
    )


def coverage(index: Int32s, n_items: int) -> float:
    """Share of the items that stand in at least one list."""
    return len(np.unique(index[index >= 0])) / n_items if n_items else 0.0


def novelty(index: Int32s, people_per_item: Float64s, n_people: int) -> float:
    """Mean self-information in bits of the recommended items: -log2 of the share of people who know an item.

    An item that nobody knows counts as known to half a person. Vargas and Castells (2011).
    """
    given = index[index >= 0]
    if not len(given) or n_people == 0:
        return 0.0
    known = np.maximum(people_per_item[given], 0.5) / n_people
    return float(-np.log2(np.minimum(known, 1)).mean())
