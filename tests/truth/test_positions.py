"""The planted curve of attention is found again from the positions that an engine's exploration drew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bespeak.engine.clock import VirtualClock
from bespeak.engine.engine import Engine
from bespeak.engine.logged.lake_feed import feed
from bespeak.engine.project import create
from bespeak.engine.training.exposures import DAY_MS, exposed_items
from bespeak.learn.rankers.position_bias import position_bias, tried_rows
from bespeak.learn.rankers.shown import ShownItems
from bespeak.simulate import ShopWorld
from bespeak.simulate.behaviour import Behaviour
from bespeak.simulate.events import PLACEMENT, EventWriter
from bespeak.simulate.life import play
from bespeak.simulate.loop import SitePolicy
from bespeak.simulate.sites import InProcess
from bespeak.web.tokens import make_token_key

END_MS = 1_767_225_600_000
N_DAYS, N_POSITIONS = 14, 5


def lived(folder: Path, world: ShopWorld) -> ShownItems:
    """What an untrained engine showed that draws half of the positions, and what came of it."""
    create(folder, token_key=make_token_key(), settings={"placements": {PLACEMENT: {"explore": 0.5}}})
    clock = VirtualClock(world.start_ms)
    with Engine.open(folder, clock=clock) as engine:
        engine.items.put(world.items())
        site, writer = InProcess(engine, clock), EventWriter(world)
        for day in play(world, SitePolicy(world, site)):
            midnight_ms = world.calendar.midnight_ms(day.number) + DAY_MS
            last_ms = int(day.acts.at_ms.max()) if len(day.acts) else midnight_ms
            site.send(writer.events(day), min(max(midnight_ms, last_ms + 1), world.end_ms))
        clock.advance(2 * DAY_MS)
        engine.core.drain()
        feed(engine.core)
        return exposed_items(engine.core, PLACEMENT, engine.core.world.placements[PLACEMENT], clock.now_ms()).shown


@pytest.mark.parametrize("exponent", [0.2, 1.2])
def test_the_planted_curve_is_recovered_from_what_exploration_drew(tmp_path: Path, exponent: float) -> None:
    eager = replace(ShopWorld.WEIGHTS, base=1.0)  # people click often, so that a few hundred visits tell
    behaviour = Behaviour(weights=eager, position_exponent=exponent, slate_size=N_POSITIONS)
    world = ShopWorld(5, n_people=140, n_items=48, days=N_DAYS, end_ms=END_MS, behaviour=behaviour)
    shown = lived(tmp_path / "shop", world)
    drawn = shown.select(tried_rows(shown))
    assert (drawn.propensities < 0.5).all()
    curve = position_bias(shown).curve
    assert curve.is_harvested
    assert curve.n_rewarded == drawn.n_rewarded
    planted = np.log(world.position_curve)
    found = np.log(curve.examination / curve.examination[0])
    assert (np.abs(found - planted) < 3 * curve.standard_errors + 1e-9).all()
    assert (curve.standard_errors[1:] < 0.6).all()  # of the prior alone: 0.7 to 1.6
