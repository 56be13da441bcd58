"""Real servers over real projects, and projects on each kind of store."""

from server_fixtures import project, serve, server
from store_fixtures import postgres_server, project_url, store_kind

__all__ = ["postgres_server", "project", "project_url", "serve", "server", "store_kind"]
