"""What can be asked of a PostgreSQL connection: the primitives of `base.Session` and `base.Transaction`.

Many rows travel by COPY into a temporary table of the connection, and from there with `INSERT … ON CONFLICT`. Rows
that may meet other transactions' rows are inserted in order of their key, so that two transactions cannot wait for
each other.

**The log ceiling.** Positions come from a sequence, so they are drawn in order but commit in any order. A drawing
transaction T first makes sure that it has a transaction id, then draws, then notes (last position drawn, bound), the
bound being a transaction id that was handed out after the draw: it opens a savepoint, has an id assigned to it, and
rolls it back, which makes that id a finished one, and so `pg_snapshot_xmax` is larger. Whoever drew a smaller position
did so earlier, hence has an id below the bound. A reader whose snapshot's xmin has reached the bound knows that all of
them have ended, and sees what they committed. So the ceiling is the largest noted position whose bound is at most
xmin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn, cast
from zlib import crc32

from bespeak.errors import StoreError
from bespeak.storage.base import Conflict, Row, Value
from bespeak.storage.dialect import (
    POSTGRES,
    conflict_clause,
    insert_head,
    insert_values,
    select_after,
    select_by,
    table_named,
)
from bespeak.storage.postgres.sql import FAILURES, explained, lock_numbers, translated

FEW_ROWS = 12
"""Up to here an INSERT of parameters is faster than a COPY."""

_TYPES = dict(POSTGRES.types)
_CEILING = (
    "SELECT coalesce(max(last_log_id), 0) FROM log_allocations WHERE bound <= pg_snapshot_xmin(pg_current_snapshot())"
)
_NOTE_DRAW = (
    "INSERT INTO log_allocations (last_log_id, bound)"
    " VALUES (currval('events_ids'), pg_snapshot_xmax(pg_current_snapshot()))"
)
# Below the ceiling a note says nothing new. Rows that another transaction is deleting are left to it.
_OLD_NOTES = f"SELECT last_log_id FROM log_allocations WHERE last_log_id < ({_CEILING}) FOR UPDATE SKIP LOCKED"  # noqa: S608
_FORGET_NOTES = f"DELETE FROM log_allocations WHERE last_log_id IN ({_OLD_NOTES})"  # noqa: S608
FORGET_EVERY = 64


class PostgresSession:
    """A snapshot; ends with its block."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._cursor = connection.cursor(binary=True)
        self._execute: Callable[..., Any] = self._cursor.execute

    def rows(self, sql: str, params: Sequence[Value] = ()) -> list[Row]:
        """Returns all rows of a query."""
        try:
            return cast("list[Row]", self._execute(translated(sql), params).fetchall())
        except FAILURES as error:
            raise explained(error) from None

    def row(self, sql: str, params: Sequence[Value] = ()) -> Row | None:
        """Returns the first row of a query, or None."""
        try:
            return cast("Row | None", self._execute(translated(sql), params).fetchone())
        except FAILURES as error:
            raise explained(error) from None

    def lookup(
        self, table: str, columns: Sequence[str], keys: Sequence[str], values: Iterable[Sequence[Value]]
    ) -> list[Row]:
        """Returns `columns` of the rows whose `keys` equal one of `values`, in one query."""
        select_by(table, tuple(columns), tuple(keys))  # refuses unknown names
        distinct = list(dict.fromkeys(map(tuple, values)))
        if not distinct:
            return []
        declared = table_named(table).columns
        kinds = [_TYPES[declared[key].removesuffix("?")] for key in keys]
        wanted = ", ".join(f"t.{column}" for column in columns)
        if len(keys) == 1:
            source = f"{table} t WHERE t.{keys[0]} = ANY(%s::{kinds[0]}[])"
        else:
            arrays = ", ".join(f"%s::{kind}[]" for kind in kinds)
            names = ", ".join(f"k{position}" for position in range(len(keys)))
            matches = " AND ".join(f"t.{key} = k.k{position}" for position, key in enumerate(keys))
            source = f"unnest({arrays}) AS k ({names}) JOIN {table} t ON {matches}"
        params = [list(column) for column in zip(*distinct, strict=True)]
        try:
            return cast("list[Row]", self._execute(f"SELECT {wanted} FROM {source}", params).fetchall())  # noqa: S608
        except FAILURES as error:
            raise explained(error) from None

    def lookup_after(
        self, table: str, columns: Sequence[str], key: str, ascending: str, values: Iterable[tuple[Value, Value]]
    ) -> list[Row]:
        """Returns `columns` of the rows with the key and behind the place of one of `values`, in one query."""
        select_after(table, tuple(columns), key, ascending)  # refuses unknown names
        pairs = list(values)
        if not pairs:
            return []
        declared = table_named(table).columns
        kinds = [_TYPES[declared[name].removesuffix("?")] for name in (key, ascending)]
        wanted = ", ".join(f"t.{column}" for column in columns)
        source = f"unnest(%s::{kinds[0]}[], %s::{kinds[1]}[]) AS k (k0, k1) JOIN {table} t"
        sql = f"SELECT {wanted} FROM {source} ON t.{key} = k.k0 AND t.{ascending} > k.k1"  # noqa: S608
        try:
            return cast("list[Row]", self._execute(sql, [list(part) for part in zip(*pairs, strict=True)]).fetchall())
        except FAILURES as error:
            raise explained(error) from None

    def log_ceiling(self) -> int:
        """Returns the highest position up to which every transaction has ended; see the module."""
        row = self.row(_CEILING)
        assert row is not None
        return cast("int", row[0])

    def end(self) -> None:
        """Makes further use an error, as the connection goes back to the pool."""
        self._execute = _ended
        self._connection = None


