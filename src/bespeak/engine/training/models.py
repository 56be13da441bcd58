"""Training on the log: lake -> interactions -> the learn package -> a stored set, swapped in atomically.

A row is used where its purpose `improve` held when it came in and is not refused now. Bots are left out. A person's
rows stand under the root they were merged into.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from bespeak.catalogue.columns import texts_of
from bespeak.engine.core import Core
from bespeak.engine.lake_feed import feed
from bespeak.engine.training.neighbour_tables import store_table
from bespeak.engine.worlds import MODEL_SET, SetHeader, StoredModel
from bespeak.errors import InvalidInput
from bespeak.learn.leaderboard import Leaderboard
from bespeak.learn.splits import Relevant
from bespeak.learn.train import Trained, train
from bespeak.models.artefact import save
from bespeak.models.base import Interactions, ItemContent, Model
from bespeak.signals.items import Item
from bespeak.storage import people, records
from bespeak.storage.records import ModelVersion

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

    def train(
        self,
        *,
        as_of_ms: int | None = None,
        seed: int | None = None,
        candidates: Sequence[Model] | None = None,
        progress: Progress | None = None,
    ) -> TrainingReport:
        """Trains on everything allowed, keeps the best, and swaps it into running servers.

        Args:
            as_of_ms: leave out what happened later.
            seed: of samples and first vectors; the project's when left out.
            candidates: models to try, unfitted; those that suit the size of the data when left out.
            progress: told the stage and the share that is done.

        Raises:
            InvalidInput: the log holds nothing that may be trained on; the message says why.
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
        content = item_content(core.world.catalogue.items, core.config.settings.profiles.facets)
        trained = train(
            interactions,
            content,
            candidates=candidates,
            seed=core.config.settings.project.seed if seed is None else seed,
            now_ms=as_of_ms,
            relevant=relevant_rows(interactions),
            progress=progress,
        )
        told("storing", 1.0)
        return self._store(trained, position, time.perf_counter() - started)

    def interactions(self, as_of_ms: int | None = None) -> Interactions:
        """Returns who did what with which item: the training data, signed and weighted by class."""
        core = self._core
        table = core.lake.read("signals", _COLUMNS).sort_by("log_id")
        improve = core.config.purposes.improve
        person, keep = self._allowed(table)
        item = table.column("item_id").combine_chunks()
        keep &= ~np.asarray(item.is_null())
        keep &= (table.column("purposes").to_numpy() & improve) != 0
        keep &= ~table.column("is_bot").to_numpy().astype(bool)
        times = table.column("time_ms").to_numpy()
        if as_of_ms is not None:
            keep &= times <= as_of_ms
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
        return Interactions.from_arrays(
            tuple(str(user) for user in users.tolist()),
            tuple(items.dictionary.to_pylist()),
            user_index,
            item_index[first],
            weights=np.bincount(place, weights[chosen], minlength=len(first)).astype(np.float32),
            times_ms=times[chosen][first],
            class_index=classes.indices.to_numpy()[chosen][first],
            class_names=tuple(classes.dictionary.to_pylist()),
        )

    def _allowed(self, table: pa.Table) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Returns the root person of each row, and which rows are not refused now."""
        with self._core.store.read() as session:
            roots = people.roots(session)
            refused = people.refusing(session, "improve")
        person = table.column("person_id").to_numpy().copy()
        if roots:
            absorbed = np.array(sorted(roots), np.int64)
            target = np.array([roots[p] for p in absorbed.tolist()], np.int64)
            place = np.minimum(np.searchsorted(absorbed, person), len(absorbed) - 1)
            person = np.where(absorbed[place] == person, target[place], person)
        return person, ~np.isin(person, np.array(sorted(refused), np.int64))

    def _store(self, trained: Trained, position: int, seconds: float) -> TrainingReport:
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
            store_table(core.blobs, key, model)
            stored.append(StoredModel(name=name, blob_key=key, is_best=name == trained.model.name))
        header = SetHeader(
            models=stored,
            sentences=trained.sentences(),
            boards=[_board(board) for board in trained.boards],
            metrics=trained.metrics(),
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


def item_content(items: Sequence[Item], facets: Sequence[str]) -> ItemContent:
    """Returns what the catalogue knows of items, for models of content: title and description, and facets."""
    names = [name for name in facets if any(name in item.attributes for item in items)]
    return ItemContent(
        item_ids=tuple(item.id for item in items),
        texts=[f"{item.title} {item.description}".strip() for item in items],
        attributes={name: [texts_of(item.attributes.get(name)) for item in items] for name in names},
    )


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
