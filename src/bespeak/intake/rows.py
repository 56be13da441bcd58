"""Rows of CSV, JSONL and Parquet files in blocks: bounded memory, line numbers, bad lines that cost only themselves."""

from __future__ import annotations

import csv
import gzip
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from io import BufferedIOBase
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from bespeak.errors import InvalidInput
from bespeak.intake.lines import Lines, guess_encoding
from bespeak.intake.text import NUL_ESCAPE, holds_nul

Format = Literal["csv", "jsonl", "parquet"]

DELIMITERS = (",", ";", "\t", "|")
SAMPLE_ROWS = 200
_SNIFF_BYTES = 256 * 1024
_GZIP_MAGIC, _PARQUET_MAGIC = b"\x1f\x8b", b"PAR1"
_MAX_JOINED_LINES = 50
_TEXT_BYTES = bytes((9, 10, 13, *range(32, 127), *range(128, 256)))
_BINARY_SHARE = 0.05
_ONLY_DATA = re.compile(r"\d{4}-\d{2}-\d{2}(?!\d)|\d{1,2}[./]\d{1,2}[./]\d{4}\b|\S+@\S+\.\w+$")
_json = msgspec.json.Decoder()


class BadLine(msgspec.Struct, frozen=True, gc=False):
    """One line that gave no record.

    Attributes:
        line_number: from 1, as an editor counts; the row number in a Parquet file.
        reason: typed code, for example `wrong_columns`.
        detail: one sentence without any value of the line.
        raw: the line itself, cut at 4,096 bytes, for the rejects.
    """

    line_number: int
    reason: str
    detail: str
    raw: bytes = b""


class RowBlock(msgspec.Struct, frozen=True):
    """Some rows of a file: values in the order of `columns`, with their line numbers, and the lines that were bad."""

    columns: tuple[str, ...]
    rows: list[Sequence[Any]]
    line_numbers: list[int]
    bad: list[BadLine]
    bytes_done: int


class RowSource(Protocol):
    """A file that gives rows."""

    columns: tuple[str, ...]
    bytes_total: int

    def blocks(self, n_rows: int) -> Iterator[RowBlock]:
        """Returns all rows from the start in blocks of about `n_rows` lines; may be called again."""
        ...


def open_rows(path: Path, file_format: Format | None = None) -> RowSource:
    """Opens a file of rows; the format is known by its first bytes unless it is given.

    Raises:
        InvalidInput: `unreadable_file` for a file that is missing, empty, damaged or of another kind.
    """
    head = read_head(path)
    if file_format is None:
        _refuse_other_shapes(path, head)
    found = file_format or ("parquet" if head.startswith(_PARQUET_MAGIC) else _text_format(head))
    if found == "parquet":
        return ParquetRows(path)
    return JsonRows(path) if found == "jsonl" else CsvRows(path, head)


def read_head(path: Path) -> bytes:
    """Returns the first (unpacked) bytes of a file; raises `InvalidInput` when it cannot be read or is empty."""
    head = b""
    try:
        with open_binary(path) as file:
            while len(head) < _SNIFF_BYTES and (part := file.read1(_SNIFF_BYTES - len(head))):
                head += part
    except (OSError, EOFError) as error:
        # what comes before the end of an archive that is cut off is good
        if not head or not isinstance(error, EOFError):
            reason = getattr(error, "strerror", None) or "not a complete gzip archive"
            raise InvalidInput(f"{path.name or path} cannot be read: {reason}.", code="unreadable_file") from None
    if not head.strip():
        raise InvalidInput(f"{path.name} is empty.", code="unreadable_file")
    return head


def open_binary(path: Path) -> BufferedIOBase:
    """Opens a plain or gzip file for reading bytes; gzip is known by its first bytes."""
    file = path.open("rb")
    is_gzip = file.read(2) == _GZIP_MAGIC
    file.seek(0)
    if not is_gzip:
        return file
    file.close()
    return gzip.open(path, "rb")


def _refuse_other_shapes(path: Path, head: bytes) -> None:
    """Names what a file is that would otherwise be read as a table of nonsense."""
    if head.startswith(_PARQUET_MAGIC):
        return
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        message, hint = "is UTF-16; save it as UTF-8.", ""
    elif start.startswith(b"["):
        message, hint = "is one JSON array.", "Write one object a line, for example with: jq -c '.[]'"
    elif len(head.translate(None, _TEXT_BYTES)) > _BINARY_SHARE * len(head):
        message, hint = "is no text.", "CSV, JSONL (both plain or gzip) and Parquet can be imported."
    elif b"\r" in head and b"\n" not in head:
        message, hint = "ends its lines in CR alone.", "Save it with line ends of LF or CR LF."
    else:
        return
    raise InvalidInput(f"{path.name} {message}", hint=hint, code="unreadable_file")


