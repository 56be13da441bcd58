"""What the engine with default settings is worth in the simulated worlds: as an experiment says, and beside the truth.

    python bench/closed_loop.py [--short] [--people 1000] [--days 40]

The engine listens for half of the days, while everybody sees what is popular; then it trains once and decides for half
of the people. `measured` is the lift in clicks per person with the interval that holds at every look, adjusted for the
clicks before. `true_lift` is exact: the same world is met once by the engine for everybody and once by the control for
everybody, and a person's luck is the same in both. `of_the_oracle` is what is possible.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from bespeak.engine import Engine
from bespeak.engine.clock import VirtualClock
from bespeak.engine.project import create
from bespeak.simulate import WORLDS
from bespeak.simulate.loop import LoopReport, run_loop
from bespeak.simulate.sites import InProcess
from bespeak.simulate.truth import Truth, truth_of
from bespeak.simulate.world import World
from bespeak.web.tokens import make_token_key
from parts.figures import emit, options, tell

SEED = 7
END_MS = 1_750_000_000_000
N_ITEMS = 240
METRIC = "clicks"


def met(world: World, share: float, from_day: int) -> LoopReport:
    """Lets an engine of its own meet the world and decide for a share of the people."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / world.name
        create(project, token_key=make_token_key())
        clock = VirtualClock(world.start_ms)
        with Engine.open(project, clock=clock) as engine:
            engine.items.put(world.items())
            return run_loop(world, InProcess(engine, clock), share=share, from_day=from_day)


def measured(report: LoopReport) -> dict[str, Any]:
    """What an experiment says that knows no truth."""
    found = report.compared(METRIC)
    if found is None:
        return {"lift": None, "interval": None, "p_value": None}
    interval = found.lift_interval
    return {
        "lift": None if found.lift is None else round(found.lift, 3),
        "interval": None if interval is None else [round(end, 3) for end in interval],
        "p_value": found.p_value,
    }


def truth_in(world: World, from_day: int) -> tuple[float | None, float | None]:
    """The true lift of the engine, and of the oracle."""
    policies = {"popular": world.popular, "oracle": world.oracle}
    known = truth_of(world, policies, "popular", from_day=from_day)
    everybody = met(world, 1.0, from_day).outcomes
    truth = Truth({**known.outcomes, "engine": everybody}, "popular")
    return truth.lift("engine", METRIC), truth.lift("oracle", METRIC)


def main() -> None:
    given = options(__doc__, people=(1_000, 60, "people in a world"), days=(40, 12, "days it lives"))
    from_day = given.days // 2
    summary: dict[str, Any] = {"people": given.people, "days": given.days, "from_day": from_day, "items": N_ITEMS}
    for name, kind in WORLDS.items():
        started = time.perf_counter()
        world = kind(SEED, given.people, N_ITEMS, given.days, end_ms=END_MS)
        estimate = measured(met(world, 0.5, from_day))
        tell(f"{name}: measured {estimate}")
        of_engine, of_oracle = truth_in(world, from_day)
        summary[name] = {
            "measured": estimate,
            "true_lift": None if of_engine is None else round(of_engine, 3),
            "of_the_oracle": None if of_oracle is None else round(of_oracle, 3),
            "seconds": round(time.perf_counter() - started),
        }
        tell(f"{name}: {summary[name]}")
    emit(summary)


if __name__ == "__main__":
    main()
