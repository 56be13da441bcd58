"""Files -> the write path: events, users and items, in bounded memory and resumable.

A file of events or users runs through the same writer as the HTTP API. Several batches wait at once, so that reading
goes on while the writer waits for the disk. How far a file has come is remembered under a hash of its whole content and
of how it was read: a finished file is passed over at once, an import that was stopped goes on behind its last durable
batch. A file read again under another mapping or a changed name adds nothing that is there: rows without a message id
get a hash of their content.
"""

from __future__ import annotations

import gc
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

import msgspec

from bespeak.catalogue import changes
from bespeak.catalogue.items import checked
from bespeak.engine.core import Core
from bespeak.engine.writing.writer import WriteRequest, Written
from bespeak.errors import InvalidInput, Overloaded, UnknownName
from bespeak.intake.columns import ColumnMapping, What
from bespeak.intake.dates import DateOrder
from bespeak.intake.files import FileFormat, ImportBatch, ImportFile
from bespeak.intake.rows import BadLine
from bespeak.intake.wire import SourceInfo
from bespeak.signals.items import Item
from bespeak.storage.tables import log, records

BATCH_ROWS = 5_000
IN_FLIGHT = 4
REMEMBER_EVERY = 10
MAX_SHOWN_REJECTS = 20
OBJECTS_BETWEEN_COLLECTIONS = 500_000

Progress = Callable[[int, int, int], None]
"""Told (bytes read, bytes in all, rows read) after each batch."""


