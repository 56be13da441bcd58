"""Keeps the snapshot that decisions are made with: notices changes, loads what is new, swaps it in at once.

A decision takes one `World` and keeps it to its end, so configuration, catalogue and models never change half-way. What
changed is told by the version counters of the store: one cheap read.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from bespeak.catalogue.counters import DAY_MS, DailyCounts, ItemCounters
from bespeak.catalogue.snapshot import CatalogueSnapshot
from bespeak.catalogue.text_index import TextIndex
from bespeak.decide.launch import launch_of
from bespeak.decide.model_set import LoadedModel, ModelSet
from bespeak.decide.new_items import Lending
from bespeak.decide.placements import Placement
from bespeak.decide.variants.settings import VariantPlacement
from bespeak.decide.world import World
from bespeak.engine.config import Configuration
from bespeak.engine.experiments import LAUNCHES, decided_launches
from bespeak.engine.training.neighbour_tables import load_lending, load_model
from bespeak.engine.weights import WEIGHTS, WeightsReport, stored_weights, weights_in_use
from bespeak.errors import BespeakError
from bespeak.storage import items as item_rows
from bespeak.storage import records
from bespeak.storage.base import Session, Store
from bespeak.storage.blobs import Blobs

_log = logging.getLogger("bespeak.engine")

COUNTER_DAYS = 60
COUNTERS_EVERY_MS = 60_000
MODEL_SET = "models"


class StoredModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model of a trained set: its name and its folder in the blob store."""

    name: str
    blob_key: str
    is_best: bool = False


class StoredRatings(msgspec.Struct, frozen=True, kw_only=True):
    """The model of a trained set that foretells ratings: its folder and its settings."""

    blob_key: str
    settings: dict[str, Any]


class SetHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What is recorded of a trained set.

    Attributes:
        models: the members, the chosen one marked.
        ratings: the model that foretells ratings; None where the log holds too few.
        sentences: what training found, in words.
        boards: leaderboards as plain values.
        trained_from_ms, trained_to_ms: window of the training events.
        n_events, n_people, n_items: size of the training data.
        purposes: purposes under which the data was used.
        lake_position: log position up to which the log was read.
        weights: what was found about the weights of each placement that showed anything.
    """

    models: list[StoredModel]
    sentences: list[str]
    boards: list[dict[str, Any]] = []
    metrics: dict[str, float] = {}
    trained_from_ms: int = 0
    trained_to_ms: int = 0
    n_events: int = 0
    n_people: int = 0
    n_items: int = 0
    seconds: float = 0.0
    purposes: list[str] = []
    lake_position: int = 0
    ratings: StoredRatings | None = None
    weights: list[WeightsReport] = []


class WorldKeeper:
    """Holds the current `World`; `refresh` brings it up to date.

    Args:
        store: where versions, items, counters and models are recorded.
        blobs: where model folders lie.
        config: the active configuration and its version.
        policies: placement -> version of its policy.
    """

    def __init__(
        self, store: Store, blobs: Blobs, config: Configuration, config_version: int, policies: Mapping[str, int]
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._lock = threading.Lock()
        self._seen: dict[str, int] = {}
        self._counters_at_ms = -COUNTERS_EVERY_MS
        self._counts = DailyCounts()
        self._counted: dict[str, int] | None = None
        self._loaded: tuple[LoadedModel, ...] = ()
        self._lending = Lending()
        self._models_version = 0
        self._weights = {name: c.prior_weight for name, c in config.signals.classes.items()}
        profiles = config.settings.profiles
        catalogue = CatalogueSnapshot.build([], profiles.facets, profiles.numeric_facets)
        self._world = World(
            catalogue=catalogue,
            counters=ItemCounters.empty(0),
            text_index=TextIndex.build([]),
            placements=config.placements,
            variants=config.variants,
            policies=policies,
            classes=config.signals.classes,
            purposes=config.purposes,
            config_version=config_version,
            locale=config.settings.project.locale,
            seed=config.settings.project.seed,
        )
        self._launch(())

    @property
    def world(self) -> World:
        """The current snapshot."""
        return self._world

    @property
    def models_version(self) -> int:
        """Version of the trained set that is loaded, 0 when none is."""
        return self._models_version

    def facets_of(self, item_id: str) -> dict[str, list[str] | float]:
        """Returns what the catalogue knows of an item now; empty for an unknown one."""
        return self._world.catalogue.facets_of(item_id)

    def refresh(self, now_ms: int) -> bool:
        """Loads what changed since the last call; returns whether anything did.

        A model set that cannot be loaded leaves the old one in place: a broken artefact never takes decisions down.
        """
        with self._lock:
            with self._store.read() as session:
                versions = records.versions(session)
                is_new_catalogue = versions.get("catalogue", 0) != self._seen.get("catalogue", 0)
                is_new_models = versions.get("models", 0) != self._seen.get("models", 0)
                is_decided = versions.get(LAUNCHES, 0) != self._seen.get(LAUNCHES, 0)
                is_new_weights = versions.get(WEIGHTS, 0) != self._seen.get(WEIGHTS, 0)
                is_time = now_ms - self._counters_at_ms >= COUNTERS_EVERY_MS or now_ms < self._counters_at_ms
                if is_decided:
                    self._launch(decided_launches(session))
                if is_new_weights:
                    learned = weights_in_use(stored_weights(session), self._world.placements)
                    self._world = replace(self._world, learned=learned)
                if not (is_new_catalogue or is_new_models or is_time):
                    self._seen = versions
                    return is_decided or is_new_weights
                world = self._world
                catalogue, text_index, counters, models = (
                    world.catalogue,
                    world.text_index,
                    world.counters,
                    world.models,
                )
                if is_new_catalogue:
                    catalogue = self._catalogue(session, catalogue)
                    text_index = TextIndex.build(catalogue.items)
                if is_new_models:
                    self._load_models(session)
                if is_new_catalogue or is_time:
                    self._count(session, versions, now_ms)
                    counters = self._counts.counters(catalogue.index, self._weights, now_ms)
            if is_new_models or is_new_catalogue:
                models = ModelSet.build(self._loaded, catalogue, self._lending)
            # All at once: a world checks that its parts were made for one catalogue.
            world = replace(world, catalogue=catalogue, text_index=text_index, counters=counters, models=models)
            self._world = world
            self._seen = versions
            return True

    def _count(self, session: Session, versions: Mapping[str, int], now_ms: int) -> None:
        """Reads the days whose counts may have changed since the last look: the latest, and those of a new version."""
        first, today = now_ms // DAY_MS - COUNTER_DAYS, now_ms // DAY_MS
        looked, seen = self._counters_at_ms // DAY_MS, self._counted
        if seen is None or now_ms < self._counters_at_ms:
            self._counts = DailyCounts()
            self._counts.put(item_rows.counts(session, first))
        else:
            latest = max(first, min(looked, today) - 2)
            for day in range(first, latest):
                name = item_rows.day_version(day)
                if versions.get(name, 0) != seen.get(name, 0):
                    self._counts.put(item_rows.counts(session, day, day), [day])
            self._counts.put(item_rows.counts(session, latest), range(latest, today + 1))
            self._counts.drop(first)
        self._counters_at_ms, self._counted = now_ms, dict(versions)

    def _launch(self, decided: Collection[str]) -> None:
        """Sets the experiments that run now, given the placements whose launch has its answer."""
        world = self._world
        places: Mapping[str, Placement | VariantPlacement] = {**world.placements, **world.variants}
        running = {
            name: experiment
            for name, placement in places.items()
            if (experiment := launch_of(placement, world.seed, is_decided=name in decided)) is not None
        }
        self._world = replace(world, launches=running)

    def _catalogue(self, session: Session, held: CatalogueSnapshot) -> CatalogueSnapshot:
        if not self._seen.get("catalogue", 0):
            changes = item_rows.load_all(session)
            return held.updated(changes)
        return held.updated(item_rows.since(session, held.version))

    def _load_models(self, session: Session) -> None:
        current = records.models(session, name=MODEL_SET, state="current")
        if not current:
            self._loaded, self._lending, self._models_version = (), Lending(), 0
            return
        header = msgspec.json.decode(current[0].header, type=SetHeader)
        try:
            loaded = tuple(
                load_model(self._blobs, m.blob_key, current[0].version, is_best=m.is_best) for m in header.models
            )
            self._loaded, self._lending = loaded, load_lending(self._blobs, current[0].blob_key, loaded)
        except (BespeakError, OSError) as error:
            _log.warning("the trained set %d cannot be loaded and is left out: %s", current[0].version, error)
            return
        self._models_version = current[0].version
