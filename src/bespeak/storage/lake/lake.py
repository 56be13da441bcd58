"""Writing, reading and erasing the lake's files."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bespeak.errors import StoreError, UnknownName
from bespeak.storage.base import Session, Store, Transaction
from bespeak.storage.blobs import Blobs
from bespeak.storage.files import part_of, publish
from bespeak.storage.lake.datasets import DATASETS
from bespeak.storage.rows import as_int

DAY_MS = 86_400_000
N_BUCKETS = 16
ROWS_PER_BUCKET = 50_000
ROOT = "lake"
_TRIES = 3
_LOCK = "lake"


class LakeFile(msgspec.Struct, frozen=True):
    """One live file."""

    file_id: int
    dataset: str
    day: int
    bucket: int
    blob_key: str
    n_rows: int
    first_log_id: int
    last_log_id: int


class Lake:
    """The lake of one project.

    Args:
        store: lists the files.
        blobs: holds them.
    """

    def __init__(self, store: Store, blobs: Blobs) -> None:
        self._store = store
        self._blobs = blobs

    def append(self, tx: Transaction, dataset: str, table: pa.Table, first_log_id: int, last_log_id: int) -> int:
        """Writes rows as new files and lists them with `tx`; returns the number of files.

        Few rows of a day make one file; many are split by person, so that an erasure rewrites little.
        """
        schema = _schema(dataset)
        tx.lock_keys([_LOCK])
        days = (table.column("received_ms").to_numpy() // DAY_MS).astype(np.int64)
        persons = table.column("person_id").to_numpy()
        n_files = 0
        for day in np.unique(days).tolist():
            rows = np.flatnonzero(days == day)
            n_buckets = 1 if len(rows) < ROWS_PER_BUCKET else N_BUCKETS
            for bucket in range(n_buckets):
                chosen = rows if n_buckets == 1 else rows[persons[rows] % N_BUCKETS == bucket]
                if len(chosen):
                    part = table.take(pa.array(chosen)).cast(schema)
                    self._write(
                        tx, dataset, int(day), bucket if n_buckets > 1 else -1, part, (first_log_id, last_log_id)
                    )
                    n_files += 1
        return n_files

    def read(self, dataset: str, columns: Sequence[str], where: str = "") -> pa.Table:
        """Returns columns of all live rows, in log order; an empty lake gives an empty table of the same columns.

        Args:
            where: a condition in SQL over the dataset's columns, written by us and never taken from outside.
        """
        schema = _schema(dataset)
        for attempt in range(_TRIES):
            with self._store.read() as session:
                files = self.files(session, dataset)
            if not files:
                return pa.schema([schema.field(name) for name in columns]).empty_table()
            try:
                return self._query(files, columns, where)
            except (duckdb.IOException, FileNotFoundError):
                # An erasure replaced a file after the list was read: read the list again.
                if attempt == _TRIES - 1:
                    raise StoreError("A file of the lake is missing.", hint="Run bespeak doctor.") from None
        raise AssertionError

    def _query(self, files: Sequence[LakeFile], columns: Sequence[str], where: str) -> pa.Table:
        paths = [str(self._blobs.place(file.blob_key)) for file in files]
        condition = f"WHERE {where}" if where else ""
        with duckdb.connect(config={"threads": 2}) as connection:
            sql = f"SELECT {', '.join(columns)} FROM read_parquet(?) {condition} ORDER BY log_id"  # noqa: S608 - ours
            return connection.sql(sql, params=[paths]).to_arrow_table()

    def files(self, session: Session, dataset: str | None = None) -> list[LakeFile]:
        """Returns the live files, in the order in which they were written."""
        rows = session.rows(
            "SELECT file_id, dataset, day, bucket, blob_key, n_rows, first_log_id, last_log_id FROM lake_files"
            " WHERE state = 'live' ORDER BY file_id"
        )
        found = [
            LakeFile(
                as_int(r[0]), str(r[1]), as_int(r[2]), as_int(r[3]), str(r[4]), as_int(r[5]), as_int(r[6]), as_int(r[7])
            )
            for r in rows
        ]
        return [file for file in found if dataset in (None, file.dataset)]

    def holds(self, session: Session, people: Collection[int]) -> int:
        """Returns how many live rows belong to these persons."""
        return sum(self._count(file, people) for file in self._touched(session, people))

    def erase(self, tx: Transaction, people: Collection[int]) -> int:
        """Rewrites the files that hold these persons without them; returns how many files.

        The old files are dropped from the list with `tx`; `sweep` deletes them once it has committed.
        """
        tx.lock_keys([_LOCK])
        n_files = 0
        for file in self._touched(tx, people):
            table = pq.read_table(self._blobs.place(file.blob_key))
            mine = pc.is_in(table.column("person_id"), pa.array(sorted(people), pa.int64()))
            if not pc.any(mine).as_py():
                continue
            kept = table.filter(pc.invert(mine))
            tx.run("DELETE FROM lake_files WHERE file_id = ?", (file.file_id,))
            if kept.num_rows:
                window = (file.first_log_id, file.last_log_id)
                self._write(tx, file.dataset, file.day, file.bucket, kept, window)
            n_files += 1
        return n_files

    def drop_before(self, tx: Transaction, before_ms: int) -> int:
        """Drops the files of days wholly received before a time; returns how many."""
        tx.lock_keys([_LOCK])
        return tx.run("DELETE FROM lake_files WHERE day < ?", (before_ms // DAY_MS,))

    def sweep(self) -> int:
        """Deletes files that no row lists; returns how many. Nobody appends meanwhile."""
        with self._store.write() as tx:
            tx.lock_keys([_LOCK])
            listed = {file.blob_key for file in self.files(tx)}
            orphans = [key for key in self._blobs.list(f"{ROOT}/") if key not in listed]
            return self._blobs.delete(orphans)

    def _touched(self, session: Session, people: Collection[int]) -> list[LakeFile]:
        buckets = {person % N_BUCKETS for person in people} | {-1}
        return [file for file in self.files(session) if file.bucket in buckets]

    def _count(self, file: LakeFile, people: Collection[int]) -> int:
        column = pq.read_table(self._blobs.place(file.blob_key), columns=["person_id"]).column("person_id")
        return int(pc.sum(pc.is_in(column, pa.array(sorted(people), pa.int64()))).as_py() or 0)

    def _write(
        self, tx: Transaction, dataset: str, day: int, bucket: int, table: pa.Table, window: tuple[int, int]
    ) -> None:
        key = f"{ROOT}/{dataset}/{day}/{secrets.token_hex(8)}.parquet"
        path = self._blobs.place(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        n_bytes = _write_parquet(table, path)
        file_id = tx.reserve("lake_files", 1)[0]
        columns = (
            "file_id", "dataset", "day", "bucket", "blob_key", "n_rows", "n_bytes", "first_log_id", "last_log_id",
            "state", "created_ms",
        )  # fmt: skip
        row: tuple[Any, ...] = (
            file_id,
            dataset,
            day,
            bucket,
            key,
            table.num_rows,
            n_bytes,
            *window,
            "live",
            day * DAY_MS,
        )
        tx.insert("lake_files", columns, [row])


def _write_parquet(table: pa.Table, path: Path) -> int:
    part = part_of(path)
    pq.write_table(table, part, compression="zstd")
    publish(part, path)
    return path.stat().st_size


def _schema(dataset: str) -> pa.Schema:
    if dataset not in DATASETS:
        raise UnknownName("dataset", dataset, list(DATASETS))
    return DATASETS[dataset]
