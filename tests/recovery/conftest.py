"""Projects on each kind of store, for the tests of this folder."""

from store_fixtures import postgres_server, store_kind

__all__ = ["postgres_server", "store_kind"]
