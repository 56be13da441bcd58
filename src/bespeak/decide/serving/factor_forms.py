"""The families with a vector for each item, for one history: one solve gives the person's vector.

score_j = p . y_j  -  1/2 sum over disliked i of x_i max(0, cos(y_i, y_j)),  see `models.factors`
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack

from bespeak.decide.serving.products import times_vector, weighted_gram
from bespeak.decide.serving.question import Question, Serving
from bespeak.decide.serving.strengths import Reader, Strengths, Summed
from bespeak.models.factors.attribute_factors import AttributeFactors
from bespeak.models.factors.implicit_mf import ImplicitMf
from bespeak.models.factors.item_vectors import DISLIKE_PUSH, FactorModel
from bespeak.models.vector_index import VectorIndex

Float32s: TypeAlias = npt.NDArray[np.float32]
Float64s: TypeAlias = npt.NDArray[np.float64]
Int32s: TypeAlias = npt.NDArray[np.int32]


class Factors(Serving):
    """What both of them share."""

    def __init__(self, model: FactorModel, alpha: float, l2: float) -> None:
        arrays = model.arrays()
        self.vectors: Float32s = np.asarray(arrays["vectors"])
        self._base: Float64s = arrays["gram"] + l2 * np.eye(self.vectors.shape[1])
        self._alpha = alpha
        self._reader: Reader = Summed(model.weighting)

    def scores(self, question: Question) -> Float32s:
        """See `Serving.scores`."""
        items, strengths = self.strengths(question)
        person = self.person(question)
        total = np.zeros(len(self.vectors), np.float32) if person is None else times_vector(self.vectors, person)
        disliked = strengths < 0
        if disliked.any():
            directions = self._directions[items[disliked]]
            near = np.stack([times_vector(self._directions, direction) for direction in directions])
            near = np.maximum(near, 0)
            near[np.arange(len(near)), items[disliked]] = 1
            total -= DISLIKE_PUSH * (-strengths[disliked] @ near)
        return total

    def strengths(self, question: Question) -> Strengths:
        """What the history amounts to."""
        return question.strengths(len(self.vectors), self._reader)

    @abstractmethod
    def person(self, question: Question) -> Float32s | None:
        """float32[d]: the person's vector; None where nothing is known that says anything."""

    def _liked(self, question: Question) -> Strengths:
        items, strengths = self.strengths(question)
        liked = strengths > 0
        return items[liked], strengths[liked]

    def _explaining(self, items: Int32s, strengths: Float32s, prior: Float64s | float = 0.0) -> Float32s:
        """float32[d]: p with (G + l2 I + sum of alpha x_i y_i y_i') p = sum of (1 + alpha x_i) y_i + prior."""
        known = self.vectors[items].astype(np.float64)
        extra = self._alpha * strengths.astype(np.float64)
        return _solved(self._base + weighted_gram(known, extra), known.T @ (1 + extra) + prior)

    @cached_property
    def _directions(self) -> Float32s:
        lengths = np.linalg.norm(self.vectors, axis=1, keepdims=True)
        return np.asarray(self.vectors / np.where(lengths > 0, lengths, 1), np.float32)


class ImplicitFactors(Factors):
    """Implicit matrix factorization: a person is what explains their likes, see `models.implicit_mf`."""

    def __init__(self, model: ImplicitMf) -> None:
        super().__init__(model, model.alpha, model.l2)

    def person(self, question: Question) -> Float32s | None:
        """See `Factors.person`."""
        items, strengths = self._liked(question)
        return self._explaining(items, strengths) if len(items) else None


class IndexedFactors(ImplicitFactors):
    """Matrix factorization with an index of its item vectors."""

    def __init__(self, model: ImplicitMf, index: VectorIndex) -> None:
        super().__init__(model)
        self._index = index

    def near(self, question: Question) -> NearItems | None:
        """What the index knows of a history; None where dislikes, which the index knows nothing of, lower scores."""
        _, strengths = self.strengths(question)
        person = None if (strengths < 0).any() else self.person(question)
        return None if person is None else NearItems(self._index, self.vectors, person)


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


class TraitFactors(Factors):
    """Factors with attributes: a person also stands near what their traits foretell, see `models.attribute_factors`."""

    def __init__(self, model: AttributeFactors) -> None:
        super().__init__(model, model.alpha, model.l2)
        self._of_traits = np.asarray(model.arrays()["trait_vectors"], np.float64)
        self._l2, self._terms = model.l2, model.terms

    def person(self, question: Question) -> Float32s | None:
        """See `Factors.person`."""
        items, strengths = self._liked(question)
        traits = self._terms.positions(question.history.traits)
        foretold = self._of_traits[0] + self._of_traits[1:][traits].sum(axis=0)
        if len(items):
            return self._explaining(items, strengths, self._l2 * foretold)
        return np.asarray(foretold, np.float32) if traits else None


def _solved(square: Float64s, right: Float64s) -> Float32s:
    """float32[d]: x with square @ x = right, for a symmetric positive definite float64[d, d]."""
    _, found, failed = lapack.dposv(square, right)
    if failed:  # without l2, from rounding
        found = np.linalg.lstsq(square, right, rcond=None)[0]
    return np.asarray(found, np.float32)