class PostgresTransaction(PostgresSession):
    """A transaction that may write; see `base.Transaction`."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self._filled: set[str] = set()  # temporary tables that hold rows of this transaction

    def run(self, sql: str, params: Sequence[Value] = ()) -> int:
        """Executes one statement and returns the number of rows it changed."""
        try:
            return max(0, int(self._execute(translated(sql), params).rowcount))
        except FAILURES as error:
            raise explained(error) from None

    def insert(
        self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Value]], *, on_conflict: Conflict = "fail"
    ) -> None:
        """Inserts rows; conflicts are on the table's primary key."""
        names = tuple(columns)
        insert_values(table, names, on_conflict)  # refuses unknown names
        prepared = list(rows) if on_conflict == "fail" else _merged(table, names, rows, on_conflict)
        if not prepared:
            self._check_open()
            return
        try:
            if len(prepared) <= FEW_ROWS:
                self._insert_few(table, names, prepared, conflict_clause(table, names, on_conflict))
            elif on_conflict == "fail":
                self._copy(table, names, prepared)
            else:
                self._insert_many(table, names, prepared, conflict_clause(table, names, on_conflict))
        except FAILURES as error:
            raise explained(error) from None

    def insert_new(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> list[bool]:
        """Inserts the rows whose primary key is not there yet; tells for each row whether it was new.

        A key that another open transaction inserts is waited for: its end decides.
        """
        names = tuple(columns)
        clause = f"{conflict_clause(table, names, 'ignore')} RETURNING {names[0]}"
        distinct = _merged(table, names, rows, "ignore")
        if not distinct:
            return []
        try:
            if len(distinct) <= FEW_ROWS:
                self._insert_few(table, names, distinct, clause)
            else:
                self._insert_many(table, names, distinct, clause)
            added = {row[0] for row in self._cursor.fetchall()}
        except FAILURES as error:
            raise explained(error) from None
        is_new = []
        for row in rows:
            is_new.append(row[0] in added)
            added.discard(row[0])
        return is_new

    def reserve(self, table: str, n: int) -> list[int]:
        """Draws `n` ascending ids from the table's sequence; what a rolled back transaction drew stays unused."""
        if not table_named(table).draws_ids:
            raise StoreError(f"Table {table} draws no ids.", hint="Declare draws_ids in storage/schema.py.")
        self._check_open()
        if n <= 0:
            return []
        draw = f"SELECT nextval('{table}_ids') FROM generate_series(1, %s)"  # noqa: S608  the name is declared
        try:
            drawn = self._draw_positions(draw, n) if table == "events" else self._execute(draw, (n,)).fetchall()
        except FAILURES as error:
            raise explained(error) from None
        return sorted(row[0] for row in drawn)

    def lock_keys(self, keys: Iterable[str]) -> None:
        """Holds the named keys until the transaction ends; taken in sorted order."""
        numbers = sorted({lock_numbers(key) for key in keys})
        if not numbers:
            return
        params = [[pair[0] for pair in numbers], [pair[1] for pair in numbers]]
        sql = "SELECT pg_advisory_xact_lock(a, b) FROM unnest(%s::int[], %s::int[]) AS k (a, b)"
        try:
            self._execute(sql, params)
        except FAILURES as error:
            raise explained(error) from None

    def _draw_positions(self, draw: str, n: int) -> list[tuple[int]]:
        connection = self._connection
        with connection.pipeline():
            connection.execute("SELECT pg_current_xact_id()")
            drawn = connection.execute(draw, (n,))
            connection.execute("SAVEPOINT drawn")
            connection.execute("SELECT pg_logical_emit_message(true, '', '')")  # has an id assigned
            connection.execute("ROLLBACK TO SAVEPOINT drawn")
            connection.execute("RELEASE SAVEPOINT drawn")
            noted = connection.execute(f"{_NOTE_DRAW} RETURNING last_log_id")
            found = cast("list[tuple[int]]", drawn.fetchall())
            (last,) = noted.fetchone()
            if last // FORGET_EVERY != (last - n) // FORGET_EVERY:
                connection.execute(_FORGET_NOTES)
        return found

    def _insert_few(self, table: str, columns: tuple[str, ...], rows: Sequence[Sequence[Value]], clause: str) -> None:
        row = f"({', '.join(['%s'] * len(columns))})"
        places = ", ".join([row] * len(rows))
        params = [value for one in rows for value in one]
        self._execute(f"{insert_head(table, columns)} VALUES {places}{clause}", params)

    def _insert_many(
        self,
        table: str,
        columns: tuple[str, ...],
        rows: Sequence[Sequence[Value]],
        clause: str,
    ) -> None:
        """Inserts by way of a temporary table, which the end of the transaction empties."""
        names = ", ".join(columns)
        temporary = f"arriving_{table}_{crc32(names.encode())}"
        like = f"SELECT {names} FROM {table} WITH NO DATA"  # noqa: S608  names are declared
        if temporary in self._filled:
            self._execute(f"DELETE FROM {temporary}")  # noqa: S608
        else:
            self._execute(f"CREATE TEMP TABLE IF NOT EXISTS {temporary} ON COMMIT DELETE ROWS AS {like}")
            self._filled.add(temporary)
        self._copy(temporary, columns, rows, declared=table)
        self._execute(f"{insert_head(table, columns)} SELECT {names} FROM {temporary}{clause}")  # noqa: S608

    def _copy(
        self, target: str, columns: tuple[str, ...], rows: Sequence[Sequence[Value]], *, declared: str = ""
    ) -> None:
        kinds = table_named(declared or target).columns
        self._check_open()
        with self._cursor.copy(f"COPY {target} ({', '.join(columns)}) FROM STDIN (FORMAT binary)") as copy:
            copy.set_types([_COPY_TYPES[kinds[column].removesuffix("?")] for column in columns])
            for row in rows:
                copy.write_row(row)

    def _check_open(self) -> None:
        if self._connection is None:
            _ended()


_COPY_TYPES = {"id": "int8", "int": "int8", "real": "float8", "text": "text", "blob": "bytea"}


def _merged(
    table: str, columns: tuple[str, ...], rows: Iterable[Sequence[Value]], on_conflict: Conflict
) -> list[Sequence[Value]]:
    """Returns one row for each key, sorted by key: PostgreSQL refuses to change a row twice in one statement."""
    declared = table_named(table)
    key = [columns.index(name) for name in list(declared.columns)[: declared.n_key]]
    others = [position for position in range(len(columns)) if position not in key]
    by_key: dict[tuple[Value, ...], Sequence[Value]] = {}
    for row in rows:
        place = tuple(row[position] for position in key)
        earlier = by_key.get(place)
        if earlier is None or on_conflict == "replace":
            by_key[place] = row
        elif on_conflict == "add":
            total = list(row)
            for position in others:
                total[position] = cast("float", earlier[position]) + cast("float", row[position])
            by_key[place] = total
    return [by_key[place] for place in sorted(by_key, key=_sortable)]


def _sortable(place: tuple[Value, ...]) -> Any:
    return place


def _ended(*_: object) -> NoReturn:
    raise StoreError("This session has ended.", hint="Use it inside its `with` block only.")
