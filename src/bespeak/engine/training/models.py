"""Training on the log: lake -> interactions -> the learn package -> a stored set, swapped in atomically.

A row is used where its purpose `improve` held when it came in and is not refused now. Bots are left out. A person's
rows stand under the root they were merged into. What people told of themselves goes along (see `traits`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from bespeak.decide.serving.new_items import item_content
from bespeak.engine.core import Core
from bespeak.engine.logged.granted import granted_rows
from bespeak.engine.logged.lake_feed import feed
from bespeak.engine.people_view import granted_purposes, profile_view
from bespeak.engine.profiles import Profiles
from bespeak.engine.training import traits
from bespeak.engine.training.checkpoints import BlobCheckpoints
from bespeak.engine.training.machine import memory_limit_bytes
from bespeak.engine.training.predictions import TrainedPredictions, learn_predictions
from bespeak.engine.training.ratings import PredictedRating, RatingSource
from bespeak.engine.training.weights import LearnedPlacements, learn_placements
from bespeak.engine.worlds.neighbour_tables import missing_index, store_beside, store_people
from bespeak.engine.worlds.trained_set import MODEL_SET, SetHeader, StoredModel, StoredRatings
from bespeak.engine.worlds.weights import put_weights
from bespeak.errors import InvalidInput
from bespeak.learn.leaderboard import Leaderboard
from bespeak.learn.ratings import MIN_PEOPLE, MIN_RATINGS, TrainedRatings, train_ratings
from bespeak.learn.splits import Relevant
from bespeak.learn.train import Trained, train
from bespeak.models.artefact import load_as, save
from bespeak.models.base import Interactions, ItemContent, Model
from bespeak.models.neighbours.bought_together import bought_together
from bespeak.models.ratings.base import Ratings
from bespeak.models.ratings.biased_factorization import BiasedFactorization
from bespeak.profiles.profile import Profile
from bespeak.signals.events import Context
from bespeak.storage.tables import records
from bespeak.storage.tables.records import ModelVersion

Progress = Callable[[str, float], None]
_COLUMNS = ("log_id", "person_id", "time_ms", "signal_class", "strength", "item_id", "purposes", "is_bot")
_RATING = ("review", "rating")


class TrainingReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a training made: version 0 when there was nothing to train on."""

    version: int
    header: SetHeader


