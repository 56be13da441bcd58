"""The loaded models, their item ids mapped to one catalogue snapshot.

A model knows items by the ids it was trained with; the catalogue has others (new ones, deleted ones). Both directions
of the mapping are arrays, made once per catalogue, so that a decision only gathers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.catalogue.snapshot import CatalogueSnapshot
from bespeak.decide.serving.forms import serving_of, share
from bespeak.decide.serving.new_items import Lending, NewHere
from bespeak.decide.serving.question import ItemMap, Past, Serving
from bespeak.models.base import History, Model
from bespeak.models.interactions import Traits
from bespeak.models.neighbours.item_neighbours import ItemNeighbours
from bespeak.models.new_items import NewItems
from bespeak.models.vector_index import VectorIndex

Float32s: TypeAlias = npt.NDArray[np.float32]
Int32s: TypeAlias = npt.NDArray[np.int32]

N_NEIGHBOURS = 50
MIN_PEOPLE = 5
_BLOCK_CELLS = 8_000_000
HOUR_MS = 3_600_000
FEW_ITEMS = 5.0
"""So many items of a history count half."""


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
        index: over its item vectors, for a large catalogue.
    """

    model: Model
    version: int = 0
    is_best: bool = False
    neighbours: Neighbours | None = None
    index: VectorIndex | None = None

    @classmethod
    def of(cls, model: Model, version: int = 0, *, is_best: bool = False) -> LoadedModel:
        """Loads a model; `item_neighbours` and `content` bring their tables of neighbours.

        A table is what may be shown as a pair. Neighbours with fewer than `MIN_PEOPLE` people behind a pair bring none.
        """
        loaded = cls(model, version, is_best)
        has_table = loaded.shows_people or model.name == "content"
        return replace(loaded, neighbours=Neighbours.of(model)) if has_table else loaded

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name

    @cached_property
    def serving(self) -> Serving:
        """The model in the form that one decision needs."""
        return serving_of(self.model, self.index)

    @property
    def shows_people(self) -> bool:
        """Whether its table says "people who viewed X": `MIN_PEOPLE` distinct people stand behind every pair of it."""
        return isinstance(self.model, ItemNeighbours) and self.model.min_people >= MIN_PEOPLE


@dataclass(frozen=True, eq=False)
class Common:
    """Scores that are the same for everybody, as of the start of an hour.

    Attributes:
        scores: float32[n], 0..1.
        order: int32, the items with more than 0, best first, ties by lower index.
    """

    scores: Float32s
    order: Int32s


