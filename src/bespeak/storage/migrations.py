"""Numbered steps from one schema to the next; a newer schema refuses older code.

A step first *expands* (adds tables, columns, indexes and fills them: what the older code does not see does not hurt
it) and then *contracts* (drops what the newer code no longer needs). Each half is one transaction that also records
itself, so a process killed anywhere leaves a schema that the next start carries on from. A fresh store gets the
current tables at once.

Two processes may migrate at the same time: each half takes a lock by name and looks again whether it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from bespeak.errors import StoreError, StoreTooNew
from bespeak.storage.base import Session, Store, Transaction
from bespeak.storage.dialect import DIALECTS, Dialect, create_index
from bespeak.storage.schema import BY_NAME, INTERNAL, SCHEMA_VERSION, TABLES, Table

Phase = Literal["expand", "contract"]
PHASES: tuple[Phase, ...] = ("expand", "contract")
_LOCK = "schema"


class AddTable(msgspec.Struct, frozen=True):
    """Makes a table with its indexes."""

    table: Table

    def apply(self, tx: Transaction, dialect: Dialect) -> None:
        """Runs the change."""
        for statement in dialect.create_table(self.table):
            tx.run(statement)


class AddColumn(msgspec.Struct, frozen=True):
    """Adds a column; `default` is an SQL literal that the existing rows get."""

    table: str
    column: str
    kind: str
    default: str = "NULL"

    def apply(self, tx: Transaction, dialect: Dialect) -> None:
        """Runs the change."""
        tx.run(f"ALTER TABLE {self.table} ADD COLUMN {self.column} {dialect.column(self.kind)} DEFAULT {self.default}")


class AddIndex(msgspec.Struct, frozen=True):
    """Makes an index."""

    table: str
    columns: tuple[str, ...]

    def apply(self, tx: Transaction, dialect: Dialect) -> None:
        """Runs the change."""
        del dialect
        tx.run(create_index(self.table, self.columns))


class DropColumn(msgspec.Struct, frozen=True):
    """Drops a column that nothing indexes any more."""

    table: str
    column: str

    def apply(self, tx: Transaction, dialect: Dialect) -> None:
        """Runs the change."""
        del dialect
        tx.run(f"ALTER TABLE {self.table} DROP COLUMN {self.column}")


class Drop(msgspec.Struct, frozen=True):
    """Drops a table or an index."""

    what: Literal["TABLE", "INDEX"]
    name: str

    def apply(self, tx: Transaction, dialect: Dialect) -> None:
        """Runs the change."""
        del dialect
        tx.run(f"DROP {self.what} {self.name}")


class Fill(msgspec.Struct, frozen=True):
    """Runs a function on the transaction, to fill what the step added."""

    function: Callable[[Transaction], None]

    def apply(self, tx: Transaction, dialect: Dialect) -> None:
        """Runs the change."""
        del dialect
        self.function(tx)


Change = AddTable | AddColumn | AddIndex | DropColumn | Drop | Fill


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What leads from schema `number - 1` to schema `number`."""

    number: int
    name: str
    expand: tuple[Change, ...] = ()
    contract: tuple[Change, ...] = ()


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    """A schema as a fresh store gets it, and the steps by which older ones reach it.

    Attributes:
        version: the number of the last step; 1 is the first schema that was released and has no step.
    """

    version: int
    tables: tuple[Table, ...]
    steps: tuple[Step, ...] = ()


STEPS: tuple[Step, ...] = (
    Step(number=2, name="assignments of experiments", expand=(AddTable(BY_NAME["assignments"]),)),
    Step(
        number=3,
        name="codes of offers, and decisions of a placement in the order of time",
        expand=(AddTable(BY_NAME["offer_codes"]), AddIndex("decisions", ("placement", "time_ms"))),
    ),
)
CURRENT = Schema(version=SCHEMA_VERSION, tables=TABLES, steps=STEPS)


def schema_version(store: Store) -> int | None:
    """Returns the highest schema step that was begun, or None for a store without tables."""
    with store.read() as session:
        if session.row(DIALECTS[store.kind].has_table, ("schema_steps",)) is None:
            return None
        row = session.row("SELECT max(number) FROM schema_steps")
    number = row[0] if row else None
    if not isinstance(number, int):
        raise StoreError("The store's list of schema steps is empty.", hint="Restore the latest backup.")
    return number


def check_version(store: Store, schema: Schema = CURRENT) -> None:
    """Raises `StoreTooNew` for a newer schema, and `StoreError` for a missing or an older one."""
    version = schema_version(store)
    if version is None:
        raise StoreError(
            "The store has no tables.", hint="Make them with `bespeak init`, or open it with migrate=True."
        )
    _refuse_newer(version, schema)
    pending = version < schema.version
    if not pending:
        with store.read() as session:
            pending = not _is_done(session, version, "contract")
    if pending:
        raise StoreError(
            f"The store has schema {version}, this release needs schema {schema.version}.",
            hint="Make a backup, then open it with migrate=True.",
        )


def migrate(store: Store, schema: Schema = CURRENT) -> None:
    """Makes the tables of a fresh store, or brings an older one to the schema; does nothing when it is there.

    Safe to call from several processes at once and after a process was killed in it.

    Raises:
        StoreTooNew: the store was written by a newer release.
        StoreError: a step is missing between the store's schema and this one.
    """
    version = schema_version(store)
    if version is None:
        _create(store, schema)
        version = schema_version(store)
    assert version is not None
    _refuse_newer(version, schema)
    by_number = {step.number: step for step in schema.steps}
    if version in by_number:  # its contraction may be what a killed process left over
        version -= 1
    for number in range(version + 1, schema.version + 1):
        step = by_number.get(number)
        if step is None:
            raise StoreError(
                f"This release cannot bring schema {version} to {schema.version}: it has no step {number}.",
                hint="Upgrade through the release before it.",
            )
        for phase in PHASES:
            _run_phase(store, step, phase)


def _create(store: Store, schema: Schema) -> None:
    with store.write() as tx:
        tx.lock_keys([_LOCK])
        if tx.row(DIALECTS[store.kind].has_table, ("schema_steps",)) is not None:
            return  # another process was faster
        for table in (*INTERNAL, *schema.tables):
            AddTable(table).apply(tx, DIALECTS[store.kind])
        for statement in DIALECTS[store.kind].extra:
            tx.run(statement)
        _record(tx, [(schema.version, phase) for phase in PHASES])


def _run_phase(store: Store, step: Step, phase: Phase) -> None:
    with store.write() as tx:
        tx.lock_keys([_LOCK])
        if _is_done(tx, step.number, phase):
            return
        for change in step.expand if phase == "expand" else step.contract:
            change.apply(tx, DIALECTS[store.kind])
        _record(tx, [(step.number, phase)])


def _is_done(session: Session, number: int, phase: Phase) -> bool:
    return session.row("SELECT 1 FROM schema_steps WHERE number = ? AND phase = ?", (number, phase)) is not None


def _record(tx: Transaction, done: Sequence[tuple[int, Phase]]) -> None:
    tx.insert("schema_steps", ("number", "phase"), done)


def _refuse_newer(version: int, schema: Schema) -> None:
    if version > schema.version:
        raise StoreTooNew(
            f"The store has schema {version}, this release knows schemas up to {schema.version}.",
            hint="Install the release that wrote it, or a later one.",
        )
