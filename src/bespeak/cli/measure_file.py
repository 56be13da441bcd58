"""A file of units -> the sums of each variant: read in blocks, so that memory stays bounded whatever its length."""

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
from bespeak.errors import InvalidInput, UnknownName
from bespeak.intake.cells import ABSENT
from bespeak.intake.rows import ParquetRows, RowSource, open_rows
from bespeak.measure.sums import Sums

MOST_VARIANTS = 100
BLOCK_ROWS = 50_000
_NO_NUMBER = ("", "na", "n/a", "nan", "null", "none", "\\n")
_WORDS = {"true": "1", "false": "0"}
_DAMAGE = (OSError, EOFError, zlib.error, pa.ArrowException)


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column means what.

    Attributes:
        variant: the group of the row's unit.
        value: the metric, or the upper part of a ratio; denominator: its lower part.
        covariate: the same unit's figure from before the experiment.
    """

    variant: str
    value: str
    denominator: str | None = None
    covariate: str | None = None

    def __post_init__(self) -> None:
        named = [name for name in (self.variant, self.value, self.denominator, self.covariate) if name is not None]
        twice = next((name for name in named if named.count(name) > 1), None)
        if twice is not None:
            raise InvalidInput(f"The column '{twice}' is named twice.", hint="Each part needs a column of its own.")

    @property
    def numbers(self) -> dict[str, str]:
        """Argument of `Sums.of` -> column that must hold numbers."""
        named = {"value": self.value, "denominator": self.denominator, "covariate": self.covariate}
        return {part: column for part, column in named.items() if column is not None}


@dataclass(slots=True)
class Units:
    """What a file holds.

    Attributes:
        sums: variant -> sums over the rows that have all numbers.
        assigned: variant -> rows, those without a number included.
        n_without_variant: rows that no variant is written in.
        is_binary: whether each value is 0 or 1.
        n_bad: lines that are no rows; first_bad: the number of the first.
    """

    sums: dict[str, Sums] = field(default_factory=dict)
    assigned: dict[str, int] = field(default_factory=dict)
    n_without_variant: int = 0
    is_binary: bool = True
    n_bad: int = 0
    first_bad: int = 0

    @property
    def n_left_out(self) -> int:
        """Rows of a variant that lack a number."""
        return sum(self.assigned.values()) - sum(sums.n for sums in self.sums.values())


@dataclass(frozen=True, slots=True)
class _Block:
    cells: dict[str, pa.Array]
    lines: Sequence[int]
    share_done: float


def read_units(path: Path, columns: Columns, told: Told) -> Units:
    """Reads one row a unit from CSV, JSONL (plain or gzip) or Parquet.

    A row without a variant (empty, NULL, NaN) belongs to nobody. A row whose metric, denominator or covariate is
    missing (those, NA and None) counts as assigned and is left out of the sums.

    Args:
        path: the file.
        columns: which column means what.
        told: told the share that is read.

    Raises:
        InvalidInput: the file cannot be read, a column is not there (lists those there are), holds something that is no
            number (says in which line), or holds more variants than anybody compares.
    """
    source = open_rows(path)
    for name in (columns.variant, *columns.numbers.values()):
        if name not in source.columns:
            raise UnknownName("column", name, source.columns, limit=40)
    found = Units()
    try:
        for block in _blocks(path, source, columns, found):
            _add(found, block, columns)
            told("reading", block.share_done)
    except _DAMAGE as error:
        raise InvalidInput(f"{path.name} is damaged ({type(error).__name__}).", code="unreadable_file") from None
    return found


def _blocks(path: Path, source: RowSource, columns: Columns, found: Units) -> Iterator[_Block]:
    wanted = [columns.variant, *columns.numbers.values()]
    if isinstance(source, ParquetRows):
        done = 0
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BLOCK_ROWS, columns=wanted):
                lines = range(done + 1, done + len(batch) + 1)
                done += len(batch)
                yield _Block({name: batch.column(name) for name in wanted}, lines, done / max(source.n_rows, 1))
        return
    for rows in source.blocks(BLOCK_ROWS):
        if rows.bad and not found.n_bad:
            found.first_bad = rows.bad[0].line_number
        found.n_bad += len(rows.bad)
        # Lines of JSON may each have other keys.
        places = {name: rows.columns.index(name) if name in rows.columns else -1 for name in wanted}
        cells = {name: _texts(rows.rows, place) for name, place in places.items()}
        yield _Block(cells, rows.line_numbers, rows.bytes_done / max(source.bytes_total, 1))


def _texts(rows: Sequence[Sequence[Any]], place: int) -> pa.Array:
    if place < 0:
        return pa.nulls(len(rows), pa.string())
    return pa.array([None if row[place] is None else str(row[place]) for row in rows], pa.string())


def _add(found: Units, block: _Block, columns: Columns) -> None:
    names, codes = _variants(block.cells[columns.variant], columns.variant)
    if len(found.sums.keys() | set(names)) > MOST_VARIANTS:
        raise InvalidInput(
            f"The column '{columns.variant}' holds more than {MOST_VARIANTS} values.",
            hint="Name the column that says which variant a unit was given with --variant.",
        )
    numbers = {part: _numbers(block, column) for part, column in columns.numbers.items()}
    is_whole = np.all([~np.isnan(held) for held in numbers.values()], axis=0)
    values = numbers["value"][is_whole & (codes >= 0)]
    found.is_binary = found.is_binary and bool(((values == 0) | (values == 1)).all())
    found.n_without_variant += int((codes < 0).sum())
    for code, name in enumerate(names):
        rows = codes == code
        found.assigned[name] = found.assigned.get(name, 0) + int(rows.sum())
        part = Sums.of(**{key: held[rows & is_whole] for key, held in numbers.items()})
        found.sums[name] = found.sums.get(name, Sums.none()) + part


def _variants(cells: pa.Array, column: str) -> tuple[list[str], npt.NDArray[np.int64]]:
    """The names in a block, and for each row the place of its name, -1 for none."""
    cells = _decoded(cells)
    if pa.types.is_floating(cells.type):  # whole numbers beside missing ones are written as 1.0
        whole = pc.all(pc.or_kleene(pc.equal(cells, pc.floor(cells)), pc.is_nan(cells))).as_py()
        cells = pc.if_else(pc.is_nan(cells), None, cells)
        cells = cells.cast(pa.int64()) if whole is not False else cells
    try:
        texts = pc.utf8_trim_whitespace(cells.cast(pa.string()))
    except pa.ArrowException:
        raise InvalidInput(f"The column '{column}' holds no names ({cells.type}).") from None
    held = pc.dictionary_encode(_without(texts, sorted(ABSENT)))
    codes = held.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return held.dictionary.to_pylist(), codes


def _numbers(block: _Block, column: str) -> npt.NDArray[np.float64]:
    """float64[rows]: NaN where missing."""
    cells = _decoded(block.cells[column])
    if pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
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


def _parsed(cells: pa.Array, block: _Block, column: str) -> npt.NDArray[np.float64]:
    texts = _without(pc.utf8_lower(pc.utf8_trim_whitespace(cells)), _NO_NUMBER)
    for word, number in _WORDS.items():
        texts = pc.if_else(pc.equal(texts, word), number, texts)
    try:
        return _float64(texts.cast(pa.float64()))
    except pa.ArrowInvalid:
        return np.array(
            [_number(text, line, column) for text, line in zip(texts.to_pylist(), block.lines, strict=True)]
        )


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


def _float64(cells: pa.Array) -> npt.NDArray[np.float64]:
    return np.asarray(cells.fill_null(math.nan).to_numpy(zero_copy_only=False), np.float64)


def _decoded(cells: pa.Array) -> pa.Array:
    return cells.dictionary_decode() if pa.types.is_dictionary(cells.type) else cells
