"""Policies that decide side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from bespeak.decide.launch import Assigned
from bespeak.decide.occasion import Occasion
from bespeak.decide.person import PersonView
from bespeak.decide.reading import Reading
from bespeak.decide.request import DecideRequest
from bespeak.decide.settings.placements import placements_from
from bespeak.decide.trial import INTERLEAVED, Policy, Trial
from bespeak.decide.trying.by_policy import decide_by_policy
from bespeak.decide.world import World
from bespeak.errors import InvalidInput
from bespeak.measure.assignment import Experiment

HOME = DecideRequest(placement="home")
VARIED = Policy("home@2", placements_from({"home": {"diversity": 0.5}})["home"])


def beside(world: World) -> tuple[World, Assigned | None]:
    return dataclasses.replace(world, shadows={"home": VARIED}), None


def mixed(world: World) -> tuple[World, Assigned | None]:
    arms = {"plain": Policy("home@1", world.placement("home")), "varied": VARIED}
    spread = Experiment(name="mix", variants=(("plain", 0.5), ("varied", 0.5)), seed="1")
    trial = Trial("mix", "home", "interleave", spread, arms)
    return dataclasses.replace(world, trials={"home": [trial]}), Assigned("mix", INTERLEAVED)


@pytest.mark.parametrize("arrange", [beside, mixed])
def test_policies_side_by_side_read_the_profile_once(
    arrange: Callable[[World], tuple[World, Assigned | None]],
    world: World,
    person: Callable[..., PersonView],
    now_ms: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[PersonView | None] = []
    of = Reading.of
    monkeypatch.setattr(Reading, "of", lambda who, *rest: read.append(who) or of(who, *rest))
    arranged, assigned = arrange(world)
    someone = person(("horror1", "view", 2.0))
    decision = decide_by_policy(Occasion(HOME, someone, arranged, now_ms, "d1", assigned))
    assert read == [someone]
    assert decision.shadow if assigned is None else {item.team for item in decision.items} == {"plain", "varied"}


@pytest.mark.parametrize("wrong", [{"filter": "nosuch = 1"}, {"filter": "price <"}, {"market": "mars"}])
def test_what_is_wrong_is_refused_in_the_arm_of_another_system_too(
    wrong: dict[str, str], world: World, person: Callable[..., PersonView], now_ms: int
) -> None:
    spread = Experiment(name="rivals", variants=(("ours", 0.5), ("theirs", 0.5)), seed="1")
    arms = {"ours": VARIED, "theirs": None}
    tried = dataclasses.replace(world, trials={"home": [Trial("rivals", "home", "ab", spread, arms)]})
    for variant in arms:
        request = DecideRequest(placement="home", **wrong)
        with pytest.raises(InvalidInput):
            decide_by_policy(Occasion(request, person(), tried, now_ms, "d1", Assigned("rivals", variant)))
    theirs = Occasion(HOME, person(), tried, now_ms, "d1", Assigned("rivals", "theirs"))
    assert decide_by_policy(theirs).items == ()
