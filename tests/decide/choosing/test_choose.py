"""Which variant is shown, with which probability, and what the record says."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from bespeak.decide.answer import answer, answer_without
from bespeak.decide.choosing.choose import NOT_LEARNED
from bespeak.decide.launch import CONTROL, PERSONALIZED, Assigned
from bespeak.decide.occasion import Occasion
from bespeak.decide.person import PersonView
from bespeak.decide.request import DecideRequest, Listed
from bespeak.decide.variants.bandits import ArmSums, Posterior
from bespeak.decide.variants.settings import variants_from
from bespeak.decide.variants.when import Names
from bespeak.decide.world import World
from bespeak.errors import InvalidInput, UnknownName
from bespeak.signals.decisions import Decision
from bespeak.signals.events import Context
from bespeak.signals.ids import ANONYMOUS_ID, USER_ID, IdKey

HERO = DecideRequest(placement="hero")
ANN, PHONE = IdKey(USER_ID, "ann"), IdKey(ANONYMOUS_ID, "phone")


def under(world: World, **settings: Any) -> World:
    section = {"kind": "variant", "variants": ["plain", "loud", "short"], **settings}
    variants = variants_from({"hero": section}, Names(classes=world.classes))
    return dataclasses.replace(world, variants=variants, policies={"hero": 4})


def taken(decision: Decision) -> tuple[str, str, float]:
    shown = decision.items[0]
    return shown.item_id, shown.sources[0], shown.propensity


def test_the_first_line_that_holds_decides(world: World, person: Callable[..., PersonView], now_ms: int) -> None:
    lines = ["views_7d >= 2 show loud", "context.device = 'mobile' show short", "TRUE show plain"]
    led = under(world, when=lines, split={"loud": 1.0})
    viewer = person(("horror0", "view", 2.0), ("horror1", "view", 1.0))
    on_phone = DecideRequest(placement="hero", context=Context(device="mobile"))
    assert taken(answer(Occasion(on_phone, viewer, led, now_ms, "d1"))) == ("loud", "rule", 1.0)
    assert taken(answer(Occasion(on_phone, None, led, now_ms, "d1"))) == ("short", "rule", 1.0)
    assert taken(answer(Occasion(HERO, None, led, now_ms, "d1"))) == ("plain", "rule", 1.0)


def test_the_reason_of_what_is_learned_is_said_as_the_owner_would(world: World, now_ms: int) -> None:
    def reason(rewards: dict[int, list[float]], draw: str = "", **settings: Any) -> str:
        led = under(world, learn="thompson", **settings)
        placement = led.variants["hero"]
        arms = np.array([arm for arm, came in rewards.items() for _ in came], np.int64)
        came = np.array([reward for given in rewards.values() for reward in given])
        contexts = np.eye(1, placement.settings.dimension).repeat(len(arms), axis=0)
        sums = ArmSums.of(contexts, arms, came, n_arms=len(placement.arms))
        known = {("hero", placement.learning_digest): Posterior(sums, ridge=1e-9)}
        asked = msgspec.structs.replace(HERO, context=Context(device="mobile"))
        decision = answer(Occasion(asked, None, dataclasses.replace(led, posteriors=known), now_ms, draw))
        return decision.items[0].reasons[0].text

    assert reason({}) == NOT_LEARNED
    assert reason({0: [1.0, 0.0], 1: [0.0]}) == "earns about 0.5 a time; shown so far: 2"
    assert reason({0: [1.0], 1: [0.0]}, features=["device"]) == (
        "earns about 1 a time for a visitor of whom nothing is known; shown so far: 1"
    )
    drawn = {reason({0: [-1.0], 1: [-1.0, 0.0]}, draw=f"d{n}") for n in range(20)}
    assert "has not been shown yet; the others earn about -0.667 a time" in drawn


def test_of_somebody_unknown_the_profile_is_empty(world: World, now_ms: int) -> None:
    led = under(world, when=["orders = 0 AND views_7d = 0 show loud"])
    assert taken(answer(Occasion(HERO, None, led, now_ms, "d1"))) == ("loud", "rule", 1.0)


def test_who_refused_is_led_by_nothing_of_their_profile(
    world: World, person: Callable[..., PersonView], now_ms: int
) -> None:
    led = under(world, when=["events >= 0 show loud"])
    decision = answer(Occasion(HERO, person(("horror0", "view", 2.0), granted=["essential"]), led, now_ms, "d1"))
    assert taken(decision) == ("plain", "default", 1.0)
    assert (decision.mode, decision.person) == ("non_profiled", None)


def test_a_split_is_sticky_and_its_shares_are_the_propensities(world: World, now_ms: int) -> None:
    led = under(world, split={"loud": 0.3, "short": 0.2})
    seen: Counter[str] = Counter()
    for n in range(2_000):
        one, again = (answer(Occasion(HERO, None, led, now_ms, d, ids=[IdKey(USER_ID, f"u{n}")])) for d in ("d1", "d2"))
        assert taken(one) == taken(again)
        variant, source, share = taken(one)
        assert source == "split"
        assert share == {"plain": 0.5, "loud": 0.3, "short": 0.2}[variant]
        seen[variant] += 1
    assert all(abs(seen[name] - 2_000 * share) < 90 for name, share in (("plain", 0.5), ("loud", 0.3), ("short", 0.2)))


def test_a_split_by_device_does_not_move_at_log_in(world: World, now_ms: int) -> None:
    led = under(world, split={"loud": 0.5}, sticky="device")
    for n in range(30):
        phone = IdKey(ANONYMOUS_ID, f"a{n}")
        known, unknown = (answer(Occasion(HERO, None, led, now_ms, "d", ids=ids)) for ids in ([ANN, phone], [phone]))
        assert taken(known) == taken(unknown)


def test_who_has_no_id_is_drawn_by_the_decision(world: World, now_ms: int) -> None:
    led = under(world, split={"loud": 0.5})
    drawn = [taken(answer(Occasion(HERO, None, led, now_ms, f"d{n}")))[0] for n in range(200)]
    assert 70 < drawn.count("loud") < 130
    assert drawn == [taken(answer(Occasion(HERO, None, led, now_ms, f"d{n}")))[0] for n in range(200)]


def test_the_control_of_a_launch_gets_the_default_and_is_read_nothing_of(
    world: World, person: Callable[..., PersonView], now_ms: int
) -> None:
    led = under(world, when=["TRUE show loud"], launch=0.5)
    someone = person(("horror0", "view", 2.0))
    control, treated = (
        answer(Occasion(HERO, someone, led, now_ms, "d1", Assigned.to_launch("hero-launch", variant)))
        for variant in (CONTROL, PERSONALIZED)
    )
    assert (taken(control), control.mode, control.person) == (("plain", "default", 1.0), "anonymous", someone.person)
    assert taken(treated) == ("loud", "rule", 1.0)
    assert control.experiment == {"name": "hero-launch", "variant": CONTROL}


def test_the_record_says_what_it_was_made_with(world: World, person: Callable[..., PersonView], now_ms: int) -> None:
    someone = person(("horror0", "view", 2.0))
    decision = answer(Occasion(HERO, someone, under(world), now_ms, "d1"))
    assert (decision.kind, decision.policy, decision.config_version) == ("variant", "hero@4", 2)
    assert (decision.person, decision.purposes, decision.mode) == (7, someone.purposes, "profiled")
    assert decision.n_candidates == 3


def test_the_fallback_is_the_default(world: World, now_ms: int) -> None:
    decision = answer_without(Occasion(HERO, None, under(world, when=["TRUE show loud"]), now_ms, "d1"), "no time")
    assert (taken(decision), decision.mode, decision.notes) == (("plain", "default", 1.0), "fallback", ("no time",))


@pytest.mark.parametrize("asked", [{"query": "x"}, {"filter": "price < 1"}, {"items": (Listed("a"),)}])
def test_items_cannot_be_asked_for(world: World, now_ms: int, asked: dict[str, Any]) -> None:
    request = DecideRequest(placement="hero", **asked)
    for decide in (answer, answer_without):
        with pytest.raises(InvalidInput, match=next(iter(asked))):
            decide(Occasion(request, None, under(world), now_ms, "d1"))


def test_a_placement_with_variants_is_none_with_items_and_the_other_way_round(world: World) -> None:
    led = under(world)
    with pytest.raises(InvalidInput, match="shows one of its variants"):
        led.placement("hero")
    with pytest.raises(UnknownName, match="hero"):
        led.variant_placement("home")
