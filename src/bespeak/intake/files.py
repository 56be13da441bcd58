"""Files -> batches of events, items or users, with everything that went wrong by line.

ImportFile(path, "events", …).batches()    what engine and command line import
ImportFile.preview()                       the first rows as they are understood, to ask before importing
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec
import pyarrow as pa

from bespeak.errors import InvalidInput
from bespeak.intake.build import BUILDERS, Builder, Built
from bespeak.intake.cells import RowShape
from bespeak.intake.columns import ColumnMapping, What
from bespeak.intake.dates import DateOrder, needs_order
from bespeak.intake.guess import Guess, guess_mapping
from bespeak.intake.lines import Lines
from bespeak.intake.rows import (
    SAMPLE_ROWS,
    BadLine,
    JsonRows,
    RowSource,
    disk_position,
    open_binary,
    open_rows,
    read_head,
)
from bespeak.intake.segment import SourceInfo, decode_lines
from bespeak.signals.catalogue import SignalCatalogue
from bespeak.signals.events import EVENT_TYPES, Event
from bespeak.signals.items import Item

__all__ = ["BadLine", "FileFormat", "ImportBatch", "ImportFile", "SourceInfo"]

FileFormat = Literal["csv", "jsonl", "parquet", "segment"]
BATCH_ROWS = 2_000
_MOST = 0.9
_DAMAGE = (OSError, EOFError, zlib.error, pa.ArrowException)


class ImportBatch(msgspec.Struct, frozen=True):
    """Some records of a file, in its order.

    Attributes:
        events: of a file of events, and of users (one identify each); items: of a file of items.
        line_numbers: the line that each record began at.
        bad: the lines that gave no record.
        n_rows: lines read so far, bad ones included.
        last_line: the last line this batch read; `batches(after_line=…)` goes on behind it.
        bytes_done, bytes_total: progress through the file on disk.
    """

    events: list[Event]
    items: list[Item]
    line_numbers: list[int]
    bad: list[BadLine]
    n_rows: int
    last_line: int
    bytes_done: int
    bytes_total: int


class ImportFile:
    """One file to import.

    Args:
        path: CSV, JSONL (both plain or gzip) or Parquet.
        what: `events`, `items` or `users`.
        source: whose data it is, usually of kind `import`: times then stand as given.
        received_ms: the time of the import.
        signals: gives the names of events for short words (`purchase`).
        file_format: known by the content unless given; `segment` is JSONL with one Segment event a line, which a
            mapping makes a table.
        mapping: what the columns mean; guessed when None.
        lists: columns that hold several values with `|` between them; guessed when None.
        date_order: what comes first in dates such as 3/4/2026; taken from the file's other dates when None.
        default_currency: of prices that name none.

    Raises:
        InvalidInput: the file cannot be read, the mapping does not fit it (lists the columns there are), or its times
            cannot be read: records never get the time of the import in place of their own.

    Attributes:
        columns: the file's columns; empty for `segment`.
        mapping: as given or guessed; guess: None when a mapping was given.
    """

    def __init__(
        self,
        path: str | Path,
        what: What,
        *,
        source: SourceInfo,
        received_ms: int,
        signals: SignalCatalogue,
        file_format: FileFormat | None = None,
        mapping: ColumnMapping | None = None,
        lists: Sequence[str] | None = None,
        date_order: DateOrder | None = None,
        default_currency: str = "",
    ) -> None:
        self.path = Path(path)
        self.what: What = what
        self.source = source
        self.received_ms = received_ms
        self.guess: Guess | None = None
        self.columns: tuple[str, ...] = ()
        self.mapping = mapping or ColumnMapping()
        self.date_order = date_order
        self._rows: RowSource | None = None
        if file_format == "segment":
            if what != "events":
                raise InvalidInput(f"the format 'segment' holds events, not {what}.", code="unknown_format")
            read_head(self.path)
            self.bytes_total = self.path.stat().st_size
            return
        self._rows = open_rows(self.path, file_format)
        self.columns, self.bytes_total = self._rows.columns, self._rows.bytes_total
        sample = self._sample()
        if what == "events" and file_format is None and mapping is None and self._holds_segment(sample):
            self._rows, self.columns = None, ()
            return
        guess = guess_mapping(self.columns, sample, what)
        self.date_order = date_order or guess.date_order
        if mapping is None:
            self.guess = guess
            self.mapping = guess.mapping
        self.mapping.check(self.columns, what)
        self._check_times(sample)
        unknown = [column for column in lists or () if column not in self.columns]
        if unknown:
            raise InvalidInput(
                f"there is no column '{unknown[0]}' (for lists).",
                hint=f"Columns: {', '.join(self.columns)}.",
                code="missing_column",
            )
        self.lists: tuple[str, ...] = guess.lists if lists is None else tuple(lists)
        self._shape = RowShape(
            mapping=self.mapping,
            source=source,
            received_ms=received_ms,
            words=signals.words,
            lists=frozenset(self.lists),
            numbers=frozenset(guess.numbers),
            number_styles=guess.number_styles,
            date_order=self.date_order,
            default_currency=default_currency,
        )

    def preview(self, n_rows: int = 5) -> ImportBatch:
        """Returns the first rows as they are understood; of orders those that begin in them."""
        first = None
        for batch in self.batches(n_rows):
            first = batch
            if batch.events or batch.items or batch.n_rows > 10 * n_rows:
                break
        assert first is not None
        return first

    def batches(self, n_rows: int = BATCH_ROWS, *, after_line: int = 0) -> Iterator[ImportBatch]:
        """Returns the whole file in batches of about `n_rows` lines, at least one batch; memory stays bounded.

        With `after_line` the lines up to it are passed over: an import that was stopped goes on.

        Raises:
            InvalidInput: the file is damaged behind the line that is named; what came before it was good.
        """
        last_line = 0
        try:
            for batch in self._segment(n_rows, after_line) if self._rows is None else self._table(n_rows, after_line):
                last_line = batch.last_line
                yield batch
        except _DAMAGE as error:
            raise InvalidInput(
                f"{self.path.name} {'ends too early' if isinstance(error, EOFError) else 'is damaged'} after line "
                f"{last_line:,} ({type(error).__name__}).",
                hint="The lines before it are imported; get the whole file and import it, nothing is doubled.",
                code="unreadable_file",
            ) from None

    def _holds_segment(self, sample: Sequence[Sequence[object]]) -> bool:
        """True for JSON lines that say themselves which kind of Segment event they are."""
        is_named = "userId" in self.columns or "anonymousId" in self.columns
        if not isinstance(self._rows, JsonRows) or not is_named or "type" not in self.columns:
            return False
        place = self.columns.index("type")
        return sum(row[place] in EVENT_TYPES for row in sample) > _MOST * len(sample)

    def _check_times(self, sample: Sequence[Sequence[object]]) -> None:
        if self.guess is not None and self.guess.unread_time:
            raise InvalidInput(
                f"the column '{self.guess.unread_time}' is named like the time and holds none that can be read.",
                hint="Write ISO 8601 (2024-01-02T03:04:05Z) or seconds since 1970. With --map and no timestamp in it, "
                "rows get the time of the import.",
                code="invalid_timestamp",
            )
        for field in ("timestamp", "published_at", "expires_at"):
            column = self.mapping.columns.get(field)
            if column is None or self.date_order is not None:
                continue
            place = self.columns.index(column)
            if any(needs_order(row[place]) for row in sample):
                raise InvalidInput(
                    f"the dates in '{column}' do not show whether the day or the month comes first.",
                    hint="Say so with --dates day-first or --dates month-first.",
                    code="invalid_timestamp",
                )

    def _sample(self) -> list[Sequence[object]]:
        assert self._rows is not None
        try:
            block = next(self._rows.blocks(SAMPLE_ROWS), None)
        except _DAMAGE:
            return []
        return list(block.rows) if block is not None and block.columns == self.columns else []

    def _table(self, n_rows: int, after_line: int) -> Iterator[ImportBatch]:
        assert self._rows is not None
        builders: dict[tuple[str, ...], Builder] = {}
        builder: Builder | None = None
        n_done = last_line = bytes_done = 0
        for block in self._rows.blocks(n_rows):
            rows, numbers, bad = block.rows, block.line_numbers, block.bad
            n_done += len(rows) + len(bad)
            last_line = max(numbers[-1] if numbers else 0, bad[-1].line_number if bad else 0)
            bytes_done = block.bytes_done
            if last_line <= after_line:
                continue
            if after_line:
                kept = [i for i, number in enumerate(numbers) if number > after_line]
                rows, numbers = [rows[i] for i in kept], [numbers[i] for i in kept]
                bad = [line for line in bad if line.line_number > after_line]
            if block.columns not in builders:
                if builder is not None:
                    yield self._batch(builder.finish(), [], n_done, last_line, bytes_done)
                # JSONL blocks may differ in their columns; a few sets are kept
                builders = {block.columns: BUILDERS[self.what](block.columns, self._shape)}
            builder = builders[block.columns]
            built = builder.build(rows, numbers)
            # an order that is still open must be read again by an import that goes on from here
            resume = min(last_line, builder.open_line - 1) if builder.open_line else last_line
            yield self._batch(built, bad, n_done, resume, bytes_done)
        rest = builder.finish() if builder is not None else Built([], [], [])
        if rest.records or n_done == 0:
            yield self._batch(rest, [], n_done, last_line, self.bytes_total)

    def _batch(self, built: Built, bad: list[BadLine], n_done: int, last_line: int, bytes_done: int) -> ImportBatch:
        events = [record for record in built.records if isinstance(record, Event)]
        items = [record for record in built.records if isinstance(record, Item)]
        all_bad = (
            sorted((*bad, *built.bad), key=lambda line: line.line_number) if bad and built.bad else bad or built.bad
        )
        return ImportBatch(events, items, built.line_numbers, all_bad, n_done, last_line, bytes_done, self.bytes_total)

    def _segment(self, n_rows: int, after_line: int) -> Iterator[ImportBatch]:
        n_done = 0
        with open_binary(self.path) as file:
            pending: list[tuple[int, bytes]] = []
            for number, raw in Lines(file):
                if raw is not None and not raw.strip():
                    continue
                n_done += 1
                if number > after_line:
                    # a line that is too long arrives as None and is rejected as no JSON
                    pending.append((number, raw or b""))
                if len(pending) >= n_rows:
                    yield self._segment_batch(pending, n_done, disk_position(file))
                    pending = []
            yield self._segment_batch(pending, n_done, self.bytes_total)

    def _segment_batch(self, pending: list[tuple[int, bytes]], n_done: int, bytes_done: int) -> ImportBatch:
        decoded = decode_lines(
            [raw for _, raw in pending], received_ms=self.received_ms, source=self.source, is_file=True
        )
        rejected = {line.index for line in decoded.rejected}
        return ImportBatch(
            decoded.events,
            [],
            [number for i, (number, _) in enumerate(pending) if i not in rejected],
            [BadLine(pending[line.index][0], line.reason, line.detail, line.raw[:4096]) for line in decoded.rejected],
            n_done,
            pending[-1][0] if pending else 0,
            bytes_done,
            self.bytes_total,
        )
