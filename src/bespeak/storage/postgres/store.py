"""The server store: one PostgreSQL database that several nodes share.

Readers see a consistent snapshot (REPEATABLE READ); writers read what is committed at each statement (READ COMMITTED),
so that what they read after `lock_keys` is the truth until they commit. A connection that broke is dropped and the next
use opens another. Erased rows stay in the server's files until VACUUM has run and their pages are used again, and in
its write-ahead log until that is recycled; `scrub` runs the former.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import AbstractContextManager, suppress
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import psycopg
from psycopg.types.bool import BoolBinaryLoader
from psycopg.types.numeric import NumericBinaryLoader

from bespeak.errors import StoreError, StoreUnavailable
from bespeak.storage.base import Session, Transaction
from bespeak.storage.postgres import dump as archive
from bespeak.storage.postgres.sessions import PostgresSession, PostgresTransaction
from bespeak.storage.postgres.sql import FAILURES, explained
from bespeak.storage.schema import TABLES

PATIENCE_SECONDS = 30.0
MAX_CONNECTIONS = 16
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"


class PostgresStore:
    """One PostgreSQL database (its current schema); see `base.Store`.

    Args:
        url: `postgresql://user:password@host:port/database`.
        read_only: never write.
        patience_seconds: how long to wait for a free connection or a lock before `StoreUnavailable`.
        max_connections: at most this many at a time, in this process.
    """

    kind: Literal["sqlite", "postgres"] = "postgres"

    def __init__(
        self,
        url: str,
        *,
        read_only: bool = False,
        patience_seconds: float = PATIENCE_SECONDS,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        self._url = url
        self._read_only = read_only
        self._patience = patience_seconds
        self._idle: deque[Any] = deque()
        self._free = threading.BoundedSemaphore(max_connections)
        self._tokens = count(1)
        self._is_closed = False
        self._pid = os.getpid()
        self._give_back(self._take())  # fails now rather than at the first use

    # -- sessions ------------------------------------------------------------------------------------------------------
    def read(self) -> AbstractContextManager[Session]:
        """Opens a consistent snapshot; it begins with the first query."""
        return _Block(self, _READ, PostgresSession)

    def write(self) -> AbstractContextManager[Transaction]:
        """Opens a transaction, beside those of others."""
        if self._read_only:
            raise StoreError("The store is open for reading only.", hint="Open it without read_only.")
        return _Block(self, _WRITE, PostgresTransaction)

    def check(self) -> None:
        """Returns when the server answers, and is not a standby that takes nothing in."""
        with self.read() as session:
            row = session.row("SELECT pg_is_in_recovery()")
        if not self._read_only and row and row[0]:
            raise StoreUnavailable("The server is a standby: it can be read only.", hint="Connect to the primary.")

    def change_token(self) -> int:
        """Returns a new number each time: the server does not tell cheaply whether others have committed."""
        return next(self._tokens)

    # -- care ----------------------------------------------------------------------------------------------------------
    def scrub(self) -> None:
        """Vacuums every table, so that the space of deleted rows can be overwritten by new ones.

        The bytes themselves go when the pages are used again and the server's write-ahead log is recycled.
        """
        with self.connection() as connection:
            for table in TABLES:
                connection.execute(f"VACUUM {table.name}")

    def backup(self, target: Path) -> None:
        """Writes a consistent copy to `target`, one archive that other versions of PostgreSQL read."""
        with self.connection() as connection:
            archive.dump(connection, target)

    def restore(self, source: Path) -> None:
        """Replaces everything by the copy at `source`, in one transaction; refused while others are connected."""
        self._close_idle()
        with self.connection() as connection:
            archive.load(connection, source)

    def size_bytes(self) -> int:
        """Returns the bytes of the database."""
        with self.read() as session:
            row = session.row("SELECT pg_database_size(current_database())")
        return int(row[0]) if row and row[0] is not None else 0

    def close(self) -> None:
        """Closes every idle connection; one in use closes when its block ends."""
        self._is_closed = True
        self._close_idle()

    def connection(self) -> _Connection:
        """Lends a connection outside of any transaction."""
        return _Connection(self)

    # -- the pool ------------------------------------------------------------------------------------------------------
    def _take(self) -> Any:
        self._check_usable()
        if not self._free.acquire(timeout=self._patience):
            raise StoreUnavailable("Every connection to PostgreSQL has been in use for too long.", hint="Retry.")
        try:
            return self._idle.pop()
        except IndexError:
            pass
        try:
            return self._connect()
        except FAILURES as error:
            self._free.release()
            raise explained(error) from None

    def _connect(self) -> Any:
        connection: Any = psycopg.connect(
            self._url, autocommit=True, connect_timeout=10, application_name="bespeak", client_encoding="utf8"
        )
        try:
            settings = {"lock_timeout": f"{int(self._patience * 1000)}ms", "timezone": "UTC", "jit": "off"}
            if self._read_only:
                settings["default_transaction_read_only"] = "on"
            for name, value in settings.items():
                connection.execute("SELECT set_config(%s, %s, false)", (name, value))
            (encoding,) = connection.execute("SHOW server_encoding").fetchone()
        except BaseException:
            connection.close()
            raise
        if encoding != "UTF8":
            connection.close()
            raise StoreError(f"The database keeps texts as {encoding}.", hint="Create it with ENCODING 'UTF8'.")
        connection.adapters.register_loader("numeric", _NumberLoader)
        connection.adapters.register_loader("bool", _TruthLoader)
        return connection

    def _begin(self, statement: str) -> Any:
        """Takes a connection and begins; an idle connection that broke meanwhile is replaced."""
        while True:
            connection = self._take()
            try:
                connection.execute(statement)
            except FAILURES as error:
                was_idle = connection.closed or connection.broken
                self._give_back(connection)
                if was_idle and self._idle:
                    continue
                if was_idle:
                    return self._begin_anew(statement)
                raise explained(error) from None
            else:
                return connection

    def _begin_anew(self, statement: str) -> Any:
        connection = self._take()
        try:
            connection.execute(statement)
        except FAILURES as error:
            self._give_back(connection)
            raise explained(error) from None
        return connection

    def _finish(self, connection: Any, *, is_commit: bool) -> None:
        try:
            connection.execute("COMMIT" if is_commit else "ROLLBACK")
        except FAILURES as error:
            if is_commit:
                raise explained(error) from None
        finally:
            self._give_back(connection)

    def _give_back(self, connection: Any) -> None:
        is_clean = not connection.closed and connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        if is_clean and not self._is_closed:
            self._idle.append(connection)
        else:
            with suppress(psycopg.Error):
                connection.close()
        self._free.release()

    def _close_idle(self) -> None:
        while self._idle:
            with suppress(psycopg.Error):
                self._idle.pop().close()

    def _check_usable(self) -> None:
        if self._is_closed:
            raise StoreUnavailable("The store is closed.", hint="Open it again.")
        if self._pid != os.getpid():
            raise StoreError("A store cannot be used in a forked process.", hint="Open it after the fork.")


class _Block:
    """A `with` block around one transaction."""

    def __init__(self, store: PostgresStore, begin: str, kind: type[PostgresSession]) -> None:
        self._store = store
        self._begin = begin
        self._kind = kind

    def __enter__(self) -> Any:
        self._connection = self._store._begin(self._begin)
        self._session = self._kind(self._connection)
        return self._session

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._session.end()
        self._store._finish(self._connection, is_commit=kind is None)


class _Connection:
    """A `with` block around a connection without a transaction."""

    def __init__(self, store: PostgresStore) -> None:
        self._store = store

    def __enter__(self) -> Any:
        self._connection = self._store._take()
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._store._give_back(self._connection)
        if isinstance(error, FAILURES):
            raise explained(error) from None


class _NumberLoader(NumericBinaryLoader):
    """Sums of integers are numeric in PostgreSQL; they come back as the integers they are."""

    def load(self, data: Any) -> Any:
        value = super().load(data)
        return int(value) if value == value.to_integral_value() else float(value)


class _TruthLoader(BoolBinaryLoader):
    """Truth values come back as 0 and 1, as in SQLite."""

    def load(self, data: Any) -> Any:
        return int(super().load(data))