def _text_format(head: bytes) -> Format:
    return "jsonl" if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") else "csv"


class CsvRows:
    """A delimited text file with a header line (or none: columns are then `column_1`, …).

    Delimiter and encoding are taken from the first lines. A quoted value may span lines; a quote that never closes
    costs its own line only.
    """

    def __init__(self, path: Path, head: bytes) -> None:
        self._path = path
        self.bytes_total = path.stat().st_size
        self._encoding = guess_encoding(head)
        lines = [line for line in head.decode(self._encoding, "replace").splitlines() if line.strip()][:50]
        self.delimiter = _guess_delimiter(lines)
        first = _split(lines[0].lstrip("\ufeff"), self.delimiter)
        if not first:
            raise InvalidInput(f"{path.name}: a quoted name in the header does not end.", code="unreadable_file")
        self._has_header = not any(_looks_like_data(cell) for cell in first)
        names = [(cell.strip() if self._has_header else "") or f"column_{i}" for i, cell in enumerate(first, start=1)]
        _refuse_two_of_a_name(path, names)
        self.columns: tuple[str, ...] = tuple(names)

    def blocks(self, n_rows: int) -> Iterator[RowBlock]:
        """See `RowSource`."""
        with open_binary(self._path) as file:
            lines = Lines(file)
            rows: list[Sequence[Any]] = []
            numbers: list[int] = []
            bad: list[BadLine] = []
            must_skip = self._has_header
            for number, raw in lines:
                if raw is not None and not raw.strip():
                    continue
                if must_skip:
                    must_skip = False
                    continue
                found = self._parse(number, raw, lines)
                if isinstance(found, BadLine):
                    bad.append(found)
                else:
                    rows.append(found)
                    numbers.append(number)
                if len(rows) + len(bad) >= n_rows:
                    yield RowBlock(self.columns, rows, numbers, bad, disk_position(file))
                    rows, numbers, bad = [], [], []
            if rows or bad:
                yield RowBlock(self.columns, rows, numbers, bad, self.bytes_total)

    def _parse(self, number: int, raw: bytes | None, lines: Lines) -> list[str] | BadLine:
        if raw is None:
            return BadLine(number, "line_too_long", "the line is longer than a record can be.")
        try:
            text = raw.decode(self._encoding)
        except UnicodeDecodeError:
            return BadLine(number, "invalid_text", f"the line is not {self._encoding.upper()} text.", raw[:4096])
        if "\x00" in text:
            return BadLine(number, "invalid_text", "the line holds NUL characters.", raw[:4096])
        cells = _split(text, self.delimiter) if '"' in text else text.split(self.delimiter)
        if cells is None:
            cells = self._join(text, lines)
            if cells is None:
                return BadLine(number, "invalid_quotes", "a quoted value does not end.", raw[:4096])
        if len(cells) != len(self.columns):
            detail = f"the line has {len(cells)} values; the header has {len(self.columns)}."
            return BadLine(number, "wrong_columns", detail, raw[:4096])
        return cells

    def _join(self, text: str, lines: Lines) -> list[str] | None:
        """Returns the cells of a value that spans lines; else puts every line back that it looked at."""
        looked_at: list[tuple[int, bytes | None]] = []
        for number, raw in lines:
            looked_at.append((number, raw))
            if raw is None or len(looked_at) > _MAX_JOINED_LINES:
                break
            text = f"{text}\n{raw.decode(self._encoding, 'replace')}"
            if b'"' in raw:
                cells = _split(text, self.delimiter)
                if cells is not None and len(cells) == len(self.columns):
                    return cells
        lines.put_back(looked_at)
        return None


