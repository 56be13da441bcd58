"""What a store can do.

A store hands out *sessions*: `read()` is a consistent snapshot, `write()` is one transaction that commits when its
block ends and rolls back when it raises. Sessions speak a small SQL subset that every store understands, with `?` for
parameters: plain SELECT, INSERT, UPDATE, DELETE on the tables of `schema`, `ON CONFLICT`, `LIMIT`, integer, text and
blob values. What stores do differently is a primitive of the session. Queries are written once, in `log`, `people` and
`records`; a store is its connection, its dialect and these primitives.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, Protocol

Value = str | int | float | bytes | None
Row = tuple[Value, ...]
Conflict = Literal["fail", "ignore", "replace", "add"]


class Session(Protocol):
    """A snapshot to read from."""

    def rows(self, sql: str, params: Sequence[Value] = ()) -> list[Row]:
        """Returns all rows of a query."""
        ...

    def row(self, sql: str, params: Sequence[Value] = ()) -> Row | None:
        """Returns the first row of a query, or None."""
        ...

    def lookup(
        self, table: str, columns: Sequence[str], keys: Sequence[str], values: Iterable[Sequence[Value]]
    ) -> list[Row]:
        """Returns `columns` of the rows whose `keys` equal one of `values`, in no order.

        The fast way to fetch many rows by an indexed key, in as few round trips as the store allows.
        """
        ...

    def lookup_after(
        self, table: str, columns: Sequence[str], key: str, ascending: str, values: Iterable[tuple[Value, Value]]
    ) -> list[Row]:
        """Returns `columns` of the rows with the key and behind the place of one of `values`, in no order.

        Args:
            key: equals the first of a pair.
            ascending: is larger than the second; an index holds both columns in this order.
        """
        ...

    def log_ceiling(self) -> int:
        """Returns the highest log position up to which (included) no transaction can still add one.

        Readers that follow the log by position read up to here, never to the highest position they see: positions are
        drawn before their transactions commit, and transactions commit out of order.
        """
        ...


class Transaction(Session, Protocol):
    """A session that may write; everything in it commits together or not at all."""

    def run(self, sql: str, params: Sequence[Value] = ()) -> int:
        """Executes one statement and returns the number of rows it changed."""
        ...

    def insert(
        self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Value]], *, on_conflict: Conflict = "fail"
    ) -> None:
        """Inserts rows; conflicts are on the table's primary key.

        `replace` overwrites the columns outside the key, `add` adds the given numbers to them, `ignore` keeps what is
        there.
        """
        ...

    def insert_new(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> list[bool]:
        """Inserts the rows whose primary key is not there yet; tells for each row whether it was new.

        Of rows with the same key within `rows`, the first is the new one. The primary key is the first column.
        """
        ...

    def reserve(self, table: str, n: int) -> list[int]:
        """Draws `n` ascending values of the table's integer primary key.

        A value that was ever committed is never drawn again, also after its row is erased. What a transaction drew
        that then rolled back may come again or stay unused.
        """
        ...

    def lock_keys(self, keys: Iterable[str]) -> None:
        """Holds the named keys for this transaction, taken in sorted order; returns when all are held.

        A store with one writer at a time holds them already.
        """
        ...


class Store(Protocol):
    """A transactional store."""

    kind: Literal["sqlite", "postgres"]

    def read(self) -> AbstractContextManager[Session]:
        """Opens a consistent snapshot; raises `StoreUnavailable` when the store cannot be reached."""
        ...

    def write(self) -> AbstractContextManager[Transaction]:
        """Opens a transaction: committed durably when the block ends, rolled back when it raises."""
        ...

    def check(self) -> None:
        """Returns when rows can be read and a transaction would not be refused; raises `StoreUnavailable` otherwise."""
        ...

    def change_token(self) -> int:
        """Returns a number that differs when another connection may have committed since this one last looked.

        It lets a single writer keep what it read between transactions. A store that cannot know returns a new number
        each time.
        """
        ...

    def scrub(self) -> None:
        """Makes deleted content unrecoverable from the store's own files (free pages, write-ahead log)."""
        ...

    def backup(self, target: Path) -> None:
        """Writes a consistent copy of everything to `target`, which must not exist; the store stays in use."""
        ...

    def restore(self, source: Path) -> None:
        """Replaces everything by the copy at `source`; refused while others are connected."""
        ...

    def size_bytes(self) -> int:
        """Returns how many bytes the store takes."""
        ...

    def close(self) -> None:
        """Releases every connection; further use raises `StoreUnavailable`."""
        ...
