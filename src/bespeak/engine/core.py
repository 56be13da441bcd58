"""What every part of the engine works with: the open store, the clock, the writer and the active configuration."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from bespeak.decide.request import DecideRequest
from bespeak.decide.world import World
from bespeak.engine import runtime as runtimes
from bespeak.engine.clock import Clock, StandingClock
from bespeak.engine.config import FILE_NAME, Configuration, parse_config, read_file
from bespeak.engine.filters import check_filters
from bespeak.engine.folding import fold_version
from bespeak.engine.project import ProjectFolder
from bespeak.engine.runtime import Runtime
from bespeak.engine.settings import Settings
from bespeak.engine.values import check_values
from bespeak.engine.writing.writer import Gather, Writer, WriteRequest, Written
from bespeak.errors import ConfigError, InvalidInput, StoreUnavailable
from bespeak.intake.context import read_context
from bespeak.privacy.ledger import ErasureLedger
from bespeak.storage.base import Store, Transaction
from bespeak.storage.blobs import Blobs
from bespeak.storage.lake import Lake
from bespeak.storage.tables import log, people, records

_log = logging.getLogger("bespeak.engine")

MESSAGE_SECRET = "message_secret"  # noqa: S105 - the name of a setting
REFRESH_EVERY_MS = 200
YOUNG_MODEL_MS = 6 * 3_600_000


class Core:
    """An open project.

    Attributes:
        folder: its paths.
        store: its transactional store.
        clock: what tells the time.
        blobs: models and lake.
        ledger: erasures that a restore repeats.
    """

    def __init__(self, folder: ProjectFolder, store: Store, clock: Clock, config: Configuration) -> None:
        self.folder = folder
        self.store = store
        self.clock = clock
        self.blobs = Blobs(folder.blobs)
        self.ledger = ErasureLedger(folder.ledger, folder.keys)
        self._file_digest = config.digest()
        self.message_secret = self._secret(MESSAGE_SECRET)
        self.lake = Lake(store, self.blobs)
        self._swap = threading.Lock()
        self._writing = threading.Lock()
        self._refreshed_ms = -REFRESH_EVERY_MS
        self._refused_version = 0
        self._newest = 0, 0  # log position looked at, latest time up to there
        self._runtime = self._activate_first(config)
        self._writer = Writer(self._commit, max_events=config.settings.serve.max_waiting_events)
        self.refresh()

    # -- configuration -------------------------------------------------------------------------------------------------
    @property
    def runtime(self) -> Runtime:
        """The active configuration and what it was compiled to."""
        return self._runtime

    @property
    def config(self) -> Configuration:
        """The active configuration."""
        return self._runtime.config

    @property
    def world(self) -> World:
        """The snapshot that decisions are made with now."""
        return self._runtime.keeper.world

    def is_file_different(self) -> bool:
        """True when `bespeak.toml` differs from what is active."""
        return self._file_digest != self.config.digest()

    def apply(self, author: str = "file") -> int:
        """Makes `bespeak.toml` the active configuration and returns its version; nothing half-applies.

        Raises:
            ConfigError: the file is wrong, or sets nothing at all, which is a file that was lost and not a wish.
        """
        config = parse_config(read_file(self.folder.config_path))
        if config.settings == Settings() != self.config.settings:
            raise ConfigError(
                "sets nothing, so every source and key would be gone.",
                file=FILE_NAME,
                hint="`bespeak config pull` writes back what is active.",
            )
        self.refresh()
        self.check_filters(config)
        check_values(config)
        with self.store.write() as tx:
            version = runtimes.activate(tx, config, self.clock.now_ms(), author)
        self._file_digest = config.digest()
        self._use(config, version)
        self.refresh()
        return version

    def check_filters(self, config: Configuration) -> None:
        """Returns when every filter of a configuration can be used on the items there are; raises `ConfigError`."""
        try:
            check_filters(config.placements, self.world.catalogue)
        except ConfigError as error:
            message = error.message.removeprefix(f"{error.key}: ")
            raise ConfigError(message, file=FILE_NAME, key=error.key, hint=error.hint) from None

    def refresh(self) -> None:
        """Takes over what other processes changed: configuration, catalogue, models."""
        now_ms = self.clock.now_ms()
        self._refreshed_ms = now_ms
        with self.store.read() as session:
            active = records.current_config(session)
        if active is not None and active.version not in (self._runtime.config_version, self._refused_version):
            try:
                self._use(parse_config(active.body), active.version)
            except ConfigError as error:
                # A newer release may have made it active. What is held goes on; the next version is looked at again.
                self._refused_version = active.version
                _log.warning("configuration %d cannot be used by this process: %s", active.version, error)
        self._runtime.keeper.refresh(self.now_ms())

    def now_ms(self) -> int:
        """Returns the time that decay and availability are computed for: the clock's, or the data's newest event."""
        if self.config.settings.project.now == "clock" or isinstance(self.clock, StandingClock):
            return self.clock.now_ms()
        position, newest_ms = self._newest
        with self.store.read() as session:
            position, later_ms = log.newest_time(session, position)
        newest_ms = max(newest_ms, later_ms or 0)
        self._newest = position, newest_ms
        return newest_ms or self.clock.now_ms()

    def _use(self, config: Configuration, version: int) -> None:
        with self._swap:
            made = self._build(config, version)
            made.keeper.refresh(self.clock.now_ms())
            self._runtime = made

    def _build(self, config: Configuration, version: int) -> Runtime:
        return runtimes.build(
            self.store,
            self.blobs,
            config,
            version,
            message_secret=self.message_secret,
            now_ms=self.clock.now_ms,
        )

    def _commit(self, gather: Gather) -> list[Written]:
        with self._writing:
            return self._runtime.ingest.commit(gather)

    @contextmanager
    def people_write(self) -> Iterator[Transaction]:
        """A transaction that changes people beside the writer; what the writer kept of them is dropped."""
        with self._writing:
            try:
                with self.store.write() as tx:
                    yield tx
                    people.raise_edition(tx)
            finally:
                self._runtime.ingest.forget()

    def check(self) -> None:
        """Returns when the store answers and can be written to; raises `StoreUnavailable` otherwise."""
        self.store.check()

    def is_new(self) -> bool:
        """True while no event has come in and no job has run."""
        with self.store.read() as session:
            return log.count(session) == 0 and not records.jobs(session)

    def drain(self) -> None:
        """Returns when everything that waits now is written."""
        self.submit(WriteRequest()).result()

    def sweep_blobs(self) -> None:
        """Deletes files that no row lists any more: erased or replaced lake files, models that were dropped.

        A folder of models that was begun within the last hours may belong to a training that is still storing.
        """
        self.lake.sweep()
        young_ms = self.clock.now_ms() - YOUNG_MODEL_MS
        with self.store.write() as tx:
            listed = {version.blob_key for version in records.models(tx)}
            for folder in self.blobs.folders("models"):
                if folder not in listed and _begun_ms(folder) < young_ms:
                    self.blobs.delete_folder(folder)

    def _activate_first(self, config: Configuration) -> Runtime:
        """A fresh project applies by itself; any other uses what is active."""
        with self.store.write() as tx:
            tx.lock_keys(["config"])
            active = records.current_config(tx)
            if active is None:
                check_values(config)
                version = runtimes.activate(tx, config, self.clock.now_ms(), "file")
            else:
                config, version = parse_config(active.body), active.version
                fold_version.settle(tx, config)  # this release may fold otherwise than the one before
        return self._build(config, version)

    def _secret(self, name: str) -> bytes:
        with self.store.write() as tx:
            tx.lock_keys([f"setting:{name}"])
            held = records.setting(tx, name)
            if held is None:
                held = secrets.token_bytes(32)
                records.put_setting(tx, name, held)
        return held

    def submit(self, request: WriteRequest, *, is_droppable: bool = False) -> Future[Written]:
        """Queues a request for the writer; the future ends when it is durable."""
        return self._writer.submit(request, is_droppable=is_droppable)

    def n_waiting(self) -> int:
        """Returns how many records wait for the writer."""
        return self._writer.n_waiting()

    def request(self, placement: str, context: Mapping[str, Any] | None, **asked: Any) -> DecideRequest:
        """Returns a request in its circumstances, which are read as they came; `asked` are the other fields.

        Raises:
            InvalidInput: a value is out of bounds.
        """
        if context is not None and not isinstance(context, Mapping):
            raise InvalidInput("`context` is no mapping.", hint='Give {"device": "mobile"}, or leave it out.')
        declared = self.config.settings.context.declared
        read = read_context(context or {}, time_ms=self.now_ms(), declared_keys=declared)
        given = {name: value for name, value in asked.items() if value is not None}
        return DecideRequest(placement=placement, context=read, **given).checked()

    def refresh_when_due(self) -> None:
        """Refreshes when the last time is `REFRESH_EVERY_MS` ago; a store that is away leaves what is held."""
        now_ms = self.clock.now_ms()
        if now_ms - self._refreshed_ms >= REFRESH_EVERY_MS or now_ms < self._refreshed_ms:
            try:
                self.refresh()
            except StoreUnavailable:
                self._refreshed_ms = now_ms

    def close(self) -> None:
        """Writes what waits and releases the store."""
        self._writer.close()
        self.store.close()


def _begun_ms(folder: str) -> int:
    """Returns when a folder of models was begun, as its name says; 0 for another name."""
    begun = folder.partition("/")[2].partition("-")[0]
    return int(begun) if begun.isdigit() else 0
