"""Finding a blend on the choosing cut: start with one model, add another where it helps beyond noise.

Greedy forward selection (Caruana et al., "Ensemble selection from libraries of models", ICML 2004), at most four
members. An addition is kept only if it gains beyond noise (see `beyond_noise`). Weights are tried on a pool per person:
the union of the first `_POOL_DEPTH` items of every model's list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bespeak.learn.choosing.beyond_noise import groups_of, sure_gain
from bespeak.learn.choosing.ranked import Ranked, union
from bespeak.learn.metrics import hits
from bespeak.learn.splits import Split
from bespeak.models.interactions import Bools, Float32s, Float64s
from bespeak.models.topk import top_k

_POOL_DEPTH = 100
_MOST_MEMBERS = 4
_PARTS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Weights tried for an added member, relative to the whole that stands already."""
_REFINEMENTS = 3
_STEPS = (1.4, 1 / 1.4)
"""Factors tried on the weight of a member, at most so many times around."""


@dataclass(frozen=True, slots=True, eq=False)
class FoundBlend:
    """The best weights on the choosing cut.

    Attributes:
        positions: of the members among the models given, in that order.
        weights: one per member; they add up to 1. A single 1 means that no blend beat the first model.
        ndcg: mean NDCG@k on the choosing cut.
    """

    positions: tuple[int, ...]
    weights: tuple[float, ...]
    ndcg: float


@dataclass(frozen=True, slots=True, eq=False)
class _Pool:
    """Per person the items worth ranking, ascending, padded at the end.

    Attributes:
        scores: float32[members, n, width]; minus infinity in the padding.
        right: bool[n, width], whether an item is a right answer.
        n_right: int[n], right answers of each person, in the pool or not.
    """

    scores: Float32s
    right: Bools
    n_right: npt.NDArray[np.int64]

    def ndcg(self, weights: Float32s, k: int) -> Float64s:
        """float64[n]: NDCG@k of the weighted sum."""
        used = np.flatnonzero(weights)
        total = np.tensordot(weights[used], self.scores[used], axes=1)
        index, _ = top_k(total, k)
        found = np.take_along_axis(self.right, np.maximum(index, 0), axis=1) & (index >= 0)
        gains = 1 / np.log2(np.arange(2, k + 2))
        ideal = np.cumsum(gains)[np.minimum(self.n_right, k) - 1]
        return np.asarray(found @ gains / ideal, np.float64)


def find_blend(models: Sequence[Sequence[Ranked]], cuts: Sequence[Split], k: int) -> FoundBlend:
    """The best blend of models, over the people of all cuts together.

    Args:
        models: per cut the lists of the same models; the one that blends start with first; of equals the earlier one
            is taken.
        cuts: the choosing cuts, each with at least one person.
        k: items that count.
    """
    pool = _joined([_pooled(lists, cut, max(k, _POOL_DEPTH)) for lists, cut in zip(models, cuts, strict=True)])
    groups = groups_of(cuts)
    weights = np.zeros(len(models[0]), np.float32)
    weights[0] = 1
    current = pool.ndcg(weights, k)
    for _ in range(_MOST_MEMBERS - 1):
        trials = []
        for added in np.flatnonzero(weights == 0):
            for part in _PARTS:
                trial = weights.copy()
                trial[added] = part
                trials.append((trial / trial.sum(), added))
        figures = [pool.ndcg(trial, k) for trial, _ in trials]
        if not figures:
            break
        sure_gains = [sure_gain(figure - current, groups) for figure in figures]
        best = int(np.argmax(sure_gains))
        if sure_gains[best] <= 0:
            break
        weights, current = trials[best][0], figures[best]
    weights, current = _refined(pool, weights, current, k)
    used = np.flatnonzero(weights)
    return FoundBlend(
        positions=tuple(used.tolist()),
        weights=tuple(round(float(weights[position]), 4) for position in used),
        ndcg=float(current.mean()),
    )


def _refined(pool: _Pool, weights: Float32s, current: Float64s, k: int) -> tuple[Float32s, Float64s]:
    """Moves the weight of one member at a time as long as that helps; no member comes or goes."""
    members = np.flatnonzero(weights)
    for _ in range(_REFINEMENTS if len(members) > 1 else 0):
        before = current.mean()
        for member in members:
            for factor in _STEPS:
                trial = weights.copy()
                trial[member] *= np.float32(factor)
                trial /= trial.sum()
                figures = pool.ndcg(trial, k)
                if figures.mean() > current.mean():
                    weights, current = trial, figures
                    break
        if current.mean() == before:
            break
    return weights, current


def _pooled(models: Sequence[Ranked], split: Split, depth: int) -> _Pool:
    items = union([lists.index[:, :depth] for lists in models], split.fit.n_items)
    scores = np.stack([lists.scores_of(items, split.fit.n_items) for lists in models])
    return _Pool(scores, hits(items, split.truth), np.diff(split.truth.indptr).astype(np.int64))


def _joined(pools: Sequence[_Pool]) -> _Pool:
    """The people of several pools in one, padded to the widest."""
    width = max(pool.right.shape[1] for pool in pools)
    room = [(0, width - pool.right.shape[1]) for pool in pools]
    scores = [
        np.pad(pool.scores, ((0, 0), (0, 0), pad), constant_values=-np.inf)
        for pool, pad in zip(pools, room, strict=True)
    ]
    right = [np.pad(pool.right, ((0, 0), pad)) for pool, pad in zip(pools, room, strict=True)]
    counts = np.concatenate([pool.n_right for pool in pools])
    return _Pool(np.concatenate(scores, axis=1), np.concatenate(right), counts)
