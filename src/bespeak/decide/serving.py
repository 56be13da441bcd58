"""Models in the form that one decision needs: the scores of one history, in microseconds, and what caused a score.

`Model.scores` answers many histories at once through sparse matrices, whose set-up costs more than one history's sums.
Here the linear families (a score is a sum over the items of the history, see `models.linear`) are plain arrays; every
other family is asked as it is. A test holds each form to the answers of its model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.models.base import History, Model
from bespeak.models.blend import Blend
from bespeak.models.content import Content
from bespeak.models.ease import Ease
from bespeak.models.item_neighbours import ItemNeighbours
from bespeak.models.packing import unpack_csr
from bespeak.models.sequence_rules import SequenceRules
from bespeak.models.strength import Weighting, strength

Float32s: TypeAlias = npt.NDArray[np.float32]
Int32s: TypeAlias = npt.NDArray[np.int32]


class Serving(ABC):
    """What a decision asks of a model."""

    @abstractmethod
    def scores(self, history: History, now_ms: int) -> Float32s:
        """float32[n_items]; as `Model.scores` for this one history."""

    def terms(self, history: History, targets: Int32s) -> tuple[Int32s, Float32s]:
        """(items int32[h], float32[h, t]: what each adds to the score of every target).

        No items for a model that cannot tell.
        """
        return np.zeros(0, np.int32), np.zeros((0, len(targets)), np.float32)


def serving_of(model: Model) -> Serving:
    """The serving form of a fitted model."""
    if isinstance(model, Ease):
        return _Dense(model.arrays()["weights"], model.weighting)
    if isinstance(model, ItemNeighbours):
        return _Sparse(unpack_csr("nearest", model.arrays()), model.weighting)
    if isinstance(model, SequenceRules):
        return _Sequence(unpack_csr("rules", model.arrays()), model.weighting, model.window)
    if isinstance(model, Content):
        return _Vectors(unpack_csr("vectors", model.arrays()), model.weighting)
    if isinstance(model, Blend):
        factors = np.asarray(np.asarray(model.weights) / model.arrays()["scales"], np.float32)
        return _Sum([serving_of(member) for member in model.fitted_members], factors.tolist())
    return _Asked(model)


class _Asked(Serving):
    """A model that is asked as it is."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def scores(self, history: History, now_ms: int) -> Float32s:
        row: Float32s = self._model.scores([history], now_ms)[0]
        return row

    def terms(self, history: History, targets: Int32s) -> tuple[Int32s, Float32s]:
        if not self._model.explains:
            return super().terms(history, targets)
        return _joined([_column(self._model, history, target) for target in targets.tolist()])


class _Linear(Serving):
    """score_j = sum over liked i of x_i W_ij - sum over disliked i of x_i (max(W_ij, 0) + [i = j])."""

    is_self_similar = False

    def __init__(self, weighting: Weighting, n_items: int) -> None:
        self._weighting = weighting
        self._n_items = n_items

    def strengths(self, history: History) -> tuple[Int32s, Float32s]:
        """(distinct items, signed strengths without zeros): what the history amounts to."""
        return self._summed(history.items, history.weights)

    def scores(self, history: History, now_ms: int) -> Float32s:
        items, strengths = self.strengths(history)
        liked = strengths > 0
        total = self.pulled(items[liked], strengths[liked])
        if not liked.all():
            disliked, sizes = items[~liked], -strengths[~liked]
            total -= self.pulled(disliked, sizes, only_positive=True)
            if not self.is_self_similar:
                total[disliked] -= sizes
        return total

    def terms(self, history: History, targets: Int32s) -> tuple[Int32s, Float32s]:
        items, strengths = self.strengths(history)
        links = self.links(items, targets)
        disliked = strengths < 0
        if disliked.any():
            lowered = np.maximum(links, 0)
            if not self.is_self_similar:
                lowered += items[:, None] == targets
            links = np.where(disliked[:, None], lowered, links)
        return items, strengths[:, None] * links

    def pulled(self, items: Int32s, sizes: Float32s, *, only_positive: bool = False) -> Float32s:
        """float32[n_items], writable: sizes @ W[items], of the positive part of W when asked."""
        raise NotImplementedError

    def links(self, items: Int32s, targets: Int32s) -> Float32s:
        """float32[h, t]: W[items, targets]."""
        raise NotImplementedError

    def _summed(self, items: Int32s, weights: Float32s) -> tuple[Int32s, Float32s]:
        inside = (items >= 0) & (items < self._n_items)
        unique, inverse = np.unique(items[inside], return_inverse=True)
        sums = np.bincount(inverse, weights[inside], minlength=len(unique)).astype(np.float32)
        strengths = strength(sums, self._weighting)
        kept = strengths != 0
        return unique[kept], strengths[kept]


class _Dense(_Linear):
    """EASE: W is a dense matrix, perhaps mapped from a file."""

    def __init__(self, weights: npt.NDArray[Any], weighting: Weighting) -> None:
        super().__init__(weighting, len(weights))
        self._weights = weights

    def pulled(self, items: Int32s, sizes: Float32s, *, only_positive: bool = False) -> Float32s:
        rows = self._weights[items]
        total: Float32s = sizes @ (np.maximum(rows, 0) if only_positive else rows)
        return total

    def links(self, items: Int32s, targets: Int32s) -> Float32s:
        return np.asarray(self._weights[items[:, None], targets], np.float32)


