"""The simulator's fault of wrong propensities, through the engine's log: it is named, and without it nothing is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from bespeak.engine import ForeignItem
from bespeak.engine.clock import VirtualClock
from bespeak.engine.engine import Engine
from bespeak.engine.views.replay.asked import policy_of
from bespeak.engine.views.replay.report import replay_policy
from bespeak.measure.choices import Choices
from bespeak.measure.overlap import overlap
from bespeak.signals.ids import ANONYMOUS_ID, IdKey
from bespeak.simulate import Faults, ShopWorld, play
from bespeak.simulate.events import EventWriter
from bespeak.storage.tables import records

FAULT = Faults(wrong_propensities=0.5)
HOME = {"explore": 0.5, "temperature": 0.3, "record_features": 1.0, "count": 2, "launch": 0.0, "hide_seen": {}}
ALL = ["essential", "personalize", "measure", "improve"]


@pytest.mark.parametrize("fault", [0.0, FAULT.wrong_propensities])
def test_slates_that_another_system_logs_with_the_fault_are_accused(
    make: Callable[..., Engine], clock: VirtualClock, fault: float
) -> None:
    """The world's random policy shows slates and logs them with their propensities, as its events have them."""
    engine = make()
    world = ShopWorld(4, n_people=400, n_items=60, days=3, end_ms=clock.now_ms())
    writer, true = EventWriter(world, wrong_propensities=fault), list[float]()
    for day in play(world, world.random):
        true += day.slates.propensity[:, 0].tolist()
        for event in writer.events(day):
            if event.get("event") != "Recommendation Viewed":
                continue
            items = [ForeignItem(id=i["item_id"], propensity=i["propensity"]) for i in event["properties"]["items"]]
            engine.log_slate("home", items, [IdKey(ANONYMOUS_ID, event["anonymousId"])])
    engine.core.drain()
    with engine.core.store.read() as session:
        held = records.decisions(session, 0, 10_000)
    assert len(held) > 100
    logged = np.array([decision.items[0].propensity for decision in held])
    known = np.full(len(held), float(np.mean(true)))
    assert np.ptp(true) < 0.2 * np.mean(true)  # nearly the same choice every day
    found = overlap(Choices(np.zeros(len(held)), logged, known))
    assert bool(found.suspicion) == bool(fault)
    assert found.mean_weight == pytest.approx(1 / (1 + fault), rel=0.05)
    if fault:
        assert "propensities are wrong" in found.suspicion


def test_decisions_of_ours_that_are_recorded_with_the_fault_are_named_by_replay(
    make: Callable[..., Engine], clock: VirtualClock
) -> None:
    engine = make({"placements": {"home": HOME}, "sources": {"shop": {"kind": "import", "consent": ALL}}})
    engine.items.put([{"id": f"p{n}", "title": "x"} for n in range(8)])
    seen = {"type": "track", "event": "Product Viewed", "properties": {"product_id": "p1"}}
    engine.track([{**seen, "userId": f"u{n}"} for n in range(20)], source="shop")
    for n in range(60):
        clock.advance(1_000)
        engine.decide("home", user_id=f"u{n % 20}", decision_id=f"d{n}")
    clock.advance(3_600_000)
    engine.core.drain()
    assert _replayed(engine).suspicion == ""
    with engine.core.store.write() as tx:
        held = [found for n in range(60) if (found := records.decision(tx, f"d{n}")) is not None]
        records.add_decisions(tx, [_faulty(decision, f"{part}{n}") for part in "xy" for n, decision in enumerate(held)])
    found = _replayed(engine)
    assert found.n_used == 60
    assert found.n_unfaithful == 120
    assert "the logged propensities are wrong" in found.suspicion


def _replayed(engine: Engine) -> Any:
    policy, name = policy_of(engine.core, "home")
    return replay_policy(engine.core, policy, name, days=7, window_days=0.01, estimators=["ips"])


def _faulty(decision: Any, name: str) -> Any:
    too_high = 1 + FAULT.wrong_propensities
    items = [msgspec.structs.replace(one, propensity=min(one.propensity * too_high, 1.0)) for one in decision.items]
    return msgspec.structs.replace(decision, decision_id=name, items=tuple(items))
