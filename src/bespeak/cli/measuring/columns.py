"""The named columns of a file from outside, in blocks or whole: as numbers, as names, as days.

CSV, JSONL (plain or gzip) and Parquet say the same in different types; here they come out alike. What cannot be read is
refused with column and line.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bespeak.cli.output import Told
from bespeak.errors import EventRejected, InvalidInput, UnknownName
from bespeak.intake.cells import ABSENT
from bespeak.intake.rows import ParquetRows, RowSource, open_rows
from bespeak.intake.times import parse_time_ms
from bespeak.models.predictors.design import Columns
from bespeak.models.predictors.design import Names as Levels

BLOCK_ROWS = 50_000
_NO_NUMBER = ("", "na", "n/a", "nan", "null", "none", "\\n")
_WORDS = {"true": "1", "false": "0"}
_DAMAGE = (OSError, EOFError, zlib.error, pa.ArrowException)
_DAY_MS = 86_400_000

Names = tuple[list[str], npt.NDArray[np.int64]]
"""Distinct names, and for each row the place of its name, -1 for none."""


@dataclass(slots=True)
class BadLines:
    """Lines that are no rows: how many, and the number of the first."""

    n: int = 0
    first: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of a file.

    Attributes:
        cells: column -> its cells, as the file types them (texts from CSV and JSONL).
        lines: the line (row, in Parquet) of each.
        share_done: of the file, once this is read.
    """

    cells: dict[str, pa.Array]
    lines: Sequence[int]
    share_done: float


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of a whole file.

    Attributes:
        rows: all of them as one block.
        bad: lines that were left out.
    """

    rows: Block
    bad: BadLines = field(default_factory=BadLines)

    def __len__(self) -> int:
        return len(self.rows.lines)


def column_names(path: Path) -> tuple[str, ...]:
    """Returns the columns of a file in their order; of JSONL those of its first lines.

    Raises:
        InvalidInput: the file cannot be read.
    """
    return open_rows(path).columns


def read_blocks(path: Path, columns: Sequence[str], bad: BadLines, told: Told) -> Iterator[Block]:
    """Yields the rows of a file in blocks, so that memory stays bounded whatever its length.

    Args:
        path: the file.
        columns: those that are wanted.
        bad: counts the lines that are no rows.
        told: told the share that is read, after each block.

    Raises:
        InvalidInput: the file cannot be read, or a column is not there (lists those there are).
    """
    source = open_rows(path)
    for name in columns:
        if name not in source.columns:
            raise UnknownName("column", name, source.columns, limit=40)
    try:
        for block in _blocks(path, source, list(dict.fromkeys(columns)), bad):
            yield block
            told("reading", block.share_done)
    except _DAMAGE as error:
        raise InvalidInput(f"{path.name} is damaged ({type(error).__name__}).", code="unreadable_file") from None


def read_table(path: Path, columns: Sequence[str], told: Told) -> Table:
    """Reads whole columns; raises as `read_blocks` does."""
    bad = BadLines()
    blocks = list(read_blocks(path, columns, bad, told))
    cells = {
        name: pa.chunked_array([_decoded(block.cells[name]) for block in blocks]).combine_chunks()
        if blocks
        else pa.nulls(0, pa.string())
        for name in columns
    }
    lines = np.concatenate([np.asarray(block.lines, np.int64) for block in blocks]) if blocks else np.zeros(0, np.int64)
    return Table(Block(cells, lines.tolist(), 1.0), bad)


def names(block: Block, column: str) -> Names:
    """Reads a column of names (groups, customers); whole numbers read alike, also where they are written as 1.0.

    Raises:
        InvalidInput: the column holds lists or the like.
    """
    cells = _decoded(block.cells[column])
    if pa.types.is_floating(cells.type):
        cells = _whole_as_such(cells.cast(pa.float64()))
    try:
        texts = pc.utf8_trim_whitespace(cells.cast(pa.string()))
    except pa.ArrowException:
        raise InvalidInput(f"The column '{column}' holds no names ({cells.type}).") from None
    held = pc.dictionary_encode(_without(texts, sorted(ABSENT)))
    codes = held.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return held.dictionary.to_pylist(), codes


def numbers(block: Block, column: str) -> npt.NDArray[np.float64]:
    """float64[rows]: NaN where missing; true counts as 1.

    Raises:
        InvalidInput: a cell holds no number, or an infinite one; says in which line.
    """
    cells = _decoded(block.cells[column])
    if _is_text(cells):
        held = _parsed(cells, block, column)
    elif pa.types.is_boolean(cells.type) or pa.types.is_decimal(cells.type) or pa.types.is_null(cells.type):
        held = _float64(cells.cast(pa.float64()))
    elif pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type):
        held = _float64(cells.cast(pa.float64(), safe=False))
    else:
        raise InvalidInput(f"The column '{column}' holds no numbers ({cells.type}).")
    if np.isinf(held).any():
        line = block.lines[int(np.argmax(np.isinf(held)))]
        raise InvalidInput(f"The column '{column}' is infinite in line {line}.")
    return held


def is_numeric(block: Block, column: str) -> bool:
    """Whether every cell of a column that holds anything holds a number or a truth value."""
    cells = _decoded(block.cells[column])
    if not _is_text(cells):
        return bool(
            pa.types.is_integer(cells.type)
            or pa.types.is_floating(cells.type)
            or pa.types.is_boolean(cells.type)
            or pa.types.is_decimal(cells.type)
        )
    try:
        _plain_numbers(cells).cast(pa.float64())
    except pa.ArrowInvalid:
        return False
    return True


def known_columns(block: Block, chosen: Sequence[str], kept: npt.NDArray[Any]) -> Columns:
    """Reads columns to predict from: numbers where every cell holds one, else names.

    Args:
        block: the rows. chosen: columns.
        kept: bool[rows] or the places of the rows that are wanted.
    """
    found: dict[str, npt.NDArray[np.float64] | Levels] = {}
    for name in chosen:
        found[name] = numbers(block, name)[kept] if is_numeric(block, name) else Levels(*names(block, name))[kept]
    return found


def days(block: Block, column: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Reads a column of dates or times: int64[rows], days since 1970 (UTC), and bool[rows], whether one is there.

    Raises:
        InvalidInput: a cell holds no date; says in which line.
    """
    cells = _decoded(block.cells[column])
    if pa.types.is_date(cells.type) or pa.types.is_timestamp(cells.type):
        times = cells.cast(pa.timestamp("ms", "UTC"), safe=False).cast(pa.int64())
        is_there = np.asarray(pc.is_valid(times).to_numpy(zero_copy_only=False), np.bool_)
        return np.asarray(times.fill_null(0).to_numpy(zero_copy_only=False), np.int64) // _DAY_MS, is_there
    texts, codes = names(block, column)
    found = np.zeros(len(texts) + 1, np.int64)
    for code, text in enumerate(texts):
        try:
            found[code] = parse_time_ms(text) // _DAY_MS
        except EventRejected:
            line = block.lines[int(np.argmax(codes == code))]
            raise InvalidInput(
                f"The column '{column}' holds no date in line {line}.",
                hint="Dates are written like 2024-01-31; times in ISO 8601 or as seconds since 1970 are read too.",
            ) from None
    return found[codes], codes >= 0


