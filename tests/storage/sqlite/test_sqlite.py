"""What only the SQLite store does: hints for what goes wrong with files, fair turns, scrubbing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import pairwise
from pathlib import Path
from random import Random

import apsw
import pytest

from bespeak.errors import InvalidInput, StoreError, StoreUnavailable
from bespeak.storage.base import Store
from bespeak.storage.open import open_store
from bespeak.storage.schema import BY_NAME
from bespeak.storage.sqlite import store as sqlite
from bespeak.storage.sqlite.store import SqliteStore

EVENT_COLUMNS = tuple(BY_NAME["events"].columns)[:12]


# -- opening -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("form", ["{path}", "sqlite:///{path}"])
def test_a_path_and_an_address_open_the_same_file(tmp_path: Path, form: str) -> None:
    open_store(form.format(path=tmp_path / "a.db"), migrate=True).close()
    assert (tmp_path / "a.db").is_file()
    open_store(tmp_path / "a.db").close()


def test_a_relative_address_is_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    open_store("sqlite:///a.db", migrate=True).close()
    assert (tmp_path / "a.db").is_file()


def test_an_unknown_scheme_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match=r"mysql.*postgresql://"):
        open_store("mysql://host/db", migrate=True)


def test_reading_only_and_migrating_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="reading only"):
        open_store(tmp_path / "a.db", read_only=True, migrate=True)


def test_a_missing_store_is_not_made_by_the_way(tmp_path: Path) -> None:
    for read_only in (False, True):
        with pytest.raises(StoreError, match="bespeak init"):
            open_store(tmp_path / "a.db", read_only=read_only)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="folder"):
        open_store(tmp_path / "none" / "a.db", migrate=True)


@pytest.mark.parametrize("content", [b"hello" * 1000, b"SQLite format 3\0" + b"\1" * 5000])
def test_a_file_of_another_kind_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"not a Bespeak store|another program"):
        open_store(path, migrate=True)
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE notes (text)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        open_store(path, migrate=True)
    assert path.read_bytes() == before


def test_an_sqlite_that_can_lose_commits_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.51.2")
    with pytest.raises(StoreError, match=r"apsw 3\.51\.3"):
        open_store(tmp_path / "a.db", migrate=True)


def test_its_files_are_nobody_elses_to_read(tmp_path: Path) -> None:
    store = open_store(tmp_path / "a.db", migrate=True)
    assert {file.name for file in tmp_path.iterdir()} == {"a.db", "a.db-wal", "a.db-shm", "a.db-queue"}
    assert {file.stat().st_mode & 0o077 for file in tmp_path.iterdir()} == {0}
    store.close()


def test_opening_a_second_store_leaves_the_locks_of_the_first(sqlite_store: Store, tmp_path: Path) -> None:
    """Closing a descriptor drops the process's locks on its file; nothing here may do so while a store is open."""
    path = tmp_path / "store.db"
    open_store(path).close()
    sqlite_store.scrub()
    ask = (
        "import apsw, sys; c = apsw.Connection(sys.argv[1]); print(c.execute('PRAGMA journal_mode=DELETE').fetchone())"
    )
    asked = subprocess.run([sys.executable, "-c", ask, str(path)], capture_output=True, text=True, check=False)
    assert "BusyError" in asked.stderr


# -- while it runs -----------------------------------------------------------------------------------------------------
def test_a_full_disk_is_unavailable_and_passes(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db")
    store._writer.execute("CREATE TABLE settings (name TEXT PRIMARY KEY, value BLOB) STRICT")
    store._writer.execute("PRAGMA max_page_count=20").fetchall()
    with pytest.raises(StoreUnavailable, match="disk is full"), store.write() as tx:
        tx.insert("settings", ("name", "value"), [("a", b"x" * 1_000_000)])
    store._writer.execute("PRAGMA max_page_count=2000").fetchall()
    with store.write() as tx:
        assert tx.rows("SELECT name FROM settings") == []
        tx.insert("settings", ("name", "value"), [("a", b"x" * 1_000_000)])
    store.close()


def test_waiting_for_another_writer_ends_in_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    open_store(path, migrate=True).close()
    one, two = SqliteStore(path), SqliteStore(path, patience_seconds=0.02)
    with one.write() as tx:
        tx.run("DELETE FROM cursors")
        with pytest.raises(StoreUnavailable, match="another process"), two.write():
            pass
        with two.read() as session:  # readers wait for nobody
            assert session.rows("SELECT name FROM cursors") == []
    with two.write() as tx:
        tx.run("DELETE FROM cursors")
    one.close()
    two.close()


def test_a_damaged_page_is_named_as_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = open_store(path, migrate=True)
    with store.write() as tx:
        tx.insert("settings", ("name", "value"), [(f"n{n}", b"x" * 500) for n in range(500)])
    store.close()
    content = bytearray(path.read_bytes())
    content[sqlite.PAGE_SIZE :] = b"\x99" * (len(content) - sqlite.PAGE_SIZE)
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"damaged.*backup"):
        open_store(path)


