"""Whole pages: which rows stand where, each item once, what holds across them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from bespeak.decide.launch import CONTROL, Assigned
from bespeak.decide.occasion import Occasion
from bespeak.decide.pages.choice import NO_ROOM, TOO_FEW
from bespeak.decide.pages.page import (
    EMPTY_CART,
    NO_SUBJECT,
    PageDecision,
    PageRequest,
    decide_page,
    fallback_page,
    page_request,
    rows_request,
)
from bespeak.decide.person import PersonView
from bespeak.decide.request import DecideRequest
from bespeak.decide.settings.pages import pages_from
from bespeak.decide.settings.placements import placements_from
from bespeak.decide.world import World
from bespeak.errors import ConfigError, InvalidInput, UnknownName
from bespeak.profiles.profile import Progress
from bespeak.signals.items import Item

People = Callable[..., PersonView]
STEPS = (
    ("horror1", "watch", 2),
    ("horror2", "view", 3),
    ("comedy1", "watch", 30),
    ("war1", "cart", 1),
    ("war2", "view", 9),
)


def with_page(world: World, page: Mapping[str, Any], placements: Mapping[str, Any] | None = None) -> World:
    known = placements_from(placements or {})
    return dataclasses.replace(world, placements=known, pages=pages_from({"own": page}, known))


def decided(world: World, who: PersonView | None, now_ms: int, page: str = "own", **more: Any) -> PageDecision:
    request = page_request(world.page(page), DecideRequest(placement="", **more))
    return decide_page(request.page, occasions(request, who, world, now_ms), "page1")


def occasions(request: PageRequest, who: PersonView | None, world: World, now_ms: int) -> list[Occasion]:
    return [Occasion(asked, who, world, now_ms) for asked in request.requests]


def items(page: PageDecision) -> list[str]:
    return [item.item_id for row in page.rows for item in row.items]


def names(page: PageDecision) -> list[str]:
    return [row.placement for row in page.rows]


def test_a_page_shows_each_item_once_and_says_which_row_stands_where(world: World, person: People, now_ms: int) -> None:
    front = dataclasses.replace(world, pages=pages_from({"front": {"count": 4}}, placements_from({})))
    page = decided(front, person(*STEPS), now_ms, "front")
    assert len(page.rows) >= 4
    assert len(items(page)) == len(set(items(page)))
    assert [row.page.row for row in page.rows if row.page] == list(range(1, len(page.rows) + 1))
    assert {row.page.page_id for row in page.rows if row.page} == {"page1"}
    assert len({row.decision_id for row in page.rows}) == len(page.rows)
    single = {"continue_watching", "next_episode"}  # of which one is enough
    assert all(len(row.items) >= 3 or row.placement in single for row in page.rows)
    assert all(row.heading for row in page.rows if row.placement != "home")


def test_every_row_that_is_not_shown_says_why(world: World, person: People, now_ms: int) -> None:
    page = decided(world, person(*STEPS[:1]), now_ms, "front")
    why = {one.placement: one.why for one in page.left_out}
    assert why["complements"] == EMPTY_CART
    assert why["recently_viewed"] == TOO_FEW
    nobody = decided(world, None, now_ms, "front")
    assert {one.placement: one.why for one in nobody.left_out}["because_you_watched"] == NO_SUBJECT
    short = with_page(world, {"rows": ["home", "trending_for_you"], "max_rows": 1, "count": 5})
    assert [one.why for one in decided(short, person(*STEPS), now_ms).left_out] == [NO_ROOM]


def test_what_is_not_shown_is_said_once_with_what_it_would_have_been_about(
    world: World, person: People, now_ms: int
) -> None:
    rows = [{"placement": "genres", "at_most": 3}]
    every = decided(with_page(world, {"rows": rows, "count": 4}), person(*STEPS), now_ms)
    about = [row.about for row in every.rows]
    first = decided(with_page(world, {"rows": rows, "count": 4, "max_rows": 1}), person(*STEPS), now_ms)
    assert [(one.placement, one.why) for one in first.left_out] == [("genres", NO_ROOM)]
    assert len(first.left_out[0].about) == 2
    assert [row.about for row in first.rows] == about[:1]
    assert first.left_out[0].subjects == [one["value"] for one in first.left_out[0].about]


def test_rows_about_something_differ_in_what_they_are_about(world: World, person: People, now_ms: int) -> None:
    genres = with_page(world, {"rows": [{"placement": "genres", "at_most": 3}], "count": 4})
    page = decided(genres, person(*STEPS), now_ms)
    about = [row.about["value"] for row in page.rows]
    assert len(about) == len(set(about)) == 3
    assert "drama" not in about  # nothing that they did, and others come first


def test_a_row_with_a_position_stands_there_and_the_most_valuable_lead_elsewhere(
    world: World, person: People, now_ms: int
) -> None:
    rows = [
        {"placement": "trending_for_you", "position": 2},
        {"placement": "genres", "value": 0.01},
        "home",
    ]
    page = decided(with_page(world, {"rows": rows, "count": 5}), person(*STEPS), now_ms)
    assert names(page) == ["home", "trending_for_you", "genres"]
    louder = [{**rows[1], "value": 100.0}, rows[0], rows[2]]  # type: ignore[dict-item]
    assert names(decided(with_page(world, {"rows": louder, "count": 5}), person(*STEPS), now_ms))[0] == "genres"


def test_a_row_whose_position_the_page_does_not_reach_moves_up(world: World, person: People, now_ms: int) -> None:
    rows = [{"placement": "trending_for_you", "position": 5}, "home", "recently_viewed"]
    page = decided(with_page(world, {"rows": rows, "count": 4}), person(*STEPS), now_ms)
    assert names(page)[-1] == "trending_for_you"
    assert len(page.rows) == 3


def test_one_unfinished_film_and_one_next_episode_stand_on_the_front_page(
    build_world: Callable[..., World], person: People, now_ms: int
) -> None:
    series = [Item(id=f"e{n}", title=f"Episode {n}", group="s", attributes={"episode": float(n)}) for n in (1, 2)]
    films = [Item(id=f"f{n}", title=f"Film {n}") for n in range(20)]
    someone = dataclasses.replace(
        person(("e1", "watch", 1)),
        progress={
            "e1": Progress(1.0, now_ms - 2_000, 0, "1", "progress"),
            "f7": Progress(0.4, now_ms - 1_000, 0, "2", "progress"),
        },
    )
    page = decided(build_world([*series, *films], has_models=False), someone, now_ms, "front")
    assert names(page)[:2] == ["continue_watching", "next_episode"]
    assert [item.item_id for row in page.rows[:2] for item in row.items] == ["f7", "e2"]


def test_a_row_may_say_how_few_items_are_enough(world: World, person: People, now_ms: int) -> None:
    first = {"placement": "recently_viewed", "position": 1}
    rows = [{**first, "min_items": 1}, {"placement": "home", "min_items": 9, "count": 8}]
    made = decided(with_page(world, {"rows": rows, "min_items": 5}), person(*STEPS[:1]), now_ms)
    assert names(made) == ["recently_viewed", "home"]  # no row needs more than it may show
    wanted = [{**first, "min_items": 2}, "home"]
    assert names(decided(with_page(world, {"rows": wanted, "min_items": 1}), person(*STEPS[:1]), now_ms)) == ["home"]


def test_caps_and_groups_hold_across_the_rows(world: World, person: People, now_ms: int) -> None:
    page = {"rows": ["home", "trending_for_you", "new_for_you"], "caps": {"genre": 3}, "min_items": 1, "count": 10}
    made = decided(with_page(world, page), person(*STEPS), now_ms)
    catalogue = world.catalogue
    rows = [catalogue.index[item] for item in items(made)]
    genres = Counter(catalogue.facets["genre"].values_at(row)[0] for row in rows)
    assert max(genres.values()) <= 3
    assert len({int(catalogue.groups[row]) for row in rows}) == len(rows)


def test_a_caller_may_put_the_rows_together(world: World, person: People, now_ms: int) -> None:
    asked = [
        DecideRequest(placement="similar", item="war3", count=4),
        DecideRequest(placement="home", count=4),
        DecideRequest(placement="recently_viewed", count=4),
        DecideRequest(placement="home", count=4),
    ]
    request = rows_request(asked, {}, one_per_group=True)
    page = decide_page(request.page, occasions(request, person(*STEPS), world, now_ms), "page1", keeps_order=True)
    assert names(page) == ["similar", "home", "recently_viewed", "home"]
    assert len(items(page)) == len(set(items(page)))
    assert page.rows[0].about == {"item": "war3"}
    assert page.left_out == ()
    nobody = decide_page(request.page, occasions(request, None, world, now_ms), "page1", keeps_order=True)
    assert names(nobody)[2] == "recently_viewed"  # answered even where it is empty
    assert nobody.rows[2].items == ()


def test_a_control_reads_nothing_about_the_person_in_its_row_alone(world: World, person: People, now_ms: int) -> None:
    own = with_page(world, {"rows": [{"placement": "home", "position": 1}, "genres"], "count": 5})
    request = page_request(own.page("own"), DecideRequest(placement=""))
    control = Assigned.to_launch("home-launch", CONTROL)
    home, genres = occasions(request, person(*STEPS), own, now_ms)
    page = decide_page(request.page, [dataclasses.replace(home, assigned=control), genres], "page1")
    assert page.rows[0].mode == "anonymous"
    assert page.rows[0].experiment == {"name": "home-launch", "variant": CONTROL}
    assert page.rows[1].mode == "profiled"
    assert page.rows[1].experiment is None


def test_the_fallback_page_is_popular_without_duplicates_and_without_the_past(world: World, now_ms: int) -> None:
    request = page_request(world.page("front"), DecideRequest(placement=""))
    page = fallback_page(request.page, occasions(request, None, world, now_ms), "page1", "because")
    assert len(items(page)) == len(set(items(page)))
    assert {row.mode for row in page.rows} == {"fallback"}
    assert "because" in page.rows[0].notes
    assert not {"recently_viewed", "buy_again", "complements"} & set(names(page))


def test_a_fallback_shows_no_row_about_an_item_that_nobody_named(world: World, now_ms: int) -> None:
    placements = {"looked_at": {"like": "because_you_watched", "fill": True}}
    looked = with_page(world, {"rows": ["home", "looked_at"], "min_items": 1}, placements)
    request = page_request(looked.page("own"), DecideRequest(placement="", count=3))
    page = fallback_page(request.page, occasions(request, None, looked, now_ms), "page1")
    assert names(page) == ["home"]
    assert [(one.placement, one.why) for one in page.left_out] == [("looked_at", NO_SUBJECT)]


def test_a_fallback_draws_nothing(world: World, now_ms: int) -> None:
    exploring = dataclasses.replace(world, placements=placements_from({"home": {"explore": 1.0}}))
    request = page_request(exploring.page("front"), DecideRequest(placement=""))
    pages = [fallback_page(request.page, occasions(request, None, exploring, now_ms), f"p{n}") for n in range(5)]
    assert {tuple(items(page)) for page in pages} == {tuple(items(pages[0]))}
    assert {item.propensity for page in pages for row in page.rows for item in row.items} == {1.0}


def test_a_next_best_action_is_no_row(world: World, now_ms: int) -> None:
    placements = {"next": {"kinds": ["action"], "actions": {}}}
    with pytest.raises(ConfigError, match=r"pages\.own\.rows: 'next' shows the next best action"):
        with_page(world, {"rows": ["home", "next"]}, placements)
    acting = dataclasses.replace(world, placements=placements_from(placements))
    request = rows_request([DecideRequest(placement="next")], {}, one_per_group=True)
    for answer in (decide_page, fallback_page):
        with pytest.raises(InvalidInput, match="'next' shows the next best action"):
            answer(request.page, occasions(request, None, acting, now_ms), "p", keeps_order=True)


def test_an_empty_catalogue_gives_a_page_without_rows(build_world: Callable[..., World], now_ms: int) -> None:
    empty = build_world([], has_models=False)
    assert decided(empty, None, now_ms, "front").rows == ()
    request = page_request(empty.page("front"), DecideRequest(placement=""))
    assert fallback_page(request.page, occasions(request, None, empty, now_ms), "p").rows == ()


def test_a_page_that_does_not_exist_is_refused_with_those_that_do(world: World) -> None:
    with pytest.raises(UnknownName, match="front"):
        world.page("frnt")


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ({"rows": []}, "needs rows"),
        ({}, "needs rows"),
        ({"rows": ["hom"]}, "no placement 'hom'"),
        ({"rows": ["search"]}, "needs a query"),
        ({"rows": [{"placement": "home", "at_most": 2}]}, "about nothing in particular"),
        ({"rows": [{"placement": "home", "position": 7}]}, "row 7"),
        ({"rows": [{"placement": "home", "position": 1}, {"placement": "genres", "position": 1}]}, "row 1"),
        ({"rows": ["home"], "max_rows": 0}, "max_rows"),
        ({"rows": ["home"], "max_row": 3}, "max_row"),
        ({"rows": [{"placement": "home", "valu": 3}]}, "valu"),
        ({"rows": [3]}, "rows"),
        ({"rows": "home"}, "rows"),
    ],
)
def test_a_wrong_page_is_refused_with_its_key(page: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        pages_from({"shelf": page}, placements_from({}))
    assert "pages.shelf" in str(refusal.value)
    assert said in str(refusal.value)


def test_propensities_are_exact_given_everything_above_and_before(
    build_world: Callable[..., World], now_ms: int
) -> None:
    items = [Item(id=f"p{n}", published_at=now_ms - n * 86_400_000) for n in range(7)]
    counts = {"explore": 0.6, "temperature": 0.3, "count": 2}
    placements = placements_from({"home": counts, "more": counts})
    settings = {"rows": [{"placement": "home", "position": 1}, "more"], "count": 2, "min_items": 1}
    world = build_world(items, has_models=False, placements=placements, pages=pages_from({"own": settings}, placements))
    request = page_request(world.page("own"), DecideRequest(placement=""))
    n = 800
    errors: dict[str, list[float]] = {item.id: [] for item in items}
    for draw in range(n):
        above, below = decide_page(request.page, occasions(request, None, world, now_ms), f"page{draw}").rows
        taken = {item.item_id for item in above.items}
        first = below.items[0]
        assert first.item_id not in taken
        for item in items:
            weight = 1 / first.propensity if item.id == first.item_id else 0.0
            errors[item.id].append(weight - (item.id not in taken))
    for weights in errors.values():
        mean = sum(weights) / n
        spread = (sum((weight - mean) ** 2 for weight in weights) / n) ** 0.5
        assert abs(mean) < 4 * spread / n**0.5
