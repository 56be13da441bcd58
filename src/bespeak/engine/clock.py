"""The only place that reads the clock.

Everything below takes the time as an argument. A virtual clock lets simulations and tests live in their own time.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

from bespeak.errors import InvalidInput


class Clock(Protocol):
    """Tells the time."""

    def now_ms(self) -> int:
        """Returns milliseconds since 1970 UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Returns milliseconds since 1970 UTC."""
        return time.time_ns() // 1_000_000


class VirtualClock:
    """A clock that stands where it is set."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """Returns the time it was set to."""
        return self._now_ms

    def set(self, now_ms: int) -> None:
        """Moves the clock; it may only go forward."""
        if now_ms < self._now_ms:
            raise InvalidInput("A virtual clock only goes forward.", hint=f"It stands at {iso(self._now_ms)}.")
        self._now_ms = now_ms

    def advance(self, milliseconds: int) -> None:
        """Moves the clock forward."""
        self.set(self._now_ms + milliseconds)


class StandingClock(VirtualClock):
    """A clock somebody set on purpose (`--as-of`): it also beats a project's `now = "data"`."""


def iso(time_ms: int) -> str:
    """Returns a time as ISO 8601 in UTC.

    Example:
        >>> iso(0)
        '1970-01-01T00:00:00.000Z'
    """
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
