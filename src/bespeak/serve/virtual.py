"""The virtual clock of a server of simulated people: who may have one, and the routes that read and set it."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from bespeak.engine.clock import SharedClock
from bespeak.engine.engine import Engine
from bespeak.engine.jobs import waiting
from bespeak.engine.project import ProjectFolder
from bespeak.errors import InvalidInput
from bespeak.serve.reading import Call
from bespeak.serve.requests import decoded, require_secret

LATEST_MS = 253_402_300_799_999
"""The end of the year 9999, the last that ISO times can tell."""


class ClockBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The body of PUT /api/clock: where the clock is to stand, in milliseconds since 1970 UTC."""

    now_ms: Annotated[int, Meta(ge=0, le=LATEST_MS)]


class ClockReply(msgspec.Struct, frozen=True, rename="camel"):
    """Where the clock stands; `jobs` run now, or are due at this time and have not begun."""

    now_ms: int
    jobs: list[str]


def read_clock(call: Call) -> ClockReply:
    """Tells the time, and what the job process has still to do at it."""
    require_secret(call.caller())
    return _told(call.site.engine)


def set_clock(call: Call) -> ClockReply:
    """Moves the clock of all workers and of the job process; it only goes forward."""
    require_secret(call.caller())
    wanted: ClockBody = decoded(call.body, ClockBody)
    clock = call.site.engine.core.clock
    assert isinstance(clock, SharedClock)  # the routes of another server do not have it
    clock.set(wanted.now_ms)
    return _told(call.site.engine)


def _told(engine: Engine) -> ClockReply:
    return ClockReply(engine.core.clock.now_ms(), waiting(engine))


def clock_for(project: Path, host: str) -> Path:
    """Returns the file of the clock of a project of simulated people, made if need be.

    Raises:
        InvalidInput: the address can be reached from elsewhere, or real people may be in the project.
    """
    if not _is_loopback(host):
        raise InvalidInput(
            f"A virtual clock is for this machine alone, and {host} can be reached from elsewhere.",
            hint="Leave --host out, or write --host 127.0.0.1.",
        )
    path = ProjectFolder(project).clock
    if not path.exists():
        with Engine.open(project) as engine:
            is_new = engine.core.is_new()
        if not is_new:
            raise InvalidInput(
                "This project has lived in real time: a virtual clock is for a new one, in which nobody is real.",
                hint="Make one with: bespeak init DIR",
            )
        SharedClock.begin(path)
    return path


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
