"""A planted world of actions: what helps, what meets those who buy anyway, and a dog that is better left asleep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bespeak.engine.clock import VirtualClock
from bespeak.engine.engine import Engine
from bespeak.errors import ConfigError

ALL = ["essential", "personalize", "measure", "improve"]
HOUR_MS = 3_600_000
N_PEOPLE = 300
USUALLY = 0.3
UPLIFT = {"helps": 0.3, "idle": 0.0, "dog": -0.28}
STATED = {"helps": 0.05, "idle": 0.2, "dog": 0.2}
ACTIONS = {"explore": 0.5, "withhold": 0.25, "uplift": "learned", "prior_rows": 30.0, "window_minutes": 60.0}


def opened(make: Callable[..., Engine], **actions: Any) -> Engine:
    engine = make(
        {
            "placements": {"next": {"kinds": ["action"], "hide_seen": {}, "actions": {**ACTIONS, **actions}}},
            "sources": {"shop": {"kind": "import", "consent": ALL}},
        }
    )
    engine.items.put(
        [
            {"id": name, "kind": "action", "attributes": {"value": 10.0, "cost": 0.5, "uplift": stated}}
            for name, stated in STATED.items()
        ]
    )
    engine.track([event("Product Viewed", f"u{n}", 0) for n in range(N_PEOPLE)], source="shop")
    return engine


def event(name: str, user: str, turn: int) -> dict[str, Any]:
    properties = {"product_id": "x", "order_id": f"{user}-{turn}", "products": [{"product_id": "x"}]}
    return {"type": "track", "event": name, "userId": user, "messageId": f"{name}-{user}-{turn}",
            "properties": properties}  # fmt: skip


def lived(engine: Engine, clock: VirtualClock, rng: np.random.Generator, turn: int) -> Counter[str]:
    """Everybody comes once and buys as the world has it; then the windows close."""
    shown: Counter[str] = Counter()
    orders = []
    for n in range(N_PEOPLE):
        items = engine.decide("next", user_id=f"u{n}", decision_id=f"d{turn}-{n}").item_ids
        done = items[0] if items else ""
        shown[done] += 1
        if rng.random() < USUALLY + UPLIFT.get(done, 0.0):
            orders.append(event("Order Completed", f"u{n}", turn))
    engine.core.drain()
    clock.advance(60_000)
    engine.track(orders, source="shop")
    clock.advance(3 * HOUR_MS)
    engine.learn()
    return shown


def rows_behind(engine: Engine, action: str) -> float:
    (sums,) = engine.core.world.action_sums.values()
    return sum(sums.of_items[action].get(side, (0.0, 0.0, 0.0))[0] for side in ("done", "withheld"))


def test_what_helps_is_done_and_the_sleeping_dog_is_not(make: Callable[..., Engine], clock: VirtualClock) -> None:
    engine = opened(make)
    before = engine.decide("next", user_id="u0", is_preview=True)
    assert before.item_ids[0] in ("idle", "dog")  # as their items state
    assert "as the item states" in before[0].reasons[0].text
    rng = np.random.default_rng(2)
    shown = [lived(engine, clock, rng, turn) for turn in range(4)]
    after = engine.decide("next", user_id="u0", is_preview=True)
    assert after.item_ids == ["helps"]
    assert after[0].features["probability"] == pytest.approx(UPLIFT["helps"], abs=0.15)
    assert "raises success by" in after[0].reasons[0].text
    assert sum(r.contribution for r in after[0].reasons) == pytest.approx(after[0].score)
    assert after.decision.removed["not_worth_it"] >= 1
    assert "dog" not in dict(after.decision.candidates)
    assert shown[0]["dog"] > 20
    assert lived(engine, clock, rng, 4)["dog"] == 0
    assert shown[0][""] == pytest.approx(0.25 * N_PEOPLE, abs=35)


def test_a_person_has_one_draw_in_a_window_and_propensities_are_exact(
    make: Callable[..., Engine], clock: VirtualClock
) -> None:
    engine = opened(make)
    made = [engine.decide("next", user_id="u1", decision_id=f"a{n}").decision for n in range(3)]
    assert len({tuple(item.item_id for item in one.items) for one in made}) == 1
    seen: Counter[str] = Counter()
    first = [engine.decide("next", user_id=f"u{n}", decision_id=f"b{n}").decision for n in range(N_PEOPLE)]
    for one in first:
        assert one.withheld_propensity == 0.25
        seen[one.items[0].item_id if one.items else ""] += 1
    chances = {one.items[0].item_id: one.items[0].propensity for one in first if one.items} | {"": 0.25}
    assert sum(chances.values()) == pytest.approx(1)
    assert all(abs(seen[name] - N_PEOPLE * p) < 4 * (N_PEOPLE * p * (1 - p)) ** 0.5 for name, p in chances.items())
    clock.advance(2 * HOUR_MS)
    later = [engine.decide("next", user_id=f"u{n}", decision_id=f"c{n}").item_ids for n in range(20)]
    assert later != [[item.item_id for item in one.items] for one in first[:20]]


def test_who_is_erased_is_in_neither_half_of_the_comparison(make: Callable[..., Engine], clock: VirtualClock) -> None:
    engine = opened(make, explore=0.0, withhold=0.5)
    best = engine.decide("next", user_id="u0", is_preview=True).item_ids[0]
    lived(engine, clock, np.random.default_rng(1), 0)
    assert rows_behind(engine, best) == pytest.approx(2 * N_PEOPLE)
    engine.privacy.erase("u0")
    engine.core.refresh()
    assert rows_behind(engine, best) == pytest.approx(2 * (N_PEOPLE - 1))


@pytest.mark.parametrize(
    ("actions", "said"),
    [
        ({"withhold": 0.0}, "only known where nothing"),
        ({"explore": 0.8}, "together"),
        ({"uplift": "guessed"}, "uplift"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(make: Callable[..., Engine], actions: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        opened(make, **actions)
