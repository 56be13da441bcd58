"""Models in the form that one decision needs: the scores of one history, in microseconds, and what caused a score.

`Model.scores` answers many histories at once through sparse matrices, whose set-up costs more than one history's sums.
Here the linear families (a score is a sum over the items of the history, see `models.linear`) and matrix factorization
are plain arrays; every other family is asked as it is. A test holds each form to the answers of its model.

A blend's members often stand beside it as models of their own; they are then one serving form (`share`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias
from weakref import WeakSet

import numpy as np
import numpy.typing as npt

from bespeak.decide.serving.products import times_vector, weighted_gram, weighted_rows
from bespeak.decide.serving.question import Question, Serving, summed
from bespeak.models.base import History, Model
from bespeak.models.blend import Blend
from bespeak.models.content import Content
from bespeak.models.factors.implicit_mf import ImplicitMf
from bespeak.models.factors.item_vectors import DISLIKE_PUSH
from bespeak.models.item_weights.ease import Ease
from bespeak.models.neighbours.item_neighbours import ItemNeighbours
from bespeak.models.packing import unpack_csr
from bespeak.models.sequences.sequence_rules import SequenceRules
from bespeak.models.strength import Weighting
from bespeak.models.vector_index import VectorIndex

Float32s: TypeAlias = npt.NDArray[np.float32]
Float64s: TypeAlias = npt.NDArray[np.float64]
Int32s: TypeAlias = npt.NDArray[np.int32]


def share(servings: Mapping[Model, Serving]) -> None:
    """Lets every blend among these answer with the forms of the others that are, number for number, its members.

    May be called again with the same models at little cost: a pair is compared once.
    """
    for serving in servings.values():
        if isinstance(serving, _Sum):
            serving.adopt(servings)


def indexed_vectors(model: Model) -> Float32s | None:
    """float32[n_items, d]: the item vectors whose inner products with a person's are the scores; None for other models.

    An index over them (`models.vector_index`) answers without multiplying them all.
    """
    return np.asarray(model.arrays()["vectors"]) if isinstance(model, ImplicitMf) else None


def serving_of(model: Model, index: VectorIndex | None = None) -> Serving:
    """The serving form of a fitted model.

    Args:
        model: the model.
        index: over its `indexed_vectors`, where there is one.
    """
    if isinstance(model, Ease):
        return _Dense(np.asarray(model.arrays()["weights"]), model.weighting)
    if isinstance(model, ItemNeighbours):
        return _Sparse(unpack_csr("weights", model.arrays()), model.weighting)
    if isinstance(model, SequenceRules):
        return _Sequence(unpack_csr("weights", model.arrays()), model.weighting, model.window)
    if isinstance(model, Content):
        return _Vectors(unpack_csr("vectors", model.arrays()), model.weighting)
    if isinstance(model, Blend):
        factors = np.asarray(np.asarray(model.weights) / model.arrays()["scales"], np.float32)
        return _Sum(model.fitted_members, factors.tolist())
    return _factors_of(model, index) if isinstance(model, ImplicitMf) else _Asked(model)


def _factors_of(model: ImplicitMf, index: VectorIndex | None) -> Serving:
    return _Factors(model) if index is None else IndexedFactors(model, index)


class _Asked(Serving):
    """A model that is asked as it is."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def scores(self, question: Question) -> Float32s:
        row: Float32s = self._model.scores([question.history], question.now_ms)[0]
        return row

    def terms(self, question: Question, targets: Int32s) -> tuple[Int32s, Float32s]:
        if not self._model.explains:
            return super().terms(question, targets)
        return _joined([_column(self._model, question.history, target) for target in targets.tolist()])


class _Linear(Serving):
    """score_j = sum over liked i of x_i W_ij - sum over disliked i of x_i (max(W_ij, 0) + [i = j])."""

    is_self_similar = False

    def __init__(self, weighting: Weighting, n_items: int) -> None:
        self._weighting = weighting
        self._n_items = n_items

    def strengths(self, question: Question) -> tuple[Int32s, Float32s]:
        """(distinct items, signed strengths without zeros): what the history amounts to."""
        return question.strengths(self._n_items, self._weighting)

    def scores(self, question: Question) -> Float32s:
        items, strengths = self.strengths(question)
        liked = strengths > 0
        total = self.pulled(items[liked], strengths[liked])
        if not liked.all():
            disliked, sizes = items[~liked], -strengths[~liked]
            total -= self.pulled(disliked, sizes, only_positive=True)
            if not self.is_self_similar:
                total[disliked] -= sizes
        return total

    def terms(self, question: Question, targets: Int32s) -> tuple[Int32s, Float32s]:
        items, strengths = self.strengths(question)
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


