"""How a table becomes Parquet files: split by day and person, sorted, compressed; equal tables give equal bytes."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bespeak.errors import InvalidInput
from bespeak.storage.lake.datasets import Dataset

DAY_MS = 86_400_000
N_BUCKETS = 16
ANY_BUCKET = -1
FEWEST_ROWS = 100_000
"""Days are put into one file until it has this many rows: an import of years must not make a thousand small files."""
MOST_ROWS = 2_000_000
"""One day's rows beyond this are divided by person."""
FORMAT_VERSION = "1"


class Piece(msgspec.Struct, frozen=True):
    """The rows of one file.

    Attributes:
        day, last_day: first and last day of its rows, counted from 1970.
        bucket: `person_id % 16` of all its rows, or -1.
    """

    day: int
    last_day: int
    bucket: int
    table: pa.Table


def conform(dataset: Dataset, table: pa.Table) -> pa.Table:
    """Returns the table with exactly the dataset's columns and types; a missing column is refused, or NULL if it may
    be.

    Raises:
        InvalidInput: a column is missing, unknown, of another type, or NULL where it must not be.
    """
    unknown = [name for name in table.column_names if name not in dataset.schema.names]
    if unknown:
        raise InvalidInput(f"Dataset {dataset.name} has no column '{unknown[0]}'.", hint="See lake/datasets.py.")
    columns = []
    for field in dataset.schema:
        if field.name in table.column_names:
            try:
                column = table.column(field.name).cast(field.type)
            except pa.ArrowException as error:
                raise InvalidInput(f"Column {field.name} of {dataset.name} must be {field.type}.") from error
        else:
            column = pa.nulls(table.num_rows, field.type)
        if not field.nullable and column.null_count:
            raise InvalidInput(f"Column {field.name} of {dataset.name} must have a value in every row.")
        columns.append(column)
    return pa.table(columns, schema=dataset.schema)


def split(dataset: Dataset, table: pa.Table) -> Iterator[Piece]:
    """Yields the files a table becomes, in order of days: whole days together, a very full day divided by person."""
    if table.num_rows == 0:
        return
    days = table.column("time_ms").to_numpy() // DAY_MS
    order = np.argsort(days, kind="stable")
    table, days = table.take(order), days[order]
    for start, end in _runs(days):
        part, day, last_day = table.slice(start, end - start), int(days[start]), int(days[end - 1])
        if day == last_day and part.num_rows > MOST_ROWS:
            buckets = pc.fill_null(part.column("person_id"), 0).to_numpy() % N_BUCKETS
            for bucket in np.unique(buckets):
                piece = part.filter(pa.array(buckets == bucket))
                yield Piece(day, last_day, int(bucket), _sorted(dataset, piece))
        else:
            yield Piece(day, last_day, ANY_BUCKET, _sorted(dataset, part))


def encode(dataset: Dataset, table: pa.Table) -> bytes:
    """Returns a table as the bytes of a Parquet file."""
    named = table.replace_schema_metadata({"bespeak.dataset": dataset.name, "bespeak.version": FORMAT_VERSION})
    sink = pa.BufferOutputStream()
    pq.write_table(named, sink, compression="zstd", compression_level=3, row_group_size=250_000)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def blob_key(dataset: Dataset, piece: Piece, first_log_id: int, content: bytes) -> str:
    """Returns the key of a file, made from its content and place in the log."""
    digest = blake2b(content, digest_size=12, key=first_log_id.to_bytes(8, "big", signed=True)).hexdigest()
    day = np.datetime64(piece.day, "D")
    return f"lake/{dataset.name}/day={day}/{digest}.parquet"


def _sorted(dataset: Dataset, table: pa.Table) -> pa.Table:
    return table.sort_by([(name, "ascending") for name in dataset.order])


def _runs(days: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yields (start, end) of runs of whole days, each with at least `FEWEST_ROWS` rows but for the last."""
    starts = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), len(days)]
    start = 0
    for end in starts[1:]:
        if end - start >= FEWEST_ROWS or end == len(days):
            yield start, end
            start = end