class Models:
    """Trains, lists and prunes model sets."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._rating_model: tuple[str, BiasedFactorization] | None = None

    def train(
        self,
        *,
        as_of_ms: int | None = None,
        seed: int | None = None,
        candidates: Sequence[Model] | None = None,
        say: Callable[[str], None] | None = None,
        progress: Progress | None = None,
    ) -> TrainingReport:
        """Trains on everything allowed, keeps the best, and swaps it into running servers.

        A training that was killed goes on where it was, when the next one meets the same log, settings and seed.

        Args:
            as_of_ms: leave out what happened later.
            seed: of samples and first vectors; the project's when left out.
            candidates: models to try, unfitted; those that suit the size of the data when left out.
            say: told in sentences, before anything is fitted, what memory is needed and who is left out.
            progress: told the stage and the share of the time that is over.

        Raises:
            InvalidInput: the log holds nothing that may be trained on, or memory is too small for it; the message says
                why.
        """
        core = self._core
        started = time.perf_counter()
        told = progress or (lambda _stage, _share: None)
        told("reading the log", 0.0)
        position = feed(core)
        interactions = self.interactions(as_of_ms)
        if not len(interactions):
            raise InvalidInput(
                "There is nothing to train on: no event about an item whose purpose 'improve' was granted.",
                hint="Import events with `bespeak import events FILE`, or see `bespeak rejects list`.",
            )
        core.refresh()
        seed = core.config.settings.project.seed if seed is None else seed
        content = item_content(core.world.catalogue.items, core.config.settings.profiles.facets)
        checkpoints = BlobCheckpoints(core.blobs)
        trained = train(
            interactions,
            content,
            memory_limit_bytes=memory_limit_bytes(core.config.settings.train.memory_limit_gb),
            checkpoints=checkpoints,
            say=say,
            candidates=candidates,
            seed=seed,
            now_ms=as_of_ms,
            relevant=relevant_rows(interactions),
            progress=progress,
        )
        together = bought_together(interactions)
        if together is not None:
            trained = replace(trained, members={**trained.members, together.name: together})
        ratings = self.ratings(as_of_ms, content)
        rated = None if ratings is None else train_ratings(ratings, content, seed=seed, progress=progress)
        told("learning weights", 1.0)
        learned = learn_placements(core, core.now_ms() if as_of_ms is None else as_of_ms, core.clock.now_ms(), seed)
        foretold = learn_predictions(core, as_of_ms, seed)
        told("storing", 1.0)
        report = self._store(trained, rated, learned, foretold, position, time.perf_counter() - started)
        checkpoints.clear()
        return report

    def interactions(self, as_of_ms: int | None = None) -> Interactions:
        """Returns who did what with which item: the training data, signed and weighted by class."""
        core = self._core
        table = core.lake.read("signals", _COLUMNS).sort_by("log_id")
        person, keep = self._usable(table, as_of_ms)
        item = table.column("item_id").combine_chunks()
        times = table.column("time_ms").to_numpy()
        weights = table.column("strength").to_numpy().astype(np.float64)
        classes = table.column("signal_class").combine_chunks().dictionary_encode()
        known = core.config.signals.classes
        factors = [known[name].prior_weight if name in known else 0.0 for name in classes.dictionary.to_pylist()]
        weights = weights * np.array([*factors, 0.0])[classes.indices.to_numpy()]
        keep &= weights != 0
        chosen = np.flatnonzero(keep)
        items = item.take(pa.array(chosen)).dictionary_encode()
        item_index = items.indices.to_numpy()
        # What one event says about one item is one interaction: a rating is a use and an opinion at once.
        together = table.column("log_id").to_numpy()[chosen] * max(1, len(items.dictionary)) + item_index
        _, first, place = np.unique(together, return_index=True, return_inverse=True)
        users, user_index = np.unique(person[chosen][first], return_inverse=True)
        log = Interactions.from_arrays(
            tuple(str(user) for user in users.tolist()),
            tuple(items.dictionary.to_pylist()),
            user_index,
            item_index[first],
            weights=np.bincount(place, weights[chosen], minlength=len(first)).astype(np.float32),
            times_ms=times[chosen][first],
            class_index=classes.indices.to_numpy()[chosen][first],
            class_names=tuple(classes.dictionary.to_pylist()),
        )
        told = core.lake.read("signals", traits.COLUMNS, traits.WHERE)
        told_by = traits.told_traits(core, told, *granted_rows(core, told, as_of_ms), log.user_ids)
        return log if told_by is None else log.with_traits(told_by)

    def ratings(self, as_of_ms: int | None, content: ItemContent) -> Ratings | None:
        """Returns who rated which item how highly; None where the signals know no ratings."""
        source = RatingSource.of(self._core.config.signals.specs)
        if source is None:
            return None
        table = self._core.lake.read("signals", _COLUMNS).sort_by("log_id")
        return source.in_log(table, *self._usable(table, as_of_ms), content.item_ids)

    def predict_ratings(self, user_id: str, item_ids: Sequence[str]) -> list[PredictedRating]:
        """Returns what a person would give each item, from the ratings that their profile holds and lets be read.

        Somebody unknown, erased, or without consent gets what people on average give the item; an item that came after
        the training gets what its attributes foretell.

        Raises:
            InvalidInput: the set in use foretells no ratings.
        """
        core = self._core
        model, source = self._foretelling_ratings(), RatingSource.of(core.config.signals.specs)
        if model is None or source is None:
            raise InvalidInput(
                "The models in use foretell no ratings.",
                hint=f"They do after `bespeak train` on at least {MIN_RATINGS:,} ratings by {MIN_PEOPLE} people.",
            )
        core.refresh_when_due()
        catalogue, known = core.world.catalogue, set(model.item_ids)
        fresh = [catalogue.items[catalogue.index[i]] for i in item_ids if i in catalogue.index and i not in known]
        if fresh:
            model = model.extended(item_content(fresh, core.config.settings.profiles.facets))
        profile = Profiles(core).get(user_id) or Profile()
        view = profile_view(core.runtime, profile, granted_purposes(core.runtime, profile, Context()), core.now_ms())
        place = {item: index for index, item in enumerate(model.item_ids)}
        found = model.predict(
            source.in_profile(view, model.item_ids), np.zeros(len(item_ids)), [place.get(item, -1) for item in item_ids]
        )
        pairs = zip(item_ids, found.values.tolist(), found.spreads.tolist(), strict=True)
        return [PredictedRating(item_id=item, rating=value, spread=spread) for item, value, spread in pairs]

    def _foretelling_ratings(self) -> BiasedFactorization | None:
        """Loads the rating model of the set in use, once."""
        with self._core.store.read() as session:
            current = records.models(session, name=MODEL_SET, state="current")
        stored = msgspec.json.decode(current[0].header, type=SetHeader).ratings if current else None
        if stored is None:
            return None
        held = self._rating_model
        if held is None or held[0] != stored.blob_key:
            held = (stored.blob_key, load_as(self._core.blobs.place(stored.blob_key), BiasedFactorization))
            self._rating_model = held
        return held[1]

    def _usable(self, table: pa.Table, as_of_ms: int | None) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Returns the root person of each row, and which rows about an item may be used."""
        person, keep = granted_rows(self._core, table, as_of_ms)
        return person, keep & ~np.asarray(table.column("item_id").combine_chunks().is_null())

    def _store(
        self,
        trained: Trained,
        rated: TrainedRatings | None,
        learned: LearnedPlacements,
        foretold: TrainedPredictions,
        position: int,
        seconds: float,
    ) -> TrainingReport:
        core = self._core
        now_ms = core.clock.now_ms()
        folder = f"models/{now_ms}-{position}"
        window = _window(trained.interactions)
        purposes = ["improve"]
        members: dict[str, Model] = {**trained.members, trained.model.name: trained.model}
        stored = []
        for name, model in members.items():
            key = f"{folder}/{name}"
            path = core.blobs.place(key)
            path.parent.mkdir(parents=True, exist_ok=True)
            save(model, path, trained_ms=window, created_ms=now_ms, metrics=trained.metrics(), purposes=purposes)
            store_beside(core.blobs, key, model)
            stored.append(StoredModel(name=name, blob_key=key, is_best=name == trained.model.name))
        ratings = None
        if rated is not None:
            ratings = StoredRatings(blob_key=f"{folder}/ratings", settings=rated.model.settings())
            save(rated.model, core.blobs.place(ratings.blob_key), created_ms=now_ms, purposes=purposes)
        store_people(core.blobs, folder, trained.interactions)
        header = SetHeader(
            models=stored,
            ratings=ratings,
            sentences=[
                *trained.sentences(),
                *(rated.evaluation.sentences() if rated else ()),
                *missing_index(members.values()),
                *learned.sentences(),
                *foretold.sentences,
            ],
            weights=list(learned.reports),
            predictions=foretold.predictions,
            boards=[_board(board) for board in trained.boards],
            metrics=trained.metrics() | (rated.evaluation.metrics() if rated else {}),
            trained_from_ms=window[0],
            trained_to_ms=window[1],
            n_events=len(trained.interactions),
            n_people=trained.interactions.n_users,
            n_items=trained.interactions.n_items,
            seconds=seconds,
            purposes=purposes,
            lake_position=position,
        )
        with core.store.write() as tx:
            version = records.add_model(tx, MODEL_SET, now_ms, folder, msgspec.json.encode(header))
            put_weights(tx, learned.better, learned.rates)
        core.refresh()
        self.prune()
        return TrainingReport(version=version, header=header)

    def versions(self) -> list[tuple[ModelVersion, SetHeader]]:
        """Returns the stored sets, the newest first."""
        with self._core.store.read() as session:
            found = records.models(session, name=MODEL_SET)
        return [(version, msgspec.json.decode(version.header, type=SetHeader)) for version in found]

    def prune(self) -> int:
        """Forgets sets beyond the number that the project keeps, and folders that no row names."""
        core = self._core
        keeps = core.config.settings.train.keep_versions
        with core.store.write() as tx:
            dropped = records.models(tx, name=MODEL_SET)[keeps:]
            for version in dropped:
                records.drop_model(tx, version.version)
        for version in dropped:
            core.blobs.delete(core.blobs.list(f"{version.blob_key}/"))
        core.sweep_blobs()
        return len(dropped)


def relevant_rows(interactions: Interactions) -> Relevant:
    """Where people mostly rate, every later rating is a right answer; else only what they turned to."""
    if interactions.class_index is None:
        return "positive"
    rated = [place for place, name in enumerate(interactions.class_names) if name in _RATING]
    return "every" if np.isin(interactions.class_index, rated).mean() > 0.5 else "positive"


def _window(interactions: Interactions) -> tuple[int, int]:
    if not len(interactions):
        return 0, 0
    return int(interactions.times_ms.min()), int(interactions.times_ms.max())


def _board(board: Leaderboard) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(
        board, enc_hook=lambda value: value.item() if hasattr(value, "item") else str(value)
    )
    return plain
