"""Boosts, rotation, cooling off, stock, shares: each does what it says and says when it bites."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from bespeak.decide.decide import decide, fallback
from bespeak.decide.occasion import Occasion
from bespeak.decide.person import PersonView
from bespeak.decide.request import DecideRequest
from bespeak.decide.settings.placements import placements_from
from bespeak.decide.why_not import why_not
from bespeak.decide.world import World
from bespeak.errors import ConfigError
from bespeak.signals.decisions import Decision
from bespeak.signals.items import Item

HOUR_MS = 3_600_000
People = Callable[..., PersonView]


def with_home(world: World, **settings: Any) -> World:
    return dataclasses.replace(world, placements=placements_from({"home": settings}))


def home(world: World, who: PersonView | None, now_ms: int, **more: Any) -> Decision:
    return decide(Occasion(DecideRequest(placement="home", explain=True, **more), who, world, now_ms, "d"))


def shown(decision: Decision) -> list[str]:
    return [item.item_id for item in decision.items]


def seeing(who: PersonView, now_ms: int, **hours: tuple[float, ...]) -> PersonView:
    """The person with what they were shown so many hours ago."""
    times = {item: tuple(sorted(now_ms - int(ago * HOUR_MS) for ago in agos)) for item, agos in hours.items()}
    return dataclasses.replace(who, shown=times)


def sums(decision: Decision) -> None:
    """The reasons are the whole score."""
    for item in decision.items:
        assert sum(reason.contribution for reason in item.reasons) == pytest.approx(item.score, abs=1e-9)
        for reason in item.reasons:
            assert reason.contribution == pytest.approx(reason.value * reason.weight, abs=1e-12)


@pytest.mark.parametrize(("add", "factor"), [(2.0, 1.0), (-2.0, 1.0), (0.0, 3.0), (0.5, 0.5), (0.0, 0.0)])
def test_a_boost_is_a_term_of_the_score(world: World, person: People, now_ms: int, add: float, factor: float) -> None:
    who = person(("horror1", "view", 1))
    all_of_them: dict[str, Any] = {"count": 40, "one_per_group": False}
    boosts = [{"name": "war", "filter": "genre = 'war'", "add": add, "factor": factor}]
    plain = {item.item_id: item.score for item in home(with_home(world, **all_of_them), who, now_ms).items}
    decision = home(with_home(world, **all_of_them, boosts=boosts), who, now_ms)
    sums(decision)
    for item in decision.items:
        before = plain[item.item_id]
        raised = add + (factor - 1) * abs(before) if item.item_id.startswith("war") else 0.0
        assert item.score == pytest.approx(before + raised)
        assert any(reason.signal == "boost.war" for reason in item.reasons) == (raised != 0)


def test_rotation_costs_what_was_shown_lately_and_fades(world: World, person: People, now_ms: int) -> None:
    who = person(("horror1", "view", 30))
    best = shown(home(world, who, now_ms))[0]
    rotating = with_home(world, count=40, rotation={"rate": 1.0, "hours": 10})
    plain = home(rotating, who, now_ms)
    just = home(rotating, seeing(who, now_ms, **{best: (0.0,)}), now_ms)
    sums(just)
    assert shown(just)[-1] == best
    span = max(item.score for item in plain.items) - min(item.score for item in plain.items)
    of = {ago: next(i for i in home(rotating, seeing(who, now_ms, **{best: (ago,)}), now_ms).items if i.item_id == best)
          for ago in (5.0, 10.0)}  # fmt: skip
    assert plain.items[0].score - of[5.0].score == pytest.approx(span / 2, rel=0.35)
    assert of[10.0].score == pytest.approx(plain.items[0].score)
    assert "shown to you lately" in [reason.text for reason in of[5.0].reasons]


def test_an_item_rests_once_it_was_shown_so_often(world: World, person: People, now_ms: int) -> None:
    who = person(("horror1", "view", 30))
    best, second = shown(home(world, who, now_ms))[:2]
    rested = with_home(world, cooling_off=[{"times": 2, "hours": 24}, {"times": 1, "hours": 1}])
    seen = seeing(who, now_ms, **{best: (2.0, 20.0), second: (2.0, 30.0), "gone": (0.1,)})
    decision = home(rested, seen, now_ms)
    assert best not in shown(decision)
    assert second in shown(decision)
    assert decision.removed["cooling_off"] == 1
    answer = why_not(Occasion(DecideRequest(placement="home"), seen, rested, now_ms), best)
    assert answer.rules == ("cooling_off",)
    assert "rests" in answer.text


def test_what_is_short_in_stock_is_left_out_and_what_says_nothing_is_not(
    build_world: Callable[..., World], build_items: Callable[[int], list[Item]], now_ms: int
) -> None:
    stocks: list[float | None] = [0.0, 2.0, None, 3.0]
    items = [Item(id=f"p{n}", attributes={} if stock is None else {"stock": stock}) for n, stock in enumerate(stocks)]
    world = with_home(build_world(items, has_models=False), min_stock=3)
    assert sorted(shown(home(world, None, now_ms))) == ["p2", "p3"]
    assert why_not(Occasion(DecideRequest(placement="home"), None, world, now_ms), "p1").rules == ("stock",)
    nobody_says = with_home(build_world(build_items(8), has_models=False), min_stock=3)
    assert len(home(nobody_says, None, now_ms).items) == 4  # one of each group


def test_a_paid_share_is_kept_marked_and_named(world: World, now_ms: int) -> None:
    ads = {"name": "ads", "filter": "genre = 'war'", "at_least": 0.2, "at_most": 0.3, "paid": True}
    decision = home(with_home(world, shares=[ads]), None, now_ms)
    assert len(decision.items) == 10
    assert [item.item_id for item in decision.items if item.is_paid] == [
        item for item in shown(decision) if item.startswith("war")
    ]
    assert 2 <= sum(item.is_paid for item in decision.items) <= 3
    most = home(with_home(world, shares=[{**ads, "at_least": 1.0, "at_most": 1.0}]), None, now_ms)
    assert sum(item.is_paid for item in most.items) == 5  # so many groups they have
    assert any("share 'ads'" in note for note in most.notes)
    none = with_home(world, shares=[{**ads, "at_least": 0.0, "at_most": 0.0}])
    assert not any(item.is_paid for item in home(none, None, now_ms, count=40).items)
    why = why_not(Occasion(DecideRequest(placement="home", count=40), None, none, now_ms), "war0")
    assert why.rules == ("share.ads",)
    made = fallback(Occasion(DecideRequest(placement="home"), None, with_home(world, shares=[ads]), now_ms, "d"))
    assert 2 <= sum(item.is_paid for item in made.items) <= 3


def test_a_supplier_gets_its_floor_beside_others(world: World, person: People, now_ms: int) -> None:
    shares = [
        {"name": "a", "filter": "brand = 'b0'", "at_least": 0.3},
        {"name": "b", "filter": "brand = 'b1'", "at_least": 0.3},
        {"name": "c", "filter": "genre = 'war'", "at_least": 0.4},
    ]
    decision = home(with_home(world, shares=shares), person(("horror1", "view", 1)), now_ms)
    rows = [world.catalogue.index[item] for item in shown(decision)]
    brands = [world.catalogue.facets["brand"].values_at(row)[0] for row in rows]
    assert brands.count("b0") >= 3
    assert brands.count("b1") >= 3
    assert sum(item.startswith("war") for item in shown(decision)) >= 4
    assert not any("share" in note for note in decision.notes)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"shares": [{"name": "a", "filter": "price < 1", "at_least": 0.5, "at_most": 0.4}]}, "at least 0.5"),
        ({"shares": [{"name": n, "filter": "price < 1", "at_least": 0.6} for n in "ab"]}, "more than all"),
        ({"shares": [{"name": "a", "filter": ""}]}, "no filter"),
        ({"shares": [{"name": "a", "filter": "price < 1"}] * 2}, "twice"),
        ({"shares": [{"filter": "price < 1"}]}, "name"),
        ({"boosts": [{"name": "a", "filter": "price < 1", "factor": -1}]}, "factor"),
        ({"boosts": [{"name": "a", "filter": "price < 1", "add": float("nan")}]}, "finite"),
        ({"boosts": [{"name": "a"}]}, "filter"),
        ({"cooling_off": [{"times": 0, "hours": 1}]}, "times"),
        ({"cooling_off": [{"times": 1}]}, "hours"),
        ({"rotation": {"rate": 2, "hours": 1}}, "rate"),
        ({"min_stock": -1}, "min_stock"),
        ({"caps": {"genre": {"limit": 1, "window": 1}}}, "window"),
        ({"caps": {"genre": {"limit": 1}}}, "window"),
        ({"heading": "Because of {who}"}, "{who}"),
        ({"heading": "{"}, "heading"),
        ({"new_days": 0}, "new_days"),
    ],
)
def test_a_rule_that_cannot_hold_is_refused_with_its_key(settings: Mapping[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        placements_from({"shelf": settings})
    assert "placements.shelf" in str(refusal.value)
    assert said in str(refusal.value)


def test_a_filter_on_what_no_item_has_any_more_lets_nothing_pass_and_fails_no_page(world: World, now_ms: int) -> None:
    rules = {
        "shares": [{"name": "a", "filter": "gone = 1", "at_least": 0.5}],
        "boosts": [{"name": "a", "filter": "gone = 1", "add": 1.0}],
    }
    decision = home(with_home(world, **rules), None, now_ms)
    assert len(decision.items) == 10
    assert any("share 'a'" in note for note in decision.notes)


def test_a_number_that_is_missing_breaks_no_score(build_world: Callable[..., World], now_ms: int) -> None:
    items = [Item(id=f"p{n}", attributes={"margin": n / 10} if n % 2 else {}) for n in range(8)]
    boosts = [{"name": "margin", "filter": "margin > 0.2", "factor": 2.0}]
    decision = home(with_home(build_world(items, has_models=False), boosts=boosts), None, now_ms)
    assert len(decision.items) == 8
    assert np.isfinite([item.score for item in decision.items]).all()
