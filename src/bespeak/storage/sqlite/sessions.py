"""What can be asked of a SQLite connection: the primitives of `base.Session` and `base.Transaction`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn, cast

from bespeak.errors import StoreError
from bespeak.storage.base import Conflict, Row, Value
from bespeak.storage.dialect import insert_values, select_after, select_by, table_named
from bespeak.storage.sqlite.errors import FAILURES, explained

_NEXT_IDS = (
    "INSERT INTO drawn_ids (name, last) VALUES (?, ?)"
    " ON CONFLICT (name) DO UPDATE SET last = last + excluded.last RETURNING last"
)


class SqliteSession:
    """A snapshot of one reading connection; ends with its block."""

    def __init__(self, connection: Any, path: Path) -> None:
        self._execute: Callable[..., Any] = connection.execute
        self._execute_many: Callable[..., Any] = connection.executemany
        self._path = path

    def rows(self, sql: str, params: Sequence[Value] = ()) -> list[Row]:
        """Returns all rows of a query."""
        try:
            return cast("list[Row]", self._execute(sql, params).fetchall())
        except FAILURES as error:
            raise explained(error, self._path) from error

    def row(self, sql: str, params: Sequence[Value] = ()) -> Row | None:
        """Returns the first row of a query, or None."""
        try:
            return cast("Row | None", self._execute(sql, params).fetchone())
        except FAILURES as error:
            raise explained(error, self._path) from error

    def lookup(
        self, table: str, columns: Sequence[str], keys: Sequence[str], values: Iterable[Sequence[Value]]
    ) -> list[Row]:
        """Returns `columns` of the rows whose `keys` equal one of `values`; one prepared statement, run for each."""
        sql = select_by(table, tuple(columns), tuple(keys))
        try:
            return cast("list[Row]", self._execute_many(sql, dict.fromkeys(map(tuple, values))).fetchall())
        except FAILURES as error:
            raise explained(error, self._path) from error

    def lookup_after(
        self, table: str, columns: Sequence[str], key: str, ascending: str, values: Iterable[tuple[Value, Value]]
    ) -> list[Row]:
        """Returns `columns` of the rows with the key and behind the place of one of `values`."""
        sql = select_after(table, tuple(columns), key, ascending)
        try:
            return cast("list[Row]", self._execute_many(sql, values).fetchall())
        except FAILURES as error:
            raise explained(error, self._path) from error

    def log_ceiling(self) -> int:
        """Returns the highest position drawn: with one writer at a time, whoever drew it has committed."""
        row = self.row("SELECT last FROM drawn_ids WHERE name = 'events'")
        return cast("int", row[0]) if row else 0

    def end(self) -> None:
        """Makes further use an error, as the connection goes back to the pool."""
        self._execute = self._execute_many = _ended


class SqliteTransaction(SqliteSession):
    """The one transaction that may write; see `base.Transaction`."""

    def __init__(self, connection: Any, path: Path) -> None:
        super().__init__(connection, path)
        self._changes: Callable[[], int] = connection.changes
        self._total_changes: Callable[[], int] = connection.total_changes
        self._first_position: int | None = None

    def run(self, sql: str, params: Sequence[Value] = ()) -> int:
        """Executes one statement and returns the number of rows it changed."""
        try:
            self._execute(sql, params).fetchall()
        except FAILURES as error:
            raise explained(error, self._path) from error
        return self._changes()

    def insert(
        self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Value]], *, on_conflict: Conflict = "fail"
    ) -> None:
        """Inserts rows; conflicts are on the table's primary key."""
        sql = insert_values(table, tuple(columns), on_conflict)
        try:
            self._execute_many(sql, rows).fetchall()
        except FAILURES as error:
            raise explained(error, self._path) from error

    def insert_new(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> list[bool]:
        """Inserts the rows whose primary key is not there yet; tells for each row whether it was new."""
        sql = insert_values(table, tuple(columns), "ignore")
        is_new: list[bool] = []

        def told() -> Iterator[Sequence[Value]]:
            # A row is asked for when the one before it is inserted: the count of changes then tells whether it was new.
            # RETURNING tells the same at twice the time.
            before = self._total_changes()
            for row in rows:
                yield row
                after = self._total_changes()
                is_new.append(after != before)
                before = after

        try:
            self._execute_many(sql, told()).fetchall()
        except FAILURES as error:
            raise explained(error, self._path) from error
        return is_new

    def reserve(self, table: str, n: int) -> list[int]:
        """Draws `n` ascending ids from the table's counter; what a rolled back transaction drew is drawn again."""
        if not table_named(table).draws_ids:
            raise StoreError(f"Table {table} draws no ids.", hint="Declare draws_ids in storage/schema.py.")
        if n <= 0:
            return []
        row = self.row(_NEXT_IDS, (table, n))
        assert row is not None
        last = cast("int", row[0])
        if table == "events" and self._first_position is None:
            self._first_position = last - n + 1
        return list(range(last - n + 1, last + 1))

    def log_ceiling(self) -> int:
        """Returns the highest position that stays as it is: below the ones this transaction has drawn itself."""
        if self._first_position is not None:
            return self._first_position - 1
        return super().log_ceiling()

    def lock_keys(self, keys: Iterable[str]) -> None:
        """Does nothing: the transaction holds the whole store."""


def _ended(*_: object) -> NoReturn:
    raise StoreError("This session has ended.", hint="Use it inside its `with` block only.")
