"""What the models say in one situation: each is asked for no more than is needed, and once.

Most models give all their scores at once, in one table. One with an index of item vectors (`models.vector_index`) is
asked for its best items and for the scores of the candidates; all its scores are worked out only where the best do not
suffice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.decide.serving.best import best_of, best_of_each, first_eligible
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
        self._single: dict[str, Float32s] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)

    def __getitem__(self, name: str) -> Float32s:
        places, table = self._together
        if name in places:
            row: Float32s = table[places[name]]
            return row
        if name not in self._single:
            self._single[name] = self._models[name].scores(self._past)
        return self._single[name]

    def best(self, names: Sequence[str], eligible: Bools, limit: int) -> list[Int32s]:
        """For each model int32: the eligible items with the largest positive scores, best first."""
        places, table = self._together
        asked = [places[name] for name in names if name in places]
        best = iter(best_of_each(table if len(asked) == len(table) else table[asked], eligible, limit) if asked else ())
        return [next(best) if name in places else self._best_alone(name, eligible, limit) for name in names]

    def columns(self, rows: Int32s) -> Iterator[tuple[str, Float32s]]:
        """(model, float32: its scores of some items), model by model."""
        places, table = self._together
        taken = table.take(rows, axis=1) if places else table
        for name in self._models:
            yield name, taken[places[name]] if name in places else self.at(name, rows)

    def at(self, name: str, rows: Int32s) -> Float32s:
        """float32: the scores of some items."""
        near = self._near.get(name)
        return self[name].take(rows) if near is None else near.scores(rows)

    def _best_alone(self, name: str, eligible: Bools, limit: int) -> Int32s:
        model, near = self._models[name], self._near.get(name)
        if not model.is_personal:
            return first_eligible(model.common(self._past.now_ms).order, eligible, limit)
        shown = near.rows[eligible[near.rows]] if near is not None else np.zeros(0, np.int32)
        return shown[:limit] if len(shown) >= limit else best_of(self[name], eligible, limit)

    @cached_property
    def _near(self) -> Mapping[str, _Near]:
        """The models that an index answers for."""
        found = {name: _Near.of(model, self._past) for name, model in self._models.items() if model.is_personal}
        return {name: near for name, near in found.items() if near is not None}

    @cached_property
    def _together(self) -> tuple[Mapping[str, int], Float32s]:
        """(model -> row, float32[m, n]): all scores of the personal models without an index, in one table."""
        models = [model for name, model in self._models.items() if model.is_personal and name not in self._near]
        table = np.empty((len(models), len(models[0].items.from_catalogue) if models else 0), np.float32)
        for row, model in zip(table, models, strict=True):
            model.scores(self._past, row)
        return {model.name: place for place, model in enumerate(models)}, table