class LineReject(msgspec.Struct, frozen=True, kw_only=True):
    """One line that gave no record: where, the typed reason, and a sentence without any value of the line."""

    line_number: int
    reason: str
    detail: str


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did.

    Rows of one order become one event, so `accepted + duplicate + rejected` may be less than `n_rows`.

    Attributes:
        n_rows: lines of the file, those that an earlier run had imported included; 0 when the file was not read.
        accepted, duplicate, rejected: what became of the records; gated of the accepted left only a count, because no
            purpose was granted.
        rejects: the first rejected lines; every one is kept for `bespeak rejects list`.
        reasons: reason -> rejected lines.
        was_done: the file was imported before, and nothing was read.
        resumed_after: the line that an earlier run had come to, 0 for a fresh start.
        mapping: how the columns were read, in the words of `--map`.
    """

    path: str
    what: str
    n_rows: int = 0
    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    gated: int = 0
    rejects: list[LineReject] = []
    reasons: dict[str, int] = {}
    was_done: bool = False
    resumed_after: int = 0
    mapping: str = ""
    seconds: float = 0.0

    def rows_per_second(self) -> float:
        """Returns lines read a second, fold and disk included."""
        return self.n_rows / self.seconds if self.seconds else 0.0


def open_file(
    core: Core,
    path: str | Path,
    what: What,
    *,
    mapping: ColumnMapping | None = None,
    file_format: FileFormat | None = None,
    lists: Sequence[str] | None = None,
    date_order: DateOrder | None = None,
    source: str = "import",
) -> ImportFile:
    """Opens a file as the project would read it: its `preview` shows how.

    Raises:
        UnknownName: the project has no such source.
        InvalidInput: the file cannot be read, or the mapping does not fit it.
    """
    known = core.config.settings.sources
    if source not in known:
        raise UnknownName("source", source, list(known))
    return ImportFile(
        path,
        what,
        source=SourceInfo(name=source, kind=known[source].kind),
        received_ms=core.clock.now_ms(),
        signals=core.config.signals,
        file_format=file_format,
        mapping=mapping,
        lists=lists,
        date_order=date_order,
        default_currency=core.config.settings.project.currency,
    )


def import_file(
    core: Core, file: ImportFile, *, progress: Progress | None = None, is_again: bool = False
) -> ImportReport:
    """Imports an opened file into the project.

    Args:
        core: the open project.
        file: from `open_file`.
        progress: told how far it is.
        is_again: read a file that was imported before once more; what is there stays once.

    Raises:
        InvalidInput: the file is damaged; what came before the damage is imported.
        StoreUnavailable: the store went away; a second call goes on where this one stopped.
    """
    with _fewer_collections():
        if file.what == "items":
            return _import_items(core, file, progress)
        return _EventImport(core, file, progress).run(is_again=is_again)


def import_key(file: ImportFile) -> bytes:
    """Returns the hash that an import is remembered under: the file's whole content and how it is read.

    Hashing the head and the size would be faster and would pass over a file that was mended in the middle.
    """
    digest = blake2b(digest_size=16)
    lists = ",".join(getattr(file, "lists", ()))
    shape = "segment" if not file.columns else "table"
    how = (
        file.what,
        file.source.name,
        file.mapping.text(),
        lists,
        *(part for part in (shape, file.date_order) if part),
    )
    digest.update(msgspec.json.encode(how))
    try:
        with file.path.open("rb") as handle:
            while block := handle.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise InvalidInput(
            f"{file.path.name} cannot be read: {error.strerror or 'input error'}.", code="unreadable_file"
        ) from None
    return digest.digest()


@contextmanager
def _fewer_collections() -> Iterator[None]:
    """Lets the garbage collector of this process run rarely for a while.

    A batch makes tens of thousands of records that hold no cycles; looking through them again and again took a quarter
    of an import's time. Memory stays bounded: reference counts free each batch.
    """
    usual = gc.get_threshold()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


class _EventImport:
    """One run over a file of events or users."""

    def __init__(self, core: Core, file: ImportFile, progress: Progress | None) -> None:
        self._core = core
        self._file = file
        self._progress = progress
        self._key = import_key(file)
        self._waiting: deque[tuple[Future[Written], int]] = deque()
        self._written = Written()
        self._tally = _Tally(file)
        self._durable_line = 0
        self._since_remembered = 0

    def run(self, *, is_again: bool) -> ImportReport:
        started = time.perf_counter()
        with self._core.store.read() as session:
            line, is_done = records.import_position(session, self._key)
        if is_done and not is_again:
            return ImportReport(
                path=self._file.path.name, what=self._file.what, was_done=True, mapping=self._file.mapping.text()
            )
        after = 0 if is_again else line
        try:
            for batch in self._file.batches(BATCH_ROWS, after_line=after):
                self._send(batch)
                if self._progress is not None:
                    self._progress(batch.bytes_done, batch.bytes_total, batch.n_rows)
        finally:
            # Also when the file turns out damaged or the run is interrupted: what was sent is waited for.
            while self._waiting:
                self._settle()
            self._remember(is_done=False)
        self._remember(is_done=True)
        self._core.refresh()
        written = self._written
        return self._tally.report(
            accepted=written.n_accepted,
            duplicate=written.n_duplicate,
            rejected=written.n_rejected,
            gated=written.n_gated,
            resumed_after=after,
            seconds=time.perf_counter() - started,
        )

    def _send(self, batch: ImportBatch) -> None:
        self._tally.add(batch.n_rows, batch.bad)
        if not batch.events and not batch.bad:
            return
        request = WriteRequest(
            events=batch.events, rejects=_rejects(batch.bad, self._file, self._key), n_bytes=512 * len(batch.events)
        )
        while len(self._waiting) >= IN_FLIGHT:
            self._settle()
        while True:
            try:
                future = self._core.submit(request)
            except Overloaded:
                if not self._waiting:
                    raise
                self._settle()
            else:
                break
        self._waiting.append((future, batch.last_line))

    def _settle(self) -> None:
        """Waits for the oldest batch; every so often its line is remembered."""
        future, line = self._waiting.popleft()
        self._written += future.result()
        self._durable_line = line
        self._since_remembered += 1
        if self._since_remembered >= REMEMBER_EVERY:
            self._remember(is_done=False)

    def _remember(self, *, is_done: bool) -> None:
        self._since_remembered = 0
        if not self._durable_line and not is_done:
            return
        with self._core.store.write() as tx:
            records.put_import(tx, self._key, self._durable_line, is_done, self._core.clock.now_ms())


def _import_items(core: Core, file: ImportFile, progress: Progress | None) -> ImportReport:
    """Writes whole items over what stands there; an item twice in the file is the last one."""
    started = time.perf_counter()
    tally = _Tally(file)
    n_items = 0
    for batch in file.batches(BATCH_ROWS):
        items, bad = _sound(batch)
        tally.add(batch.n_rows, bad)
        with core.store.write() as tx:
            changes.put(tx, items, core.clock.now_ms())
            log.add_rejects(tx, _rejects(bad, file))
        n_items += len(items)
        if progress is not None:
            progress(batch.bytes_done, batch.bytes_total, batch.n_rows)
    core.refresh()
    return tally.report(accepted=n_items, rejected=tally.n_bad, seconds=time.perf_counter() - started)


def _sound(batch: ImportBatch) -> tuple[list[Item], list[BadLine]]:
    """Returns the items that the catalogue takes, and the lines that gave none: one bad item costs only itself."""
    items: list[Item] = []
    bad = list(batch.bad)
    for item, line in zip(batch.items, batch.line_numbers, strict=True):
        try:
            items.append(checked(item))
        except InvalidInput as error:
            bad.append(BadLine(line, error.code, error.message))
    return items, sorted(bad, key=lambda found: found.line_number)


class _Tally:
    """Counts what a file held."""

    def __init__(self, file: ImportFile) -> None:
        self._file = file
        self._n_read = 0
        self._reasons: Counter[str] = Counter()
        self._shown: list[LineReject] = []
        self.n_bad = 0

    def add(self, n_read: int, bad: Sequence[BadLine]) -> None:
        self._n_read = n_read
        self.n_bad += len(bad)
        for line in bad:
            self._reasons[line.reason] += 1
            if len(self._shown) < MAX_SHOWN_REJECTS:
                self._shown.append(LineReject(line_number=line.line_number, reason=line.reason, detail=line.detail))

    def report(
        self,
        *,
        accepted: int,
        rejected: int,
        seconds: float,
        duplicate: int = 0,
        gated: int = 0,
        resumed_after: int = 0,
    ) -> ImportReport:
        reasons = dict(sorted(self._reasons.items()))
        if rejected > self.n_bad:
            # Refused by the write path: an id that identifies nobody, for example. They are among the rejects.
            reasons["refused_when_stored"] = rejected - self.n_bad
        return ImportReport(
            path=self._file.path.name,
            what=self._file.what,
            n_rows=self._n_read,
            accepted=accepted,
            duplicate=duplicate,
            rejected=rejected,
            gated=gated,
            rejects=self._shown,
            reasons=reasons,
            resumed_after=resumed_after,
            mapping=self._file.mapping.text(),
            seconds=seconds,
        )


def _rejects(bad: Sequence[BadLine], file: ImportFile, key: bytes = b"") -> list[log.Reject]:
    """Returns bad lines as rejects; with the import's key each is kept once, however often the file is read."""
    return [
        log.Reject(
            received_ms=file.received_ms,
            source=file.source.name,
            reason=line.reason,
            detail=line.detail,
            line_number=line.line_number,
            body=line.raw or None,
            once=blake2b(b"%d" % line.line_number, key=key, digest_size=16).digest() if key else None,
        )
        for line in bad
    ]
