"""Options that several commands take, and what their texts mean."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bespeak.errors import InvalidInput
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
