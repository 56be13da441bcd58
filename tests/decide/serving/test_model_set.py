"""Models seen from a catalogue."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.catalogue.snapshot import CatalogueSnapshot
from bespeak.decide.serving.model_set import LoadedModel, MappedModel, ModelSet, Neighbours
from bespeak.decide.serving.question import Past
from bespeak.models.base import History, Interactions
from bespeak.models.blend import Blend
from bespeak.models.item_weights.ease import Ease
from bespeak.models.neighbours.item_neighbours import ItemNeighbours
from bespeak.models.popular.popularity import Popularity
from bespeak.signals.items import Item

DATA = Interactions.from_events(
    [f"u{i}" for i in range(8) for _ in range(3)],
    [item for i in range(8) for item in ("a", "b", "c" if i % 2 else "d")],
)
CATALOGUE = CatalogueSnapshot.build([Item(id=item_id) for item_id in ("new", "d", "b", "a")], ())


def row(*ids: str) -> np.ndarray:
    return np.array([CATALOGUE.index[item_id] for item_id in ids], np.int32)


def past(*ids: str, dislikes: tuple[str, ...] = ()) -> Past:
    items = row(*ids, *dislikes)
    weights = np.array([1.0] * len(ids) + [-2.0] * len(dislikes), np.float32)
    return Past(items, weights, np.arange(len(items), dtype=np.int64), 0)


def scores(model: MappedModel, *ids: str) -> np.ndarray:
    return model.scores(past(*ids))


@pytest.fixture(scope="module")
def ease() -> MappedModel:
    return MappedModel.of(LoadedModel.of(Ease(l2=1.0).fit(DATA), 3, is_best=True), CATALOGUE)


def test_scores_keep_the_models_order_and_its_zero(ease: MappedModel) -> None:
    model = ease.loaded.model
    raw = model.scores([History.of([DATA.positions["a"]])], 0)[0]
    mapped = scores(ease, "a")
    common = ["d", "b", "a"]
    own = np.array([raw[DATA.positions[item_id]] for item_id in common])
    seen = np.array([mapped[CATALOGUE.index[item_id]] for item_id in common])
    factor = seen[np.abs(own).argmax()] / own[np.abs(own).argmax()]
    assert factor > 0
    assert seen == pytest.approx(own * factor, abs=1e-6)
    assert mapped[CATALOGUE.index["new"]] == 0
    assert np.abs(mapped).max() == pytest.approx(1 / 6)  # one item of history: h / (h + 5)


def test_more_history_makes_a_model_louder(ease: MappedModel) -> None:
    assert np.abs(scores(ease, "a", "b")).max() > np.abs(scores(ease, "a")).max()
    assert np.abs(scores(ease, "a", "a")).max() == pytest.approx(np.abs(scores(ease, "a")).max())
    assert not scores(ease).any()
    assert not scores(ease, "new").any()


def test_scores_that_are_the_same_for_everybody_are_kept_for_an_hour() -> None:
    popular = MappedModel.of(LoadedModel.of(Popularity().fit(DATA)), CATALOGUE)
    first = scores(popular)
    assert first is scores(popular, "a")
    assert first[CATALOGUE.index["a"]] == 1.0
    assert first[CATALOGUE.index["d"]] == 0.5
    assert popular.common(0).order.tolist() == sorted(row("a", "b").tolist()) + row("d").tolist()  # ties by index


def test_neighbours_stand_in_catalogue_indices_and_strangers_have_none() -> None:
    model = MappedModel.of(LoadedModel.of(ItemNeighbours().fit(DATA)), CATALOGUE)
    table = model.neighbours
    assert table is not None
    own = table.index[CATALOGUE.index["a"]]
    assert CATALOGUE.index["b"] in own
    assert CATALOGUE.index["a"] not in own
    assert (table.index[CATALOGUE.index["new"]] == -1).all()
    assert not table.scores[table.index < 0].any()


def test_pairs_with_fewer_than_five_people_are_no_neighbours() -> None:
    table = Neighbours.of(ItemNeighbours().fit(DATA))  # four people have d, none of them is alone
    assert (table.index[DATA.positions["d"]] == -1).all()
    assert LoadedModel.of(ItemNeighbours().fit(DATA)).shows_people
    unguarded = LoadedModel.of(ItemNeighbours(min_people=1).fit(DATA))
    assert not unguarded.shows_people
    assert unguarded.neighbours is None, "pairs of fewer people are never listed, whatever a model's settings"
    assert not LoadedModel.of(Ease().fit(DATA)).shows_people


def test_the_best_model_comes_first_and_versions_are_named(ease: MappedModel) -> None:
    models = ModelSet.build([LoadedModel.of(Popularity().fit(DATA), 2), ease.loaded], CATALOGUE)
    assert models.best == "ease"
    assert models.versions() == {"ease": 3, "popularity": 2}
    assert models.named("nothing") is None
    assert ModelSet().best == ""


def test_a_blend_beside_its_members_scores_and_explains_as_it_does_alone() -> None:
    members = [Ease(l2=1.0).fit(DATA), ItemNeighbours().fit(DATA)]
    blend = Blend.of(members, [0.6, 0.4], DATA)
    alone = MappedModel.of(LoadedModel.of(blend), CATALOGUE)
    beside = ModelSet.build([LoadedModel.of(model) for model in (blend, *members)], CATALOGUE)
    asked = past("a", "new", dislikes=("d",))
    scored = {model.name: model.scores(asked) for model in beside.models}
    causes = {model.name: model.causes(asked, row("b", "a")) for model in beside.models}
    assert scored["blend"].any()
    anew = past("a", "new", dislikes=("d",))
    assert (scored["blend"] == alone.scores(anew)).all()
    assert causes["blend"] == alone.causes(anew, row("b", "a")) != {}
    for model in members:
        single = MappedModel.of(LoadedModel.of(model), CATALOGUE)
        assert (scored[model.name] == single.scores(anew)).all()
        assert causes[model.name] == single.causes(anew, row("b", "a"))


def test_models_of_the_same_items_are_asked_one_question() -> None:
    other = Popularity().fit(Interactions.from_events(["u"], ["a"]))
    models = ModelSet.build(
        [LoadedModel.of(m) for m in (Ease(l2=1.0).fit(DATA), ItemNeighbours().fit(DATA), other)], CATALOGUE
    )
    ease, neighbours, stranger = (models.named(name) for name in ("ease", "item_neighbours", "popularity"))
    assert ease is not None
    assert neighbours is not None
    assert stranger is not None
    asked = past("a", "new", "d")
    assert asked.question(ease.items) is asked.question(neighbours.items)
    assert [len(asked.question(model.items).history) for model in (ease, stranger)] == [2, 1]
