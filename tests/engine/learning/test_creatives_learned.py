"""Creatives that are learned, through an engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bespeak.engine.clock import VirtualClock
from bespeak.engine.engine import Engine
from bespeak.engine.learning.fold import REFIT_EVERY_MS
from bespeak.errors import ConfigError

ALL = ["essential", "personalize", "measure", "improve"]
SOURCES = {"shop": {"kind": "import", "consent": ALL}}
LEARNING = {"hide_seen": {}, "creatives": {"choose": "thompson", "explore": 0.3, "window_minutes": 10}}


def track(engine: Engine, name: str, user: str, number: int, **properties: Any) -> None:
    event = {"type": "track", "event": name, "userId": user, "messageId": f"{name}-{user}-{number}"}
    engine.track([{**event, "properties": properties}], source="shop")


def test_clicks_on_an_item_teach_which_of_its_creatives_to_show(
    make: Callable[..., Engine], clock: VirtualClock
) -> None:
    engine = make({"placements": {"home": LEARNING}, "sources": SOURCES})
    pair = [{"id": "dull"}, {"id": "bright"}]
    engine.items.put([{"id": item, "title": item, "creatives": pair} for item in ("p1", "p2")])
    rng = np.random.default_rng(1)
    shown: list[str] = []
    for n in range(8):
        for user in (f"u{k}" for k in range(8)):
            track(engine, "Page Seen", user, n, item_id="p2")
            decision = engine.decide("home", user_id=user, count=2, decision_id=f"{user}-{n}")
            found = {item.item_id: item.creative for item in decision}
            assert found["p1"] is not None
            shown.append(found["p1"]["id"])
            if rng.random() < (0.8 if shown[-1] == "bright" else 0.1):
                track(engine, "Product Clicked", user, n, decision_id=f"{user}-{n}", product_id="p1")
        clock.advance(20 * 60_000)
        assert engine.learn() == {"home": 8}
    assert shown[-24:].count("bright") > 16
    sums = next(iter(engine.core.world.creative_sums.values())).of_items
    assert sums["p1"]["dull"][0] + sums["p1"]["bright"][0] == 64
    assert sums["p2"]["dull"][1] + sums["p2"]["bright"][1] == 0  # nobody clicked it
    engine.privacy.erase("u0")
    engine.core.refresh()
    after = next(iter(engine.core.world.creative_sums.values())).of_items
    assert after["p1"]["dull"][0] + after["p1"]["bright"][0] == 56
    clock.advance(REFIT_EVERY_MS)
    engine.learn()
    assert next(iter(engine.core.world.creative_sums.values())).of_items == after


@pytest.mark.parametrize(
    ("creatives", "said"),
    [
        ({"choose": "best"}, "best"),
        ({"when": ["ordres > 1 show a"]}, "ordres"),
        ({"reward": {"wink": 1.0}}, "wink"),
        ({"width": 0.0}, "width"),
    ],
)
def test_what_is_wrong_is_refused(make: Callable[..., Engine], creatives: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=rf"placements\.home.*{said}"):
        make({"placements": {"home": {"creatives": creatives}}})
