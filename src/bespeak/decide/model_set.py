"""The loaded models, their item ids mapped to one catalogue snapshot.

A model knows items by the ids it was trained with; the catalogue has others (new ones, deleted ones). Both directions
of the mapping are arrays, made once per catalogue, so that a decision only gathers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.catalogue.snapshot import CatalogueSnapshot
from bespeak.decide.serving import Answers, Serving, serving_of, share
from bespeak.models.base import History, Model

Float32s: TypeAlias = npt.NDArray[np.float32]
Int32s: TypeAlias = npt.NDArray[np.int32]

N_NEIGHBOURS = 50
MIN_PEOPLE = 5
_BLOCK_CELLS = 8_000_000
HOUR_MS = 3_600_000


@dataclass(frozen=True, eq=False)
class Neighbours:
    """For every item of a model its most similar ones.

    Attributes:
        index: int32[m, k], -1 where there are fewer.
        scores: float32[m, k], 0..1, scaled by each item's best.
    """

    index: Int32s
    scores: Float32s

    @classmethod
    def of(cls, model: Model, k: int = N_NEIGHBOURS) -> Neighbours:
        """Asks a model for the neighbours of all its items, in blocks of bounded memory."""
        n_items = len(model.item_ids)
        step = max(1, _BLOCK_CELLS // max(n_items, 1))
        blocks = [model.similar(np.arange(start, min(start + step, n_items)), k) for start in range(0, n_items, step)]
        if not blocks:
            return cls(np.zeros((0, k), np.int32), np.zeros((0, k), np.float32))
        index = np.concatenate([block for block, _ in blocks])
        scores = np.where(index >= 0, np.concatenate([block for _, block in blocks]), 0.0)
        scores = np.maximum(scores, 0.0)
        best = scores.max(axis=1, keepdims=True)
        return cls(
            np.where(scores > 0, index, -1).astype(np.int32),
            (scores / np.where(best > 0, best, 1.0)).astype(np.float32),
        )


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model as it was loaded; made once per model version.

    Attributes:
        version: of the artefact.
        is_best: it won the last comparison, so it weighs most.
        neighbours: its similar items, or None when it knows no similarity of items.
    """

    model: Model
    version: int = 0
    is_best: bool = False
    neighbours: Neighbours | None = None

    @classmethod
    def of(cls, model: Model, version: int = 0, *, is_best: bool = False) -> LoadedModel:
        """Loads a model; `item_neighbours` and `content` bring their tables of neighbours."""
        has_table = model.name in {"item_neighbours", "content"}
        return cls(model, version, is_best, Neighbours.of(model) if has_table else None)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name

    @cached_property
    def serving(self) -> Serving:
        """The model in the form that one decision needs."""
        return serving_of(self.model)

    @property
    def shows_people(self) -> bool:
        """Whether "people who viewed X" may be said: at least `MIN_PEOPLE` distinct people stand behind every pair."""
        return self.name == "item_neighbours" and getattr(self.model, "min_people", 0) >= MIN_PEOPLE


