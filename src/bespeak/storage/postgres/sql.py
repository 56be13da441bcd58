"""From the SQL that both stores share to psycopg's, and from psycopg's errors to ours."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

import psycopg
from psycopg import errors

from bespeak.errors import StoreError, StoreUnavailable

FAILURES = (psycopg.Error, OverflowError, UnicodeError, TypeError)
"""What psycopg raises: its own errors, and Python's for values that do not fit their columns."""
N_LOCKS_A_NAMESPACE = 1024


@lru_cache(maxsize=2048)
def translated(sql: str) -> str:
    """Returns a query with psycopg's `%s` for each `?` outside of quotes, and every literal `%` doubled.

    Example:
        >>> translated("SELECT a FROM t WHERE a = ? AND b LIKE '50%?' AND c % 2 = ?")
        "SELECT a FROM t WHERE a = %s AND b LIKE '50%%?' AND c %% 2 = %s"
    """
    out = []
    quote = ""
    for letter in sql:
        if quote:
            if letter == quote:
                quote = ""  # a doubled quote ends one literal and begins the next
        elif letter in "'\"":
            quote = letter
        elif letter == "?":
            out.append("%s")
            continue
        out.append("%%" if letter == "%" else letter)
    return "".join(out)


def lock_numbers(key: str) -> tuple[int, int]:
    """Returns the two 32-bit numbers under which a key is locked.

    The first is the key's namespace (what stands before its colon), so keys of different namespaces never wait for each
    other; the second is one of 1024, as the server has room for some thousands of locks in all.
    """
    namespace, _, rest = key.partition(":")
    digest = blake2b(namespace.encode(), digest_size=4).digest()
    within = int.from_bytes(blake2b(rest.encode(), digest_size=4).digest(), "big") % N_LOCKS_A_NAMESPACE
    return int.from_bytes(digest, "big", signed=True), within


def explained(error: Exception) -> StoreError:
    """Returns the store error that says what happened and what to do next.

    The server's own message is left out where it could quote a row (conflicts, wrong values).
    """
    if isinstance(error, psycopg.Error):
        return _explained_by_kind(error) or _explained_by_class(error)
    if isinstance(error, UnicodeError):
        return StoreError("PostgreSQL: a text is not valid Unicode.", hint="Check it at intake.")
    if isinstance(error, TypeError):
        return StoreError("PostgreSQL: a value has a type that its column does not take.", hint="Check it at intake.")
    return StoreError("PostgreSQL: an integer does not fit into 64 bits.", hint="Check it at intake.")


def _explained_by_kind(error: psycopg.Error) -> StoreError | None:
    for kind, (failure, message, hint) in _KINDS.items():
        if isinstance(error, kind):
            return failure(f"PostgreSQL: {message}", hint=hint)
    return None


def _explained_by_class(error: psycopg.Error) -> StoreError:
    if isinstance(error, psycopg.IntegrityError):
        rule = error.diag.constraint_name or error.diag.column_name or "of its columns"
        return StoreError(
            f"PostgreSQL: a row breaks the rule {rule} of table {error.diag.table_name}.", code="store_conflict"
        )
    if isinstance(error, psycopg.DataError):
        return StoreError(f"PostgreSQL: a value does not fit its column ({type(error).__name__}).")
    if isinstance(error, psycopg.OperationalError):
        return StoreUnavailable(
            "PostgreSQL cannot be reached, or ended the connection.",
            hint="Check that it runs and that storage.url leads to it; then retry.",
        )
    return StoreError(f"PostgreSQL: {error.diag.message_primary or type(error).__name__}")


_KINDS: dict[type[Exception], tuple[type[StoreError], str, str]] = {
    errors.DeadlockDetected: (StoreUnavailable, "two transactions waited for each other; this one gave way.", "Retry."),
    errors.SerializationFailure: (StoreUnavailable, "another transaction was faster.", "Retry."),
    errors.LockNotAvailable: (
        StoreUnavailable,
        "another transaction has been holding a lock for too long.",
        "Retry; if it stays so, look for a stuck session in pg_stat_activity.",
    ),
    errors.DiskFull: (StoreUnavailable, "the server's disk is full.", "Free some space, then retry."),
    errors.TooManyConnections: (
        StoreUnavailable,
        "the server takes no more connections.",
        "Raise max_connections, or run fewer workers.",
    ),
    errors.OutOfMemory: (StoreUnavailable, "the server is out of memory.", "Retry with less at once."),
    errors.ReadOnlySqlTransaction: (StoreError, "this session is open for reading only.", "Use `write()`."),
    errors.InvalidPassword: (StoreUnavailable, "the password is wrong.", "Check the address of the store."),
    errors.InvalidCatalogName: (
        StoreUnavailable,
        "there is no database of this name.",
        "Create it, then try again.",
    ),
    errors.InsufficientPrivilege: (StoreError, "the user lacks a right.", "Grant it, or let the user own the schema."),
    errors.DataCorrupted: (StoreError, "the server reports damaged data.", "Restore the latest backup."),
}
