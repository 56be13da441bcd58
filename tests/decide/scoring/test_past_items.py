"""What a person did before, as sources: recently viewed, buy again, continue, the next episode."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from bespeak.decide.decide import decide
from bespeak.decide.occasion import Occasion
from bespeak.decide.person import PersonView
from bespeak.decide.request import DecideRequest
from bespeak.decide.scoring.past_items import due_of
from bespeak.decide.world import World
from bespeak.profiles.profile import Progress
from bespeak.signals.decisions import Decision
from bespeak.signals.items import Item

DAY = 24.0
People = Callable[..., PersonView]


def shown(decision: Decision) -> list[str]:
    return [item.item_id for item in decision.items]


def asked(world: World, who: PersonView | None, now_ms: int, placement: str, **more: Any) -> Decision:
    return decide(Occasion(DecideRequest(placement=placement, **more), who, world, now_ms, "d"))


def playing(who: PersonView, now_ms: int, *parts: tuple[str, float]) -> PersonView:
    """The person with what they played, the first the latest."""
    progress = {
        item: Progress(part, now_ms - place * 1000, 0, str(place), "progress")
        for place, (item, part) in enumerate(parts)
    }
    return dataclasses.replace(who, progress=progress)


def test_recently_viewed_is_in_the_order_of_the_views_and_of_nothing_else(
    world: World, person: People, now_ms: int
) -> None:
    who = person(("horror1", "view", 5), ("comedy1", "view", 1), ("drama1", "view", 3), ("comedy1", "view", 9))
    decision = asked(world, who, now_ms, "recently_viewed")
    assert shown(decision) == ["comedy1", "drama1", "horror1"]
    assert decision.heading == "Recently viewed"
    assert decision.items[0].reasons[0].signal == "viewed"
    assert decision.items[0].reasons[0].text == "you viewed this lately"


def test_what_is_hidden_or_gone_is_not_shown_again(
    build_world: Callable[..., World], build_items: Callable[[int], list[Item]], person: People, now_ms: int
) -> None:
    world = build_world([item for item in build_items(40) if item.id != "drama1"], has_models=False)
    who = person(("horror1", "view", 5), ("comedy1", "hide", 1), ("comedy1", "view", 2), ("drama1", "view", 3))
    assert shown(asked(world, who, now_ms, "recently_viewed")) == ["horror1"]


@pytest.mark.parametrize("placement", ["recently_viewed", "buy_again", "continue_watching", "next_episode"])
def test_nobody_known_gets_none_and_no_filler(world: World, now_ms: int, placement: str) -> None:
    assert shown(asked(world, None, now_ms, placement)) == []


def test_what_is_bought_every_month_is_due_after_a_month(world: World, person: People, now_ms: int) -> None:
    milk = [("horror1", "purchase", (30 * n + 31) * DAY) for n in range(4)]
    given_up = [("comedy1", "purchase", (30 * n + 700) * DAY) for n in range(4)]
    fresh = [("drama1", "purchase", 1 * DAY)]
    who = person(*milk, *given_up, *fresh, ("war1", "view", 1))
    decision = asked(world, who, now_ms, "buy_again")
    assert shown(decision) == ["horror1"]
    assert decision.items[0].reasons[0].text == "you bought this 4 times, and it may be time again"


@pytest.mark.parametrize(
    ("days", "today", "due"),
    [([0], 30, 0.5), ([0], 15, 0.25), ([0, 10, 20], 36 + 2 / 3, 0.75), ([5], 5, 0.0), ([5], 4, 0.0)],
)
def test_due_rises_to_the_interval_and_falls_after_it(days: Sequence[int], today: float, due: float) -> None:
    assert due_of(list(days), today) == pytest.approx(due)


def test_what_was_begun_comes_back_and_what_was_finished_or_only_tried_does_not(
    world: World, person: People, now_ms: int
) -> None:
    who = playing(
        person(), now_ms, ("horror1", 0.4), ("comedy1", 0.97), ("drama1", 0.03), ("war1", 0.9), ("war2", 0.95)
    )
    decision = asked(world, who, now_ms, "continue_watching")
    assert shown(decision) == ["horror1", "war1"]
    assert decision.items[0].reasons[0].text == "you saw 40 % of this".replace(" %", "%")
    assert decision.mode == "profiled"


@pytest.fixture(scope="module")
def series(build_world: Callable[..., World]) -> World:
    """Two series: one numbered, in the catalogue in no order, once as text; one that only has dates."""
    numbered = [
        Item(id=f"s1e{n}", title=f"Episode {n}", group="s1", attributes={"season": 1.0, "episode": float(n)})
        for n in (3, 1, 2)
    ]
    second = [Item(id="s2e1", group="s1", title="New season", attributes={"season": "2", "episode": 1.0})]
    dated = [Item(id=f"d{n}", group="d", title=f"Part {n}", published_at=1_000 * n) for n in (2, 1)]
    return build_world([*numbered, *second, *dated, Item(id="film")], has_models=False)


@pytest.mark.parametrize(
    ("played", "following"),
    [
        ([("s1e1", 1.0)], ["s1e2"]),
        ([("s1e3", 0.96)], ["s2e1"]),
        ([("s2e1", 1.0)], []),
        ([("film", 1.0)], []),
        ([("s1e1", 1.0), ("d1", 1.0)], ["s1e2", "d2"]),
        ([("d1", 1.0), ("s1e1", 1.0)], ["d2", "s1e2"]),
        ([("s1e2", 0.5), ("s1e1", 1.0)], []),  # in the middle of the next one: that row is another
        ([("s1e1", 1.0), ("s1e2", 1.0)], ["s1e3"]),  # the first was seen once more
    ],
)
def test_the_next_episode_follows_the_one_that_was_finished_last(
    series: World, person: People, now_ms: int, played: list[tuple[str, float]], following: list[str]
) -> None:
    decision = asked(series, playing(person(), now_ms, *played), now_ms, "next_episode")
    assert shown(decision) == following
    if following:
        assert "which you finished" in decision.items[0].reasons[0].text


def test_withheld_personalization_shows_nothing_of_the_past(world: World, person: People, now_ms: int) -> None:
    who = person(("horror1", "view", 1), granted=("measure",))
    assert shown(asked(world, who, now_ms, "recently_viewed")) == []
