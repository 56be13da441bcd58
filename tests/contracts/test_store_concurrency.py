"""What every store does for several threads and processes at once, and for one that is killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bespeak.storage.base import Store
from bespeak.storage.open import open_store

N_THREADS = 4

WRITER = """
import os, sys
from bespeak.storage.open import open_store

store = open_store(sys.argv[1])
who = int(sys.argv[2])
columns = ("log_id", "person_id", "kind", "time_ms", "received_ms", "name", "purposes", "is_bot", "fold_version",
           "source", "message_key", "body")
for batch in range(100_000):
    with store.write() as tx:
        keys = [who.to_bytes(2, "big") + batch.to_bytes(4, "big") + bytes([n]) for n in range(20)]
        assert all(tx.insert_new("message_ids", ("message_key", "day"), [(key, 1) for key in keys]))
        ids = tx.reserve("events", len(keys))
        rows = [(i, who, "track", 1, 1, "n", 3, 0, 1, "web", key, b"x" * 300) for i, key in zip(ids, keys)]
        tx.insert("events", columns, rows)
    os.write(1, b"%d\\n" % batch)
"""


def in_threads(n: int, function: Callable[[int], Any]) -> list[Any]:
    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(function, range(n)))


def event(log_id: int, person: int) -> tuple[Any, ...]:
    return (log_id, person, "track", 1, 1, "n", 3, 0, 1, "web", None, b"")


EVENT_COLUMNS = (
    "log_id",
    "person_id",
    "kind",
    "time_ms",
    "received_ms",
    "name",
    "purposes",
    "is_bot",
    "fold_version",
    "source",
    "message_key",
    "body",
)


def test_of_writers_with_the_same_keys_one_finds_each_key_new(store: Store, open_again: Callable[[], Store]) -> None:
    stores = [store, *(open_again() for _ in range(N_THREADS - 1))]
    start = threading.Barrier(N_THREADS)

    def write(who: int) -> list[tuple[bytes, bool]]:
        order = random.Random(who)
        found = []
        start.wait()
        for batch in range(10):
            keys = [bytes([batch, n]) for n in range(50)]
            order.shuffle(keys)
            with stores[who].write() as tx:
                tx.lock_keys([f"batch {batch}"])
                is_new = tx.insert_new("message_ids", ("message_key", "day"), [(key, who) for key in keys])
            found += zip(keys, is_new, strict=True)
        return found

    found = [pair for pairs in in_threads(N_THREADS, write) for pair in pairs]
    assert len(found) == N_THREADS * 500
    new = [key for key, is_new in found if is_new]
    assert len(new) == len(set(new)) == 500


def test_insert_new_is_exact_without_a_lock(store: Store, open_again: Callable[[], Store]) -> None:
    stores = [store, *(open_again() for _ in range(N_THREADS - 1))]
    start = threading.Barrier(N_THREADS)

    def write(who: int) -> list[bytes]:
        new = []
        start.wait()
        for batch in range(30):
            keys = [bytes([batch, n]) for n in range(50)]  # everybody in the same order: no deadlock is possible
            with stores[who].write() as tx:
                is_new = tx.insert_new("message_ids", ("message_key", "day"), [(key, who) for key in keys])
            new += [key for key, new_one in zip(keys, is_new, strict=True) if new_one]
        return new

    new = [key for keys in in_threads(N_THREADS, write) for key in keys]
    assert len(new) == len(set(new)) == 30 * 50


def test_a_key_whose_writer_rolls_back_is_new_to_the_next(store: Store, open_again: Callable[[], Store]) -> None:
    other = open_again()
    result: list[list[bool]] = []

    def write() -> None:
        with other.write() as tx:
            result.append(tx.insert_new("message_ids", ("message_key", "day"), [(b"k", 1)]))

    thread = threading.Thread(target=write)

    def first_then_fail() -> None:
        with store.write() as tx:
            assert tx.insert_new("message_ids", ("message_key", "day"), [(b"k", 1)]) == [True]
            thread.start()
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        first_then_fail()
    thread.join()
    assert result == [[True]]


def test_ids_drawn_at_once_are_all_different(store: Store, open_again: Callable[[], Store]) -> None:
    stores = [store, *(open_again() for _ in range(N_THREADS - 1))]

    def draw(who: int) -> list[int]:
        drawn = []
        for _ in range(25):
            with stores[who].write() as tx:
                drawn += tx.reserve("persons", 7)
        return drawn

    drawn = [n for ids in in_threads(N_THREADS, draw) for n in ids]
    assert len(set(drawn)) == len(drawn) == N_THREADS * 25 * 7


def test_what_is_read_under_a_key_lock_stays_true_until_commit(store: Store, open_again: Callable[[], Store]) -> None:
    stores = [store, *(open_again() for _ in range(N_THREADS - 1))]

    def count_up(who: int) -> None:
        for _ in range(25):
            with stores[who].write() as tx:
                tx.lock_keys(["b", "a"] if who % 2 else ["a", "b"])  # taken in sorted order: no deadlock
                row = tx.row("SELECT position FROM cursors WHERE name = 'a'")
                position = int(row[0]) + 1 if row else 1  # type: ignore[arg-type]
                tx.insert("cursors", ("name", "position"), [("a", position)], on_conflict="replace")

    in_threads(N_THREADS, count_up)
    with store.read() as session:
        assert session.row("SELECT position FROM cursors") == (N_THREADS * 25,)


def test_a_follower_of_the_log_skips_nothing(store: Store, open_again: Callable[[], Store]) -> None:
    """Writers hold their transactions open for different times, so positions commit out of order where they can."""
    writers = [open_again() for _ in range(N_THREADS)]
    done = threading.Event()
    followed: list[int] = []

    def follow() -> None:
        position = 0
        is_last = False
        while not is_last:
            is_last = done.is_set()
            with store.read() as session:
                ceiling = session.log_ceiling()
                rows = session.rows(
                    "SELECT log_id FROM events WHERE log_id > ? AND log_id <= ? ORDER BY log_id", (position, ceiling)
                )
            followed.extend(int(row[0]) for row in rows)  # type: ignore[arg-type]
            position = max(position, ceiling)

    def write(who: int) -> list[int]:
        times = random.Random(who)
        committed = []
        for batch in range(20):
            with writers[who].write() as tx:
                ids = tx.reserve("events", times.randint(1, 4))
                tx.insert("events", EVENT_COLUMNS, [event(log_id, who) for log_id in ids])
                threading.Event().wait(times.random() * 0.01)
                if batch % 7 == 3:  # positions that nobody will ever use
                    tx.run("DELETE FROM events WHERE log_id = ?", (ids[-1],))
                    ids.pop()
            committed += ids
        return committed

    follower = threading.Thread(target=follow)
    follower.start()
    committed = sorted(n for ids in in_threads(N_THREADS, write) for n in ids)
    done.set()
    follower.join()
    assert followed == committed


def test_many_threads_read_while_one_writes(store: Store) -> None:
    """Each transaction keeps the sum of two cursors at zero; no reader ever sees another sum."""
    with store.write() as tx:
        tx.insert("cursors", ("name", "position"), [("a", 0), ("b", 0)])

    def work(who: int) -> set[int]:
        if who == 0:
            for n in range(100):
                with store.write() as tx:
                    tx.run("UPDATE cursors SET position = ? WHERE name = 'a'", (n,))
                    tx.run("UPDATE cursors SET position = ? WHERE name = 'b'", (-n,))
            return {0}
        sums = set()
        for _ in range(200):
            with store.read() as session:
                one = session.row("SELECT position FROM cursors WHERE name = 'a'")
                two = session.row("SELECT position FROM cursors WHERE name = 'b'")
                assert one is not None
                assert two is not None
                sums.add(int(one[0]) + int(two[0]))  # type: ignore[arg-type]
        return sums

    assert set().union(*in_threads(6, work)) == {0}


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_writer_loses_nothing_it_was_told_is_committed(store: Store, store_url: str, seed: int) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITER, store_url, str(who)], stdout=subprocess.PIPE) for who in (1, 2)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()  # both are at work
    threading.Event().wait(random.Random(seed).random() * 0.3)
    acknowledged = {}
    for who, process in zip((1, 2), processes, strict=True):
        os.kill(process.pid, signal.SIGKILL)
        assert process.stdout is not None
        lines = process.stdout.read().splitlines()
        process.stdout.close()
        process.wait()
        acknowledged[who] = len(lines) + 1
    store.close()

    reopened = open_store(store_url)
    try:
        with reopened.read() as session:
            keys = [row[0] for row in session.rows("SELECT message_key FROM events ORDER BY log_id")]
            known = {row[0] for row in session.rows("SELECT message_key FROM message_ids")}
            positions = session.row("SELECT max(log_id) FROM events")
        assert len(keys) == len(set(keys))
        assert set(keys) == known
        for who, n_batches in acknowledged.items():
            batches: dict[bytes, int] = {}
            for key in keys:
                assert isinstance(key, bytes)
                if key[:2] == who.to_bytes(2, "big"):
                    batches[key[2:6]] = batches.get(key[2:6], 0) + 1
            assert set(batches.values()) == {20}  # each transaction whole
            assert {n.to_bytes(4, "big") for n in range(n_batches)} <= set(batches)
            assert len(batches) <= n_batches + 1  # at most one commit whose answer did not get out
        with reopened.write() as tx:
            assert positions is not None
            assert tx.reserve("events", 1)[0] > int(positions[0])  # type: ignore[arg-type]
    finally:
        reopened.close()
