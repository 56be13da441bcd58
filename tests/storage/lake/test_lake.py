"""The lake: what is appended is read back, what is erased is nowhere, and a kill anywhere leaves both true."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bespeak.errors import InvalidInput, StoreError, UnknownName
from bespeak.storage.base import Store, Transaction
from bespeak.storage.blobs import Blobs
from bespeak.storage.lake import Lake, parquet
from bespeak.storage.lake.datasets import DATASETS, SIGNALS
from bespeak.storage.lake.parquet import DAY_MS
from bespeak.storage.open import open_store

FEATURES = DATASETS["decisions"].schema.field("features").type


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


@pytest.fixture
def lake(sqlite_store: Store, blobs: Blobs) -> Lake:
    return Lake(sqlite_store, blobs)


def signals(rows: list[tuple[int, int, int]], item: str = "item") -> pa.Table:
    """A table of (log_id, person_id, time_ms)."""
    return pa.table(
        {
            "log_id": [row[0] for row in rows],
            "person_id": [row[1] for row in rows],
            "time_ms": [row[2] for row in rows],
            "received_ms": [row[2] + 1 for row in rows],
            "name": ["Product Viewed"] * len(rows),
            "signal": ["product_viewed"] * len(rows),
            "signal_class": ["view"] * len(rows),
            "strength": [1.0] * len(rows),
            "item_id": [f"<{item}-{row[1]}>" for row in rows],
            "purposes": [3] * len(rows),
            "is_bot": [False] * len(rows),
            "value_minor": [0] * len(rows),
        }
    )


def append(store: Store, lake: Lake, rows: list[tuple[int, int, int]]) -> int:
    with store.write() as tx:
        return lake.append(tx, "signals", signals(rows), rows[0][0], rows[-1][0])


@contextmanager
def rolled_back(store: Store) -> Iterator[Transaction]:
    with suppress(ZeroDivisionError), store.write() as tx:
        yield tx
        raise ZeroDivisionError


def log_ids(lake: Lake, **limits: Any) -> list[int]:
    return sorted(lake.read("signals", ["log_id"], **limits).column("log_id").to_pylist())


def people_in_files(blobs: Blobs) -> set[int]:
    found = set()
    for file in blobs.folder.rglob("*"):
        if file.is_file():
            found |= {int(person) for person in re.findall(rb"item-(\d+)>", file.read_bytes())}
            found |= set(pq.read_table(file, columns=["person_id"]).column("person_id").to_pylist())
    return found


# -- reading and writing -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dataset", sorted(DATASETS))
def test_an_empty_lake_has_the_right_columns(lake: Lake, dataset: str) -> None:
    table = lake.read(dataset)
    assert table.num_rows == 0
    assert table.schema.equals(DATASETS[dataset].schema)


def test_what_is_appended_is_read_back_with_its_types(sqlite_store: Store, lake: Lake) -> None:
    rows = signals([(1, 7, 5), (2, 8, DAY_MS * 3)])
    with sqlite_store.write() as tx:
        assert lake.append(tx, "signals", rows, 1, 2) == 1
        decision = {"decision_id": ["d"], "person_id": [None], "time_ms": [1], "placement": ["home"], "mode": ["m"],
                    "policy": ["p"], "item_id": ["i"], "position": [1], "score": [0.5], "propensity": [1.0],
                    "features": pa.array([[("affinity.category=audio", 0.25)]], FEATURES), "purposes": [1]}  # fmt: skip
        lake.append(tx, "decisions", pa.table(decision), 3, 3)
    found = lake.read("signals").sort_by("log_id")
    assert found.schema.equals(SIGNALS)
    assert found.column("currency").null_count == 2
    assert found.select(rows.column_names).to_pylist() == rows.to_pylist()
    assert lake.read("decisions", ["features", "person_id"]).to_pylist() == [
        {"features": [("affinity.category=audio", 0.25)], "person_id": None}
    ]


def test_a_rolled_back_append_does_not_count_and_is_swept(sqlite_store: Store, lake: Lake, blobs: Blobs) -> None:
    append(sqlite_store, lake, [(1, 1, 1)])
    with rolled_back(sqlite_store) as tx:
        lake.append(tx, "signals", signals([(2, 2, 2)]), 2, 2)
    assert log_ids(lake) == [1]
    assert len(blobs.list()) == 2
    assert lake.sweep() == 1
    assert lake.sweep() == 0
    assert log_ids(lake) == [1]
    assert len(blobs.list()) == 1


def test_rows_are_chosen_by_time_and_by_condition(sqlite_store: Store, lake: Lake) -> None:
    append(sqlite_store, lake, [(1, 1, 10), (2, 2, DAY_MS), (3, 3, DAY_MS + 5)])
    append(sqlite_store, lake, [(4, 4, DAY_MS * 9)])
    assert log_ids(lake, start_ms=DAY_MS) == [2, 3, 4]
    assert log_ids(lake, start_ms=DAY_MS, end_ms=DAY_MS + 5) == [2]
    assert log_ids(lake, end_ms=0) == []
    assert log_ids(lake, where="person_id % 2 = 0 OR time_ms < 11") == [1, 2, 4]


def test_a_query_sees_every_dataset(sqlite_store: Store, lake: Lake) -> None:
    append(sqlite_store, lake, [(1, 1, 10), (2, 1, 20), (3, 2, 30)])
    sql = "SELECT person_id, count(*) AS n FROM signals ANTI JOIN decisions USING (person_id) GROUP BY 1 HAVING n > ?"
    assert lake.query(sql, [1]).to_pylist() == [{"person_id": 1, "n": 2}]


def test_names_and_queries_that_are_wrong_are_store_errors(lake: Lake) -> None:
    with pytest.raises(UnknownName, match="signals"):
        lake.read("signal")
    with pytest.raises(UnknownName, match="person_id"):
        lake.read("signals", ["persn_id"])
    with pytest.raises(StoreError, match="refused"):
        lake.read("signals", where="nonsense = 1")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop_columns(["strength"]), "strength"),
        (lambda table: table.append_column("extra", [[1]]), "extra"),
        (lambda table: table.set_column(3, "received_ms", [["soon"]]), "received_ms"),
    ],
)
def test_a_table_with_other_columns_is_refused(sqlite_store: Store, lake: Lake, change: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message), sqlite_store.write() as tx:
        lake.append(tx, "signals", change(signals([(1, 1, 1)])), 1, 1)
    assert log_ids(lake) == []


def test_equal_rows_give_equal_files(sqlite_store: Store, tmp_path: Path) -> None:
    keys = []
    for name in ("a", "b"):
        blobs = Blobs(tmp_path / name)
        rows = [(n, n % 5, n) for n in range(1, 200)]
        append(sqlite_store, Lake(sqlite_store, blobs), rows)
        keys.append([(key, blobs.path(key).read_bytes()) for key in blobs.list()])
    assert keys[0] == keys[1]


def test_years_of_a_few_rows_become_one_file(sqlite_store: Store, lake: Lake, blobs: Blobs) -> None:
    append(sqlite_store, lake, [(n, n % 9, n * DAY_MS) for n in range(1, 1_000)])
    assert len(blobs.list()) == 1
    assert log_ids(lake, start_ms=998 * DAY_MS) == [998, 999]


def test_full_days_are_divided_by_day_and_by_person(
    sqlite_store: Store, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "FEWEST_ROWS", 10)
    monkeypatch.setattr(parquet, "MOST_ROWS", 30)
    rows = [(n, n % 20, DAY_MS * (n // 100) + n) for n in range(1, 121)]  # a day of 99 rows and one of 21
    append(sqlite_store, lake, rows)
    with sqlite_store.read() as session:
        files = lake.files(session)
    assert {(file.day, file.bucket) for file in files} == {(0, n) for n in range(16)} | {(1, -1)}
    assert log_ids(lake) == list(range(1, 121))
    with sqlite_store.write() as tx:
        assert lake.holds(tx, [3]) == 6
        assert lake.erase(tx, [3]) == 2  # one bucket of the first day, and the second
    assert 3 not in lake.read("signals", ["person_id"]).column("person_id").to_pylist()


def test_a_column_that_is_newer_than_a_file_is_null(sqlite_store: Store, lake: Lake, blobs: Blobs) -> None:
    append(sqlite_store, lake, [(1, 1, 1)])
    (key,) = blobs.list()
    blobs.put(key, parquet.encode(DATASETS["signals"], pq.read_table(blobs.path(key)).drop_columns(["currency"])))
    assert lake.read("signals", ["log_id", "currency"]).to_pylist() == [{"log_id": 1, "currency": None}]


# -- erasing and compacting --------------------------------------------------------------------------------------------
def test_an_erased_person_is_in_no_file_raw_or_decoded(sqlite_store: Store, lake: Lake, blobs: Blobs) -> None:
    for batch in range(5):
        append(sqlite_store, lake, [(batch * 10 + n, n, batch * DAY_MS) for n in range(1, 10)])
    with sqlite_store.write() as tx:
        assert lake.holds(tx, [3, 4, 99]) == 10
        assert lake.erase(tx, [3, 4, 99]) == 5
        assert lake.holds(tx, [3, 4, 99]) == 0
    assert lake.sweep() == 5
    assert people_in_files(blobs) == {1, 2, 5, 6, 7, 8, 9}
    assert lake.read("signals").num_rows == 35


def test_files_without_the_person_are_left_alone(sqlite_store: Store, lake: Lake, blobs: Blobs) -> None:
    append(sqlite_store, lake, [(1, 1, 1), (2, 5, 2)])
    append(sqlite_store, lake, [(3, 2, 3)])
    append(sqlite_store, lake, [(4, 3, 3)])
    before = {key: blobs.path(key).stat().st_ino for key in blobs.list()}
    with sqlite_store.write() as tx:
        assert lake.erase(tx, [3]) == 1  # its range of people holds 3 alone
    lake.sweep()
    assert {key: blobs.path(key).stat().st_ino for key in blobs.list()}.items() < before.items()
    assert log_ids(lake) == [1, 2, 3]


def test_an_erasure_that_is_rolled_back_changes_nothing(sqlite_store: Store, lake: Lake) -> None:
    append(sqlite_store, lake, [(1, 1, 1), (2, 2, 2)])
    with rolled_back(sqlite_store) as tx:
        lake.erase(tx, [1])
    lake.sweep()
    assert log_ids(lake) == [1, 2]


def test_rows_of_nobody_outlive_every_erasure(sqlite_store: Store, lake: Lake) -> None:
    row = {"decision_id": ["a", "b"], "person_id": [None, 1], "time_ms": [1, 1], "placement": ["h", "h"],
           "mode": ["m", "m"], "policy": ["p", "p"], "item_id": ["i", "i"], "position": [1, 1], "score": [0.5, 0.5],
           "propensity": [1.0, 1.0], "purposes": [1, 1]}  # fmt: skip
    with sqlite_store.write() as tx:
        lake.append(tx, "decisions", pa.table(row), 1, 1)
        lake.erase(tx, [1])
    assert lake.read("decisions", ["decision_id"]).to_pylist() == [{"decision_id": "a"}]


def test_compacting_puts_small_files_together_and_keeps_every_row(
    sqlite_store: Store, lake: Lake, blobs: Blobs
) -> None:
    for n in range(1, 31):
        append(sqlite_store, lake, [(n, n % 4, n * DAY_MS // 10)])
    before = lake.read("signals").sort_by("log_id")
    with sqlite_store.write() as tx:
        assert lake.compact(tx) == 30
    assert lake.sweep() == 30
    assert len(blobs.list()) == 1
    assert lake.read("signals").sort_by("log_id").equals(before)
    with sqlite_store.write() as tx:
        assert lake.compact(tx) == 0
    with sqlite_store.read() as session:
        (file,) = lake.files(session)
    assert (file.first_log_id, file.last_log_id, file.n_rows) == (1, 30, 30)


def test_readers_get_along_with_erasing_and_compacting(sqlite_store: Store, lake: Lake) -> None:
    for n in range(1, 21):
        append(sqlite_store, lake, [(n, n, n)])
    done = threading.Event()
    problems: list[object] = []

    def read() -> None:
        while not done.is_set():
            try:
                found = log_ids(lake)
            except Exception as error:  # noqa: BLE001  the claim is that there is none
                problems.append(error)
                return
            if found != sorted(set(found)) or not {16, 17, 18, 19, 20} <= set(found):
                problems.append(found)

    reader = threading.Thread(target=read)
    reader.start()
    for person in range(1, 16):
        with sqlite_store.write() as tx:
            lake.erase(tx, [person])
            lake.compact(tx)
        lake.sweep()
    done.set()
    reader.join()
    assert problems == []
    assert log_ids(lake) == [16, 17, 18, 19, 20]


def test_a_missing_file_is_named_as_such(sqlite_store: Store, lake: Lake, blobs: Blobs) -> None:
    append(sqlite_store, lake, [(1, 1, 1)])
    blobs.delete(blobs.list())
    with pytest.raises(StoreError, match=r"missing or damaged.*from the log"):
        lake.read("signals")


# -- killed ------------------------------------------------------------------------------------------------------------
WORKER = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_lake as t

store = t.open_store(Path(sys.argv[2]) / "store.db")
lake = t.Lake(store, t.Blobs(Path(sys.argv[2]) / "blobs"))
with store.read() as session:
    row = session.row("SELECT position FROM cursors WHERE name = 'lake'")
position = row[0] if row else 0
os.write(1, b"begun\\n")
while True:
    with store.write() as tx:
        ids = range(position + 1, position + 21)
        lake.append(tx, "signals", t.signals([(n, n % 10, n) for n in ids]), ids[0], ids[-1])
        position = ids[-1]
        tx.insert("cursors", ("name", "position"), [("lake", position)], on_conflict="replace")
    with store.write() as tx:
        lake.erase(tx, [position // 20 % 9])  # one person of ten a round; never person 9
        lake.compact(tx)
    lake.sweep()
    os.write(1, b"%d\\n" % position)
"""


def test_a_lake_writer_killed_anywhere_loses_and_repeats_nothing(tmp_path: Path) -> None:
    open_store(tmp_path / "store.db", migrate=True).close()
    times = random.Random(3)
    for _ in range(5):
        command = [sys.executable, "-c", WORKER, str(Path(__file__).parent), str(tmp_path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        threading.Event().wait(0.05 + times.random() * 0.4)
        os.kill(process.pid, signal.SIGKILL)
        process.stdout.close()
        process.wait()

        store = open_store(tmp_path / "store.db")
        blobs = Blobs(tmp_path / "blobs")
        lake = Lake(store, blobs)
        with store.read() as session:
            row = session.row("SELECT position FROM cursors WHERE name = 'lake'")
            position = int(row[0]) if row else 0  # type: ignore[arg-type]
            listed = {file.blob_key for file in lake.files(session)}
        found = log_ids(lake)
        assert len(found) == len(set(found))
        assert [n for n in found if n % 10 == 9] == list(range(9, position + 1, 10))
        lake.sweep()
        assert set(blobs.list()) == listed
        assert all(part.suffix == ".parquet" for part in blobs.folder.rglob("*") if part.is_file())
        store.close()
