"""The scenario of a migration: two workers open a project of the previous schema at once, migrate it, and go on.

There is one schema so far, so the previous one is made up: bots are a word instead of a number, profiles stand in a
table of another name, an index is missing. When a migration has come to its end, what it must not change is compared,
and the project is made old again for the next one.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

import bespeak.storage.open as opening
from bespeak.engine import Engine
from bespeak.engine.config import parse_config, read_file
from bespeak.engine.project import ProjectFolder
from bespeak.storage.base import Session, Store, Transaction
from bespeak.storage.migrations import (
    PHASES,
    AddColumn,
    AddIndex,
    AddTable,
    Change,
    Drop,
    DropColumn,
    Fill,
    Schema,
    Step,
    migrate,
)
from bespeak.storage.schema import BY_NAME, SCHEMA_VERSION, TABLES
from bespeak.storage.sqlite.store import SqliteStore
from recovery.killing import Desk, Part, Scenario
from recovery.workers import ledgers, send

OLD_PROFILES = "CREATE TABLE old_profiles (person_id {id}, version {id}, updated_ms {id}, body {blob})"
EVENT_COLUMNS = ", ".join(BY_NAME["events"].columns)


def _fill_bots(tx: Transaction) -> None:
    for log_id, word in tx.rows("SELECT log_id, bot FROM events"):  # one by one, as a step that reads bodies would
        tx.run("UPDATE events SET is_bot = ? WHERE log_id = ?", (int(word == "yes"), log_id))


def _fill_profiles(tx: Transaction) -> None:
    for row in tx.rows("SELECT person_id, version, updated_ms, body FROM old_profiles ORDER BY person_id"):
        tx.insert("profiles", ("person_id", "version", "updated_ms", "body"), [row])


def release(desk: Desk | None = None) -> Schema:
    """Returns the schema of this release with the step that leads to it; it tells the desk when it is at work."""

    def at(work: str) -> tuple[Change, ...]:
        return () if desk is None else (Fill(lambda _: desk.begin(work)),)

    step = Step(
        number=SCHEMA_VERSION,
        name="numbers for bots, profiles in their table",
        expand=(
            *at("expansion"),
            AddColumn("events", "is_bot", "int", "0"),
            Fill(_fill_bots),
            AddTable(BY_NAME["profiles"]),
            Fill(_fill_profiles),
            AddIndex("events", ("person_id", "log_id")),
        ),
        contract=(*at("contraction"), DropColumn("events", "bot"), Drop("TABLE", "old_profiles")),
    )
    return Schema(version=SCHEMA_VERSION, tables=TABLES, steps=(step,))


def make_old(store: Store) -> None:
    """Takes a store back to the previous schema, in one transaction."""
    types = {"id": "INTEGER", "blob": "BLOB"} if store.kind == "sqlite" else {"id": "bigint", "blob": "bytea"}
    with store.write() as tx:
        tx.run("ALTER TABLE events ADD COLUMN bot TEXT NOT NULL DEFAULT 'no'")
        tx.run("UPDATE events SET bot = 'yes' WHERE is_bot = 1")
        tx.run("ALTER TABLE events DROP COLUMN is_bot")
        tx.run("DROP INDEX events_by_person_id_log_id")
        tx.run(OLD_PROFILES.format(**types))
        tx.run("INSERT INTO old_profiles SELECT person_id, version, updated_ms, body FROM profiles")
        tx.run("DROP TABLE profiles")
        tx.run("DELETE FROM schema_steps")
        tx.insert("schema_steps", ("number", "phase"), [(SCHEMA_VERSION - 1, p) for p in ("expand", "contract")])


def shape(session: Session, *, is_sqlite: bool) -> list[tuple[Any, ...]]:
    """Returns tables, columns with type and NULL rule, and indexes."""
    if is_sqlite:
        found: list[tuple[Any, ...]] = []
        for kind, name in session.rows("SELECT type, name FROM sqlite_master ORDER BY type, name"):
            columns = session.rows('SELECT name, type, "notnull", pk FROM pragma_table_info(?)', (name,))
            found += [(kind, name), *((name, *column) for column in sorted(columns, key=str))]
        return found
    columns = session.rows(
        "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns"
        " WHERE table_schema = current_schema() ORDER BY 1, 2"
    )
    return columns + session.rows(
        "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = current_schema() ORDER BY 1, 2"
    )


class Facts(msgspec.Struct, frozen=True):
    """What a migration must not change."""

    last_log_id: int
    events: str
    shape: str


def facts(store: Store, last_log_id: int | None = None) -> Facts:
    """Returns them for the log up to a position."""
    with store.read() as session:
        if last_log_id is None:
            row = session.row("SELECT max(log_id) FROM events")
            last_log_id = int(row[0] or 0) if row else 0  # type: ignore[arg-type]
        digest = hashlib.blake2b()
        for event in session.rows(
            f"SELECT {EVENT_COLUMNS} FROM events WHERE log_id <= ? ORDER BY log_id", (last_log_id,)
        ):
            digest.update(repr(event).encode())
        described = repr(shape(session, is_sqlite=isinstance(store, SqliteStore)))
    return Facts(last_log_id, digest.hexdigest(), described)


class Migration(Scenario):
    """Two workers at once open a project of the previous schema; killed in it, or soon after."""

    works = frozenset({"expansion", "contraction"})
    is_one_kill = True  # one of the two migrates, the other one waits for it
    with_workers = False

    @property
    def _url(self) -> str:
        folder = ProjectFolder(self.project)
        return folder.store_url(parse_config(read_file(folder.config_path)).settings.storage.url)

    @property
    def _facts(self) -> Path:
        return self.project.parent / "facts.json"

    @property
    def _journal(self) -> Path:
        return self.project.parent / "migrated"

    def prepare(self) -> float:
        opening.run_migrations = lambda store: migrate(store, release())
        with closing(opening.open_store(self._url, migrate=True)) as store:
            self._make_old(store)
            started = time.perf_counter()
            migrate(store, release())
            seconds = time.perf_counter() - started
            self._make_old(store)
            return seconds

    def _make_old(self, store: Store) -> None:
        self._facts.write_bytes(msgspec.json.encode(facts(store)))
        make_old(store)

    def actors(self, number: int) -> Sequence[Part]:
        del number
        return [lambda desk, worker=worker: self._open_and_send(worker, desk) for worker in range(2)]

    def _open_and_send(self, worker: int, desk: Desk) -> None:
        def run_migrations(store: Store) -> None:
            migrate(store, release(desk))
            desk.end()

        opening.run_migrations = run_migrations  # as a release would that has this step
        with Engine.open(self.project) as engine:
            send(engine, worker, self.seed, ledgers(self.project)[worker], desk)

    def look(self, number: int) -> list[str]:
        """A migration that came to its end has changed nothing; the project is then made old again."""
        del number
        opening.run_migrations = lambda store: None
        with closing(opening.open_store(self._url, migrate=True)) as store:
            with store.read() as session:
                done = session.rows("SELECT phase FROM schema_steps WHERE number = ?", (SCHEMA_VERSION,))
            if len(done) < len(PHASES):
                return []
            faults = self._compare(store)
            self._make_old(store)
            return faults

    def finish(self) -> list[str]:
        """The migration that was interrupted last is carried on."""
        opening.run_migrations = lambda store: migrate(store, release())
        with Engine.open(self.project) as engine:
            return self._compare(engine.core.store)

    def _compare(self, store: Store) -> list[str]:
        with self._journal.open("a") as journal:
            journal.write("migrated\n")
        before = msgspec.json.decode(self._facts.read_bytes(), type=Facts)
        after = facts(store, before.last_log_id)
        changed = [name for name in Facts.__struct_fields__ if getattr(before, name) != getattr(after, name)]
        return [f"a migration changed: {', '.join(changed)}"] if changed else []

    def notes(self) -> dict[str, Any]:
        return {"migrations": len(self._journal.read_text().splitlines())}