class _Dense(_Linear):
    """EASE: W is a dense matrix, perhaps mapped from a file."""

    def __init__(self, weights: npt.NDArray[Any], weighting: Weighting) -> None:
        super().__init__(weighting, len(weights))
        self._weights = weights

    def pulled(self, items: Int32s, sizes: Float32s, *, only_positive: bool = False) -> Float32s:
        return weighted_rows(self._weights, items, sizes, only_positive=only_positive)

    def links(self, items: Int32s, targets: Int32s) -> Float32s:
        return np.asarray(self._weights[items[:, None], targets], np.float32)


class _Sparse(_Linear):
    """Item neighbours: W in compressed rows."""

    def __init__(self, matrix: Any, weighting: Weighting) -> None:
        super().__init__(weighting, matrix.shape[0])
        self._matrix = matrix

    def pulled(self, items: Int32s, sizes: Float32s, *, only_positive: bool = False) -> Float32s:
        entries, places = rows_of(self._matrix.indptr, items)
        links = self._matrix.data.take(entries)
        if only_positive:
            np.maximum(links, 0, out=links)
        links *= sizes.take(places)
        return np.bincount(self._matrix.indices.take(entries), links, self._n_items).astype(np.float32)

    def links(self, items: Int32s, targets: Int32s) -> Float32s:
        found = np.zeros((len(items), len(targets)), np.float32)
        entries, places = rows_of(self._matrix.indptr, items)
        position = np.full(self._n_items, -1, np.int32)
        position[targets] = np.arange(len(targets))
        wanted = position.take(self._matrix.indices.take(entries))
        hit = np.flatnonzero(wanted >= 0)
        found[places[hit], wanted[hit]] = self._matrix.data[entries[hit]]
        return found


class _Sequence(_Sparse):
    """Sequence rules: the latest likes count 1 / distance, dislikes as they are."""

    def __init__(self, matrix: Any, weighting: Weighting, window: int) -> None:
        super().__init__(matrix, weighting)
        self._window = window

    def strengths(self, question: Question) -> tuple[Int32s, Float32s]:
        history = question.history
        known = (history.items >= 0) & (history.items < self._n_items)
        liked = known & (history.weights > 0)
        latest = history.items[liked][::-1][: self._window]
        disliked = known & ~liked
        near = np.float32(1) / np.arange(1, len(latest) + 1, dtype=np.float32)
        items = np.concatenate([latest, history.items[disliked]])
        weights = np.concatenate([near, history.weights[disliked]])
        return summed(items, weights, self._n_items, self._weighting)


class _Vectors(_Linear):
    """Content: W = V V', so the history becomes one vector of terms, and every item is compared with it."""

    is_self_similar = True

    def __init__(self, vectors: Any, weighting: Weighting) -> None:
        super().__init__(weighting, vectors.shape[0])
        self._vectors = vectors

    def pulled(self, items: Int32s, sizes: Float32s, *, only_positive: bool = False) -> Float32s:
        return np.asarray(self._vectors @ self._profile(items, sizes), np.float32)  # likeness is never negative

    def links(self, items: Int32s, targets: Int32s) -> Float32s:
        starts, indices, data = self._vectors.indptr, self._vectors.indices, self._vectors.data
        wanted, owners = rows_of(starts, targets)
        terms = indices.take(wanted)
        column = np.full(self._vectors.shape[1], -1, np.int32)
        column[terms] = np.arange(len(terms))  # of a term of several targets one of the places stays
        profiles = np.zeros((len(targets), len(terms)), np.float32)
        profiles[owners, column.take(terms)] = data.take(wanted)  # a row names each term once
        entries, places = rows_of(starts, items)
        columns = column.take(indices.take(entries))
        shared = np.flatnonzero(columns >= 0)  # what no target holds adds nothing
        products = data.take(entries[shared]) * profiles[:, columns[shared]]
        cells = np.arange(len(targets))[:, None] * len(items) + places[shared]
        sums = np.bincount(cells.ravel(), products.ravel(), len(targets) * len(items))
        return np.asarray(sums.reshape(len(targets), len(items)).T, np.float32)

    def _profile(self, items: Int32s, sizes: Float32s) -> Float32s:
        entries, places = rows_of(self._vectors.indptr, items)
        weights = self._vectors.data[entries] * sizes[places]
        return np.bincount(self._vectors.indices[entries], weights, self._vectors.shape[1]).astype(np.float32)


