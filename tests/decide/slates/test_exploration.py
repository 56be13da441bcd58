"""When positions are drawn, by what, and for whom nothing is tried."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bespeak.decide.decide import decide, fallback
from bespeak.decide.launch import CONTROL, PERSONALIZED, Assigned
from bespeak.decide.occasion import Occasion
from bespeak.decide.person import PersonView
from bespeak.decide.request import DecideRequest
from bespeak.decide.settings.placements import placements_from
from bespeak.decide.slates.exploration import Exploration, numbers_of
from bespeak.decide.world import World
from bespeak.signals.decisions import Decision

HOME = DecideRequest(placement="home", count=5)
THREE_VIEWS = (("horror7", "view", 0.2), ("horror8", "view", 0.1), ("horror9", "view", 0.05))
GOLDEN = [0.848846324981, 0.599269995804, 0.584149205126]


@pytest.fixture(scope="module")
def exploring(world: World) -> World:
    return under(world, explore=0.5, temperature=0.5)


def under(world: World, **settings: Any) -> World:
    return dataclasses.replace(world, placements=placements_from({"home": settings}))


def slate(decision: Decision) -> list[tuple[str, float]]:
    return [(shown.item_id, shown.propensity) for shown in decision.items]


def drawn(world: World, now_ms: int, decision_id: str, person: PersonView | None = None) -> list[tuple[str, float]]:
    return slate(decide(Occasion(HOME, person, world, now_ms, decision_id)))


def test_a_decision_id_repeats_its_draw_and_another_draws_anew(exploring: World, now_ms: int) -> None:
    assert drawn(exploring, now_ms, "d1") == drawn(exploring, now_ms, "d1")
    assert len({tuple(drawn(exploring, now_ms, f"d{n}")) for n in range(20)}) > 15


def test_another_seed_and_another_placement_draw_otherwise(exploring: World, now_ms: int) -> None:
    assert drawn(dataclasses.replace(exploring, seed=8), now_ms, "d1") != drawn(exploring, now_ms, "d1")
    assert numbers_of(1, "home", "d", 3).tolist() != numbers_of(1, "similar", "d", 3).tolist()


def test_the_numbers_of_a_decision_stay_what_they_are() -> None:
    """A record can be drawn again in years, so a change of these is a change of the product."""
    assert [round(number, 12) for number in numbers_of(1, "home", "d1", 3).tolist()] == GOLDEN


def test_propensities_are_logged_and_below_one(exploring: World, now_ms: int) -> None:
    chances = [chance for n in range(20) for _, chance in drawn(exploring, now_ms, f"d{n}")]
    assert all(0 < chance < 1 for chance in chances)


def test_nothing_is_drawn_for_a_preview_or_where_the_placement_does_not_explore(
    exploring: World, world: World, now_ms: int
) -> None:
    preview = Occasion(HOME, None, exploring, now_ms, "d1", is_preview=True)
    assert slate(decide(preview)) == drawn(world, now_ms, "d1") == drawn(world, now_ms, "d2")


def test_control_those_who_refused_profiling_and_the_fallback_are_not_explored_on(
    exploring: World, world: World, person: Callable[..., PersonView], now_ms: int
) -> None:
    someone = person(*THREE_VIEWS)
    control, treated = (Assigned.to_launch("home-launch", variant) for variant in (CONTROL, PERSONALIZED))
    best = slate(decide(Occasion(HOME, None, world, now_ms, "d1")))
    assert slate(decide(Occasion(HOME, someone, exploring, now_ms, "d1", control))) == best
    assert slate(decide(Occasion(HOME, someone, exploring, now_ms, "d1", treated))) != best
    refused = person(*THREE_VIEWS, granted=["essential"])
    assert {tuple(drawn(exploring, now_ms, f"d{n}", refused)) for n in range(5)} == {tuple(best)}
    assert all(chance == 1.0 for _, chance in slate(fallback(Occasion(HOME, None, exploring, now_ms, "d1"))))


def test_only_new_items_are_tried_where_the_placement_says_so(world: World, now_ms: int) -> None:
    """Item i of the world came out i days ago."""
    new = under(world, explore=1.0, explore_new_days=3.5)
    age = {item.id: n for n, item in enumerate(world.catalogue.items)}
    ever = set()
    for n in range(50):
        shown = [age[item] for item, _ in drawn(new, now_ms, f"d{n}")]
        assert set(shown[:4]) == {0, 1, 2, 3}  # one chance in four, in three, in two, in one
        ever.add(tuple(shown[:4]))
    assert len(ever) > 10
    assert [round(chance, 9) for _, chance in drawn(new, now_ms, "d1")] == [0.25, round(1 / 3, 9), 0.5, 1.0, 1.0]


def test_a_small_temperature_lets_close_scores_take_turns_and_a_large_one_all() -> None:
    scores, is_open = np.array([1.0, 1.0, 0.0]), np.ones(3, np.bool_)
    cold = Exploration(0.3, temperature=0.01).probabilities(scores, is_open)
    assert cold == pytest.approx([0.45, 0.45, 0.1])
    hot = Exploration(0.3, temperature=1e9).probabilities(scores, is_open)
    assert hot == pytest.approx([1 / 3] * 3)
