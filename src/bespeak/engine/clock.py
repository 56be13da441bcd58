"""The only place that reads the clock.

Everything below takes the time as an argument. A virtual clock lets simulations and tests live in their own time.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, Self

import numpy as np

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
        held_ms = self.now_ms()
        if now_ms < held_ms:
            raise InvalidInput("A virtual clock only goes forward.", hint=f"It stands at {iso(held_ms)}.")
        self._move(now_ms)

    def advance(self, milliseconds: int) -> None:
        """Moves the clock forward."""
        self.set(self.now_ms() + milliseconds)

    def _move(self, now_ms: int) -> None:
        self._now_ms = now_ms


class StandingClock(VirtualClock):
    """A clock somebody set on purpose (`--as-of`): it also beats a project's `now = "data"`."""


class SharedClock(VirtualClock):
    """A virtual clock of several processes: its time stands in a file that all of them map.

    Who moves it is seen by everybody at once. One at a time may move it; it stays where it stood when all have ended.

    Args:
        path: the file, made by `begin`.
    """

    def __init__(self, path: Path) -> None:
        self._held = np.memmap(path, dtype=np.int64, mode="r+", shape=(1,))

    @classmethod
    def begin(cls, path: Path) -> Self:
        """Makes the file, where there is none, of a clock that stands at 0."""
        if not path.exists():
            path.write_bytes(bytes(8))
        return cls(path)

    def now_ms(self) -> int:
        """Returns the time that somebody set it to last."""
        return int(self._held[0])

    def _move(self, now_ms: int) -> None:
        self._held[0] = now_ms


def iso(time_ms: int) -> str:
    """Returns a time as ISO 8601 in UTC.

    Example:
        >>> iso(0)
        '1970-01-01T00:00:00.000Z'
    """
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