class JsonRows:
    """One JSON object a line; the columns are the keys of the first lines, later lines may have others."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.bytes_total = path.stat().st_size
        first = next(self.blocks(SAMPLE_ROWS), None)
        self.columns: tuple[str, ...] = first.columns if first is not None else ()
        if not self.columns:
            raise InvalidInput(f"{path.name} holds no JSON objects, one a line.", code="unreadable_file")

    def blocks(self, n_rows: int) -> Iterator[RowBlock]:
        """See `RowSource`; each block has the columns that its own lines have."""
        with open_binary(self._path) as file:
            found: list[dict[str, Any]] = []
            numbers: list[int] = []
            bad: list[BadLine] = []
            for number, raw in Lines(file):
                if raw is not None and not raw.strip():
                    continue
                value = _json_object(raw)
                if isinstance(value, dict):
                    found.append(value)
                    numbers.append(number)
                else:
                    bad.append(BadLine(number, "invalid_json", value, (raw or b"")[:4096]))
                if len(found) + len(bad) >= n_rows:
                    yield _json_block(found, numbers, bad, disk_position(file))
                    found, numbers, bad = [], [], []
            if found or bad:
                yield _json_block(found, numbers, bad, self.bytes_total)


class ParquetRows:
    """A Parquet file. Times come as milliseconds since 1970 UTC, decimals as numbers."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.bytes_total = path.stat().st_size
        try:
            with pq.ParquetFile(path) as file:
                self.columns: tuple[str, ...] = tuple(file.schema_arrow.names)
                self.n_rows: int = file.metadata.num_rows
        except (pa.ArrowException, OSError) as error:
            raise InvalidInput(
                f"{path.name} is not a readable Parquet file ({type(error).__name__}).", code="unreadable_file"
            ) from None
        _refuse_two_of_a_name(path, self.columns)

    def blocks(self, n_rows: int) -> Iterator[RowBlock]:
        """See `RowSource`; line numbers are row numbers from 1."""
        done = 0
        with pq.ParquetFile(self._path) as file:
            for batch in file.iter_batches(batch_size=n_rows):
                columns = [_values(column) for column in batch.columns]
                rows: list[Sequence[Any]] = list(zip(*columns, strict=True))
                first, done = done + 1, done + len(rows)
                bytes_done = self.bytes_total * done // max(1, self.n_rows)
                yield RowBlock(self.columns, rows, list(range(first, done + 1)), [], bytes_done)


def disk_position(file: BufferedIOBase) -> int:
    """Returns how many bytes of the file on disk have been read, also behind gzip."""
    if isinstance(file, gzip.GzipFile):
        return int(file.fileobj.tell()) if file.fileobj is not None else 0  # type: ignore[union-attr]
    return file.tell()


def _refuse_two_of_a_name(path: Path, names: Sequence[str]) -> None:
    duplicate = next((name for name, n in Counter(names).items() if n > 1), None)
    if duplicate is not None:
        raise InvalidInput(f"{path.name} has two columns '{duplicate}'.", code="unreadable_file")


def _guess_delimiter(lines: list[str]) -> str:
    """Returns the delimiter that splits the first lines into the most columns, equally many in most of them."""

    def quality(delimiter: str) -> tuple[float, int]:
        counts = [line.count(delimiter) for line in lines]
        usual = counts[0]
        return (sum(count == usual for count in counts) / len(counts) if usual else 0.0, usual)

    return max(DELIMITERS, key=quality)


def _split(text: str, delimiter: str) -> list[str] | None:
    """Returns the cells of a line with quotes, or None when a quote does not close or something follows it."""
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return None


def _looks_like_data(cell: str) -> bool:
    """True for what no header cell is: a number, a time, or an address of e-mail, which no message may repeat."""
    text = cell.strip()
    return text.lstrip("-").replace(".", "", 1).isdigit() or bool(_ONLY_DATA.match(text))


def _json_object(raw: bytes | None) -> dict[str, Any] | str:
    if raw is None:
        return "the line is longer than a record can be."
    try:
        value = _json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "the line is not JSON."
    if not isinstance(value, dict):
        return "the line is not a JSON object."
    return "the line holds NUL characters." if NUL_ESCAPE in raw and holds_nul(value) else value


def _json_block(found: list[dict[str, Any]], numbers: list[int], bad: list[BadLine], bytes_done: int) -> RowBlock:
    columns = tuple(dict.fromkeys(key for row in found for key in row))
    return RowBlock(columns, [[row.get(name) for name in columns] for row in found], numbers, bad, bytes_done)


def _values(column: pa.Array) -> list[Any]:
    """Returns a column's values; bytes as the text that they are (as old writers keep text), else in hexadecimal."""
    plain = _plain(column)
    kind = plain.type
    if pa.types.is_fixed_size_binary(kind):
        return [None if value is None else value.hex() for value in plain.to_pylist()]
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return [None if value is None else _text_or_hex(value) for value in plain.to_pylist()]
    if pa.types.is_map(kind):
        return [None if value is None else {str(key): part for key, part in value} for value in plain.to_pylist()]
    return list(plain.to_pylist())


def _text_or_hex(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.hex()


def _plain(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return column.cast(pa.timestamp("ms"), safe=False).cast(pa.int64())
    if pa.types.is_decimal(kind):
        return column.cast(pa.float64())
    if pa.types.is_time(kind) or pa.types.is_duration(kind):
        return column.cast(pa.string())
    return column