def test_a_file_that_was_deleted_is_not_written_to_any_more(sqlite_store: Store, tmp_path: Path) -> None:
    (tmp_path / "store.db").rename(tmp_path / "elsewhere.db")
    with pytest.raises(StoreUnavailable, match="moved or deleted"), sqlite_store.write():
        pass
    with pytest.raises(StoreUnavailable, match="moved or deleted"):
        sqlite_store.check()
    (tmp_path / "elsewhere.db").rename(tmp_path / "store.db")
    sqlite_store.check()
    with sqlite_store.write() as tx:
        tx.run("DELETE FROM cursors")


def test_a_second_transaction_in_a_thread_is_an_error_not_a_deadlock(sqlite_store: Store) -> None:
    with sqlite_store.write(), pytest.raises(StoreError, match="open already"), sqlite_store.write():
        pass
    with sqlite_store.write():
        pass


def test_a_forked_process_may_not_use_it(sqlite_store: Store) -> None:
    sqlite_store._pid = -1  # type: ignore[attr-defined]
    with pytest.raises(StoreError, match="after the fork"), sqlite_store.read():
        pass
    sqlite_store._pid = os.getpid()  # type: ignore[attr-defined]


def test_reading_connections_are_used_again(sqlite_store: Store) -> None:
    for _ in range(100):
        with sqlite_store.read() as session:
            session.row("SELECT 1")
    assert len(sqlite_store._readers) == 1  # type: ignore[attr-defined]
    with sqlite_store.read() as one, sqlite_store.read() as two:
        assert one.row("SELECT 1") == two.row("SELECT 1")
    assert len(sqlite_store._readers) == 2  # type: ignore[attr-defined]


def test_a_busy_writer_lets_another_one_in_after_a_turn(sqlite_store: Store, tmp_path: Path) -> None:
    """One writer never pauses; between two commits of the other it makes no more than two turns' worth."""
    other = open_store(tmp_path / "store.db")
    stop = threading.Event()
    seen: list[int] = []

    def never_pause() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            with sqlite_store.write() as tx:
                tx.insert("cursors", ("name", "position"), [("busy", n)], on_conflict="replace")

    thread = threading.Thread(target=never_pause)
    thread.start()
    while len(seen) < 30:
        with other.write() as tx:
            row = tx.row("SELECT position FROM cursors WHERE name = 'busy'")
            seen.append(int(row[0]) if row else 0)  # type: ignore[arg-type]
    stop.set()
    thread.join()
    other.close()
    gaps = [b - a for a, b in pairwise(seen)]
    assert max(gaps) <= 2 * sqlite.TRANSACTIONS_A_TURN


