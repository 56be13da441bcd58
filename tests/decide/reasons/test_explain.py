"""Sentences behind the terms."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable

import pytest

from bespeak.decide.decide import decide
from bespeak.decide.occasion import Occasion
from bespeak.decide.person import PersonView
from bespeak.decide.rankers.score import Weights
from bespeak.decide.request import DecideRequest
from bespeak.decide.serving.model_set import LoadedModel, ModelSet
from bespeak.decide.settings.placements import placements_from
from bespeak.decide.world import World
from bespeak.models.base import Interactions
from bespeak.models.item_weights.ease import Ease
from bespeak.models.neighbours.item_neighbours import ItemNeighbours
from bespeak.signals.decisions import Reason

People = Callable[..., PersonView]
WEEKS_AGO = 24.0 * 21


def reasons(world: World, person: PersonView | None, now_ms: int, placement: str = "home") -> dict[str, list[Reason]]:
    """Item id -> all its reasons, for every eligible item."""
    request = DecideRequest(placement=placement, count=100, explain=True)
    return {shown.item_id: list(shown.reasons) for shown in decide(Occasion(request, person, world, now_ms, "d")).items}


def said(found: dict[str, list[Reason]], signal: str) -> set[str]:
    return {reason.text for terms in found.values() for reason in terms if reason.signal == signal}


@pytest.fixture
def everything(world: World) -> World:
    """Nothing is hidden and groups may repeat, so that every item shows its terms."""
    return dataclasses.replace(
        world, placements=placements_from({"home": {"hide_seen": {}, "exclude_cart": False, "one_per_group": False}})
    )


def test_an_affinity_counts_distinct_items_by_what_was_done(everything: World, person: People, now_ms: int) -> None:
    steps = [(f"war{i}", "view", WEEKS_AGO + i) for i in range(5)] + [
        ("war1", "view", WEEKS_AGO),
        ("war2", "purchase", WEEKS_AGO),
    ]
    found = reasons(everything, person(*steps), now_ms)
    assert said(found, "affinity.genre=war") == {"you bought 1 and viewed 5 items in war"}


def test_what_was_turned_away_from_is_said_and_lowers_the_score(everything: World, person: People, now_ms: int) -> None:
    found = reasons(everything, person(("comedy1", "hide", WEEKS_AGO), ("comedy2", "hide", WEEKS_AGO)), now_ms)
    assert said(found, "affinity.genre=comedy") == {"you hid 2 items in comedy"}
    terms = [reason for reason in found["comedy5"] if reason.signal == "affinity.genre=comedy"]
    assert terms[0].contribution < 0


def test_a_brand_reads_as_from_and_prices_as_usual(everything: World, person: People, now_ms: int) -> None:
    found = reasons(everything, person(("war1", "view", WEEKS_AGO)), now_ms)
    brands = {text for texts in ("b0", "b1", "b2") for text in said(found, f"affinity.brand={texts}")}
    assert len(brands) == 1
    assert brands.pop().startswith("you viewed 1 item from b")
    assert said(found, "fit.price") == {"near the prices you usually choose"}


def test_repeats_tire_and_say_so(everything: World, person: People, now_ms: int) -> None:
    found = reasons(everything, person(*(("war1", "view", WEEKS_AGO + i) for i in range(3))), now_ms)
    terms = [reason for reason in found["war1"] if reason.signal == "repeat"]
    assert [reason.text for reason in terms] == ["you came across this 3 times before"]
    assert terms[0].contribution < 0


def test_people_are_mentioned_only_where_five_of_them_stand_behind_a_pair(
    everything: World, person: People, now_ms: int
) -> None:
    many = reasons(everything, person(("horror0", "view", WEEKS_AGO)), now_ms)
    assert "people who viewed Horror film 0 also viewed this" in said(many, "just_viewed")


@pytest.mark.parametrize(("n_people", "is_named"), [(4, False), (5, True)])
def test_a_sentence_names_two_items_together_only_from_five_people_on(
    everything: World, person: People, now_ms: int, n_people: int, is_named: bool
) -> None:
    """The links of EASE join war and horror films, which have no content in common; the first of them comes often."""
    users = [f"u{i}" for i in range(n_people) for _ in range(2)] + ["u0"] * 100
    items = ["horror0", "war9"] * n_people + ["horror0", "war9"] * 50
    log = Interactions.from_events(users, items, item_ids=everything.catalogue.item_ids)
    models = [Ease(l2=1.0).fit(log), ItemNeighbours(shrinkage=0.0).fit(log)]
    few = ModelSet.build([LoadedModel.of(model, 1) for model in models], everything.catalogue)
    found = reasons(dataclasses.replace(everything, models=few), person(("horror0", "view", WEEKS_AGO)), now_ms)
    told = {reason.signal: reason.text for reason in found["war9"]}
    assert ("people who viewed Horror film 0 also viewed this" in told.values()) is is_named
    assert told["model.ease"] == ("because you viewed Horror film 0" if is_named else "goes with what you chose before")
    assert any("Horror film 0" in text for text in told.values()) is is_named


def test_content_speaks_for_a_pair_behind_which_too_few_people_stand(
    everything: World, person: People, now_ms: int
) -> None:
    log = Interactions.from_events(
        [f"u{i}" for i in range(4) for _ in range(2)],
        ["horror0", "horror1"] * 4,
        item_ids=everything.catalogue.item_ids,
    )
    alike = [model.loaded for model in everything.models.models if model.name == "content"]
    loaded = [LoadedModel.of(model.fit(log), 1) for model in (Ease(l2=1.0), ItemNeighbours(shrinkage=0.0))]
    models = ModelSet.build([*loaded, *alike], everything.catalogue)
    found = reasons(dataclasses.replace(everything, models=models), person(("horror0", "view", WEEKS_AGO)), now_ms)
    told = {reason.signal: reason.text for reason in found["horror1"]}
    assert told["model.ease"] == "like Horror film 0, which you viewed"
    assert told["just_viewed"] == "because you viewed Horror film 0", "pulled in by content"
    assert not any("people who" in text for text in told.values())


def test_new_items_say_how_new_they_are(everything: World, now_ms: int) -> None:
    assert said(reasons(everything, None, now_ms), "fresh") == {"new this week", "new this month", "fairly new"}


def test_an_unknown_verb_or_item_never_breaks_a_reason(everything: World, person: People, now_ms: int) -> None:
    found = reasons(everything, person(("gone", "view", WEEKS_AGO), ("war1", "custom", 1.0)), now_ms)
    assert len(found) == len(everything.catalogue)


def test_similar_names_the_item_that_was_asked_about(world: World, now_ms: int) -> None:
    request = DecideRequest(placement="similar", item="war9", explain=True)
    decision = decide(Occasion(request, None, world, now_ms, "d"))
    texts = {reason.text for shown in decision.items for reason in shown.reasons}
    assert {"similar to War film 9", "much in common with War film 9"} & texts


@pytest.mark.parametrize("placement", ["home", "similar"])
def test_a_decision_leaves_nothing_to_the_garbage_collector(
    world: World, person: People, now_ms: int, placement: str
) -> None:
    """What is part of a cycle stays until the collector comes, and with it every array of the decision."""
    view = person(("war1", "view", 1.0), ("war2", "purchase", WEEKS_AGO), ("comedy1", "hide", 2.0))
    reasons(world, view, now_ms, placement)  # what is made at first use stays
    gc.collect()
    gc.disable()
    try:
        reasons(world, view, now_ms, placement)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_removing_the_top_reason_of_learned_weights_changes_the_score_by_its_contribution(
    everything: World, person: People, now_ms: int
) -> None:
    someone = person(("war1", "view", 1.0), ("war2", "purchase", WEEKS_AGO), ("comedy1", "view", WEEKS_AGO))
    learned = {"affinity.genre": 2.7, "model.ease": 0.31, "session.genre": 0.0, "popular": 1.9, "repeat": -0.123}
    world = dataclasses.replace(everything, learned={"home": Weights(learned=learned, version=2)})
    request = DecideRequest(placement="home", count=40, explain=True)
    for item in decide(Occasion(request, someone, world, now_ms, "d")).items:
        top = item.reasons[0]
        signal = top.signal.partition("=")[0]
        without = Weights(learned={**learned, signal: 0.0})
        bare = decide(Occasion(request, someone, dataclasses.replace(world, learned={"home": without}), now_ms, "d"))
        other = next(o for o in bare.items if o.item_id == item.item_id)
        assert item.score - other.score == pytest.approx(top.contribution, abs=1e-12)
        assert top.contribution == top.value * top.weight
        assert top.weight == learned.get(signal, top.weight)
