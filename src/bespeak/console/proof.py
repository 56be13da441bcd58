"""The demo's proof: what personalization earned in a world whose truth is known, as recorded and as played now."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from bespeak.console.plots import Scale, scale
from bespeak.simulate.offer.stock import DAY_MS
from bespeak.simulate.proof import Proof, Standing, Trial, standings

WIDTH, HEIGHT = 600.0, 240.0
"""Of the plot's view box."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How a trial goes.

    Attributes:
        share: of its days that are over.
        problem: why it stopped, "" otherwise.
    """

    is_running: bool = False
    trial: Trial | None = None
    standings: Sequence[Standing] = ()
    problem: str = ""

    @property
    def share(self) -> float:
        """The share of its days that are over, 0 to 1."""
        return min(1.0, len(self.standings) / self.trial.n_days) if self.trial else 0.0


class Crowd:
    """Sends simulated visitors, one crowd at a time, to a project of their own that is thrown away.

    Args:
        size: what is played, in another world each time.
    """

    def __init__(self, size: Trial) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._progress = Progress()

    def start(self, now_ms: int) -> bool:
        """Starts a trial in the background; False while another one runs."""
        trial = msgspec.structs.replace(self._size, seed=now_ms // 1000, end_ms=now_ms // DAY_MS * DAY_MS)
        with self._lock:
            if self._progress.is_running:
                return False
            self._progress = Progress(is_running=True, trial=trial)
        threading.Thread(target=self._run, args=(trial,), name="crowd", daemon=True).start()
        return True

    def progress(self) -> Progress:
        """How the last trial goes or went."""
        return self._progress

    def _run(self, trial: Trial) -> None:
        told: list[Standing] = []
        problem = "It stopped before its end; the server's log says why."
        try:
            with tempfile.TemporaryDirectory() as folder:
                for standing in standings(trial, Path(folder) / "crowd"):
                    told.append(standing)
                    self._progress = Progress(is_running=True, trial=trial, standings=tuple(told))
            problem = ""
        finally:  # whatever happened: the button comes back
            self._progress = Progress(trial=trial, standings=tuple(told), problem=problem)


def chart(trial: Trial, told: Sequence[Standing]) -> dict[str, Any]:
    """Returns the paths and labels of a plot over the days on which the engine decides; coordinates of the view box.

    The lines begin on the first day on which the interval is narrower than the axis.
    """
    shown = [one for one in told if one.lift is not None and one.interval is not None and _is_narrow(one.interval)]
    values = [value for one in shown for value in (*(one.interval or ()), one.true_lift or 0.0)]
    ticks = _around(scale(values)) if values else [0.0, 1.0]
    axis = Scale(ticks[0], ticks[-1])
    days = Scale(float(trial.from_day), float(trial.n_days))

    def at(day: int, value: float) -> str:
        return f"{WIDTH * days.place(day) / 100:.1f},{HEIGHT * (1 - axis.place(value) / 100):.1f}"

    upper = [at(one.day, one.interval[1]) for one in shown if one.interval]
    lower = [at(one.day, one.interval[0]) for one in shown if one.interval]
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "band": _path([*upper, *reversed(lower)], is_closed=True),
        "line": _path([at(one.day, one.lift) for one in shown if one.lift is not None]),
        "truth": _path([at(one.day, one.true_lift) for one in shown if one.true_lift is not None]),
        "ticks": [(tick, HEIGHT * (1 - axis.place(tick) / 100)) for tick in ticks],
        "first": trial.from_day,
        "last": trial.n_days,
    }


def latest(told: Sequence[Standing]) -> Standing | None:
    """Returns the last standing that has something to say of the lift."""
    return next((one for one in reversed(told) if one.interval is not None), None)


def figures(proof: Proof | Progress) -> dict[str, Any]:
    """Returns what the page shows of a trial."""
    told = proof.standings
    trial = proof.trial
    return {
        "trial": trial,
        "now": told[-1] if told else None,
        "latest": latest(told),
        "chart": chart(trial, told) if trial is not None and latest(told) is not None else None,
    }


def _around(axis: Scale) -> list[float]:
    """Evenly spaced round values of which the outer ones enclose the axis, so that labels need no places of their own.

    Example:
        >>> _around(Scale(-0.1, 0.45))
        [-0.2, 0.0, 0.2, 0.4, 0.6]
    """
    inside = axis.ticks(4)
    step = inside[1] - inside[0]
    below = [inside[0] - step] if axis.low < inside[0] else []
    above = [inside[-1] + step] if axis.high > inside[-1] else []
    return [round(tick, 10) for tick in (*below, *inside, *above)]


def _is_narrow(interval: tuple[float, float]) -> bool:
    return interval[1] - interval[0] <= 1.25


def _path(points: Sequence[str], *, is_closed: bool = False) -> str:
    return f"M{' L'.join(points)}{' Z' if is_closed else ''}" if points else ""
