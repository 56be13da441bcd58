"""Which project a command acts on, and opening it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from bespeak.cli.output import warn
from bespeak.engine.clock import Clock, SharedClock, StandingClock, SystemClock
from bespeak.engine.config import FILE_NAME
from bespeak.engine.engine import Engine
from bespeak.engine.project import ProjectFolder
from bespeak.errors import ConfigError, InvalidInput
from bespeak.intake.times import parse_time_ms

ProjectOption = Annotated[
    Path | None,
    typer.Option("--project", metavar="DIR", help="The project folder; else the one you stand in, searched upwards."),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Write one JSON document on stdout; notes and progress stay on stderr.")
]
AsOfOption = Annotated[
    str | None,
    typer.Option("--as-of", metavar="TIME", help="Act as at this time (ISO 8601, or seconds or milliseconds)."),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


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


def time_option(text: str | None) -> int | None:
    """Returns the time of `--as-of` in ms, or None when it was not given."""
    if text is None:
        return None
    try:
        return parse_time_ms(text)
    except InvalidInput:
        raise InvalidInput(
            "--as-of is no time.", hint="Write 2026-01-31, 2026-01-31T12:00:00Z, or seconds since 1970."
        ) from None


def pairs(entries: list[str] | None, option: str) -> dict[str, str]:
    """Returns repeated `key=value` options.

    Raises:
        InvalidInput: an entry without `=`.

    Example:
        >>> pairs(["device=mobile", "mood=calm"], "--context")
        {'device': 'mobile', 'mood': 'calm'}
    """
    found: dict[str, str] = {}
    for entry in entries or ():
        key, equals, value = entry.partition("=")
        if not equals or not key.strip():
            raise InvalidInput(f"{option} reads key=value.", hint=f"For example: {option} device=mobile")
        found[key.strip()] = value.strip()
    return found
