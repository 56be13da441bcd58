"""Boosted trees on top of the linear score, served by plain arrays: no library that grew them is needed.

All trees have the same depth D, laid out as heaps: node i has the children 2i + 1 (value <= threshold) and 2i + 2, so a
step down all trees for all candidates is three look-ups. A branch that ends earlier goes left through nodes whose
threshold is `ENDED`. Sums run in the order of the trees, so scores equal those of the library bit by bit.

Contributions are Shapley values (Lundberg et al., "From local explanations to global understanding with explainable AI
for trees", 2020, path-dependent): a leaf is a box, its value a product over the features of its path, and the Shapley
value of a product is a weighted sum of the coefficients of a polynomial. They add up, with `base`, to the score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import factorial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Float64s: TypeAlias = npt.NDArray[np.float64]
Int64s: TypeAlias = npt.NDArray[np.int64]

ENDED = float(np.finfo(np.float64).max)
"""No value is larger: the way goes left."""

TREES = "trees"
"""The signal that holds what the trees give."""


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees over named signals.

    Attributes:
        names: the signals.
        features: int64[t, 2^D - 1], which signal each node asks for.
        thresholds: float64[t, 2^D - 1], `ENDED` where a branch has ended.
        leaves: float64[t, 2^D].
        covers: float64[t, 2^D], rows of the training data in each leaf; 0 for one that cannot be reached.
    """

    names: tuple[str, ...]
    features: Int64s
    thresholds: Float64s
    leaves: Float64s
    covers: Float64s

    @property
    def depth(self) -> int:
        """How many steps lead to a leaf."""
        return int(self.leaves.shape[1]).bit_length() - 1

    def scores(self, names: Sequence[str], values: Float64s) -> Float64s:
        """float64[c]: the sum of the trees.

        Args:
            names: f signals; one that the trees do not know is left out, one that is missing counts as 0.
            values: float64[c, f].
        """
        rows = self.aligned(names, values)
        n_rows, n_trees = len(rows), len(self.leaves)
        flat, width = rows.ravel(), rows.shape[1]
        start = np.arange(n_rows)[:, None] * width
        tree = np.arange(n_trees)[None, :] * self.features.shape[1]
        features, thresholds = self.features.ravel(), self.thresholds.ravel()
        node = np.zeros((n_rows, n_trees), np.int64)
        for _ in range(self.depth):
            place = node + tree
            goes_right = flat.take(start + features.take(place)) > thresholds.take(place)
            node = 2 * node + 1 + goes_right
        leaf = node - self.features.shape[1] + np.arange(n_trees)[None, :] * self.leaves.shape[1]
        total = np.zeros(n_rows)
        for column in self.leaves.ravel().take(leaf).T:
            total += column
        return total

    def aligned(self, names: Sequence[str], values: Float64s) -> Float64s:
        """float64[c, len(self.names)]: the columns that the trees know, in their order; 0 for a missing one."""
        place = {name: column for column, name in enumerate(names)}
        found = np.zeros((len(values), max(len(self.names), 1)))
        known = [(own, place[name]) for own, name in enumerate(self.names) if name in place]
        if known:
            found[:, [own for own, _ in known]] = values[:, [column for _, column in known]]
        return found

    @property
    def base(self) -> float:
        """What the trees give on average; with the contributions of a row it adds up to its score."""
        return float((self.leaves * self.covers / self.covers.sum(axis=1, keepdims=True)).sum())

    def contributions(self, row: Float64s) -> Float64s:
        """float64[len(self.names)]: what each signal adds to the score of one aligned row."""
        boxes = self._boxes
        known = np.append(row, 0.0)[boxes.features]
        ones = ((known > boxes.low) & (known <= boxes.high)).astype(np.float64)
        depth = boxes.features.shape[1]
        shares = np.array([factorial(s) * factorial(depth - 1 - s) / factorial(depth) for s in range(depth)])
        found = np.zeros(len(row) + 1)
        for player in range(depth):
            others = np.zeros((len(boxes.values), depth))
            others[:, 0] = 1.0
            for other in range(depth):
                if other != player:
                    one, zero = ones[:, other, None], boxes.shares[:, other, None]
                    others[:, 1:], others[:, :1] = others[:, 1:] * zero + others[:, :-1] * one, others[:, :1] * zero
            worth = boxes.values * (ones[:, player] - boxes.shares[:, player]) * (others @ shares)
            found += np.bincount(boxes.features[:, player], worth, len(found))
        return found[: len(row)]

    @cached_property
    def _boxes(self) -> _Boxes:
        depth, n_nodes = self.depth, self.features.shape[1]
        parts = [self._boxes_of(tree, depth, n_nodes) for tree in range(len(self.leaves))]
        return _Boxes(*(np.concatenate([part[place] for part in parts]) for place in range(5)))

    def _boxes_of(self, tree: int, depth: int, n_nodes: int) -> tuple[Int64s, Float64s, Float64s, Float64s, Float64s]:
        reached = np.flatnonzero(self.covers[tree] > 0)
        covers = np.concatenate([np.zeros(n_nodes), self.covers[tree]])
        for node in range(n_nodes - 1, -1, -1):
            covers[node] = covers[2 * node + 1] + covers[2 * node + 2]
        nobody = len(self.names)
        features = np.full((len(reached), max(depth, 1)), nobody, np.int64)
        low, high = np.full(features.shape, -np.inf), np.full(features.shape, np.inf)
        shares = np.ones(features.shape)
        for row, leaf in enumerate(reached.tolist()):
            held: dict[int, int] = {}
            node = leaf + n_nodes
            while node:
                parent, is_left = (node - 1) // 2, node % 2 == 1
                threshold = float(self.thresholds[tree, parent])
                if threshold < ENDED:
                    place = held.setdefault(int(self.features[tree, parent]), len(held))
                    features[row, place] = self.features[tree, parent]
                    shares[row, place] *= covers[node] / covers[parent]
                    if is_left:
                        high[row, place] = min(high[row, place], threshold)
                    else:
                        low[row, place] = max(low[row, place], threshold)
                node = parent
        return features, low, high, shares, self.leaves[tree, reached]


@dataclass(frozen=True, eq=False)
class _Boxes:
    """All leaves that can be reached: on the path of each, every feature once; the code behind the last pads.

    Attributes:
        features: int64[l, D].
        low, high: float64[l, D], a value above low and at most high stays on the path.
        shares: float64[l, D], the share of the training rows that stayed.
        values: float64[l].
    """

    features: Int64s
    low: Float64s
    high: Float64s
    shares: Float64s
    values: Float64s
