"""What is asked of a bare connection: whether library and file are ours, a copy, an empty log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw

from bespeak.errors import StoreError, StoreUnavailable
from bespeak.storage.sqlite.queue_lock import Waiter

OLDEST_SQLITE = (3, 51, 3)
APPLICATION_ID = 0x42737065  # "Bspe", in the header of every store file


def check_library() -> None:
    """Refuses a SQLite that can lose commits.

    Raises:
        StoreError: it is older than `OLDEST_SQLITE`.
    """
    found = apsw.sqlite_lib_version()
    if tuple(int(part) for part in found.split(".")[:3]) < OLDEST_SQLITE:
        wanted = ".".join(map(str, OLDEST_SQLITE))
        raise StoreError(
            f"SQLite {found} can lose commits when several connections use one file.",
            hint=f"Install apsw {wanted} or later.",
        )


def check_is_ours(connection: Any, path: Path) -> None:
    """Refuses a file that another program made.

    Raises:
        StoreError: its header does not bear our mark.
    """
    (found,) = connection.execute("PRAGMA application_id").fetchone()
    if found != APPLICATION_ID:
        raise StoreError(f"{path.name} is a database of another program.", hint="Check the path of the store.")


def copy_into(reader: Any, part: Path) -> None:
    """Copies a database in one step, so that it is one snapshot, into a file that needs no write-ahead log."""
    copy = apsw.Connection(str(part))
    try:
        with copy.backup("main", reader, "main") as pages:
            pages.step(-1)
        copy.execute("PRAGMA journal_mode=DELETE").fetchall()
    finally:
        copy.close()


def empty_log(writer: Any, path: Path, waiter: Waiter) -> None:
    """Moves everything from the write-ahead log into the file and cuts the log to nothing.

    Args:
        writer: the connection; its busy handler waits for readers.
        path: the file, for messages.
        waiter: for another connection that is emptying the log: then SQLite says at once that it is busy, and asks no
            handler.
    """
    while True:
        try:
            writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.BusyError as error:
            if waiter.wait():
                continue
            raise StoreUnavailable(
                f"{path.name}: a long reading transaction keeps deleted content in the write-ahead log.",
                hint="Retry when it has ended.",
            ) from error
        return


def leave_wal(writer: Any, path: Path) -> None:
    """Leaves write-ahead logging, which only the sole connection to a file can do."""
    try:
        writer.execute("PRAGMA journal_mode=DELETE").fetchall()
    except apsw.BusyError as error:
        raise StoreUnavailable(
            f"{path.name}: other connections are open.", hint="Stop `bespeak serve` and other commands, then restore."
        ) from error
