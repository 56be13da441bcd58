"""The SQL that both stores share, made from the tables of `schema`.

A dialect is what differs in the text: names of types, how a small table is kept in key order, where the catalogue of
tables is. Everything else (DDL, INSERT with its conflict rules, look-ups) is written once here.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from bespeak.errors import UnknownName
from bespeak.storage.base import Conflict
from bespeak.storage.schema import BY_NAME, INTERNAL, Table

KNOWN = {**BY_NAME, **{table.name: table for table in INTERNAL}}
"""Every table a statement may be made for, by name."""


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between the SQL texts of the stores.

    Attributes:
        types: type name of `schema` -> type name of the store, without the NULL rule.
        table_options: text after a table's closing bracket.
        clustered_options: the same for tables kept in key order.
        has_table: query with one parameter (a table's name) that returns a row when the table exists.
        extra: statements that make what this store alone keeps.
        id_source: statement that makes what `reserve` draws a table's ids from, `{table}` being its name.
    """

    types: tuple[tuple[str, str], ...]
    table_options: str
    clustered_options: str
    has_table: str
    id_source: str = ""
    extra: tuple[str, ...] = ()

    def column(self, declared: str) -> str:
        """Returns the store's type of a declared column type, NULL rule included.

        Example:
            >>> SQLITE.column("blob?"), SQLITE.column("int")
            ('BLOB', 'INTEGER NOT NULL')
        """
        name = dict(self.types)[declared.removesuffix("?")]
        return name if declared.endswith("?") else f"{name} NOT NULL"

    def create_table(self, table: Table) -> list[str]:
        """Returns the statements that make a table and its indexes."""
        names = list(table.columns)
        if table.n_key == 1:
            # One-column keys stand at the column: SQLite then makes an integer key the row id itself.
            lines = [
                f"{name} {self.column(kind)}{' PRIMARY KEY' if position == 0 else ''}"
                for position, (name, kind) in enumerate(table.columns.items())
            ]
        else:
            lines = [f"{name} {self.column(kind)}" for name, kind in table.columns.items()]
            lines.append(f"PRIMARY KEY ({', '.join(names[: table.n_key])})")
        options = self.clustered_options if table.is_clustered else self.table_options
        statements = [f"CREATE TABLE {table.name} ({', '.join(lines)}){options}"]
        statements += [create_index(table.name, columns) for columns in table.indexes]
        if table.draws_ids and self.id_source:
            statements.append(self.id_source.format(table=table.name))
        return statements


def create_index(table: str, columns: tuple[str, ...]) -> str:
    """Returns the statement that makes an index; its name follows from the table and the columns."""
    return f"CREATE INDEX {table}_by_{'_'.join(columns)} ON {table} ({', '.join(columns)})"


SQLITE = Dialect(
    types=(("id", "INTEGER"), ("int", "INTEGER"), ("real", "REAL"), ("text", "TEXT"), ("blob", "BLOB")),
    table_options=" STRICT",
    clustered_options=" STRICT, WITHOUT ROWID",
    has_table="SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?",
)

POSTGRES = Dialect(
    types=(("id", "bigint"), ("int", "bigint"), ("real", "double precision"), ("text", "text"), ("blob", "bytea")),
    table_options="",
    clustered_options="",
    has_table="SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = ?",
    id_source="CREATE SEQUENCE {table}_ids",
    # A transaction that drew log positions: the last one, and a transaction id above those of all that drew before.
    extra=("CREATE TABLE log_allocations (last_log_id bigint PRIMARY KEY, bound xid8 NOT NULL)",),
)

DIALECTS = {"sqlite": SQLITE, "postgres": POSTGRES}
"""The dialect of each kind of store."""


def table_named(name: str) -> Table:
    """Returns the declaration of a table; raises `UnknownName` for a table that is not declared."""
    table = KNOWN.get(name)
    if table is None:
        raise UnknownName("table", name, list(KNOWN))
    return table


def insert_head(table: str, columns: tuple[str, ...]) -> str:
    """Returns `INSERT INTO table (columns)`; raises `UnknownName` for names that are not declared."""
    _check_columns(table, columns)
    return f"INSERT INTO {table} ({', '.join(columns)})"


@lru_cache(maxsize=512)
def conflict_clause(table: str, columns: tuple[str, ...], on_conflict: Conflict) -> str:
    """Returns the ON CONFLICT clause of an insert, on the table's primary key.

    Example:
        >>> conflict_clause("cursors", ("name", "position"), "add")
        ' ON CONFLICT (name) DO UPDATE SET position = cursors.position + excluded.position'
    """
    if on_conflict == "fail":
        return ""
    declared = table_named(table)
    key = list(declared.columns)[: declared.n_key]
    others = [column for column in columns if column not in key]
    target = f" ON CONFLICT ({', '.join(key)}) DO "
    if on_conflict == "ignore" or not others:
        return f"{target}NOTHING"
    if on_conflict == "replace":
        changes = [f"{column} = excluded.{column}" for column in others]
    else:
        changes = [f"{column} = {table}.{column} + excluded.{column}" for column in others]
    return f"{target}UPDATE SET {', '.join(changes)}"


@lru_cache(maxsize=512)
def insert_values(table: str, columns: tuple[str, ...], on_conflict: Conflict) -> str:
    """Returns an INSERT of one row of parameters.

    Example:
        >>> insert_values("cursors", ("name", "position"), "ignore")
        'INSERT INTO cursors (name, position) VALUES (?, ?) ON CONFLICT (name) DO NOTHING'
    """
    places = ", ".join("?" * len(columns))
    return f"{insert_head(table, columns)} VALUES ({places}){conflict_clause(table, columns, on_conflict)}"


@lru_cache(maxsize=512)
def select_by(table: str, columns: tuple[str, ...], keys: tuple[str, ...]) -> str:
    """Returns a SELECT of columns where every key equals a parameter.

    Example:
        >>> select_by("links", ("person_id",), ("id_kind", "id_value"))
        'SELECT person_id FROM links WHERE id_kind = ? AND id_value = ?'
    """
    _check_columns(table, (*columns, *keys))
    matches = " AND ".join(f"{key} = ?" for key in keys)
    return f"SELECT {', '.join(columns)} FROM {table} WHERE {matches}"  # noqa: S608  names are checked above


@lru_cache(maxsize=64)
def select_after(table: str, columns: tuple[str, ...], key: str, ascending: str) -> str:
    """Returns a SELECT of columns where a key equals a parameter and another column is larger than one.

    Example:
        >>> select_after("events", ("log_id",), "person_id", "log_id")
        'SELECT log_id FROM events WHERE person_id = ? AND log_id > ?'
    """
    _check_columns(table, (*columns, key, ascending))
    return f"SELECT {', '.join(columns)} FROM {table} WHERE {key} = ? AND {ascending} > ?"  # noqa: S608  checked above


def _check_columns(table: str, columns: tuple[str, ...]) -> None:
    declared = table_named(table)
    for column in columns:
        if column not in declared.columns:
            raise UnknownName(f"column of {table}", column, list(declared.columns))
