"""One server with flags of every kind, for all clients that ask for them."""

from __future__ import annotations

import pytest

from flag_fixtures import make_flags
from server_fixtures import Project, Serve, Server


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A shop with flags; other modules may have told of people already."""
    return make_flags(tmp_path_factory.mktemp("flags") / "shop")


@pytest.fixture(scope="session")
def server(project: Project, serve: Serve) -> Server:
    """One server over them; a fixture of this folder, because pytest keeps the parent folder's for its own project."""
    return serve(project)
