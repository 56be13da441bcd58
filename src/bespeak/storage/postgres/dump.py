"""A whole PostgreSQL store in one archive, and back.

A zip file with a manifest and one member for each table, in COPY's binary format: types that do not change between
versions of PostgreSQL, read and written as a stream.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from time import sleep
from typing import Any

import msgspec

from bespeak.errors import StoreError, StoreTooNew, StoreUnavailable
from bespeak.storage import files
from bespeak.storage.schema import INTERNAL, SCHEMA_VERSION, TABLES

FORMAT = 1
_MANIFEST = "manifest.json"
_SEQUENCES = [table.name for table in TABLES if table.draws_ids]
_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND backend_type = 'client backend'"
)


class DumpManifest(msgspec.Struct, frozen=True):
    """What an archive holds.

    Attributes:
        tables: name -> columns, in the order of the member's fields.
        drawn: table -> the highest id drawn.
    """

    format: int
    schema: int
    tables: dict[str, list[str]]
    drawn: dict[str, int]


def dump(connection: Any, target: Path) -> None:
    """Writes all tables, as one snapshot sees them, to a file that must not exist."""
    if target.exists():
        raise StoreError(f"{target.name} exists already.", hint="Name a file that does not exist.")
    part = files.part_of(target)
    tables = {table.name: list(table.columns) for table in (*TABLES, *INTERNAL)}
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, columns in tables.items():
                sql = f"COPY {name} ({', '.join(columns)}) TO STDOUT (FORMAT binary)"
                with (
                    archive.open(f"{name}.copy", "w", force_zip64=True) as member,
                    connection.cursor().copy(sql) as copy,
                ):
                    for block in copy:
                        member.write(block)
            # Read last: ids drawn since the snapshot only make the numbers larger, which is safe.
            drawn = {name: _drawn(connection, name) for name in _SEQUENCES}
            manifest = DumpManifest(FORMAT, SCHEMA_VERSION, tables, drawn)
            archive.writestr(_MANIFEST, msgspec.json.encode(manifest))
        files.publish(part, target)
    finally:
        part.unlink(missing_ok=True)
        connection.execute("ROLLBACK")


def load(connection: Any, source: Path) -> None:
    """Replaces the content of all tables by an archive's, in one transaction.

    Raises:
        StoreUnavailable: others are connected to the database.
        StoreTooNew: a newer release wrote the archive.
        StoreError: the file is no archive, is damaged, or was written by an older release.
    """
    if not source.is_file():
        raise StoreError(f"{source.name} is not there.", hint="Name the file that `backup` wrote.")
    _refuse_company(connection)
    try:
        with zipfile.ZipFile(source) as archive:
            manifest = msgspec.json.decode(archive.read(_MANIFEST), type=DumpManifest)
            _check(manifest)
            connection.execute("BEGIN")
            try:
                _replace(connection, archive, manifest)
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise
    except (zipfile.BadZipFile, KeyError, msgspec.DecodeError, EOFError) as error:
        raise StoreError(
            f"{source.name} is not a whole backup of a PostgreSQL store.", hint="Use another one."
        ) from error


def _replace(connection: Any, archive: zipfile.ZipFile, manifest: DumpManifest) -> None:
    connection.execute(f"TRUNCATE {', '.join(manifest.tables)}, log_allocations")
    for name, columns in manifest.tables.items():
        sql = f"COPY {name} ({', '.join(columns)}) FROM STDIN (FORMAT binary)"
        with archive.open(f"{name}.copy") as member, connection.cursor().copy(sql) as copy:
            while block := member.read(1 << 20):
                copy.write(block)
    for name, last in manifest.drawn.items():
        # Not undone by a rollback, so only ever upwards.
        highest = max(last, _drawn(connection, name))
        if highest:
            connection.execute("SELECT setval(%s, %s)", (f"{name}_ids", highest))
    # Transaction ids mean nothing in another server: every position of the copy is settled.
    connection.execute(
        "INSERT INTO log_allocations (last_log_id, bound) VALUES (%s, '3')", (manifest.drawn.get("events", 0),)
    )


def _check(manifest: DumpManifest) -> None:
    if manifest.format > FORMAT or manifest.schema > SCHEMA_VERSION:
        raise StoreTooNew("A newer release wrote this backup.", hint="Install that release, then restore.")
    if manifest.schema < SCHEMA_VERSION:
        raise StoreError(
            f"This backup has schema {manifest.schema}, this release has {SCHEMA_VERSION}.",
            hint="Restore it with the release that wrote it, then upgrade.",
        )
    declared = {table.name: table.columns for table in (*TABLES, *INTERNAL)}
    for name, columns in manifest.tables.items():
        if name not in declared or not set(columns) <= set(declared[name]):
            raise StoreError("The backup names a table or column that does not exist.", hint="Use another one.")


def _refuse_company(connection: Any) -> None:
    for attempt in range(20):
        (n_others,) = connection.execute(_OTHERS).fetchone()
        if n_others == 0:
            return
        if attempt < 19:
            sleep(0.02)  # a connection that has just been closed is listed for a moment
    raise StoreUnavailable(
        "Others are connected to the database.", hint="Stop `bespeak serve` and other commands, then restore."
    )


def _drawn(connection: Any, table: str) -> int:
    row = connection.execute(f"SELECT last_value, is_called FROM {table}_ids").fetchone()  # noqa: S608  our own name
    return int(row[0]) if row[1] else 0
