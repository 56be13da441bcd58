"""Migrations on a handwritten history: an old shop of rows reaches the schema that a fresh store gets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bespeak.errors import StoreError, StoreTooNew
from bespeak.storage import migrations
from bespeak.storage.base import Transaction
from bespeak.storage.migrations import AddColumn, AddIndex, AddTable, Drop, DropColumn, Fill, Schema, Step
from bespeak.storage.schema import Table
from bespeak.storage.sqlite.store import SqliteStore

PEOPLE_0 = Table(name="people", columns={"id": "id", "full_name": "text"}, indexes=(("full_name",),))
PEOPLE_2 = Table(name="people", columns={"id": "id", "first": "text", "last": "text"}, indexes=(("last",),))
NOTES = Table(name="notes", columns={"id": "id", "body": "blob?"})
N_PEOPLE = 4


def split_names(tx: Transaction) -> None:
    for person, name in tx.rows("SELECT id, full_name FROM people"):
        first, _, last = str(name).partition(" ")
        tx.run("UPDATE people SET first = ?, last = ? WHERE id = ?", (first, last, person))


SPLIT = Step(
    number=1,
    name="split names",
    expand=(
        AddColumn("people", "first", "text", "''"),
        AddColumn("people", "last", "text", "''"),
        AddIndex("people", ("last",)),
        Fill(split_names),
    ),
    contract=(Drop("INDEX", "people_by_full_name"), DropColumn("people", "full_name")),
)
ADD_NOTES = Step(number=2, name="add notes", expand=(AddTable(NOTES),))

VERSION_0 = Schema(version=0, tables=(PEOPLE_0,))
VERSION_2 = Schema(version=2, tables=(PEOPLE_2, NOTES), steps=(SPLIT, ADD_NOTES))

KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_migrations as history
from bespeak.storage import migrations
from bespeak.storage.sqlite.store import SqliteStore

kill_before, n_seen = int(sys.argv[3]), 0
store = SqliteStore(Path(sys.argv[2]))
execute = store._writer.execute

class Counting:
    def __getattr__(self, name):
        return getattr(writer, name)
    def execute(self, *args):
        global n_seen
        n_seen += 1
        if n_seen == kill_before:
            os.kill(os.getpid(), signal.SIGKILL)
        return writer.execute(*args)

writer, store._writer = store._writer, Counting()
migrations.migrate(store, history.VERSION_2)
print(n_seen)
"""


def old_store(path: Path) -> SqliteStore:
    store = SqliteStore(path)
    migrations.migrate(store, VERSION_0)
    with store.write() as tx:
        for n in range(1, N_PEOPLE + 1):
            tx.run("INSERT INTO people (id, full_name) VALUES (?, ?)", (n, f"First{n} Last{n}"))
    return store


def shape(store: SqliteStore) -> set[tuple[Any, ...]]:
    """Tables, columns with type and NULL rule, indexes: what must be equal however the store came by it."""
    found: set[tuple[Any, ...]] = set()
    with store.read() as session:
        for kind, name in session.rows("SELECT type, name FROM sqlite_master"):
            found.add((kind, name))
            if kind == "table":
                columns = session.rows('SELECT name, type, "notnull", pk FROM pragma_table_info(?)', (name,))
                found |= {(name, *column) for column in columns}
    return found


def check_migrated(store: SqliteStore) -> None:
    migrations.check_version(store, VERSION_2)
    with store.read() as session:
        rows = session.rows("SELECT id, first, last FROM people ORDER BY id")
        steps = session.rows("SELECT number, phase FROM schema_steps WHERE number > 0 ORDER BY number, phase")
    assert rows == [(n, f"First{n}", f"Last{n}") for n in range(1, N_PEOPLE + 1)]
    assert steps == [(1, "contract"), (1, "expand"), (2, "contract"), (2, "expand")]


def test_an_old_store_becomes_what_a_fresh_one_is(tmp_path: Path) -> None:
    store, fresh = old_store(tmp_path / "old.db"), SqliteStore(tmp_path / "fresh.db")
    migrations.migrate(store, VERSION_2)
    migrations.migrate(fresh, VERSION_2)
    check_migrated(store)
    assert shape(store) == shape(fresh)
    assert migrations.schema_version(store) == migrations.schema_version(fresh) == 2
    store.close()
    fresh.close()


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    store = old_store(tmp_path / "old.db")
    migrations.migrate(store, VERSION_2)
    before = shape(store)
    migrations.migrate(store, VERSION_2)
    assert shape(store) == before
    check_migrated(store)
    store.close()


def test_an_expanded_store_still_serves_the_older_code(tmp_path: Path) -> None:
    store = old_store(tmp_path / "old.db")
    migrations._run_phase(store, SPLIT, "expand")
    with store.read() as session:
        assert session.row("SELECT full_name FROM people WHERE id = 3") == ("First3 Last3",)
    with store.write() as tx:
        tx.run("INSERT INTO people (id, full_name) VALUES (?, ?)", (N_PEOPLE + 1, "Late Comer"))
    with pytest.raises(StoreError, match="migrate=True"):
        migrations.check_version(store, Schema(version=1, tables=(), steps=(SPLIT,)))
    store.close()


def test_a_step_that_fails_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    store = old_store(tmp_path / "old.db")
    before = shape(store)

    def fail(_: Transaction) -> None:
        raise ValueError("stop")

    broken = Step(number=1, name="broken", expand=(*SPLIT.expand, Fill(fail)))
    with pytest.raises(ValueError, match="stop"):
        migrations.migrate(store, Schema(version=1, tables=(), steps=(broken,)))
    assert shape(store) == before
    migrations.migrate(store, VERSION_2)
    check_migrated(store)
    store.close()


def test_a_gap_in_the_steps_is_named(tmp_path: Path) -> None:
    store = old_store(tmp_path / "old.db")
    with pytest.raises(StoreError, match="no step 1"):
        migrations.migrate(store, Schema(version=2, tables=(), steps=(ADD_NOTES,)))
    store.close()


def test_older_code_refuses_a_newer_store(tmp_path: Path) -> None:
    store = old_store(tmp_path / "old.db")
    migrations.migrate(store, VERSION_2)
    for refuse in (migrations.migrate, migrations.check_version):
        with pytest.raises(StoreTooNew, match="schema 2"):
            refuse(store, VERSION_0)
    store.close()


def test_a_migration_killed_anywhere_is_carried_on(tmp_path: Path) -> None:
    folder = str(Path(__file__).parent)
    old = tmp_path / "old.db"
    old_store(old).close()
    content = old.read_bytes()

    def migrate_and_kill(path: Path, kill_before: int) -> subprocess.CompletedProcess[str]:
        path.write_bytes(content)
        command = [sys.executable, "-c", KILLED, folder, str(path), str(kill_before)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    whole = migrate_and_kill(tmp_path / "whole.db", 0)
    assert whole.returncode == 0, whole.stderr
    n_statements = int(whole.stdout)
    assert n_statements > 5
    for kill_before in range(1, n_statements + 1, 3):
        path = tmp_path / f"{kill_before}.db"
        killed = migrate_and_kill(path, kill_before)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        store = SqliteStore(path)
        migrations.migrate(store, VERSION_2)
        check_migrated(store)
        store.close()


def test_two_processes_migrate_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    old_store(path).close()
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(path), "0"]
    both = [subprocess.Popen(command, stdout=subprocess.DEVNULL, env=dict(os.environ)) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    store = SqliteStore(path)
    check_migrated(store)
    store.close()
