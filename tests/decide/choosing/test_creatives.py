"""With which creative an item is shown, with which probability, and what the answer says of it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from bespeak.decide.answer import answer, answer_without
from bespeak.decide.launch import CONTROL, Assigned
from bespeak.decide.occasion import Occasion
from bespeak.decide.person import PersonView
from bespeak.decide.reply import reply
from bespeak.decide.request import DecideRequest
from bespeak.decide.settings.placements import placements_from
from bespeak.decide.variants.creative_sums import CreativeSums
from bespeak.decide.world import World
from bespeak.signals.events import Context
from bespeak.signals.items import Creative, Item

HOME = DecideRequest(placement="home", count=10)
FUNNY = Creative(id="funny", title="What a laugh", image_url="/funny.jpg", attributes={"genre": "comedy"})
DARK = Creative(id="dark", attributes={"genre": ["horror", "war"]})


@pytest.fixture(scope="module")
def titles(build_world: Callable[..., World], build_items: Callable[[int], list[Item]]) -> World:
    """Every second item has two creatives, the first of the others one."""
    items = build_items(12)
    pairs = [[FUNNY, DARK] if n % 2 else [FUNNY] if n == 0 else [] for n in range(12)]
    changed = [msgspec.structs.replace(item, creatives=pair) for item, pair in zip(items, pairs, strict=True)]
    return build_world(changed, has_models=False)


def under(world: World, **settings: Any) -> World:
    return dataclasses.replace(world, placements=placements_from({"home": {"creatives": settings, "hide_seen": {}}}))


def shown(world: World, now_ms: int, person: PersonView | None = None, draw: str = "d1", **more: Any) -> dict[str, Any]:
    request = msgspec.structs.replace(HOME, context=more.pop("context", Context()))
    made = answer(Occasion(request, person, world, now_ms, draw, **more))
    return {item.item_id: item.creative for item in made.items if item.creative}


def test_the_first_creative_is_shown_where_nothing_else_is_said(titles: World, now_ms: int) -> None:
    found = shown(titles, now_ms)
    assert len(found) > 3
    assert {(c["id"], c["propensity"]) for c in found.values()} == {("funny", 1.0)}


def test_the_creative_that_a_person_likes_is_shown(
    titles: World, person: Callable[..., PersonView], now_ms: int
) -> None:
    led = under(titles, choose="affinity")
    fan = person(("horror0", "view", 2.0), ("horror1", "view", 1.0))
    found = {c["id"] for item, c in shown(led, now_ms, fan).items() if item != "horror0"}
    assert found == {"dark"}
    assert {c["id"] for c in shown(led, now_ms).values()} == {"funny"}
    refused = person(("horror0", "view", 2.0), granted=["essential"])
    assert {c["id"] for c in shown(led, now_ms, refused).values()} == {"funny"}


def test_lines_come_first_and_only_where_an_item_has_the_creative(titles: World, now_ms: int) -> None:
    led = under(titles, when=["context.device = 'tv' show wide", "context.device = 'tv' show dark"])
    found = shown(led, now_ms, context=Context(device="tv"))
    assert {c["id"] for item, c in found.items() if item != "horror0"} == {"dark"}
    assert {c["id"] for c in shown(led, now_ms).values()} == {"funny"}


def test_what_is_learned_is_drawn_with_its_propensity(titles: World, now_ms: int) -> None:
    rows = [("comedy0", "funny", 1.0, 0.0)] * 40 + [("comedy0", "dark", 1.0, 1.0)] * 40
    led = under(titles, choose="thompson", explore=0.2)
    key = "home", led.placement("home").creatives.learning_digest()
    led = dataclasses.replace(led, creative_sums={key: CreativeSums.of(rows)})
    seen: Counter[str] = Counter()
    weights = []
    for n in range(400):
        creative = shown(led, now_ms, draw=f"d{n}")["comedy0"]
        seen[creative["id"]] += 1
        weights.append(0.5 / creative["propensity"])
    assert 0.85 < seen["dark"] / 400 < 0.95
    assert abs(sum(weights) / 400 - 1) < 0.6
    assert shown(led, now_ms, is_preview=True)["comedy0"] == {"id": "dark", "propensity": 1.0}
    assert shown(led, now_ms, draw="d1") == shown(led, now_ms, draw="d1")


def test_nothing_is_tried_on_those_who_refused_and_on_the_control(
    titles: World, person: Callable[..., PersonView], now_ms: int
) -> None:
    led = under(titles, choose="thompson", explore=0.5)
    refused = person(("horror0", "view", 2.0), granted=["essential"])
    in_control = Assigned.to_launch("home-launch", CONTROL)
    for n in range(10):
        control = shown(led, now_ms, person(("horror0", "view", 1.0)), f"d{n}", assigned=in_control)
        for found in (control, shown(led, now_ms, refused, f"d{n}")):
            assert {c["propensity"] for c in found.values()} == {1.0}
    made = answer_without(Occasion(HOME, None, led, now_ms, "d1"))
    assert {item.creative["propensity"] for item in made.items if item.creative} == {1.0}


def test_the_answer_shows_the_item_with_its_creative(titles: World, now_ms: int) -> None:
    made = answer(Occasion(HOME, None, titles, now_ms, "d1"))
    entries = {entry["id"]: entry for entry in reply(made, titles.catalogue)["items"]}
    entry = entries["comedy0"]
    assert entry["creative"] == {"id": "funny", "propensity": 1.0}
    assert (entry["properties"]["title"], entry["properties"]["imageUrl"]) == ("What a laugh", "/funny.jpg")
    assert entry["properties"]["creative"] == {"genre": "comedy"}


def test_sums_fade_and_come_back_from_bytes() -> None:
    sums = CreativeSums.of([("p", "a", 1.0, 2.0), ("p", "b", 1.0, 0.0)])
    assert sums.times(0.5).of_items == {"p": {"a": (0.5, 1.0, 2.0), "b": (0.5, 0.0, 0.0)}}
    assert CreativeSums.read(sums.packed()).of_items == sums.of_items
    assert CreativeSums.read(None).of_items == {}
