"""Real servers over real projects."""

from server_fixtures import project, serve, server

__all__ = ["project", "serve", "server"]
