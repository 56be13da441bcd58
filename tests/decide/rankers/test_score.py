"""Weights and the linear score."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from bespeak.decide.decide import decide
from bespeak.decide.occasion import Occasion
from bespeak.decide.person import PersonView
from bespeak.decide.rankers.score import PRIOR_WEIGHTS, Weights, linear
from bespeak.decide.request import DecideRequest
from bespeak.decide.world import World


def test_the_most_exact_rule_wins_and_a_placement_wins_over_the_table() -> None:
    weights = Weights({"model.*": 1.0, "model.best": 3.0, "model.content": 2.0, "popular": 5.0})
    names = ["model.ease", "model.content", "model.other", "popular", "unheard"]
    assert weights.of(names, "ease").tolist() == [3.0, 2.0, 1.0, 5.0, 0.0]
    assert weights.of(names, "", {"model.*": 9.0}).tolist() == [9.0, 9.0, 9.0, 5.0, 0.0]
    assert weights.of(["model.content"], "content").tolist() == [2.0]  # its own name is more exact than `best`


def test_the_terms_add_up_to_the_score() -> None:
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=(500, 40)), rng.normal(size=40)
    scored = linear(values, weights)
    assert (scored.contributions == values * weights).all()
    assert np.abs(scored.contributions.sum(axis=1) - scored.scores).max() < 1e-12
    assert scored.scores == pytest.approx(values @ weights)


def test_removing_a_reason_changes_the_score_by_exactly_its_contribution() -> None:
    values, weights = np.array([[0.5, -1.0, 2.0]]), np.array([1.0, 2.0, 0.25])
    whole = linear(values, weights)
    without = linear(values * [1, 0, 1], weights)
    assert whole.scores[0] - without.scores[0] == whole.contributions[0, 1]


def test_only_what_tires_weighs_negative_by_default() -> None:
    assert {name for name, weight in PRIOR_WEIGHTS.items() if weight < 0} == {"repeat", "fatigue"}


def test_learned_weights_hold_only_for_people_who_are_known(
    world: World, person: Callable[..., PersonView], now_ms: int
) -> None:
    learned = dataclasses.replace(world, learned={"home": Weights(learned={"popular": -9.0}, version=3)})
    request = DecideRequest(placement="home", count=5)

    def scored(whom: PersonView | None, world: World) -> tuple[int, list[float]]:
        decision = decide(Occasion(request, whom, world, now_ms, "d"))
        return decision.weights_version, [item.score for item in decision.items]

    someone, nobody_yet = person(("war1", "view", 1.0)), person()
    assert scored(someone, learned)[0] == 3
    for unknown in (None, nobody_yet):
        assert scored(unknown, learned) == scored(unknown, world)