class _Factors(Serving):
    """Implicit matrix factorization: one least-squares solve gives the person's vector, see `models.implicit_mf`."""

    def __init__(self, model: ImplicitMf) -> None:
        arrays = model.arrays()
        self._vectors: Float32s = np.asarray(arrays["vectors"])
        self._base: Float64s = arrays["gram"] + model.l2 * np.eye(model.factors)
        self._alpha, self._weighting = model.alpha, model.weighting

    def scores(self, question: Question) -> Float32s:
        items, strengths = question.strengths(len(self._vectors), self._weighting)
        liked = strengths > 0
        total = self._pulled(items[liked], strengths[liked])
        if not liked.all():
            disliked = items[~liked]
            near = np.stack([times_vector(self._directions, direction) for direction in self._directions[disliked]])
            near = np.maximum(near, 0)
            near[np.arange(len(near)), disliked] = 1
            total -= DISLIKE_PUSH * (-strengths[~liked] @ near)
        return total

    def _pulled(self, items: Int32s, sizes: Float32s) -> Float32s:
        if not len(items):
            return np.zeros(len(self._vectors), np.float32)
        return times_vector(self._vectors, self._person(items, sizes))

    def _person(self, items: Int32s, sizes: Float32s) -> Float32s:
        known = self._vectors[items].astype(np.float64)
        extra = self._alpha * sizes.astype(np.float64)
        person = np.linalg.solve(self._base + weighted_gram(known, extra), known.T @ (1 + extra))
        return np.asarray(person, np.float32)

    @cached_property
    def _directions(self) -> Float32s:
        lengths = np.linalg.norm(self._vectors, axis=1, keepdims=True)
        return np.asarray(self._vectors / np.where(lengths > 0, lengths, 1), np.float32)


class IndexedFactors(_Factors):
    """Matrix factorization with an index of its item vectors."""

    def __init__(self, model: ImplicitMf, index: VectorIndex) -> None:
        super().__init__(model)
        self._index = index

    def near(self, question: Question) -> NearItems | None:
        """What the index knows of a history; None where dislikes, which the index knows nothing of, lower scores."""
        items, strengths = question.strengths(len(self._vectors), self._weighting)
        if not len(items) or (strengths < 0).any():
            return None
        return NearItems(self._index, self._vectors, self._person(items, strengths))


@dataclass(frozen=True, eq=False)
class NearItems:
    """One person's vector beside the item vectors: the best items, and the scores of single ones."""

    index: VectorIndex
    vectors: Float32s
    person: Float32s

    def best(self, k: int) -> tuple[Int32s, Float32s]:
        """(items int32, scores float32): about the k best, the best first."""
        return self.index.best(self.person, k)

    def scores(self, items: Int32s) -> Float32s:
        """float32: the scores of these items."""
        return times_vector(self.vectors[items], self.person)


class _Sum(Serving):
    """A blend: the weighted sum of its members."""

    def __init__(self, members: Sequence[Model], factors: Sequence[float]) -> None:
        self._models = tuple(members)
        self._factors = tuple(factors)
        self._servings = tuple(serving_of(member) for member in members)
        self._compared: WeakSet[Model] = WeakSet()

    def adopt(self, servings: Mapping[Model, Serving]) -> None:
        """Takes the forms of models that equal a member; other threads may be asking at the same time."""
        adopted = list(self._servings)
        for model in [model for model in servings if model not in self._compared]:
            for place, member in enumerate(self._models):
                if _is_same(model, member):
                    adopted[place] = servings[model]
            self._compared.add(model)
        self._servings = tuple(adopted)

    def scores(self, question: Question) -> Float32s:
        members = zip(self._servings, self._factors, strict=True)
        parts = [np.float32(factor) * question.scores(member) for member, factor in members]
        total: Float32s = np.sum(parts, axis=0, dtype=np.float32)
        return total

    def terms(self, question: Question, targets: Int32s) -> tuple[Int32s, Float32s]:
        members = zip(self._servings, self._factors, strict=True)
        parts = [(question.terms(member, targets), factor) for member, factor in members]
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
    entries = np.repeat(first - (np.cumsum(sizes) - sizes), sizes)
    entries += np.arange(len(entries))
    return entries, places


def _is_same(model: Model, member: Model) -> bool:
    """Whether two fitted models answer alike because all their numbers are equal. The cheap questions come first."""
    if type(model) is not type(member) or not model.personal or model.settings() != member.settings():
        return False  # what is the same for everybody is served as of the hour, in a blend as of now
    if tuple(model.item_ids) != tuple(member.item_ids):
        return False
    mine, theirs = model.arrays(), member.arrays()
    return mine.keys() == theirs.keys() and all(
        _are_equal(np.asarray(array), np.asarray(theirs[name])) for name, array in mine.items()
    )


def _are_equal(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    return one.dtype == other.dtype and np.array_equal(one, other)


def _column(model: Model, history: History, target: int) -> dict[int, float]:
    explanation = model.explain(history, target)
    return dict(zip(explanation.items.tolist(), explanation.contributions.tolist(), strict=True))


def _joined(columns: Sequence[dict[int, float]]) -> tuple[Int32s, Float32s]:
    items = sorted({item for column in columns for item in column})
    table = [[column.get(item, 0.0) for column in columns] for item in items]
    return np.array(items, np.int32), np.array(table, np.float32).reshape(len(items), len(columns))
