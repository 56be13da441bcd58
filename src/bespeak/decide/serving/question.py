"""One person's history put to the models: every model that shares an answer, or a step towards it, is asked once.

A request has one `Past`, in catalogue items. Models of the same items see it as one `Question`; what their serving
forms answer is kept there, because a blend's members often stand beside it as models of their own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from bespeak.catalogue.snapshot import CatalogueSnapshot
from bespeak.decide.serving.strengths import Reader, Strengths
from bespeak.models.base import History
from bespeak.models.interactions import Traits

Float32s: TypeAlias = npt.NDArray[np.float32]
Int32s: TypeAlias = npt.NDArray[np.int32]
Int64s: TypeAlias = npt.NDArray[np.int64]
_Made = TypeVar("_Made")


class Serving(ABC):
    """What a decision asks of a model."""

    @abstractmethod
    def scores(self, question: Question) -> Float32s:
        """float32[n_items]; as `Model.scores` for the history of the question. Read it only: others read it too."""

    def terms(self, question: Question, targets: Int32s) -> tuple[Int32s, Float32s]:
        """(items int32[h], float32[h, t]: what each adds to the score of every target).

        No items for a model that cannot tell.

        Args:
            question: whose scores.
            targets: int32[t], distinct items.
        """
        return np.zeros(0, np.int32), np.zeros((0, len(targets)), np.float32)


class Question:
    """One history at one moment, and what was answered so far. Nobody writes to an answer.

    Args:
        history: in the items of the models that are asked.
        now_ms: the moment.
    """

    def __init__(self, history: History, now_ms: int) -> None:
        self.history = history
        self.now_ms = now_ms
        self._memo: dict[object, object] = {}

    @cached_property
    def n_distinct(self) -> int:
        """How many distinct items the history has."""
        return len(set(self.history.items.tolist()))

    def strengths(self, n_items: int, reader: Reader) -> Strengths:
        """What the history amounts to among the first `n_items` items."""
        return self.once((n_items, reader), lambda: reader.read(self.history, n_items))

    def scores(self, serving: Serving) -> Float32s:
        """As `Serving.scores`."""
        return self.once(serving, lambda: serving.scores(self))

    def terms(self, serving: Serving, targets: Int32s) -> tuple[Int32s, Float32s]:
        """As `Serving.terms`."""
        return self.once((serving, targets.tobytes()), lambda: serving.terms(self, targets))

    def once(self, key: object, make: Callable[[], _Made]) -> _Made:
        """What `make` gave when it was first asked under this key; who asks owns the key."""
        if key not in self._memo:
            self._memo[key] = make()
        return self._memo[key]  # type: ignore[return-value]


@dataclass(frozen=True, eq=False)
class ItemMap:
    """The items of some models seen from one catalogue.

    Attributes:
        to_catalogue: int32[m]: model index -> catalogue index, -1 for items that the catalogue does not have.
        from_catalogue: int32[n]: catalogue index -> model index, -1 for items that the models do not know.
    """

    to_catalogue: Int32s
    from_catalogue: Int32s

    @classmethod
    def of(cls, item_ids: Sequence[str], catalogue: CatalogueSnapshot) -> Self:
        """Maps the items of a model."""
        find = catalogue.index.get
        to_catalogue = np.array([find(item_id, -1) for item_id in item_ids], np.int32)
        from_catalogue = np.full(len(catalogue), -1, np.int32)
        known = np.flatnonzero(to_catalogue >= 0)
        from_catalogue[to_catalogue[known]] = known
        return cls(to_catalogue, from_catalogue)

    @cached_property
    def _has_all(self) -> bool:
        """Whether the models know every item of the catalogue."""
        return bool((self.from_catalogue >= 0).all())

    @cached_property
    def _has_same_order(self) -> bool:
        """Whether the models know the items of the catalogue, in its order."""
        return np.array_equal(self.from_catalogue, np.arange(len(self.to_catalogue)))

    def seen(self, scores: Float32s) -> Float32s:
        """float32[n]: scores float32[m] of the models' items in catalogue items, 0 for what they lack. Read it only."""
        if self._has_same_order:
            return scores
        if self._has_all:
            return scores.take(self.from_catalogue)
        padded = np.zeros(len(scores) + 1, np.float32)  # -1 finds the 0 of what the models lack
        padded[:-1] = scores
        return padded.take(self.from_catalogue)


@dataclass(frozen=True, eq=False)
class Past:
    """What a person did, in catalogue items, up to one moment. Made anew for every request.

    Attributes:
        touched: int32[h], oldest first.
        weights: float32[h], negative for a dislike.
        times_ms: int64[h].
        now_ms: the moment.
        traits: what is known of the person besides.
    """

    touched: Int32s
    weights: Float32s
    times_ms: Int64s
    now_ms: int
    traits: Traits = field(default_factory=dict)
    _questions: dict[ItemMap, Question] = field(default_factory=dict, init=False, repr=False)

    def question(self, items: ItemMap) -> Question:
        """The question to the models of these items: the part of the history that they know."""
        found = self._questions.get(items)
        if found is None:
            rows = items.from_catalogue[self.touched]
            known = rows >= 0
            history = History(rows[known], self.weights[known], self.times_ms[known], self.traits)
            found = self._questions[items] = Question(history, self.now_ms)
        return found