# -- what is left of what was deleted ----------------------------------------------------------------------------------
def stir(store: Store, n_rounds: int) -> set[int]:
    """Inserts, updates and deletes marked rows of many sizes in random key order; returns the markers that are left."""
    random = Random(8)
    left: dict[int, int] = {}
    marker = 0
    for _ in range(n_rounds):
        with store.write() as tx:
            for log_id in tx.reserve("events", 200):
                marker += 1
                text = f"<{marker:08d}>"
                size = random.choice([10, 100, 500, 3_000])
                body = (text * (size // 10)).encode()
                tx.insert("events", EVENT_COLUMNS, [(log_id, marker, "t", 1, 1, text, 3, 0, 1, text, body[:20], body)])
                key = f"{random.random()}{text}"
                tx.insert(
                    "claims", ("id_kind", "id_value", "person_id", "source", "first_ms"), [(text, key, marker, text, 1)]
                )
                tx.insert(
                    "decisions",
                    ("decision_id", "time_ms", "person_id", "placement", "mode", "policy", "body"),
                    [(key, 1, marker, text, "m", "p", body)],
                )
                left[marker] = log_id
        with store.write() as tx:
            for gone in random.sample(sorted(left), min(len(left), random.choice([50, 180, 300]))):
                tx.run("DELETE FROM events WHERE log_id = ?", (left.pop(gone),))
                tx.run("DELETE FROM claims WHERE person_id = ?", (gone,))
                tx.run("DELETE FROM decisions WHERE person_id = ?", (gone,))
            for grown in random.sample(sorted(left), min(len(left), 80)):
                body = (f"<{grown:08d}>" * random.choice([1, 30, 200])).encode()
                tx.run("UPDATE events SET body = ? WHERE log_id = ?", (body, left[grown]))
    return set(left)


def markers_in(folder: Path) -> set[int]:
    return {
        int(found) for file in folder.iterdir() for found in re.findall(rb"<(\d{8})>", file.read_bytes())
    }  # fmt: skip


def test_scrub_leaves_no_byte_of_what_was_deleted(tmp_path: Path) -> None:
    store = open_store(tmp_path / "a.db", migrate=True)
    left = stir(store, 30)
    store.close()  # the write-ahead log is gone now, and what SQLite alone leaves behind is what is there
    assert markers_in(tmp_path) > left
    store = open_store(tmp_path / "a.db")
    store.scrub()
    store.close()
    assert markers_in(tmp_path) == left
    check = apsw.Connection(str(tmp_path / "a.db"))
    assert check.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    check.close()


def test_scrub_empties_the_write_ahead_log_of_an_open_store(tmp_path: Path) -> None:
    store = open_store(tmp_path / "a.db", migrate=True)
    with store.write() as tx:
        tx.insert("settings", ("name", "value"), [("person@example.org", b"x" * 20_000)])
    with store.write() as tx:
        tx.run("DELETE FROM settings")
    log = tmp_path / "a.db-wal"
    assert b"person@example.org" in log.read_bytes()
    store.scrub()
    assert log.stat().st_size == 0
    assert b"person@example.org" not in (tmp_path / "a.db").read_bytes()
    store.close()


def test_another_process_writes_nothing_back_after_a_scrub(tmp_path: Path) -> None:
    """Its memory still holds pages as they were before; the scrub's own commit makes it read them again."""
    path = tmp_path / "a.db"
    other = open_store(path, migrate=True)
    left = stir(other, 30)  # the pages are in the memory of this one
    scrubbing = open_store(path)
    scrubbing.scrub()
    with other.write() as tx:
        tx.run("UPDATE events SET purposes = 4")
        tx.run("UPDATE decisions SET time_ms = 2")
        tx.run("UPDATE claims SET first_ms = 2")
    other.close()
    scrubbing.close()
    assert markers_in(tmp_path) == left


def test_scrubs_wait_for_one_another(tmp_path: Path) -> None:
    """While one empties the log, SQLite tells the other at once that it is busy and asks no busy handler."""
    path = tmp_path / "a.db"
    stores = [open_store(path, migrate=True), open_store(path), open_store(path)]
    with stores[0].write() as tx:
        tx.insert("cursors", ("name", "position"), [("a", 1)])
    with ThreadPoolExecutor(2) as pool:
        with stores[0].read() as session:
            session.row("SELECT 1 FROM cursors")
            with stores[1].write() as tx:
                tx.run("DELETE FROM cursors")
            scrubs = [pool.submit(store.scrub) for store in stores[1:]]
            done, _ = wait(scrubs, timeout=0.2)
            assert not done
        for scrub in scrubs:
            scrub.result(timeout=20)
    for store in stores:
        store.close()


def test_scrub_says_when_a_reader_holds_an_old_snapshot(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    open_store(path, migrate=True).close()
    store = SqliteStore(path, patience_seconds=0.02)
    with store.write() as tx:
        tx.insert("cursors", ("name", "position"), [("a", 1)])
    with store.read() as session:
        session.row("SELECT 1 FROM cursors")
        with store.write() as tx:
            tx.run("DELETE FROM cursors")
        with pytest.raises(StoreUnavailable, match="long reading"):
            store.scrub()
    store.scrub()
    store.close()
