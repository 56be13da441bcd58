"""The embedded store: one SQLite file, any number of readers, one writer at a time.

Durable at commit (write-ahead log, `synchronous=FULL`). Each process has one writing connection and a pool of reading
ones; processes take fair turns at writing (`queue_lock`). Deleted content is overwritten (`secure_delete`), and
`scrub` removes the copies that the write-ahead log still holds. No statistics are gathered (ANALYZE), as they would
copy keys.

SQLite before 3.51.3 can lose committed data when a WAL reset races with another connection's checkpoint, so it is
refused.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import apsw

from bespeak.errors import StoreError, StoreUnavailable
from bespeak.storage import files
from bespeak.storage.base import Session, Transaction
from bespeak.storage.sqlite.connections import (
    APPLICATION_ID,
    check_is_ours,
    check_library,
    copy_into,
    empty_log,
    leave_wal,
)
from bespeak.storage.sqlite.errors import FAILURES, explained
from bespeak.storage.sqlite.queue_lock import NO_PATIENCE, QueueLock, Waiter
from bespeak.storage.sqlite.scrub import zero_unused
from bespeak.storage.sqlite.sessions import SqliteSession, SqliteTransaction

PAGE_SIZE = 8192
PATIENCE_SECONDS = 30.0
TRANSACTIONS_A_TURN = 16
CHANGES_A_TURN = 500  # changed rows; a turn ends at whichever comes first
SCRUBBED_AT_ONCE = 16_384  # pages; writers have a turn in between
ASKED_MS = 100  # that SQLite itself asks for the write lock, once a millisecond, before Python sleeps
MAX_IDLE_READERS = 32
CHECKPOINT_PAGES = 4_096  # of write-ahead log; profiles are rewritten often, and copied into the file once for all

_ALL_TIMES = (
    "PRAGMA synchronous=FULL",
    "PRAGMA secure_delete=ON",
    "PRAGMA temp_store=MEMORY",
    f"PRAGMA mmap_size={256 << 20}",
)


class SqliteStore:
    """One SQLite file; see `base.Store`.

    Args:
        path: the file; its folder must exist.
        read_only: never write, and fail when the file is missing.
        patience_seconds: how long to wait for another process before `StoreUnavailable`.
    """

    kind: Literal["sqlite", "postgres"] = "sqlite"

    def __init__(self, path: Path, *, read_only: bool = False, patience_seconds: float = PATIENCE_SECONDS) -> None:
        check_library()
        self._path = path
        self._log_path = path.with_name(f"{path.name}-wal")
        self._read_only = read_only
        self._patience = patience_seconds
        self._waiter = Waiter(patience_seconds)
        self._turn = threading.Lock()
        self._writer_lock = threading.Lock()
        self._writer_thread = 0
        self._readers: deque[Any] = deque()
        self._generation = 0
        self._transactions_left = 0
        self._turn_ends_at = 0
        self._pid = os.getpid()
        self._is_closed = False
        self._writer: Any = None
        if read_only:
            self._give_reader(self._take_reader())  # fails now rather than at the first use
            return
        self._queue = self._open_queue()
        self._open_writer()

    # -- sessions ------------------------------------------------------------------------------------------------------
    def read(self) -> AbstractContextManager[Session]:
        """Opens a consistent snapshot; it begins with the first query."""
        return _Reading(self)

    def write(self) -> AbstractContextManager[Transaction]:
        """Opens the transaction; waits for the one of another thread or process."""
        return _Writing(self)

    def check(self) -> None:
        """Returns when the file can be read and is still the one that was opened."""
        with self.read() as session:
            session.row("SELECT 1 FROM settings LIMIT 1")
        if not self._read_only:
            self._check_in_place()

    def change_token(self) -> int:
        """Returns a number that differs when another process may have committed since the last call."""
        mine = self._writer_thread == threading.get_ident()
        if not mine:
            self._lock_writer()
        try:
            # The pragma looks at the file; the function of that name tells what the connection last saw.
            (version,) = self._writer.execute("PRAGMA data_version").fetchone()
            return (self._generation << 32) | int(version)
        except FAILURES as error:
            raise explained(error, self._path) from error
        finally:
            if not mine:
                self._unlock_writer()

    # -- care ----------------------------------------------------------------------------------------------------------
    def scrub(self) -> None:
        """Empties the write-ahead log into the file, then overwrites what pages keep of moved and deleted rows.

        Reads the whole file, in pieces between which writers have their turns; free space stays with the file.

        Raises:
            StoreUnavailable: a reader has kept an old snapshot for longer than the patience; the copies in the log
            remain.
        """
        with self._held_writer() as writer:
            try:
                (n_pages,) = writer.execute("PRAGMA page_count").fetchone()
                for first_page in range(0, n_pages, SCRUBBED_AT_ONCE):
                    while not self._scrub_pages(writer, first_page):
                        pass  # another process wrote in between: empty the log again
                self._empty_log(writer)
            except FAILURES as error:
                raise explained(error, self._path) from error

    def backup(self, target: Path) -> None:
        """Writes a consistent copy to `target`, one SQLite file; writers go on meanwhile."""
        if target.exists():
            raise StoreError(f"{target.name} exists already.", hint="Name a file that does not exist.")
        part = files.part_of(target)
        reader = self._take_reader()
        try:
            copy_into(reader, part)
            files.publish(part, target)
        except FAILURES as error:
            raise explained(error, target) from error
        finally:
            part.unlink(missing_ok=True)
            self._give_reader(reader)

    def restore(self, source: Path) -> None:
        """Replaces everything by the copy at `source`, in one transaction; refused while others are connected."""
        if not source.is_file():
            raise StoreError(f"{source.name} is not there.", hint="Name the file that `backup` wrote.")
        with self._held_writer() as writer:
            try:
                copy = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)
                try:
                    check_is_ours(copy, source)
                    self._close_readers()
                    leave_wal(writer, self._path)
                    with writer.backup("main", copy, "main") as pages:
                        pages.step(-1)
                finally:
                    copy.close()
            except FAILURES as error:
                raise explained(error, source) from error
            finally:
                writer.close()
                self._open_writer()

    def size_bytes(self) -> int:
        """Returns the bytes of the file and of its write-ahead log."""
        return sum(file.stat().st_size for file in (self._path, self._log_path) if file.exists())

    def close(self) -> None:
        """Closes every connection; one that is reading closes when its block ends."""
        if self._is_closed:
            return
        if self._writer is None:
            self._is_closed = True
            self._close_readers()
            return
        self._lock_writer()
        try:
            self._is_closed = True
            self._close_readers()  # first: the last connection moves the write-ahead log into the file, if it may write
            self._writer.close()
            self._queue.close()
        except FAILURES as error:
            raise explained(error, self._path) from error
        finally:
            self._unlock_writer()

    # -- reading connections -------------------------------------------------------------------------------------------
    def _take_reader(self) -> Any:
        self._check_usable()
        try:
            return self._readers.pop()
        except IndexError:
            pass
        try:
            connection = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READONLY, statementcachesize=256)
            connection.set_busy_timeout(int(self._patience * 1000))
            for pragma in _ALL_TIMES:
                connection.execute(pragma).fetchall()
            check_is_ours(connection, self._path)
        except FAILURES as error:
            raise explained(error, self._path) from error
        return connection

    def _give_reader(self, connection: Any) -> None:
        if self._is_closed or len(self._readers) >= MAX_IDLE_READERS:
            connection.close()
        else:
            self._readers.append(connection)

    def _close_readers(self) -> None:
        while self._readers:
            self._readers.pop().close()

    # -- the writing connection ----------------------------------------------------------------------------------------
    def _open_queue(self) -> QueueLock:
        try:
            with suppress(FileExistsError):
                # The file's rights are inherited by the write-ahead log: what it holds is nobody else's business.
                # A file that is there is not opened: closing it would drop the locks of this process's other stores.
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            return QueueLock(self._path.with_name(f"{self._path.name}-queue"))
        except OSError as error:
            raise StoreUnavailable(
                f"{self._path.name}: the file cannot be opened ({error.strerror}).",
                hint="Check that its folder exists and that this user may read and write it.",
            ) from error

    def _open_writer(self) -> None:
        self._waiter = Waiter(self._patience)
        self._take_queue()
        try:
            writer = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READWRITE, statementcachesize=256)
            writer.set_busy_handler(lambda _: self._waiter.wait())
            is_new = writer.execute("PRAGMA page_count").fetchone() == (0,)
            if is_new:
                for pragma in (f"page_size={PAGE_SIZE}", f"application_id={APPLICATION_ID}"):
                    writer.execute(f"PRAGMA {pragma}").fetchall()
            check_is_ours(writer, self._path)
            writer.execute("PRAGMA journal_mode=WAL").fetchall()
            for pragma in (*_ALL_TIMES, "PRAGMA cache_size=-65536", f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}"):
                writer.execute(pragma).fetchall()
        except FAILURES as error:
            raise explained(error, self._path) from error
        finally:
            self._queue.leave()
        self._writer = writer
        self._generation += 1
        self._inode = self._path.stat().st_ino

    def _take_queue(self) -> None:
        if not self._queue.take(self._waiter):
            raise explained(apsw.BusyError(), self._path)

    def _lock_writer(self) -> None:
        """Takes the writing connection for this thread, in turn with the process's other threads."""
        self._check_usable()
        if self._read_only:
            raise explained(apsw.ReadOnlyError(), self._path)
        if self._writer_thread == threading.get_ident():
            raise StoreError("A transaction is open already in this thread.", hint="Use the one that is open.")
        # Two locks, as in `queue_lock`: who has just let go of the second cannot pass who waits for it.
        with self._turn:
            if not self._writer_lock.acquire(timeout=self._patience):
                raise explained(apsw.BusyError(), self._path)
        self._writer_thread = threading.get_ident()
        if self._is_closed:
            self._unlock_writer()
            self._check_usable()

    def _unlock_writer(self) -> None:
        self._writer_thread = 0
        self._writer_lock.release()

    def _held_writer(self) -> _HeldWriter:
        return _HeldWriter(self)

    def _begin(self) -> Any:
        self._lock_writer()
        try:
            self._check_in_place()
            if not self._begin_in_same_turn():
                self._begin_in_new_turn()
        except FAILURES as error:
            self._unlock_writer()
            raise explained(error, self._path) from error
        except BaseException:
            self._unlock_writer()
            raise
        return self._writer

    def _begin_in_same_turn(self) -> bool:
        """Goes on without queueing while the turn lasts: handing over after each tiny transaction costs."""
        if self._transactions_left <= 0 or self._writer.total_changes() > self._turn_ends_at:
            return False
        self._transactions_left -= 1
        self._waiter = NO_PATIENCE
        try:
            self._writer.execute("BEGIN IMMEDIATE")
        except apsw.BusyError:
            return False
        return True

    def _begin_in_new_turn(self) -> None:
        self._waiter = Waiter(self._patience)
        self._take_queue()
        try:
            asked_ms = min(ASKED_MS, int(self._patience * 1000))
            self._waiter = Waiter(self._patience, asked_ms / 1000)
            self._writer.setlk_timeout(asked_ms, 0)
            self._writer.execute("BEGIN IMMEDIATE")
        finally:
            self._writer.setlk_timeout(0, 0)
            self._queue.leave()
        self._transactions_left = TRANSACTIONS_A_TURN - 1
        self._turn_ends_at = self._writer.total_changes() + CHANGES_A_TURN

    def _finish(self, *, is_commit: bool) -> None:
        self._waiter = Waiter(self._patience)
        try:
            if is_commit:
                self._writer.execute("COMMIT")
        except FAILURES as error:
            raise explained(error, self._path) from error
        finally:
            try:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
            finally:
                self._unlock_writer()

    def _scrub_pages(self, writer: Any, first_page: int) -> bool:
        """Scrubs some pages; returns False when another process wrote before the write lock was ours."""
        self._empty_log(writer)
        writer.execute("PRAGMA shrink_memory").fetchall()  # pages kept in memory would be written back as they were
        self._begin_in_new_turn()
        try:
            if self._log_path.stat().st_size:
                return False
            zero_unused(self._path, PAGE_SIZE, first_page, SCRUBBED_AT_ONCE)
            # A commit makes the other processes drop what they keep in memory.
            writer.execute("INSERT INTO drawn_ids VALUES ('scrub', 1) ON CONFLICT (name) DO UPDATE SET last = last + 1")
            writer.execute("COMMIT")
        finally:
            if writer.in_transaction:
                writer.execute("ROLLBACK")
        return True

    def _empty_log(self, writer: Any) -> None:
        self._waiter = Waiter(self._patience)
        empty_log(writer, self._path, self._waiter)

    def _check_in_place(self) -> None:
        """Refuses to write into a file that was deleted or moved: SQLite would go on, and everything would be lost."""
        try:
            if os.stat(self._path).st_ino == self._inode:
                return
        except OSError:
            pass
        raise StoreUnavailable(f"{self._path.name} was moved or deleted.", hint="Put it back, or open the store anew.")

    def _check_usable(self) -> None:
        if self._is_closed:
            raise StoreUnavailable("The store is closed.", hint="Open it again.")
        if self._pid != os.getpid():
            raise StoreError("A store cannot be used in a forked process.", hint="Open it after the fork.")


class _Reading:
    __slots__ = ("_connection", "_session", "_store")

    def __init__(self, store: SqliteStore) -> None:
        self._store = store

    def __enter__(self) -> SqliteSession:
        store = self._store
        self._connection = store._take_reader()
        try:
            self._connection.execute("BEGIN")
        except FAILURES as error:
            raise explained(error, store._path) from error
        self._session = SqliteSession(self._connection, store._path)
        return self._session

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._session.end()
        try:
            self._connection.execute("ROLLBACK")
        except FAILURES:
            self._connection.close()  # whatever ailed it, the next reader gets a fresh one
        else:
            self._store._give_reader(self._connection)


class _Writing:
    __slots__ = ("_session", "_store")

    def __init__(self, store: SqliteStore) -> None:
        self._store = store

    def __enter__(self) -> SqliteTransaction:
        self._session = SqliteTransaction(self._store._begin(), self._store._path)
        return self._session

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._session.end()
        self._store._finish(is_commit=kind is None)


class _HeldWriter:
    """The writing connection without a transaction."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store

    def __enter__(self) -> Any:
        self._store._lock_writer()
        self._store._waiter = Waiter(self._store._patience)
        return self._store._writer

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._store._unlock_writer()
