"""Why an item is not in a slate: each rule says so, all that would keep it out are named, and scores are compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bespeak.decide.decide import decide
from bespeak.decide.occasion import Occasion
from bespeak.decide.person import PersonView
from bespeak.decide.request import DecideRequest, Listed
from bespeak.decide.settings.placements import placements_from
from bespeak.decide.why_not import WhyNot, why_not
from bespeak.decide.world import World
from bespeak.signals.items import Item, Market


def ask(
    world: World,
    now_ms: int,
    missed: str,
    person: PersonView | None = None,
    home: dict[str, Any] | None = None,
    **more: Any,
) -> WhyNot:
    changed = dataclasses.replace(world, placements=placements_from({"home": home or {}}))
    return why_not(Occasion(DecideRequest(**{"placement": "home", **more}), person, changed, now_ms), missed)


def test_what_is_shown_says_where(world: World, now_ms: int) -> None:
    third = decide(Occasion(DecideRequest(placement="home"), None, world, now_ms, "d")).items[2]
    found = ask(world, now_ms, third.item_id)
    assert (found.rules, found.position, found.score) == ((), 3, third.score)
    assert found.text == "It is shown at position 3."


@pytest.mark.parametrize(
    ("rule", "home", "more"),
    [
        ("kind", {"kinds": ["article"]}, {}),
        ("placement_filter", {"filter": "price < 5"}, {}),
        ("filter", {}, {"filter": "genre = 'comedy'"}),
        ("not_listed", {}, {"items": (Listed("comedy1"),)}),
        ("no_match", {}, {"query": "comedy"}),
        ("excluded", {}, {"exclude": ("war9",)}),
        ("itself", {}, {"item": "war9"}),
    ],
)
def test_each_rule_of_placement_and_request_is_named(
    world: World, now_ms: int, rule: str, home: dict[str, Any], more: dict[str, Any]
) -> None:
    found = ask(world, now_ms, "war9", home=home, **more)
    assert (found.rules, found.position, found.score) == ((rule,), None, None)
    assert found.text.startswith("Not shown: ")


def test_what_a_person_did_is_named_beside_every_other_rule(
    world: World, person: Callable[..., PersonView], now_ms: int
) -> None:
    someone = person(("war9", "cart", 2.0), ("war9", "view", 3.0), ("war8", "view", 1.0))
    assert ask(world, now_ms, "war9", someone, exclude=("war9",)).rules == ("cart", "seen", "excluded")
    assert ask(world, now_ms, "war8", someone).rules == ("seen",)
    assert ask(world, now_ms, "war8", someone, home={"hide_seen": {"view": 0}}).rules != ("seen",)


def test_an_item_that_does_not_exist_or_is_sold_out_says_so(build_world: Callable[..., World], now_ms: int) -> None:
    world = build_world([Item(id="gone", title="x", markets={"default": Market(is_available=False)}), Item(id="here")])
    assert ask(world, now_ms, "gone").rules == ("unavailable",)
    assert ask(world, now_ms, "nowhere").rules == ("unknown",)


def test_an_outscored_item_says_by_how_much(world: World, now_ms: int) -> None:
    shown = decide(Occasion(DecideRequest(placement="home"), None, world, now_ms, "d")).items
    found = ask(world, now_ms, "war9", home={"one_per_group": False})
    assert found.rules == ("outscored",)
    assert found.needed is not None
    assert found.score is not None
    assert found.score < found.needed
    assert f"{found.needed - found.score:.3f} more" in found.text
    assert ask(world, now_ms, "war9").needed == shown[-1].score


def test_groups_and_caps_name_the_item_that_took_the_place(world: World, now_ms: int) -> None:
    first = decide(Occasion(DecideRequest(placement="home"), None, world, now_ms, "d")).items[0].item_id
    row = world.catalogue.index[first]
    groups = world.catalogue.groups
    other = next(i for i in range(len(groups)) if i != row and groups[i] == groups[row])
    found = ask(world, now_ms, world.catalogue.item_ids[other])
    assert found.rules == ("group",)
    assert first in found.text
    capped = ask(world, now_ms, world.catalogue.item_ids[other], home={"one_per_group": False, "caps": {"genre": 1}})
    assert capped.rules == ("cap.genre",)
    assert f"`genre` is reached with {first}" in capped.text


def test_a_least_score_and_sources_that_do_not_propose_it_are_named(world: World, now_ms: int) -> None:
    assert ask(world, now_ms, "war9", home={"min_score": 100.0}).rules == ("min_score",)
    found = ask(world, now_ms, "war9", home={"sources": [{"name": "popular", "limit": 3}], "count": 2})
    assert found.rules == ("not_candidate",)
    assert found.score == ask(world, now_ms, "war9", home={"count": 2}).score


def test_diversity_is_named_where_the_score_was_enough(world: World, now_ms: int) -> None:
    settings = {"one_per_group": False, "count": 4}
    plain = dataclasses.replace(world, placements=placements_from({"home": settings}))
    occasion = Occasion(DecideRequest(placement="home"), None, plain, now_ms, "d")
    best = [shown.item_id for shown in decide(occasion).items]
    found = [ask(world, now_ms, item, home={**settings, "diversity": 1.0}) for item in best]
    assert ("diversity",) in {why.rules for why in found}
    assert found[0].position == 1


@pytest.mark.parametrize(
    ("rule", "said", "settings"),
    [
        ("owed.wars", "the share `wars`", {"shares": [{"name": "wars", "filter": "genre = 'war'", "at_least": 1.0}]}),
        ("pinned", "kept for others", {"pins": [{"position": 1, "filter": "genre = 'war'"}], "count": 1}),
        ("cap.mood", "the cap on `mood`", {"caps": {"mood": {"limit": 1, "window": 4}}, "count": 4}),
    ],
)
def test_what_keeps_a_good_item_from_the_positions_is_named_and_is_not_diversity(
    world: World, now_ms: int, rule: str, said: str, settings: dict[str, Any]
) -> None:
    found = [ask(world, now_ms, f"{genre}{n}", home={"one_per_group": False, "count": 3, **settings})
             for genre in ("comedy", "drama") for n in range(10)]  # fmt: skip
    named = [why for why in found if why.rules == (rule,)]
    assert named
    assert all(said in why.text for why in named)
    assert {why.rules for why in found} <= {(rule,), ("outscored",), ("not_candidate",), ()}


@given(
    item=st.sampled_from([f"{genre}{n}" for genre in ("horror", "comedy", "war") for n in range(10)]),
    count=st.integers(1, 12),
    price=st.integers(1, 45),
    exclude=st.lists(st.sampled_from([f"war{n}" for n in range(10)]), max_size=3),
    cap=st.integers(1, 3),
    viewed=st.lists(st.sampled_from([f"horror{n}" for n in range(10)]), max_size=3),
    diversity=st.floats(0, 1),
    pin=st.integers(1, 4),
)
def test_whatever_is_asked_an_item_is_shown_or_a_rule_is_named(
    world: World,
    person: Callable[..., PersonView],
    now_ms: int,
    item: str,
    count: int,
    price: int,
    exclude: list[str],
    cap: int,
    viewed: list[str],
    diversity: float,
    pin: int,
) -> None:
    home = {"caps": {"genre": cap}, "diversity": diversity, "pins": [{"position": pin, "item": "comedy4"}]}
    changed = dataclasses.replace(world, placements=placements_from({"home": home}))
    request = DecideRequest(placement="home", count=count, exclude=tuple(exclude), filter=f"price <= {price}")
    someone = person(*((seen, "view", 1.0) for seen in viewed))
    found = why_not(Occasion(request, someone, changed, now_ms), item)
    shown = [shown.item_id for shown in decide(Occasion(request, someone, changed, now_ms, "d")).items]
    assert found.position == (shown.index(item) + 1 if item in shown else None)
    assert bool(found.rules) == (item not in shown)
    row = world.catalogue.index[item]
    is_dear = bool(world.catalogue.market("default").prices[row] > price)
    assert ("filter" in found.rules, "excluded" in found.rules, "seen" in found.rules) == (
        is_dear, item in exclude, item in viewed)  # fmt: skip
