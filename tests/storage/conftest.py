"""Stores for the tests of this folder."""

from store_fixtures import empty_url, open_again, postgres_server, sqlite_store, store, store_kind, store_url

__all__ = ["empty_url", "open_again", "postgres_server", "sqlite_store", "store", "store_kind", "store_url"]
