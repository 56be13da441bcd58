"""Real servers over real projects: one for all modules, but for those that bring their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from browser_fixtures import chromium
from server_fixtures import Project, Serve, Server, make_project, serving

__all__ = ["chromium"]


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A shop with a catalogue; other modules may have told of people already."""
    return make_project(tmp_path_factory.mktemp("shop") / "shop")


@pytest.fixture(scope="session")
def serve() -> Iterator[Serve]:
    """Starts servers: `serve(project, workers=2)`. Each is stopped at the end."""
    with serving() as starter:
        yield starter


@pytest.fixture(scope="session")
def server(project: Project, serve: Serve) -> Server:
    """One server with one worker over `project`."""
    return serve(project)