@dataclass(frozen=True, eq=False)
class MappedModel:
    """A loaded model seen from one catalogue.

    Attributes:
        loaded: the model.
        to_catalogue: int32[m]: model index -> catalogue index, -1 for items that the catalogue does not have.
        from_catalogue: int32[n]: catalogue index -> model index, -1 for items that the model does not know.
    """

    loaded: LoadedModel
    to_catalogue: Int32s
    from_catalogue: Int32s
    _constant: dict[int, Float32s] = field(default_factory=dict)

    @classmethod
    def of(cls, loaded: LoadedModel, catalogue: CatalogueSnapshot) -> MappedModel:
        """Maps one model."""
        find = catalogue.index.get
        to_catalogue = np.array([find(item_id, -1) for item_id in loaded.model.item_ids], np.int32)
        from_catalogue = np.full(len(catalogue), -1, np.int32)
        known = np.flatnonzero(to_catalogue >= 0)
        from_catalogue[to_catalogue[known]] = known
        return cls(loaded, to_catalogue, from_catalogue)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.loaded.name

    def scores(
        self,
        touched: Int32s,
        weights: Float32s,
        times_ms: npt.NDArray[np.int64],
        now_ms: int,
        answers: Answers | None = None,
    ) -> Float32s:
        """float32[n]: scores of all catalogue items for a history of catalogue items; 0 for what the model lacks.

        The scores are divided by the largest absolute value, so they lie in -1..1, their order stays, and 0 stays
        neutral. A personal model's are also multiplied by h / (h + 5), h being how many distinct items of the history
        the model knows: with little evidence a model says little. `answers` are those of the request, if it keeps any.
        """
        if not self.loaded.model.personal:
            return self._constant_scores(now_ms)
        items = self.from_catalogue[touched]
        known = items >= 0
        n_known = len(set(items[known].tolist()))
        if n_known == 0:
            return np.zeros(len(self.from_catalogue), np.float32)
        history = History(items[known], weights[known], times_ms[known])
        answers = Answers() if answers is None else answers
        return self._scaled(answers.scores(self.loaded.serving, history, now_ms), n_known / (n_known + 5.0))

    def _constant_scores(self, now_ms: int) -> Float32s:
        """Scores that are the same for everybody, as of the start of the hour; those of one hour are kept."""
        hour_ms = now_ms - now_ms % HOUR_MS
        found = self._constant.get(hour_ms)
        if found is None:
            found = self._scaled(np.maximum(self.loaded.model.scores([History.empty()], hour_ms)[0], 0), 1.0)
            self._constant.clear()
            self._constant[hour_ms] = found
        return found

    def _scaled(self, scores: Float32s, factor: float) -> Float32s:
        if not np.isfinite(scores.sum()):
            scores = np.nan_to_num(scores, nan=0.0, posinf=0.0, neginf=0.0)
        padded = np.zeros(len(scores) + 1, np.float32)  # -1 finds the 0 of what the model lacks
        padded[:-1] = scores
        result = padded.take(self.from_catalogue)
        largest = float(np.abs(result).max()) if len(result) else 0.0
        return result * np.float32(factor / largest) if largest > 0 else result

    def causes(
        self,
        touched: Int32s,
        weights: Float32s,
        times_ms: npt.NDArray[np.int64],
        rows: Int32s,
        answers: Answers | None = None,
    ) -> dict[int, int]:
        """For each of some distinct items the item of the history that adds most to its score; none where nothing adds.

        All in catalogue indices; the history and `answers` as in `scores`. Empty for a model that cannot tell.
        """
        items = self.from_catalogue[touched]
        inside = items >= 0
        rows = rows[self.from_catalogue[rows] >= 0]
        history = History(items[inside], weights[inside], times_ms[inside])
        answers = Answers() if answers is None else answers
        behind, added = answers.terms(self.loaded.serving, history, self.from_catalogue[rows])
        if not added.size:
            return {}
        strongest = added.argmax(axis=0)
        adds = added[strongest, np.arange(len(rows))] > 0
        causes = self.to_catalogue[behind[strongest]]
        return dict(zip(rows[adds].tolist(), causes[adds].tolist(), strict=True))

    @cached_property
    def neighbours(self) -> Neighbours | None:
        """The table of similar items in catalogue indices; rows of items that the model does not know hold none."""
        table = self.loaded.neighbours
        if table is None:
            return None
        n, k = len(self.from_catalogue), table.index.shape[1]
        index, scores = np.full((n, k), -1, np.int32), np.zeros((n, k), np.float32)
        known = np.flatnonzero(self.from_catalogue >= 0)
        rows = table.index[self.from_catalogue[known]]
        index[known] = np.where(rows >= 0, np.r_[self.to_catalogue, -1][rows], -1)
        scores[known] = np.where(index[known] >= 0, table.scores[self.from_catalogue[known]], 0)
        return Neighbours(index, scores)


@dataclass(frozen=True, eq=False)
class ModelSet:
    """All models of a world.

    Attributes:
        models: the mapped models, the best first, then by name.
    """

    models: tuple[MappedModel, ...] = ()

    @classmethod
    def build(cls, loaded: Sequence[LoadedModel], catalogue: CatalogueSnapshot) -> ModelSet:
        """Maps every loaded model to a catalogue; done again whenever either changes."""
        ordered = sorted(loaded, key=lambda entry: (not entry.is_best, entry.name))
        mapped = tuple(MappedModel.of(entry, catalogue) for entry in ordered)
        for model in mapped:
            _ = model.neighbours  # made now, as the serving forms, so that no decision pays for it
        share({entry.model: entry.serving for entry in ordered})
        return cls(mapped)

    @property
    def best(self) -> str:
        """The name of the model that won, "" when there is none."""
        return next((model.name for model in self.models if model.loaded.is_best), "")

    def versions(self) -> dict[str, int]:
        """Name -> version."""
        return {model.name: model.loaded.version for model in self.models}

    def named(self, name: str) -> MappedModel | None:
        """The model of this name, or None."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> Mapping[str, MappedModel]:
        return {model.name: model for model in self.models}
