"""What the models say in one situation: each is asked for no more than is needed, and once.

Most models give all their scores at once. One with an index of item vectors (`models.vector_index`) is asked for its
best items and for the scores of the candidates; all its scores are worked out only where the best do not suffice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.decide.serving.factor_forms import IndexedFactors, NearItems
from bespeak.decide.serving.model_set import MappedModel
from bespeak.decide.serving.question import Past

Bools: TypeAlias = npt.NDArray[np.bool_]
Float32s: TypeAlias = npt.NDArray[np.float32]
Int32s: TypeAlias = npt.NDArray[np.int32]

N_BEST = 2_000
"""Twice what a source may propose: a rule that removes half of the best items leaves enough."""


@dataclass(frozen=True, eq=False)
class _Near:
    """What an indexed model says of a history, in catalogue items.

    Attributes:
        model, items: the model, and its answers for single items of its own.
        factor: what scales its scores as `MappedModel.scores` does, by the best of them.
        rows: int32, the best items, best first; all score more than 0. New items stand where they borrow to.
    """

    model: MappedModel
    items: NearItems
    factor: np.float32
    rows: Int32s

    @classmethod
    def of(cls, model: MappedModel, past: Past) -> Self | None:
        """None where only all scores tell."""
        serving = model.loaded.serving
        items = serving.near(past.question(model.items)) if isinstance(serving, IndexedFactors) else None
        if items is None:
            return None
        found, scores = items.best(N_BEST)
        rows = model.items.to_catalogue[found]
        shown = (rows >= 0) & (scores > 0)
        if not shown.any():
            return None
        unsorted = cls(model, items, np.float32(model.trust(past) / scores[shown][0]), rows[shown])
        if not len(model.new_items.rows):
            return unsorted
        both = np.union1d(unsorted.rows, model.new_items.rows).astype(np.int32)
        scores = unsorted.scores(both)
        order = np.argsort(-scores, kind="stable")[: np.count_nonzero(scores > 0)]
        return replace(unsorted, rows=both[order])

    def scores(self, rows: Int32s) -> Float32s:
        """float32: the scores of some items."""
        new = self.model.new_items
        scores = self._own(rows)
        is_new = np.isin(rows, new.rows)
        if is_new.any():
            order = np.argsort(new.rows)
            places = order[np.searchsorted(new.rows, rows[is_new], sorter=order)]
            lent = self._own(new.lenders[places].ravel()).reshape(-1, new.lenders.shape[1])
            scores[is_new] = np.minimum(scores[is_new], 0) + (lent * new.weights[places]).sum(axis=1)
        return scores

    def _own(self, rows: Int32s) -> Float32s:
        targets = self.model.items.from_catalogue[rows]
        return np.where(targets >= 0, self.items.scores(np.maximum(targets, 0)) * self.factor, np.float32(0))


class ModelScores(Mapping[str, Float32s]):
    """Model -> float32[n], as `MappedModel.scores` has them.

    Args:
        models: those that have something to say.
        past: the history that they are asked about.
    """

    def __init__(self, models: Sequence[MappedModel], past: Past) -> None:
        self._models = {model.name: model for model in models}
        self._past = past
        self._all: dict[str, Float32s] = {}
        self._near: dict[str, _Near | None] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)

    def __getitem__(self, name: str) -> Float32s:
        found = self._all.get(name)
        if found is None:
            found = self._all[name] = self._models[name].scores(self._past)
        return found

    def best(self, name: str, eligible: Bools, limit: int) -> Int32s | None:
        """int32: the eligible items with the largest positive scores, best first; None where only all scores tell."""
        near = self._nearest(name)
        if near is None:
            return None
        shown = near.rows[eligible[near.rows]]
        return shown[:limit] if len(shown) >= limit else None

    def at(self, name: str, rows: Int32s) -> Float32s:
        """float32: the scores of some items."""
        near = self._nearest(name)
        return self[name][rows] if near is None else near.scores(rows)

    def _nearest(self, name: str) -> _Near | None:
        if name not in self._near:
            self._near[name] = _Near.of(self._models[name], self._past)
        return self._near[name]
