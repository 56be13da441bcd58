"""What went wrong in SQLite, in the words of `bespeak.errors`; no apsw exception leaves the store."""

from __future__ import annotations

from pathlib import Path

import apsw

from bespeak.errors import StoreError, StoreUnavailable

FAILURES = (apsw.Error, OverflowError, UnicodeError, TypeError)
"""What apsw raises: its own errors, and Python's for values that do not fit the store."""


def explained(error: Exception, path: Path) -> StoreError:
    """Returns the store error that says what happened to the file at `path` and what to do next."""
    for kind, (failure, message, hint) in _KINDS.items():
        if isinstance(error, kind):
            return failure(f"{path.name}: {message}", hint=hint)
    if isinstance(error, apsw.ConstraintError):
        return StoreError(f"{path.name}: a row breaks a rule of its table ({error}).", code="store_conflict")
    if isinstance(error, OverflowError):
        return StoreError(f"{path.name}: an integer does not fit into 64 bits.", hint="Check it at intake.")
    if isinstance(error, UnicodeError):
        return StoreError(f"{path.name}: a text is not valid Unicode.", hint="Check it at intake.")
    return StoreError(f"{path.name}: {error}")


_KINDS: dict[type[Exception], tuple[type[StoreError], str, str]] = {
    apsw.BusyError: (
        StoreUnavailable,
        "another process has been holding the store for too long.",
        "Retry; if it stays so, look for a stuck process that has the file open.",
    ),
    apsw.LockedError: (StoreUnavailable, "the store is locked.", "Retry."),
    apsw.FullError: (
        StoreUnavailable,
        "the disk is full; nothing of this transaction was stored.",
        "Free some space, then retry.",
    ),
    apsw.CantOpenError: (
        StoreUnavailable,
        "the file cannot be opened.",
        "Check that its folder exists and that this user may read and write it.",
    ),
    apsw.PermissionsError: (StoreUnavailable, "access to the file is denied.", "Check the rights on the folder."),
    apsw.ReadOnlyError: (StoreError, "the store is open for reading only.", "Open it without read_only."),
    apsw.NotADBError: (StoreError, "this file is not a Bespeak store.", "Check the path of the store."),
    apsw.CorruptError: (
        StoreError,
        "the file is damaged.",
        "Stop all processes, keep a copy of it, and restore the latest backup.",
    ),
    apsw.IOError: (
        StoreUnavailable,
        "the disk reports an error.",
        "Check the disk; retry, and restore the latest backup if it stays so.",
    ),
    apsw.NoMemError: (StoreUnavailable, "there is not enough memory.", "Retry with less at once."),
    apsw.TooBigError: (StoreError, "a value is larger than the store takes (1 GB).", "Check it at intake."),
    apsw.ConnectionClosedError: (StoreUnavailable, "the store is closed.", "Open it again."),
}
