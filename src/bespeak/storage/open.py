"""Opening a store by its address."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bespeak.errors import InvalidInput, MissingExtra, StoreError
from bespeak.storage.base import Store
from bespeak.storage.migrations import check_version
from bespeak.storage.migrations import migrate as run_migrations
from bespeak.storage.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from bespeak.storage.postgres.store import PostgresStore

_MAKE = "Make one with `bespeak init`."
_PUT_BACK = (
    "Models or a lake that belong to one are there: put it back, or run `bespeak restore FILE`. "
    "To begin with nothing, remove the data folder."
)


def open_store(url: str | Path, *, read_only: bool = False, migrate: bool = False, is_new: bool = True) -> Store:
    """Opens a store, and makes or migrates its tables when asked to.

    Args:
        url: a path, `sqlite:///path`, or `postgresql://user@host/database`.
        read_only: never write; the store must exist.
        migrate: make the tables of a new store, bring those of an older release up to this one.
        is_new: whether `migrate` may make a file where there is none; not where the rest of a project is there.

    Raises:
        InvalidInput: the address is none of the three.
        MissingExtra: PostgreSQL is asked for and its driver is not installed.
        StoreTooNew: a newer release wrote the store.
        StoreError: there is no store, or it is older and `migrate` was not asked for.
        StoreUnavailable: it cannot be reached.
    """
    if read_only and migrate:
        raise InvalidInput("A store that is opened for reading only cannot be migrated.")
    store = _connect(str(url), read_only=read_only, create=migrate and is_new, is_new=is_new)
    try:
        if migrate:
            run_migrations(store)
        else:
            check_version(store)
    except BaseException:
        store.close()
        raise
    return store


def _connect(url: str, *, read_only: bool, create: bool, is_new: bool) -> SqliteStore | PostgresStore:
    scheme, separator, rest = url.partition("://")
    if separator and scheme in ("postgresql", "postgres"):
        if find_spec("psycopg") is None:
            raise MissingExtra("postgres", "a PostgreSQL store")
        from bespeak.storage.postgres.store import PostgresStore  # noqa: PLC0415  needs the extra

        return PostgresStore(url, read_only=read_only)
    if separator and scheme != "sqlite":
        raise InvalidInput(
            f"'{scheme}' is no kind of store.", hint="Allowed: a path, sqlite:///path, postgresql://user@host/database."
        )
    path = Path(rest.removeprefix("/") if separator else url)
    if separator and rest.startswith("//"):  # sqlite:////absolute/path
        path = Path(rest[1:])
    if not create and not path.is_file():
        raise StoreError(f"There is no store at {path}.", hint=_MAKE if is_new else _PUT_BACK)
    return SqliteStore(path, read_only=read_only)
