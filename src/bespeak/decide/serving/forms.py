"""Models in the form that one decision needs: the scores of one history, in microseconds, and what caused a score.

`Model.scores` answers many histories at once through sparse matrices, whose set-up costs more than one history's sums.
Here the linear families (`linear_forms`) and those with item vectors (`factor_forms`) are plain arrays; every other
family is asked as it is. A test holds each form to the answers of its model.

A blend's members often stand beside it as models of their own; they are then one serving form (`share`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias
from weakref import WeakSet

import numpy as np
import numpy.typing as npt

from bespeak.decide.serving.factor_forms import ImplicitFactors, IndexedFactors, TraitFactors
from bespeak.decide.serving.linear_forms import Dense, Smoothed, Sparse, Vectors
from bespeak.decide.serving.question import Question, Serving
from bespeak.decide.serving.strengths import Latest, Reader, Summed
from bespeak.models.base import History, Model
from bespeak.models.blend import Blend
from bespeak.models.content import Content
from bespeak.models.factors.attribute_factors import AttributeFactors
from bespeak.models.factors.implicit_mf import ImplicitMf
from bespeak.models.item_weights.graph_filter import GraphFilter
from bespeak.models.item_weights.slist import Slist
from bespeak.models.linear import DenseLinearModel, LinearModel, SparseLinearModel
from bespeak.models.packing import unpack_csr
from bespeak.models.sequences.sequence_rules import SequenceRules
from bespeak.models.sequences.session_links import SessionLinks
from bespeak.models.vector_index import VectorIndex

Float32s: TypeAlias = npt.NDArray[np.float32]
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
    if isinstance(model, ImplicitMf):
        return ImplicitFactors(model) if index is None else IndexedFactors(model, index)
    if isinstance(model, AttributeFactors):
        return TraitFactors(model)
    if isinstance(model, Blend):
        factors = np.asarray(np.asarray(model.weights) / model.arrays()["scales"], np.float32)
        return _Sum(model.fitted_members, factors.tolist())
    return _linear_of(model) if isinstance(model, LinearModel) else _Asked(model)


def _linear_of(model: LinearModel) -> Serving:
    arrays, reader = model.arrays(), _reader_of(model)
    if isinstance(model, DenseLinearModel):
        return Dense(np.asarray(arrays["weights"]), reader)
    if isinstance(model, SparseLinearModel):
        return Sparse(unpack_csr("weights", arrays), reader)
    if isinstance(model, GraphFilter):
        directions, gains, tilt = (np.asarray(arrays[name]) for name in ("directions", "gains", "tilt"))
        return Smoothed(unpack_csr("links", arrays), directions, gains, tilt, reader)
    return Vectors(unpack_csr("vectors", arrays), reader) if isinstance(model, Content) else _Asked(model)


def _reader_of(model: LinearModel) -> Reader:
    if isinstance(model, SessionLinks):
        return Latest(tuple(model.step_sizes.tolist()), "linear", once=True)
    if isinstance(model, (SequenceRules, Slist)):
        return Latest(tuple(model.step_sizes.tolist()), model.weighting)
    return Summed(model.weighting)


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
