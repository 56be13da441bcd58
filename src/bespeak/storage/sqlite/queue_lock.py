"""Fair turns between the processes that write to one SQLite file.

SQLite's write lock has no queue: a busy writer takes it again before a sleeping one has looked. So writers first take
an advisory lock on a file beside the database, hold it only while they wait for the write lock, and let go of it once
they have that. Whoever has just committed finds the waiting process at the head and comes after it. A killed process
lets go of both locks at once.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from time import sleep

if sys.platform != "win32":
    import fcntl

FIRST_WAIT_SECONDS = 0.0002
LONGEST_WAIT_SECONDS = 0.004


class Waiter:
    """Sleeps in small growing steps and knows when the patience is used up.

    Counts the time slept rather than reading a clock, so the limit is a lower bound.

    Args:
        patience_seconds: how long to wait.
        slept_before_seconds: that have passed each time that it is asked to wait.
    """

    def __init__(self, patience_seconds: float, slept_before_seconds: float = 0.0) -> None:
        self._patience = patience_seconds
        self._slept_before = slept_before_seconds
        self._step = FIRST_WAIT_SECONDS
        self._slept = 0.0

    def wait(self) -> bool:
        """Sleeps one step; returns False, without sleeping, when the patience is used up."""
        self._slept += self._slept_before
        if self._slept >= self._patience:
            return False
        sleep(self._step)
        self._slept += self._step
        self._step = min(self._step * 1.25, LONGEST_WAIT_SECONDS)
        return True


NO_PATIENCE = Waiter(0.0)


class QueueLock:
    """The place at the head of the queue for one database's write lock.

    Where the system has no advisory locks it does nothing, and turns are as fair as SQLite makes them.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self, waiter: Waiter) -> bool:
        """Waits for the head of the queue; returns False when the waiter's patience is used up."""
        if sys.platform == "win32":
            return True
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not waiter.wait():
                    return False
            else:
                return True

    def leave(self) -> None:
        """Lets the next one to the head."""
        if sys.platform != "win32":
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Closes the lock file; it stays where it is, as other processes may hold it."""
        os.close(self._file)
