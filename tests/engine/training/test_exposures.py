"""Training rows: what was logged, whose person agreed then and agrees now, and outcomes that had time to come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from bespeak.engine.clock import VirtualClock, iso
from bespeak.engine.engine import Engine
from bespeak.engine.logged.lake_feed import feed
from bespeak.engine.training.exposures import DAY_MS, Exposed, exposed_items
from bespeak.errors import ConfigError
from bespeak.storage.tables import records

ITEMS = [{"id": f"p{n}", "title": f"Thing {n}", "attributes": {"category": f"c{n % 3}"}} for n in range(12)]
HOUR_MS = 3_600_000


def view(user: str, item: str, clock: VirtualClock, event: str = "Product Viewed", **properties: Any) -> dict[str, Any]:
    return {
        "type": "track",
        "event": event,
        "userId": user,
        "timestamp": iso(clock.now_ms()),
        "properties": {"product_id": item, **properties},
    }


def seen(user: str, decision_id: str, items: list[str], clock: VirtualClock) -> dict[str, Any]:
    shown = [{"item_id": item, "position": place} for place, item in enumerate(items, 1)]
    properties = {"decision_id": decision_id, "items": shown}
    return {
        "type": "track",
        "event": "Recommendation Viewed",
        "userId": user,
        "timestamp": iso(clock.now_ms()),
        "properties": properties,
    }


@pytest.fixture
def engine(make: Callable[..., Engine], clock: VirtualClock) -> Engine:
    """A shop where three people looked around."""
    opened = make({"placements": {"home": {"hide_seen": {}}}})
    opened.items.put(ITEMS)
    opened.track([view(f"u{n}", f"p{n + k}", clock) for n in range(3) for k in range(3)], source="backend")
    clock.advance(HOUR_MS)
    return opened


def exposed(engine: Engine, clock: VirtualClock) -> Exposed:
    engine.core.drain()
    feed(engine.core)
    return exposed_items(engine.core, "home", engine.core.world.placements["home"], clock.now_ms())


def test_features_position_propensity_and_score_are_those_of_the_record(engine: Engine, clock: VirtualClock) -> None:
    slate = engine.decide("home", user_id="u0", count=4, context={"device": "mobile"})
    engine.items.put([{**item, "attributes": {"category": "other"}} for item in ITEMS])  # nothing is computed again
    engine.track([view("u0", "p9", clock) for _ in range(5)], source="backend")
    clock.advance(2 * DAY_MS)
    shown = exposed(engine, clock).shown
    assert shown.positions.tolist() == [1, 2, 3, 4]
    assert shown.scores.tolist() == [item.score for item in slate]
    assert shown.propensities.tolist() == [1.0] * 4
    assert shown.device_names == ("mobile",)
    for row, item in enumerate(slate):
        logged = {name: value for name, value in zip(shown.names, shown.values[row], strict=True) if value}
        assert logged == item.features


def test_an_outcome_counts_for_the_latest_time_its_item_was_shown(engine: Engine, clock: VirtualClock) -> None:
    first = engine.decide("home", user_id="u0", count=3)
    clock.advance(HOUR_MS)
    second = engine.decide("home", user_id="u0", count=3, exclude=[first.item_ids[2]])
    both = first.item_ids[0]
    assert both in second.item_ids
    clock.advance(HOUR_MS)
    engine.track([view("u0", both, clock), view("u1", first.item_ids[1], clock)], source="backend")
    clock.advance(2 * DAY_MS)
    found = exposed(engine, clock).shown
    slates = (first, second)
    rewarded = [
        (decision, slates[decision].item_ids[position - 1])
        for decision, position, reward in zip(found.decisions, found.positions, found.rewards, strict=True)
        if reward
    ]
    assert rewarded == [(1, both)]


def test_an_open_window_is_no_answer_and_a_late_outcome_none(engine: Engine, clock: VirtualClock) -> None:
    slate = engine.decide("home", user_id="u0", count=3)
    clock.advance(HOUR_MS)
    engine.track([view("u0", slate.item_ids[0], clock)], source="backend")
    found = exposed(engine, clock)
    assert (len(found.shown), found.n_open) == (0, 3)
    clock.advance(DAY_MS)
    engine.track([view("u0", slate.item_ids[1], clock)], source="backend")
    found = exposed(engine, clock)
    assert found.shown.rewards.tolist() == [1.0, 0.0, 0.0]


def test_only_people_who_agree_to_training_then_and_now_are_in(engine: Engine, clock: VirtualClock) -> None:
    def consent(user: str, *, improves: bool) -> dict[str, Any]:
        return {
            "type": "track",
            "event": "Consent Preference Updated",
            "userId": user,
            "timestamp": iso(clock.now_ms()),
            "context": {"consent": {"categoryPreferences": {"improve": improves}}},
        }

    engine.track([consent("u1", improves=False)], source="backend")
    for user in ("u0", "u1", "u2"):
        engine.decide("home", user_id=user, count=2)
    clock.advance(2 * DAY_MS)
    assert len(exposed(engine, clock).shown) == 4
    engine.track([consent("u1", improves=True), consent("u2", improves=False)], source="backend")
    assert exposed(engine, clock).shown.n_people == 1


def test_where_exposures_are_reported_only_what_was_seen_counts(engine: Engine, clock: VirtualClock) -> None:
    first = engine.decide("home", user_id="u0", count=4)
    engine.decide("home", user_id="u1", count=4)
    clock.advance(HOUR_MS)
    assert not exposed(engine, clock).are_seen
    engine.track([seen("u0", first.decision.decision_id, first.item_ids[:2], clock)], source="backend")
    clock.advance(2 * DAY_MS)
    found = exposed(engine, clock)
    assert found.are_seen
    assert found.shown.positions.tolist() == [1, 2]


def test_slates_of_another_system_teach_nothing(engine: Engine, clock: VirtualClock) -> None:
    slate = engine.decide("home", user_id="u0", count=2)
    bare = tuple(msgspec.structs.replace(item, features={}) for item in slate.decision.items)
    with engine.core.store.write() as tx:
        records.add_decisions(tx, [msgspec.structs.replace(slate.decision, decision_id="other", items=bare)])
    clock.advance(2 * DAY_MS)
    assert exposed(engine, clock).shown.n_decisions == 1


def test_the_objective_weighs_outcomes_and_the_most_that_came_counts(
    make: Callable[..., Engine], clock: VirtualClock
) -> None:
    engine = make({"placements": {"home": {"hide_seen": {}, "objective": {"click": 1, "purchase": 4}}}})
    engine.items.put(ITEMS)
    engine.track([view("u0", "p0", clock)], source="backend")
    slate = engine.decide("home", user_id="u0", count=4)
    clock.advance(HOUR_MS)
    first, second, third, _ = slate.item_ids
    engine.track(
        [
            view("u0", first, clock, "Product Clicked"),
            view("u0", second, clock, "Product Clicked"),
            {**view("u0", second, clock, "Order Completed"), "properties": {"products": [{"product_id": second}]}},
            view("u0", third, clock),
        ],
        source="backend",
    )
    clock.advance(2 * DAY_MS)
    assert exposed(engine, clock).shown.rewards.tolist() == [0.25, 1.0, 0.0, 0.0]


def test_crosses_name_known_circumstances(make: Callable[..., Engine]) -> None:
    with pytest.raises(ConfigError, match=r"placements\.home\.crosses"):
        make({"placements": {"home": {"crosses": ["declared.mood * category"]}}})


def test_an_objective_names_signal_classes(make: Callable[..., Engine]) -> None:
    with pytest.raises(ConfigError, match=r"placements\.home\.objective") as refused:
        make({"placements": {"home": {"objective": {"clik": 1}}}})
    assert "click" in str(refused.value)
