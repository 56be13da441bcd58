"""How far a training is, weighed by time: what a step will take is learnt from the steps before it.

Work is counted in units: rows of the log times passes over them. Each kind of step (the fit and questioning of one
family) has a pace, the seconds that its units took so far; a kind not met yet is given the mean pace. The share that is
done is the time spent over the time spent and still expected, so whoever knows when training began knows when it ends.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line says how long something takes without importing every model
    from bespeak.learn.leaderboard import Progress, Stopwatch

_FIRST_SHARE = 0.02
"""Before so much is done nobody knows how long the rest takes."""

Work = Mapping[str, float]
"""Kind of step -> units."""


def seconds_left(seconds: float, share: float) -> float | None:
    """How long a training goes on that took so many seconds for this share; None where nobody knows yet."""
    return seconds * (1 - share) / share if share >= _FIRST_SHARE else None


def said_left(seconds: float | None) -> str:
    """In words; nothing where nobody knows.

    Example:
        >>> [said_left(seconds) for seconds in (None, 20, 170, 7_000)]
        ['', 'less than a minute left', 'about 3 min left', 'about 1.9 h left']
    """
    if seconds is None:
        return ""
    if seconds < 60:
        return "less than a minute left"
    return f"about {seconds / 60:.0f} min left" if seconds < 90 * 60 else f"about {seconds / 3600:.1f} h left"


class Steps:
    """Tells the progress callback what is done; the share never goes back and ends at 1.

    Args:
        progress: told stage and share; None for nobody.
        stopwatch: for the pace.
    """

    def __init__(self, progress: Progress | None, stopwatch: Stopwatch) -> None:
        self._progress = progress
        self._stopwatch = stopwatch
        self._now: dict[str, float] = {}
        self._later: list[Work] = []
        self._units: dict[str, float] = defaultdict(float)
        self._seconds: dict[str, float] = defaultdict(float)
        self._share = 0.0
        self._stage = ""
        self._begun: tuple[str, float, float] | None = None

    def plan(self, phases: Sequence[Work]) -> None:
        """Says what is to come, phase by phase."""
        self._later = list(phases)

    def phase(self, work: Work) -> None:
        """Begins the next phase, of which more is known by now; what was expected of the one before is over."""
        self._later = self._later[1:]
        self._now = dict(work)

    def skip(self, kind: str, units: float) -> None:
        """A step that need not be taken."""
        self._now[kind] = max(0.0, self._now.get(kind, 0.0) - units)

    @contextmanager
    def step(self, stage: str, kind: str, units: float) -> Iterator[None]:
        """One step: says its stage when it begins, and learns its pace when it ends."""
        self.skip(kind, units)
        self._stage, self._begun = stage, (kind, units, self._stopwatch())
        self._tell(0.0)
        try:
            yield
        finally:
            self._seconds[kind] += self._stopwatch() - self._begun[2]
            self._units[kind] += units
            self._begun = None

    def inside(self, share: float) -> None:
        """How much of the present step is done."""
        if self._begun is not None:
            self._tell(share)

    def tell(self, stage: str) -> None:
        """Says what begins now, of which nothing is known."""
        self._stage = stage
        self._tell(0.0)

    def finish(self) -> None:
        """Says that all is done."""
        if self._progress is not None:
            self._progress("trained", 1.0)

    def _tell(self, inside: float) -> None:
        if self._progress is None:
            return
        spent, left = sum(self._seconds.values()), self._expected()
        if self._begun is not None:
            kind, units, since = self._begun
            taken = self._stopwatch() - since
            whole = taken / inside if inside else max(taken, units * self._pace(kind))
            spent, left = spent + taken, left + whole - taken
        share = spent / (spent + left) if left > 0 else 0.0  # nothing left: no pace is known yet
        self._share = max(self._share, min(0.99, share))
        self._progress(self._stage, self._share)

    def _expected(self) -> float:
        return sum(self._pace(kind) * units for work in (self._now, *self._later) for kind, units in work.items())

    def _pace(self, kind: str) -> float:
        """Seconds per unit."""
        if self._units.get(kind):
            return self._seconds[kind] / self._units[kind]
        return sum(self._seconds.values()) / max(1.0, sum(self._units.values()))
