"""The lake: append, read, erase, compact.

The rows of `lake_files` say which files count. A file is written and synced before the transaction that lists it
commits, and removed only after the transaction that drops its row: a process killed anywhere leaves files that nothing
lists, and `sweep` removes them. All changes hold one lock by name, so sweeping never takes a file that is about to be
listed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar, cast

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bespeak.errors import StoreError, UnknownName
from bespeak.storage.base import Session, Store, Transaction
from bespeak.storage.blobs import BlobMissing, Blobs
from bespeak.storage.lake import parquet
from bespeak.storage.lake.datasets import DATASETS, Dataset, dataset_named
from bespeak.storage.lake.parquet import ANY_BUCKET, DAY_MS, N_BUCKETS

FOLDER = "lake"
_LOCK = "lake"
_COLUMNS = (
    "file_id",
    "dataset",
    "day",
    "last_day",
    "bucket",
    "blob_key",
    "n_rows",
    "n_bytes",
    "first_log_id",
    "last_log_id",
    "state",
    "created_ms",
)
_LIVE = f"SELECT {', '.join(_COLUMNS)} FROM lake_files WHERE state = 'live'"  # noqa: S608  our own names
Result = TypeVar("Result")


class LakeFile(msgspec.Struct, frozen=True):
    """One row of `lake_files`; `created_ms` is the newest time of its rows."""

    file_id: int
    dataset: str
    day: int
    last_day: int
    bucket: int
    blob_key: str
    n_rows: int
    n_bytes: int
    first_log_id: int
    last_log_id: int
    state: str
    created_ms: int


class Lake:
    """The lake of one project.

    Args:
        store: lists the live files.
        blobs: holds the files.
    """

    def __init__(self, store: Store, blobs: Blobs) -> None:
        self._store = store
        self._blobs = blobs
        self._lock = threading.Lock()
        self._engine: Any = None

    # -- writing -------------------------------------------------------------------------------------------------------
    def lock(self, tx: Transaction) -> None:
        """Keeps everybody else from writing to the lake until the transaction ends."""
        tx.lock_keys([_LOCK])

    def append(self, tx: Transaction, dataset: str, table: pa.Table, first_log_id: int, last_log_id: int) -> int:
        """Adds rows; they count when the transaction commits. Returns how many files were written.

        Args:
            table: the dataset's columns; columns that may be NULL can be left out.
            first_log_id: with `last_log_id` the range of the log that the rows come from.
        """
        kind = dataset_named(dataset)
        rows = parquet.conform(kind, table)
        tx.lock_keys([_LOCK])
        return self._write(tx, kind, rows, first_log_id, last_log_id)

    def erase(self, tx: Transaction, people: Iterable[int]) -> int:
        """Takes the rows of people out of every file; returns how many files were rewritten or dropped.

        The old files do not count any more when the transaction commits; `sweep` then removes them.
        """
        gone = np.array(sorted(set(people)), np.int64)
        tx.lock_keys([_LOCK])
        n_files = 0
        for file in self._files(tx, None):
            if not self._count(file, gone):
                continue
            table = self._table(file)
            self._rewrite(tx, file, table, pc.fill_null(pc.is_in(table.column("person_id"), pa.array(gone)), False))
            n_files += 1
        return n_files

    def drop_log(self, tx: Transaction, before_log_id: int) -> int:
        """Takes the rows of the log's part before a position out of every file that follows the log.

        Returns how many files were rewritten or dropped; `sweep` then removes the old ones.
        """
        tx.lock_keys([_LOCK])
        n_files = 0
        for file in self._files(tx, None):
            if "log_id" not in dataset_named(file.dataset).schema.names or file.first_log_id >= before_log_id:
                continue
            table = self._table(file)
            self._rewrite(tx, file, table, pc.less(table.column("log_id"), before_log_id))
            n_files += 1
        return n_files

    def compact(self, tx: Transaction) -> int:
        """Puts small files together; returns how many files went into larger ones."""
        tx.lock_keys([_LOCK])
        n_merged = 0
        for kind in DATASETS.values():
            for group in _groups([file for file in self._files(tx, kind.name) if _is_small(file)]):
                table = pa.concat_tables([parquet.conform(kind, self._table(file)) for file in group])
                self._drop(tx, group)
                first, last = min(f.first_log_id for f in group), max(f.last_log_id for f in group)
                self._write(tx, kind, table, first, last)
                n_merged += len(group)
        return n_merged

    def sweep(self) -> int:
        """Removes the files that no row lists: erased, compacted, or left by a killed process; returns how many."""
        with self._store.write() as tx:
            tx.lock_keys([_LOCK])
            live = {file.blob_key for file in self._files(tx, None)}
            orphans = [key for key in self._blobs.list(f"{FOLDER}/") if key not in live]
            return self._blobs.delete(orphans) + self._blobs.sweep(FOLDER)

    # -- reading -------------------------------------------------------------------------------------------------------
    def read(
        self,
        dataset: str,
        columns: Sequence[str] | None = None,
        where: str = "",
        *,
        start_ms: int | None = None,
        end_ms: int | None = None,
    ) -> pa.Table:
        """Returns rows as an Arrow table, in no promised order; an empty lake gives an empty table with the same
        columns.

        Args:
            columns: which ones, all when left out.
            where: a condition in DuckDB's SQL over all columns. It is part of the query's text: never put a value from
                outside into it.
            start_ms: rows at or after this time; files of other days are not opened.
            end_ms: rows before this time.
        """
        kind = dataset_named(dataset)
        names = list(kind.schema.names if columns is None else columns)
        for name in names:
            if name not in kind.schema.names:
                raise UnknownName(f"column of {dataset}", name, kind.schema.names)
        conditions = [f"({where})"] if where else []
        if start_ms is not None:
            conditions.append(f"time_ms >= {int(start_ms)}")
        if end_ms is not None:
            conditions.append(f"time_ms < {int(end_ms)}")
        filters = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        sql = f"SELECT {', '.join(names)} FROM {dataset}{filters}"  # noqa: S608  names are checked above
        wanted = pa.schema([kind.schema.field(name) for name in names])
        return self.query(sql, start_ms=start_ms, end_ms=end_ms).cast(wanted)

    def query(
        self,
        sql: str,
        params: Sequence[Any] = (),
        *,
        tables: Mapping[str, pa.Table] = MappingProxyType({}),
        start_ms: int | None = None,
        end_ms: int | None = None,
    ) -> pa.Table:
        """Returns the answer to a DuckDB query over the datasets, which are views under their names.

        Args:
            params: values for `?` in the query.
            tables: name -> further tables that the query may read.
            start_ms: with `end_ms` limits which days' files are opened; the rows are not filtered.
        """

        def listed() -> list[LakeFile]:
            with self._store.read() as session:
                return [file for file in self._files(session, None) if _is_within(file, start_ms, end_ms)]

        def answered(files: Sequence[LakeFile]) -> pa.Table:
            cursor = self._cursor()
            try:
                for kind in DATASETS.values():
                    self._define(cursor, kind, [file for file in files if file.dataset == kind.name])
                for name, table in tables.items():
                    cursor.register(name, table)
                return cursor.sql(sql, params=list(params)).to_arrow_table()
            finally:
                cursor.close()

        return _with_present_files(listed, answered)

    def holds(self, session: Session, people: Iterable[int]) -> int:
        """Returns how many rows of these people the live files hold."""
        wanted = np.array(sorted(set(people)), np.int64)
        return _with_present_files(
            lambda: self._files(session, None), lambda files: sum(self._count(file, wanted) for file in files)
        )

    def files(self, session: Session, dataset: str | None = None) -> list[LakeFile]:
        """Returns the live files of a dataset, or of all, in order of dataset, day and place in the log."""
        return self._files(session, dataset)

    # -- one file ------------------------------------------------------------------------------------------------------
    def _write(self, tx: Transaction, kind: Dataset, table: pa.Table, first_log_id: int, last_log_id: int) -> int:
        rows = []
        pieces = list(parquet.split(kind, table))
        for file_id, piece in zip(tx.reserve("lake_files", len(pieces)), pieces, strict=True):
            content = parquet.encode(kind, piece.table)
            key = parquet.blob_key(kind, piece, first_log_id, content)
            self._blobs.put(key, content)
            newest_ms = pc.max(piece.table.column("time_ms")).as_py()
            place = (file_id, kind.name, piece.day, piece.last_day, piece.bucket, key)
            size = (piece.table.num_rows, len(content))
            rows.append((*place, *size, first_log_id, last_log_id, "live", newest_ms))
        tx.insert("lake_files", _COLUMNS, rows)
        return len(rows)

    def _rewrite(self, tx: Transaction, file: LakeFile, table: pa.Table, gone: pa.ChunkedArray) -> None:
        kind = dataset_named(file.dataset)
        left = parquet.conform(kind, table.filter(pc.invert(gone)))
        self._drop(tx, [file])
        self._write(tx, kind, left, file.first_log_id, file.last_log_id)

    def _drop(self, tx: Transaction, dropped: Sequence[LakeFile]) -> None:
        for file in dropped:
            tx.run("DELETE FROM lake_files WHERE file_id = ?", (file.file_id,))

    def _files(self, session: Session, dataset: str | None) -> list[LakeFile]:
        of_one = "" if dataset is None else " AND dataset = ?"
        sql = f"{_LIVE}{of_one} ORDER BY dataset, day, first_log_id, file_id"
        rows = session.rows(sql, () if dataset is None else (dataset,))
        return [LakeFile(*cast("tuple[Any, ...]", row)) for row in rows]

    def _table(self, file: LakeFile) -> pa.Table:
        return pq.ParquetFile(self._blobs.path(file.blob_key)).read()

    def _count(self, file: LakeFile, people: np.ndarray[Any, np.dtype[np.int64]]) -> int:
        """Returns how many rows of the people a file holds; opens it only when it may hold any."""
        if file.bucket != ANY_BUCKET:
            people = people[people % N_BUCKETS == file.bucket]
        if not len(people):
            return 0
        with pq.ParquetFile(self._blobs.path(file.blob_key)) as opened:
            column = opened.schema_arrow.get_field_index("person_id")
            groups = [
                number
                for number in range(opened.num_row_groups)
                if _may_hold(opened.metadata.row_group(number).column(column).statistics, people)
            ]
            if not groups:
                return 0
            found = opened.read_row_groups(groups, columns=["person_id"]).column("person_id")
        return int(pc.sum(pc.is_in(found, pa.array(people))).as_py() or 0)

    # -- DuckDB --------------------------------------------------------------------------------------------------------
    def _cursor(self) -> Any:
        with self._lock:
            if self._engine is None:
                # Extensions are neither fetched nor loaded by themselves, and rows are never spilled to a file, where
                # nobody would look for a person to erase.
                settings: dict[str, Any] = {
                    "autoinstall_known_extensions": "false",
                    "autoload_known_extensions": "false",
                    "temp_directory": "",
                }
                self._engine = duckdb.connect(":memory:", config=settings)
            return self._engine.cursor()

    def _define(self, cursor: Any, kind: Dataset, files: Sequence[LakeFile]) -> None:
        """Makes the dataset a view of this cursor alone: an empty table of its columns, and the files below it."""
        empty = f"{kind.name}_empty"
        cursor.register(empty, kind.schema.empty_table())
        parts = f"SELECT * FROM {empty}"  # noqa: S608  our own names
        if files:
            paths = ", ".join("'" + str(self._blobs.path(file.blob_key)).replace("'", "''") + "'" for file in files)
            parts += f" UNION ALL BY NAME SELECT * FROM read_parquet([{paths}], union_by_name = true)"  # noqa: S608  quoted
        cursor.execute(f"CREATE OR REPLACE TEMP VIEW {kind.name} AS {parts}")


def _with_present_files(listed: Callable[[], list[LakeFile]], read: Callable[[Sequence[LakeFile]], Result]) -> Result:
    """Reads the listed files; again when some were gone and the list has changed, so that they were replaced."""
    files = listed()
    while True:
        try:
            return read(files)
        except (BlobMissing, FileNotFoundError, duckdb.IOException) as error:
            before, files = files, listed()
            if files == before:
                raise StoreError(
                    "A file of the lake is missing or damaged.", hint="Build the lake again from the log."
                ) from error
        except duckdb.Error as error:
            # What went wrong with a value could quote it; what is wrong with the text of the query may be told.
            is_about_text = isinstance(error, duckdb.ParserException | duckdb.BinderException | duckdb.CatalogException)
            detail = str(error).splitlines()[0] if is_about_text else type(error).__name__
            raise StoreError(f"The lake refused a query: {detail}") from None


def _may_hold(statistics: Any, people: np.ndarray[Any, np.dtype[np.int64]]) -> bool:
    if statistics is None or not statistics.has_min_max:
        return True
    return bool(((people >= statistics.min) & (people <= statistics.max)).any())


def _is_within(file: LakeFile, start_ms: int | None, end_ms: int | None) -> bool:
    return (start_ms is None or file.last_day >= start_ms // DAY_MS) and (end_ms is None or file.day * DAY_MS < end_ms)


def _is_small(file: LakeFile) -> bool:
    return file.bucket == ANY_BUCKET and file.n_rows < parquet.FEWEST_ROWS


def _groups(files: Sequence[LakeFile]) -> list[list[LakeFile]]:
    """Returns runs of small files, each worth one larger file; a file alone stays as it is."""
    groups: list[list[LakeFile]] = [[]]
    for file in files:
        if sum(one.n_rows for one in groups[-1]) >= parquet.FEWEST_ROWS:
            groups.append([])
        groups[-1].append(file)
    return [group for group in groups if len(group) > 1]