class _Sparse(_Linear):
    """Item neighbours: W in compressed rows."""

    def __init__(self, matrix: Any, weighting: Weighting) -> None:
        super().__init__(weighting, matrix.shape[0])
        self._starts, self._columns, self._values = matrix.indptr, matrix.indices, matrix.data

    def pulled(self, items: Int32s, sizes: Float32s, *, only_positive: bool = False) -> Float32s:
        total = np.zeros(self._n_items, np.float32)
        for item, size in zip(items.tolist(), sizes.tolist(), strict=True):
            part = slice(self._starts[item], self._starts[item + 1])
            values = self._values[part]
            # a row names each column once, so that plain indexing adds
            total[self._columns[part]] += np.float32(size) * (np.maximum(values, 0) if only_positive else values)
        return total

    def links(self, items: Int32s, targets: Int32s) -> Float32s:
        found = np.zeros((len(items), len(targets)), np.float32)
        entries, places = rows_of(self._starts, items)
        columns, values = self._columns[entries], self._values[entries]
        for position, target in enumerate(targets.tolist()):
            hit = np.flatnonzero(columns == target)
            found[places[hit], position] = values[hit]
        return found


class _Sequence(_Sparse):
    """Sequence rules: the latest likes count 1 / distance, dislikes as they are."""

    def __init__(self, matrix: Any, weighting: Weighting, window: int) -> None:
        super().__init__(matrix, weighting)
        self._window = window

    def strengths(self, history: History) -> tuple[Int32s, Float32s]:
        known = (history.items >= 0) & (history.items < self._n_items)
        liked = known & (history.weights > 0)
        latest = history.items[liked][::-1][: self._window]
        disliked = known & ~liked
        near = np.float32(1) / np.arange(1, len(latest) + 1, dtype=np.float32)
        items = np.concatenate([latest, history.items[disliked]])
        return self._summed(items, np.concatenate([near, history.weights[disliked]]))


class _Vectors(_Linear):
    """Content: W = V V', so the history becomes one vector of terms, and every item is compared with it."""

    is_self_similar = True

    def __init__(self, vectors: Any, weighting: Weighting) -> None:
        super().__init__(weighting, vectors.shape[0])
        self._vectors = vectors

    def pulled(self, items: Int32s, sizes: Float32s, *, only_positive: bool = False) -> Float32s:
        return np.asarray(self._vectors @ self._profile(items, sizes), np.float32)  # likeness is never negative

    def links(self, items: Int32s, targets: Int32s) -> Float32s:
        found = np.zeros((len(items), len(targets)), np.float32)
        entries, places = rows_of(self._vectors.indptr, items)
        terms, values = self._vectors.indices[entries], self._vectors.data[entries]
        for position, target in enumerate(targets.tolist()):
            profile = self._profile(np.array([target], np.int32), np.ones(1, np.float32))
            found[:, position] = np.bincount(places, values * profile[terms], minlength=len(items))
        return found

    def _profile(self, items: Int32s, sizes: Float32s) -> Float32s:
        entries, places = rows_of(self._vectors.indptr, items)
        weights = self._vectors.data[entries] * sizes[places]
        return np.bincount(self._vectors.indices[entries], weights, self._vectors.shape[1]).astype(np.float32)


class _Sum(Serving):
    """A blend: the weighted sum of its members."""

    def __init__(self, members: Sequence[Serving], factors: Sequence[float]) -> None:
        self._members = list(zip(members, factors, strict=True))

    def scores(self, history: History, now_ms: int) -> Float32s:
        parts = [np.float32(factor) * member.scores(history, now_ms) for member, factor in self._members]
        total: Float32s = np.sum(parts, axis=0, dtype=np.float32)
        return total

    def terms(self, history: History, targets: Int32s) -> tuple[Int32s, Float32s]:
        parts = [(member.terms(history, targets), factor) for member, factor in self._members]
        items = np.unique(np.concatenate([found for (found, _), _ in parts]))
        total = np.zeros((len(items), len(targets)), np.float32)
        for (found, added), factor in parts:
            total[np.searchsorted(items, found)] += np.float32(factor) * added
        return items, total


def rows_of(starts: npt.NDArray[Any], rows: Int32s) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The entries of some rows of compressed rows: (int64[e] positions, int64[e] which of `rows` each belongs to).

    Example:
        >>> entries, places = rows_of(np.array([0, 2, 2, 5]), np.array([2, 0], np.int32))
        >>> entries.tolist(), places.tolist()
        ([2, 3, 4, 0, 1], [0, 0, 0, 1, 1])
    """
    first = np.asarray(starts[rows], np.int64)
    sizes = np.asarray(starts[rows + 1], np.int64) - first
    places = np.repeat(np.arange(len(rows)), sizes)
    before = np.cumsum(sizes) - sizes
    return np.arange(int(sizes.sum())) + (first - before)[places], places


def _column(model: Model, history: History, target: int) -> dict[int, float]:
    explanation = model.explain(history, target)
    return dict(zip(explanation.items.tolist(), explanation.contributions.tolist(), strict=True))


def _joined(columns: Sequence[dict[int, float]]) -> tuple[Int32s, Float32s]:
    items = sorted({item for column in columns for item in column})
    table = [[column.get(item, 0.0) for column in columns] for item in items]
    return np.array(items, np.int32), np.array(table, np.float32).reshape(len(items), len(columns))
