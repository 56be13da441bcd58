"""Keeps the snapshot that decisions are made with: notices changes, loads what is new, swaps it in at once.

A decision takes one `World` and keeps it to its end, so configuration, catalogue and models never change half-way. What
changed is told by the version counters of the store: one cheap read.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import replace

import msgspec
import numpy as np
import numpy.typing as npt

from bespeak.catalogue.counters import DAY_MS, DailyCounts, ItemCounters
from bespeak.catalogue.snapshot import CatalogueSnapshot
from bespeak.catalogue.text_index import TextIndex
from bespeak.decide.launch import launch_of
from bespeak.decide.serving.model_set import LoadedModel, ModelSet
from bespeak.decide.serving.new_items import Lending
from bespeak.decide.settings.placements import Placement
from bespeak.decide.trial import Trial
from bespeak.decide.variants.bandits import Posterior
from bespeak.decide.variants.creative_sums import CreativeSums
from bespeak.decide.variants.settings import VariantPlacement
from bespeak.decide.world import Learned, World
from bespeak.engine.config import Configuration
from bespeak.engine.learning.lessons import ActionLesson, CreativeLesson, lessons_of
from bespeak.engine.learning.state import LEARNED, read_state
from bespeak.engine.trying.policies import POLICIES, Versions, shadows_of
from bespeak.engine.trying.runs import LAUNCHES, RUNS, decided_launches, read_runs, under_run, versioned
from bespeak.engine.worlds.neighbour_tables import load_lending, load_model
from bespeak.engine.worlds.predictors import predictors_of
from bespeak.engine.worlds.trained_set import MODEL_SET, SetHeader
from bespeak.engine.worlds.used_up import OFFERS, used_up_offers
from bespeak.engine.worlds.weights import (
    WEIGHTS,
    rates_in_use,
    stored_rates,
    stored_weights,
    weights_in_use,
)
from bespeak.errors import BespeakError
from bespeak.profiles.view import Predictor
from bespeak.storage.base import Session, Store
from bespeak.storage.blobs import Blobs
from bespeak.storage.tables import items as item_rows
from bespeak.storage.tables import records

_log = logging.getLogger("bespeak.engine")

COUNTER_DAYS = 60
COUNTERS_EVERY_MS = 60_000
_SETTLED = (LAUNCHES, RUNS, POLICIES)
"""Version counters of what decides who gets which policy."""


class WorldKeeper:
    """Holds the current `World`; `refresh` brings it up to date.

    Args:
        store: where versions, items, counters and models are recorded.
        blobs: where model folders lie.
        config: the active configuration; config_version: its version.
    """

    def __init__(self, store: Store, blobs: Blobs, config: Configuration, config_version: int) -> None:
        self._store = store
        self._blobs = blobs
        self._config = config
        self._lock = threading.Lock()
        self._seen: dict[str, int] = {}
        self._counters_at_ms = -COUNTERS_EVERY_MS
        self._counts = DailyCounts()
        self._counted: dict[str, int] | None = None
        self._loaded: tuple[LoadedModel, ...] = ()
        self._lending = Lending()
        self._models_version = 0
        self._rates: dict[str, dict[str, float]] = {}
        self._asked = config.settings.predictions
        self._predictors: dict[str, Predictor] = {}
        self._weights = {name: c.prior_weight for name, c in config.signals.classes.items()}
        profiles = config.settings.profiles
        catalogue = CatalogueSnapshot.build([], profiles.facets, profiles.numeric_facets)
        self._world = World(
            catalogue=catalogue,
            counters=ItemCounters.empty(0),
            text_index=TextIndex.build([]),
            placements=config.placements,
            variants=config.variants,
            pages=config.pages,
            classes=config.signals.classes,
            purposes=config.purposes,
            config_version=config_version,
            locale=config.settings.project.locale,
            seed=config.settings.project.seed,
            names=config.names,
        )
        self._config = config
        with store.read() as session:
            self._settle(session)

    @property
    def world(self) -> World:
        """The current snapshot."""
        return self._world

    @property
    def models_version(self) -> int:
        """Version of the trained set that is loaded, 0 when none is."""
        return self._models_version

    @property
    def predictors(self) -> Mapping[str, Predictor]:
        """What foretells something of people, by name: of the trained set, as far as it is asked for now."""
        return self._predictors

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
                is_settled = all(versions.get(name, 0) == self._seen.get(name, 0) for name in _SETTLED)
                is_new_weights = versions.get(WEIGHTS, 0) != self._seen.get(WEIGHTS, 0)
                is_time = now_ms - self._counters_at_ms >= COUNTERS_EVERY_MS or now_ms < self._counters_at_ms
                is_learned = versions.get(LEARNED, 0) != self._seen.get(LEARNED, 0)
                is_offered = versions.get(OFFERS, 0) != self._seen.get(OFFERS, 0)
                if not is_settled:
                    self._settle(session)
                if is_new_weights or not is_settled:
                    self._rates = stored_rates(session)
                    learned = weights_in_use(stored_weights(session), self._world.placements)
                    self._world = replace(self._world, learned=learned, click_rates=self._rated(self._world.catalogue))
                if is_learned or not is_settled:
                    self._learn(session)
                if not (is_new_catalogue or is_new_models or is_time):
                    self._seen = versions
                    if is_offered:
                        self._world = replace(self._world, used_up=used_up_offers(session, self._world.catalogue))
                    return is_new_weights or is_learned or is_offered or not is_settled
                world = self._world
                catalogue, text_index, counters, models = (
                    world.catalogue,
                    world.text_index,
                    world.counters,
                    world.models,
                )
                if is_new_catalogue:
                    catalogue = self._catalogue(session, catalogue)
                    text_index = TextIndex.build(catalogue.items, text_index)
                used_up = used_up_offers(session, catalogue) if is_new_catalogue or is_offered else world.used_up
                if is_new_models:
                    self._load_models(session)
                if is_new_catalogue or is_time:
                    self._count(session, versions, now_ms)
                    counters = self._counts.counters(catalogue.index, self._weights, now_ms)
            if is_new_models or is_new_catalogue:
                models = ModelSet.build(self._loaded, catalogue, self._lending)
            # All at once: a world checks that its parts were made for one catalogue.
            world = replace(
                world,
                catalogue=catalogue,
                text_index=text_index,
                counters=counters,
                models=models,
                used_up=used_up,
                click_rates=self._rated(catalogue) if is_new_catalogue else self._world.click_rates,
            )
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

    def _rated(self, catalogue: CatalogueSnapshot) -> dict[str, npt.NDArray[np.float64]]:
        """The click rates of the items of a catalogue."""
        return rates_in_use(self._rates, self._world.placements, catalogue.index)

    def _settle(self, session: Session) -> None:
        """Sets which policies decide, and which launches and experiments run."""
        versions, runs, decided = Versions.read(session), read_runs(session), decided_launches(session)
        config, seed = self._config, self._world.seed
        active: Mapping[str, Placement | VariantPlacement] = {**config.placements, **config.variants}
        places = versions.places(active, config.names)
        launches = {
            name: experiment
            for name, placement in active.items()
            if (experiment := launch_of(placement, seed, is_decided=name in decided)) is not None
        }
        trials: dict[str, list[Trial]] = {}
        for trial in self._config.trials.values():
            running = under_run(trial, runs.get(trial.name))
            if running is not None:
                trials.setdefault(trial.placement, []).append(versioned(running, versions))
        self._world = replace(
            self._world,
            placements={name: place for name, place in places.items() if isinstance(place, Placement)},
            variants={name: place for name, place in places.items() if isinstance(place, VariantPlacement)},
            policies={name: versions.number(name) for name in places},
            launches=launches,
            trials=trials,
            rollouts=versions.rollouts(active, config.names),
            shadows={placement.name: versions.named(placement) for placement in shadows_of(config)},
        )

    def _learn(self, session: Session) -> None:
        """Takes over what was learned of variants, creatives and actions."""
        posteriors: dict[Learned, Posterior] = {}
        creative_sums: dict[Learned, CreativeSums] = {}
        action_sums: dict[Learned, CreativeSums] = {}
        for lesson in lessons_of(self._world):
            state = read_state(session, lesson.key, lesson.digest)
            if state is None:
                continue
            key = lesson.placement, lesson.digest
            if isinstance(lesson, ActionLesson):
                action_sums[key] = lesson.read(state.sums)
            elif isinstance(lesson, CreativeLesson):
                creative_sums[key] = lesson.read(state.sums)
            else:
                posteriors[key] = lesson.posterior(lesson.read(state.sums))
        self._world = replace(self._world, posteriors=posteriors, creative_sums=creative_sums, action_sums=action_sums)

    def _catalogue(self, session: Session, held: CatalogueSnapshot) -> CatalogueSnapshot:
        if not self._seen.get("catalogue", 0):
            changes = item_rows.load_all(session)
            return held.updated(changes)
        return held.updated(item_rows.since(session, held.version))

    def _load_models(self, session: Session) -> None:
        current = records.models(session, name=MODEL_SET, state="current")
        if not current:
            self._loaded, self._lending, self._models_version, self._predictors = (), Lending(), 0, {}
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
        self._predictors = predictors_of(header.predictions, self._asked)
        self._models_version = current[0].version
