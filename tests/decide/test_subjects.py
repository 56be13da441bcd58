"""What a slate is about, and what stands above it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from bespeak.decide.decide import decide
from bespeak.decide.occasion import Occasion
from bespeak.decide.person import PersonView
from bespeak.decide.reading import Reading
from bespeak.decide.request import DecideRequest
from bespeak.decide.serving.model_set import LoadedModel, ModelSet
from bespeak.decide.settings.placements import placements_from
from bespeak.decide.subjects import subjects
from bespeak.decide.world import World
from bespeak.models.interactions import Interactions
from bespeak.models.neighbours.bought_together import BoughtTogether
from bespeak.signals.decisions import Decision
from bespeak.signals.events import Context

People = Callable[..., PersonView]


def asked(world: World, who: PersonView | None, now_ms: int, placement: str, **more: Any) -> Decision:
    return decide(Occasion(DecideRequest(placement=placement, **more), who, world, now_ms, "d"))


def genres(world: World, decision: Decision) -> set[str]:
    facet = world.catalogue.facets["genre"]
    return {value for item in decision.items for value in facet.values_at(world.catalogue.index[item.item_id])}


def test_a_row_is_about_the_item_that_was_watched_most_lately(world: World, person: People, now_ms: int) -> None:
    who = person(("horror1", "watch", 2), ("comedy1", "watch", 24 * 30), ("drama1", "view", 1))
    decision = asked(world, who, now_ms, "because_you_watched")
    assert decision.heading == "Because you watched Horror film 1"
    assert decision.about == {"item": "horror1"}
    assert "horror1" not in [item.item_id for item in decision.items]
    german = asked(world, who, now_ms, "because_you_watched", context=Context(locale="de-AT"))
    assert german.heading == "Weil du Horror film 1 gesehen hast"


def test_a_request_names_the_item_or_the_value(world: World, person: People, now_ms: int) -> None:
    who = person(("horror1", "watch", 2))
    assert asked(world, who, now_ms, "because_you_watched", item="war3").about == {"item": "war3"}
    decision = asked(world, who, now_ms, "genres", value="war")
    assert (decision.heading, decision.about) == ("war", {"facet": "genre", "value": "war"})
    assert genres(world, decision) == {"war"}


def test_a_row_of_a_genre_is_about_the_one_they_like_most_and_shows_nothing_else(
    world: World, person: People, now_ms: int
) -> None:
    decision = asked(
        world, person(("horror1", "view", 1), ("horror2", "view", 2), ("war1", "view", 3)), now_ms, "genres"
    )
    assert decision.heading == "horror"
    assert genres(world, decision) == {"horror"}


def test_values_come_by_liking_then_by_popularity_and_never_what_they_turn_from(
    world: World, person: People, now_ms: int
) -> None:
    who = person(("war1", "view", 1), ("comedy1", "dislike", 1))
    found = subjects(Reading.of(who, world, now_ms), world.placement("genres"), 9)
    facet = world.catalogue.facets["genre"]
    assert [facet.vocabulary[subject.value[1]] for subject in found if subject.value] == ["war", "drama"]
    nobody = subjects(Reading.of(None, world, now_ms), world.placement("genres"), 9)
    assert [facet.vocabulary[subject.value[1]] for subject in nobody if subject.value] == ["comedy", "drama"]


def test_an_unknown_value_is_left_out_of_account_and_said_so(world: World, now_ms: int) -> None:
    decision = asked(world, None, now_ms, "genres", value="opera")
    assert decision.heading == ""
    assert any("value asked about" in note for note in decision.notes)


def test_a_value_where_the_placement_is_about_none_is_left_out_of_account(world: World, now_ms: int) -> None:
    decision = asked(world, None, now_ms, "home", value="horror")
    assert any("about no facet" in note for note in decision.notes)


def test_new_for_you_shows_only_what_is_new(world: World, person: People, now_ms: int) -> None:
    placements = placements_from({"new_for_you": {"new_days": 10, "count": 40}})
    new = dataclasses.replace(world, placements=placements)
    decision = asked(new, person(("horror1", "view", 1)), now_ms, "new_for_you")
    born = world.catalogue.born_ms[[world.catalogue.index[item.item_id] for item in decision.items]]
    assert len(born)
    assert (born > now_ms - 10 * 86_400_000).all()
    assert decision.removed["old"] == 30


def test_complements_go_with_the_cart_and_are_not_in_it(world: World, person: People, now_ms: int) -> None:
    decision = asked(world, person(("horror1", "cart", 1)), now_ms, "complements")
    assert decision.items[0].item_id.startswith("horror")
    assert "horror1" not in [item.item_id for item in decision.items]
    assert "cart" in decision.items[0].sources


def test_what_was_bought_with_the_cart_leads_the_complements_and_no_other_placement(
    world: World, person: People, now_ms: int
) -> None:
    catalogue = world.catalogue
    rows = [(f"u{n}", item) for n in range(8) for item in ("horror1", "war9")]
    model = BoughtTogether().fit(Interactions.from_events([u for u, _ in rows], [i for _, i in rows]))
    loaded = [mapped.loaded for mapped in world.models.models]
    knowing = dataclasses.replace(world, models=ModelSet.build([*loaded, LoadedModel.of(model, 1)], catalogue))
    who = person(("horror1", "cart", 1))
    decision = asked(knowing, who, now_ms, "complements")
    assert decision.items[0].item_id == "war9"
    assert decision.items[0].reasons[0].text == "bought together with Horror film 1, which is in your cart"
    home = asked(knowing, who, now_ms, "home", explain=True)
    assert not any("bought_together" in name for item in home.items for name in item.features)


def test_rows_are_about_one_item_of_a_group_each(world: World, person: People, now_ms: int) -> None:
    who = person(
        ("horror0", "watch", 2), ("horror1", "watch", 3), ("comedy4", "watch", 4)
    )  # the first two are variants
    found = subjects(Reading.of(who, world, now_ms), world.placement("because_you_watched"), 3)
    assert [world.catalogue.item_ids[subject.item] for subject in found] == ["horror0", "comedy4"]