def _blocks(path: Path, source: RowSource, wanted: list[str], bad: BadLines) -> Iterator[Block]:
    if isinstance(source, ParquetRows):
        done = 0
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BLOCK_ROWS, columns=wanted):
                lines = range(done + 1, done + len(batch) + 1)
                done += len(batch)
                yield Block({name: batch.column(name) for name in wanted}, lines, done / max(source.n_rows, 1))
        return
    for rows in source.blocks(BLOCK_ROWS):
        if rows.bad and not bad.n:
            bad.first = rows.bad[0].line_number
        bad.n += len(rows.bad)
        # Lines of JSON may each have other keys.
        places = {name: rows.columns.index(name) if name in rows.columns else -1 for name in wanted}
        cells = {name: _texts(rows.rows, place) for name, place in places.items()}
        yield Block(cells, rows.line_numbers, rows.bytes_done / max(source.bytes_total, 1))


def _texts(rows: Sequence[Sequence[Any]], place: int) -> pa.Array:
    if place < 0:
        return pa.nulls(len(rows), pa.string())
    return pa.array([None if row[place] is None else str(row[place]) for row in rows], pa.string())


def _parsed(cells: pa.Array, block: Block, column: str) -> npt.NDArray[np.float64]:
    texts = _plain_numbers(cells)
    try:
        return _float64(texts.cast(pa.float64()))
    except pa.ArrowInvalid:
        return np.array(
            [_number(text, line, column) for text, line in zip(texts.to_pylist(), block.lines, strict=True)]
        )


def _plain_numbers(cells: pa.Array) -> pa.Array:
    texts = _without(pc.utf8_lower(pc.utf8_trim_whitespace(cells)), _NO_NUMBER)
    for word, number in _WORDS.items():
        texts = pc.if_else(pc.equal(texts, word), number, texts)
    return texts


def _number(text: str | None, line: int, column: str) -> float:
    try:
        return math.nan if text is None else float(text)
    except ValueError:
        raise InvalidInput(
            f"The column '{column}' holds no number in line {line}.",
            hint="Numbers are written like 1234.5, truth as true and false; an empty cell is a missing value.",
        ) from None


def _without(texts: pa.Array, absent: Sequence[str]) -> pa.Array:
    """The texts, null for those that mean nothing."""
    return pc.if_else(pc.is_in(texts, value_set=pa.array(absent)), None, texts)


def _is_text(cells: pa.Array) -> bool:
    return bool(pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type))


def _float64(cells: pa.Array) -> npt.NDArray[np.float64]:
    return np.asarray(cells.fill_null(math.nan).to_numpy(zero_copy_only=False), np.float64)


def _whole_as_such(cells: pa.Array) -> pa.Array:
    """Texts of numbers, "1" for 1.0: whole numbers beside missing ones are written so. The same in every block."""
    cells = pc.if_else(pc.is_nan(cells), None, cells)
    is_whole = pc.and_(pc.equal(cells, pc.floor(cells)), pc.less(pc.abs(cells), 2.0**53))
    return pc.if_else(is_whole, cells.cast(pa.int64(), safe=False).cast(pa.string()), cells.cast(pa.string()))


def _decoded(cells: pa.Array) -> pa.Array:
    return cells.dictionary_decode() if pa.types.is_dictionary(cells.type) else cells