@dataclass(frozen=True, eq=False)
class MappedModel:
    """A loaded model seen from one catalogue.

    Attributes:
        loaded: the model.
        items: its items in the catalogue; models of the same items share it.
        new_items: those that borrow their scores.
    """

    loaded: LoadedModel
    items: ItemMap
    new_items: NewItems = field(default_factory=NewItems.none)
    _common: dict[int, Common] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, loaded: LoadedModel, catalogue: CatalogueSnapshot) -> MappedModel:
        """Maps one model; new items stay without a score."""
        return cls(loaded, ItemMap.of(loaded.model.item_ids, catalogue))

    @property
    def name(self) -> str:
        """The model's name."""
        return self.loaded.name

    @property
    def is_personal(self) -> bool:
        """Whether the scores hang on the person; otherwise `common` has them."""
        return self.loaded.model.personal or self.loaded.model.reads_traits

    def reads(self, traits: Traits) -> bool:
        """Whether there are traits and the scores depend on them."""
        return self.loaded.model.reads_traits and bool(traits)

    def scores(self, past: Past, out: Float32s | None = None) -> Float32s:
        """float32[n]: scores of all catalogue items for a past; new items borrow theirs, 0 for what else it lacks.

        The scores are divided by the largest absolute value, so they lie in -1..1, their order stays, and 0 stays
        neutral. A personal model's are also multiplied by h / (h + 5), h being how many distinct items of the history
        the model knows: with little evidence a model says little. Traits make up for the missing part, so those of a
        model that reads nothing else are multiplied by 5 / (h + 5): with much evidence of their own, what a person has
        in common with others says little.

        Args:
            past: whose.
            out: float32[n], where a personal model's are written; a new array when left out.
        """
        if not self.is_personal:
            return self.common(past.now_ms).scores
        trust = self.trust(past)
        found = np.empty(len(self.items.from_catalogue), np.float32) if out is None else out
        if trust == 0:
            found.fill(0)
            return found
        return self._scaled(past.question(self.items).scores(self.loaded.serving), trust, found)

    def trust(self, past: Past) -> float:
        """How much the scores of a personal model count, 0 to 1: see `scores`."""
        n_known = past.question(self.items).n_distinct
        evidence = n_known * self.loaded.model.personal + FEW_ITEMS * self.reads(past.traits)
        return evidence / (n_known + FEW_ITEMS)

    def common(self, now_ms: int) -> Common:
        """The scores of a model that is not personal; those of one hour are kept."""
        hour_ms = now_ms - now_ms % HOUR_MS
        found = self._common.get(hour_ms)
        if found is None:
            found = np.maximum(self.loaded.model.scores([History.empty()], hour_ms)[0], 0)
            scores = self._scaled(found, 1.0, np.empty(len(self.items.from_catalogue), np.float32))
            order = np.argsort(-scores, kind="stable")[: np.count_nonzero(scores > 0)].astype(np.int32)
            self._common.clear()
            found = self._common[hour_ms] = Common(scores, order)
        return found

    def _scaled(self, scores: Float32s, factor: float, out: Float32s) -> Float32s:
        """Writes factor * scores / the largest of them to `out`, in catalogue items; new items get what they borrow."""
        found = self.items.seen(scores)
        largest = _largest(found)
        if not np.isfinite(largest):
            found = np.nan_to_num(found, nan=0.0, posinf=0.0, neginf=0.0)
            largest = _largest(found)
        np.multiply(found, np.float32(factor / largest if largest > 0 else 0), out=out)
        return self.new_items.lend(out, out)

    def leading_trait(self, past: Past, index: int) -> tuple[str, str] | None:
        """The trait of the person (name, value) that lifts the score of an item most; None where none is known to."""
        target = int(self.items.from_catalogue[index])
        return self.loaded.model.leading_trait(past.traits, target) if target >= 0 and past.traits else None

    def causes(self, past: Past, rows: Int32s) -> dict[int, int]:
        """For each of some distinct items the item of the past that adds most to its score; none where nothing adds.

        All in catalogue indices. Empty for a model that cannot tell.
        """
        targets = self.items.from_catalogue[rows]
        rows, targets = rows[targets >= 0], targets[targets >= 0]
        behind, added = past.question(self.items).terms(self.loaded.serving, targets)
        if not added.size:
            return {}
        strongest = added.argmax(axis=0)
        adds = added[strongest, np.arange(len(rows))] > 0
        causes = self.items.to_catalogue[behind[strongest]]
        return dict(zip(rows[adds].tolist(), causes[adds].tolist(), strict=True))

    @cached_property
    def neighbours(self) -> Neighbours | None:
        """The table of similar items in catalogue indices; rows of items that the model does not know hold none."""
        table = self.loaded.neighbours
        if table is None:
            return None
        n, k = len(self.items.from_catalogue), table.index.shape[1]
        index, scores = np.full((n, k), -1, np.int32), np.zeros((n, k), np.float32)
        known = np.flatnonzero(self.items.from_catalogue >= 0)
        rows = table.index[self.items.from_catalogue[known]]
        index[known] = np.where(rows >= 0, np.r_[self.items.to_catalogue, -1][rows], -1)
        scores[known] = np.where(index[known] >= 0, table.scores[self.items.from_catalogue[known]], 0)
        if self.loaded.model.reads_content:
            rows, lenders, weights = self.new_items.rows, self.new_items.lenders, self.new_items.weights
            best = weights.max(axis=1, keepdims=True)
            index[rows, : lenders.shape[1]] = np.where(weights > 0, lenders, -1)
            scores[rows, : lenders.shape[1]] = weights / np.where(best > 0, best, 1)
        return Neighbours(index, scores)


def _largest(scores: Float32s) -> float:
    """The largest absolute value, 0 of none; NaN or infinite where one is."""
    return float(max(scores.max(), -scores.min())) if len(scores) else 0.0


@dataclass(frozen=True, eq=False)
class ModelSet:
    """All models of a world.

    Attributes:
        models: the mapped models, the best first, then by name.
    """

    models: tuple[MappedModel, ...] = ()

    @classmethod
    def build(
        cls, loaded: Sequence[LoadedModel], catalogue: CatalogueSnapshot, lending: Lending | None = None
    ) -> ModelSet:
        """Maps every loaded model to a catalogue; done again whenever either changes.

        Args:
            loaded: the models.
            catalogue: what their items are seen in.
            lending: what lets new items borrow scores; without it they have none.
        """
        ordered = sorted(loaded, key=lambda entry: (not entry.is_best, entry.name))
        maps = {
            item_ids: ItemMap.of(item_ids, catalogue) for item_ids in {tuple(entry.model.item_ids) for entry in ordered}
        }
        new = NewHere() if lending is None else lending.here(catalogue)
        mapped = tuple(
            MappedModel(
                entry, maps[tuple(entry.model.item_ids)], new.unscored if entry.model.reads_content else new.unused
            )
            for entry in ordered
        )
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
