"""Items that no model knows are shown at once by what they are like, and say so."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from bespeak.catalogue.snapshot import CatalogueSnapshot
from bespeak.decide.decide import decide
from bespeak.decide.occasion import Occasion
from bespeak.decide.person import PersonView
from bespeak.decide.request import DecideRequest
from bespeak.decide.serving.model_set import ModelSet
from bespeak.decide.serving.new_items import Lending
from bespeak.decide.situation import Situation
from bespeak.decide.world import World
from bespeak.models.content import Content
from bespeak.models.new_items import may_lend
from bespeak.signals.items import Item

People = Callable[..., PersonView]
ITEM_DAYS_MS = 400 * 86_400_000


def item_like(genre: str, name: str) -> Item:
    """A film of a genre; published long ago, so that only its likeness can lift it."""
    return Item(id=name, title=f"{genre.title()} film", attributes={"genre": [genre]}, published_at=ITEM_DAYS_MS)


def content_of(world: World) -> Content:
    model = world.models.named("content")
    assert model is not None
    assert isinstance(model.loaded.model, Content)
    return model.loaded.model


def people_of(world: World) -> np.ndarray:
    """The first items of each genre are known, as in the world of the tests: the last ones nobody has touched."""
    return np.array([8 if int(item_id[-1]) < 8 else 0 for item_id in world.catalogue.item_ids], np.int64)


@pytest.fixture
def lending(world: World) -> Lending:
    return Lending(content_of(world), people_of(world))


@pytest.fixture
def grown(world: World, build_world: Callable[..., World], lending: Lending) -> World:
    """The world after two films came in: one of horror, one of war."""
    items = [*world.catalogue.items, item_like("horror", "late_horror"), item_like("war", "late_war")]
    larger = build_world(items, has_models=False)
    models = ModelSet.build([model.loaded for model in world.models.models], larger.catalogue, lending)
    return dataclasses.replace(larger, models=models)


def slate(world: World, who: PersonView | None, now_ms: int, count: int = 10) -> list[str]:
    asked = DecideRequest(placement="home", count=count)
    return [shown.item_id for shown in decide(Occasion(asked, who, world, now_ms, "d")).items]


FANS = (("horror0", "purchase", 600.0), ("horror1", "purchase", 590.0), ("horror2", "view", 500.0))


def test_a_new_item_like_what_was_loved_is_in_the_top_and_an_unlike_one_is_not(
    grown: World, person: People, now_ms: int
) -> None:
    top = slate(grown, person(*FANS), now_ms)
    assert "late_horror" in top
    assert "late_war" not in top


def test_every_model_scores_a_new_item_below_the_best_of_its_lenders(grown: World, person: People, now_ms: int) -> None:
    request = DecideRequest(placement="home")
    situation = Situation.of(Occasion(request, person(*FANS), grown, now_ms), grown.placement("home"))
    row = grown.catalogue.index["late_horror"]
    for model in grown.models.models:
        scores = situation.model_scores[model.name]
        place = int(np.flatnonzero(model.new_items.rows == row)[0])
        lenders = model.new_items.lenders[place][model.new_items.weights[place] > 0]
        assert {grown.catalogue.item_ids[lender][:-1] for lender in lenders.tolist()} == {"horror"}
        assert 0 < scores[row] <= scores[lenders].max()


def test_new_items_do_not_flood_a_slate(world: World, build_world: Callable[..., World], lending: Lending,
                                        person: People, now_ms: int) -> None:  # fmt: skip
    """Two thousand new films of all genres beside forty known ones: those known and loved stay on top."""
    late = [item_like(genre, f"{genre}_late{n}") for n in range(500) for genre in ("horror", "comedy", "drama", "war")]
    larger = build_world([*world.catalogue.items, *late], has_models=False)
    models = ModelSet.build([model.loaded for model in world.models.models], larger.catalogue, lending)
    top = slate(dataclasses.replace(larger, models=models), person(*FANS), now_ms, count=3)
    known = [item_id for item_id in top if "late" not in item_id]
    assert known, top


def test_a_new_item_says_what_it_is_like(grown: World, person: People, now_ms: int) -> None:
    request = DecideRequest(placement="home", count=20, explain=True)
    shown = {one.item_id: one for one in decide(Occasion(request, person(*FANS), grown, now_ms, "d")).items}
    told = {reason.signal: reason.text for reason in shown["late_horror"].reasons}
    assert told["model.content"] == "new, like Horror film 0, which you bought"
    assert told["model.popularity"].startswith("new, like Horror film ")
    assert told["model.popularity"].endswith(": liked by many")
    assert "people who" not in " ".join(told.values())


def test_similar_to_a_new_item_is_what_its_content_is_like(grown: World, now_ms: int) -> None:
    asked = DecideRequest(placement="similar", item="late_war", count=4)
    shown = decide(Occasion(asked, None, grown, now_ms, "d")).items
    assert {one.item_id[:3] for one in shown} == {"war"}


def test_an_item_known_from_the_catalogue_alone_borrows_too(grown: World, world: World) -> None:
    ease = grown.models.named("ease")
    assert ease is not None
    unused = {grown.catalogue.item_ids[row] for row in ease.new_items.rows.tolist()}
    assert unused == {"late_horror", "late_war"} | {i for i in world.catalogue.item_ids if int(i[-1]) >= 8}
    content = grown.models.named("content")
    assert content is not None
    assert {grown.catalogue.item_ids[row] for row in content.new_items.rows.tolist()} == {"late_horror", "late_war"}


def test_only_new_and_changed_records_are_worked_out_again(world: World, lending: Lending) -> None:
    def here(*late: Item) -> CatalogueSnapshot:
        return CatalogueSnapshot.build([*world.catalogue.items, *late], ("genre", "brand"))

    def lenders(catalogue: CatalogueSnapshot, item_id: str) -> set[str]:
        found = lending.here(catalogue).unscored
        place = int(np.flatnonzero(found.rows == catalogue.index[item_id])[0])
        kept = found.lenders[place][found.weights[place] > 0]
        return {catalogue.item_ids[row][:-1] for row in kept.tolist()}

    first, second = item_like("horror", "first"), item_like("war", "second")
    assert lenders(here(first), "first") == {"horror"}
    changed = msgspec.structs.replace(first, title="War film", attributes={"genre": ["war"]})
    both = here(changed, second)
    assert lenders(both, "first") == {"war"}
    assert lenders(both, "second") == {"war"}
    assert lending.here(world.catalogue).unscored.rows.tolist() == []


def test_what_has_left_the_catalogue_lends_nothing(world: World, lending: Lending) -> None:
    kept = [item for item in world.catalogue.items if not item.id.startswith("horror")]
    catalogue = CatalogueSnapshot.build([*kept, item_like("horror", "late")], ("genre", "brand"))
    found = lending.here(catalogue).unscored
    lenders = found.lenders[0][found.weights[0] > 0]
    assert not any(catalogue.item_ids[row].startswith("horror") for row in lenders.tolist())


def test_a_set_without_content_or_without_known_items_lends_nothing(world: World) -> None:
    catalogue = CatalogueSnapshot.build([*world.catalogue.items, item_like("war", "late")], ("genre", "brand"))
    nobody = np.zeros(len(world.catalogue), np.int64)
    assert not len(may_lend(nobody))
    for lending in (Lending(), Lending(None, people_of(world)), Lending(content_of(world), nobody)):
        assert not len(lending.here(catalogue).unused.rows)
