"""A closed loop as it is watched: day by day what the experiment says, and what is true.

The engine listens first, trains, and then decides for half of the people; the others go on seeing what is popular. The
truth is exact: the same people live the same days with the same luck once more, all seeing what is popular. What those
whom the engine decided for did beyond that is what it brought them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from bespeak.engine import Engine
from bespeak.engine.clock import VirtualClock
from bespeak.engine.project import create
from bespeak.simulate.life import play
from bespeak.simulate.loop import Loop, LoopReport
from bespeak.simulate.sites import InProcess
from bespeak.simulate.truth import Tally
from bespeak.simulate.world import World
from bespeak.simulate.worlds import WORLDS

Float64s: TypeAlias = NDArray[np.float64]

METRIC = "clicks"
END_MS = 1_750_000_000_000
NO_TOKENS = ("", "")
"""Nobody signs in to a project that is thrown away."""
RECORDED = Path(__file__).parent / "recorded"


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What is played.

    Attributes:
        world: `shop` or `streaming`.
        end_ms: end of the world's time; n_days: its length.
        from_day: first day on which the engine decides.
    """

    world: str = "shop"
    seed: int = 7
    n_people: int = 1_000
    n_items: int = 240
    n_days: int = 50
    from_day: int = 15
    end_ms: int = END_MS

    def made(self) -> World:
        """The world."""
        return WORLDS[self.world](self.seed, self.n_people, self.n_items, self.n_days, end_ms=self.end_ms)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands after a day.

    Attributes:
        day: days that are over.
        n_visits: so far, and n_decided of them by the engine.
        lift: of clicks per person of the treated over the control, adjusted for the clicks before; interval: it holds
            at every look. None while nothing can be said.
        true_lift: what the treated did beyond what they would have done, as a share of that.
    """

    day: int
    n_visits: int
    n_decided: int
    lift: float | None = None
    interval: tuple[float, float] | None = None
    true_lift: float | None = None


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """A whole trial."""

    trial: Trial
    standings: list[Standing]


def standings(trial: Trial, folder: Path) -> Iterator[Standing]:
    """Plays a trial with a new project in an empty folder and tells how it stands after each day.

    Raises:
        InvalidInput: the world cannot be made, or the folder holds something.
    """
    world = trial.made()
    create(folder, token_key=NO_TOKENS)
    clock = VirtualClock(world.start_ms)
    with Engine.open(folder, clock=clock) as engine:
        engine.items.put(world.items())
        loop = Loop(world, InProcess(engine, clock), from_day=trial.from_day)
        popular, n_visits = Tally(world, trial.from_day), 0
        for day, usual in zip(loop.days(world.n_days), play(world, world.popular), strict=False):
            popular.add(usual)
            n_visits += day.n_usual
            report = loop.report()
            yield _standing(day.number + 1, n_visits, report, popular.outcomes().values[METRIC])


def recorded(name: str = "shop") -> Proof:
    """Returns a trial that was played when this release was made (`bench/parts/record_proof.py`)."""
    return msgspec.json.decode((RECORDED / f"{name}.json").read_bytes(), type=Proof)


def _standing(day: int, n_visits: int, report: LoopReport, usual: Float64s) -> Standing:
    values = report.outcomes.values[METRIC]
    is_treated = report.experiment.arm(np.arange(len(values))) == 1
    told = Standing(day=day, n_visits=n_visits, n_decided=report.n_decisions)
    found = report.compared(METRIC)
    if found is None or not usual[is_treated].any():
        return told
    interval = found.lift_interval
    return msgspec.structs.replace(
        told,
        lift=found.lift,
        interval=None if interval is None else (interval.low, interval.high),
        true_lift=float(values[is_treated].sum() / usual[is_treated].sum() - 1),
    )
