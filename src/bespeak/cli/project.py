"""Which project a command acts on, and opening it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bespeak.cli.output import warn
from bespeak.engine.clock import Clock, SharedClock, StandingClock, SystemClock
from bespeak.engine.config import FILE_NAME
from bespeak.engine.engine import Engine
from bespeak.engine.project import ProjectFolder
from bespeak.errors import ConfigError


def find(project: Path | None) -> Path:
    """Returns the project folder: the one given, else the nearest upwards from here.

    Raises:
        ConfigError: there is none; says how to make one.
    """
    if project is not None:
        if not (project / FILE_NAME).is_file():
            raise ConfigError(f"{project} holds no {FILE_NAME}.", hint="Make a project with: bespeak init DIR")
        return project.resolve()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / FILE_NAME).is_file():
            return folder
    raise ConfigError(
        "This folder is not in a Bespeak project.",
        hint="Make one with: bespeak init DIR, or name one with: --project DIR",
    )


@contextmanager
def opened(project: Path | None, *, as_of_ms: int | None = None, tells_difference: bool = True) -> Iterator[Engine]:
    """Opens the project and says on stderr when its file differs from what is active.

    Args:
        project: as given with `--project`.
        as_of_ms: where the clock stands instead of now.
        tells_difference: False for the commands that show the difference themselves.
    """
    folder = find(project)
    with Engine.open(folder, clock=_clock(folder, as_of_ms)) as engine:
        if tells_difference and engine.core.is_file_different():
            warn(f"{FILE_NAME} differs from what is active. See and activate the difference with: bespeak apply")
        yield engine


def _clock(folder: Path, as_of_ms: int | None) -> Clock:
    """The machine's clock, one that stands, or that of the simulated people who live in the project."""
    if as_of_ms is not None:
        return StandingClock(as_of_ms)
    path = ProjectFolder(folder).clock
    return SharedClock(path) if path.exists() else SystemClock()
