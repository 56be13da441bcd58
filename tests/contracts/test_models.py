"""One suite for every model. A new algorithm is added to `MODELS` and has to pass all of it."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.models import (
    AttributeFactors,
    Blend,
    Content,
    Ease,
    GraphFilter,
    History,
    ImplicitMf,
    Interactions,
    ItemContent,
    ItemNeighbours,
    Model,
    PersonalFrequency,
    Popularity,
    RecentPopularity,
    SegmentPopularity,
    SequenceRules,
    SessionLinks,
    Slist,
    SparseInverse,
    TifuKnn,
    Transformer,
    Trending,
    UserNeighbours,
)
from bespeak.models.artefact import load, save
from bespeak.models.families import FAMILIES
from bespeak.models.neighbours.bought_together import BoughtTogether

HOUR_MS = 3_600_000
N_USERS, N_ITEMS = 40, 20

MODELS = [
    Popularity(),
    RecentPopularity(),
    Trending(),
    SegmentPopularity(),
    ItemNeighbours(shrinkage=0.0),
    BoughtTogether(shrinkage=0.0),
    UserNeighbours(neighbours=15),
    Ease(l2=1.0),
    GraphFilter(),
    SparseInverse(l2=1.0),
    ImplicitMf(factors=2, l2=0.5, alpha=5.0, threads=1),
    AttributeFactors(factors=4, l2=0.5, alpha=5.0, ridge=1.0, rounds=20),
    Content(),
    SequenceRules(window=5),
    Slist(memory=4.0, l2=1.0),
    SessionLinks(gap_minutes=None),
    PersonalFrequency(),
    TifuKnn(neighbours=15),
    Transformer(width=8, layers=1, length=10, epochs=25, negatives=16, dropout=0.0, learning_rate=0.02, batch_likes=64),
    Blend(
        [{"name": "ease", "settings": {"l2": 1.0}}, {"name": "sequence_rules"}, {"name": "recent_popularity"}],
        [0.5, 0.3, 0.2],
    ),
]
PERSONAL = [model for model in MODELS if model.personal]


def named(models: list[Model]) -> pytest.MarkDecorator:
    """Runs a test for each model; those that train with torch only where it is installed for it."""
    outside = {Transformer.name}
    cases = [
        pytest.param(model, id=model.name, marks=[pytest.mark.outside] if model.name in outside else [])
        for model in models
    ]
    return pytest.mark.parametrize("model", cases)


def checkerboard() -> Interactions:
    """Even people like even items, odd people odd ones, but each lacks one item of their colour (item of user u: u)."""
    users, items, times = [], [], []
    for user in range(N_USERS):
        for step in range(N_ITEMS // 2):
            item = (2 * (step + user // 2) + user % 2) % N_ITEMS
            if item != user % N_ITEMS:
                users.append(user)
                items.append(item)
                times.append((user * N_ITEMS + step) * HOUR_MS)
    return Interactions.from_arrays(
        [f"user {u:02}" for u in range(N_USERS)],
        [f"item {i:02}" for i in range(N_ITEMS)],
        users,
        items,
        times_ms=times,
    )


def colours() -> ItemContent:
    return ItemContent(
        [f"item {i:02}" for i in range(N_ITEMS)],
        texts=["a bright even thing" if i % 2 == 0 else "some dark odd stuff" for i in range(N_ITEMS)],
        attributes={"colour": [["black"] if i % 2 else ["white"] for i in range(N_ITEMS)]},
        numbers={"price": 10.0 + 50.0 * (np.arange(N_ITEMS) % 2)},
    )


def fitted(model: Model) -> Model:
    return model.fit(checkerboard(), colours())


def test_every_family_is_in_this_suite() -> None:
    assert {model.name for model in MODELS} == set(FAMILIES)


@named([model for model in PERSONAL if model.name != "personal_frequency"])  # which knows nothing new to a person
def test_a_personal_model_completes_the_checkerboard(model: Model) -> None:
    ranking = fitted(model).recommend([f"user {u:02}" for u in range(N_USERS)], 1)
    assert ranking.index[:, 0].tolist() == [u % N_ITEMS for u in range(N_USERS)]


@named(MODELS)
def test_recommendations_leave_out_what_was_seen_unless_told(model: Model) -> None:
    data = checkerboard()
    seen = {data.item_ids[i] for i in data.history(3).items.tolist()}
    ranking = fitted(model).recommend(["user 03"], N_ITEMS)
    assert set(ranking.items(0)) == set(data.item_ids) - seen
    assert set(fitted(model).recommend(["user 03"], N_ITEMS, exclude_seen=False).items(0)) == set(data.item_ids)


@named(MODELS)
def test_two_fits_are_equal_bit_for_bit(model: Model) -> None:
    first, second = fitted(model).arrays(), fitted(model).arrays()
    assert first.keys() == second.keys()
    for name, array in first.items():
        assert array.tobytes() == second[name].tobytes(), name


@named(MODELS)
def test_fit_leaves_the_log_alone(model: Model) -> None:
    def parts(data: Interactions) -> list[bytes]:
        net = [data.net.data, data.net.indices, data.net.indptr, data.row_starts]
        return [part.tobytes() for part in [*net, data.item_index, data.weights, data.matrix.data]]

    data = Interactions.from_events(list("aaabbbcc"), list("xyxyzyxx"), [1, 2, 1, -1, 1, 1, 1, -1], range(8))
    before = parts(data)
    model.fit(data).scores(data.histories(), data.last_ms)
    assert parts(data) == before


@named(MODELS)
def test_fit_leaves_the_model_it_was_called_on_unfitted(model: Model) -> None:
    fitted(model)
    assert not model.arrays()


@named(MODELS)
def test_one_answer_does_not_depend_on_who_else_is_asked(model: Model) -> None:
    one = fitted(model)
    histories = [*checkerboard().histories([0, 1, 2, 3]), History.empty()]
    together = one.scores(histories, 0)
    alone = np.concatenate([one.scores([history], 0) for history in histories])
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)


@named(MODELS)
def test_scores_have_one_finite_row_per_history(model: Model) -> None:
    scores = fitted(model).scores([History.of([1, 3]), History.of([2])], 0)
    assert scores.shape == (2, N_ITEMS)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    assert fitted(model).scores([], 0).shape == (0, N_ITEMS)


@named([model for model in PERSONAL if model.name != "blend"])
def test_an_empty_history_scores_zero_in_a_personal_model(model: Model) -> None:
    assert not fitted(model).scores([History.empty()], 0).any()


@named([model for model in MODELS if not model.personal])
def test_a_model_that_is_not_personal_ignores_the_history(model: Model) -> None:
    scores = fitted(model).scores([History.empty(), History.of([3, 5], [1.0, -4.0])], 0)
    assert scores[0].tolist() == scores[1].tolist()


@named(MODELS)
def test_a_dislike_lifts_no_item(model: Model) -> None:
    one = fitted(model)
    for disliked in range(N_ITEMS):
        liked = [item for item in (0, 2, 7) if item != disliked]
        without = one.scores([History.of(liked)], 0)[0]
        with_it = one.scores([History.of([*liked, disliked], [*np.ones(len(liked)), -3.0])], 0)[0]
        assert (with_it <= without + 1e-6).all()


@named(PERSONAL)
def test_a_disliked_item_falls(model: Model) -> None:
    one = fitted(model)
    without = one.scores([History.of([0, 2])], 0)[0]
    with_it = one.scores([History.of([0, 2, 4], [1.0, 1.0, -3.0])], 0)[0]
    assert with_it[4] < without[4]


@named([model for model in MODELS if not model.personal])
def test_dislikes_in_the_log_cost_an_item_its_place(model: Model) -> None:
    users, items = ["a", "b", "c", "a", "b", "d"], ["x", "x", "x", "y", "y", "y"]
    liked = model.fit(Interactions.from_events(users, items, times_ms=[1, 2, 3, 1, 2, 3]))
    soured = model.fit(Interactions.from_events(users, items, [1, 1, -1, 1, 1, 1], times_ms=[1, 2, 3, 1, 2, 3]))
    assert np.ptp(liked.scores([History.empty()], 3)) == pytest.approx(0)
    assert soured.recommend(["?"], 2).items(0) == ["y", "x"]


@named(MODELS)
def test_unknown_items_in_a_history_are_ignored(model: Model) -> None:
    one = fitted(model)
    plain = one.scores([History.of([2, 4])], 0)
    with_strangers = one.scores([History.of([-1, 2, 4]), History.of([2, N_ITEMS, 4, 10_000])], 0)
    np.testing.assert_allclose(with_strangers, np.concatenate([plain, plain]), rtol=1e-5, atol=1e-7)


@named(MODELS)
def test_people_unknown_to_the_training_data_get_an_answer(model: Model) -> None:
    assert len(fitted(model).recommend(["nobody"], 3).items(0)) == 3


@named(MODELS)
def test_an_artefact_scores_like_the_model_it_was_saved_from(model: Model, tmp_path) -> None:
    one = fitted(model)
    histories = [*checkerboard().histories([0, 1]), History.of([0, 3], [1.0, -1.0]), History.empty()]
    header = save(one, tmp_path / "v1", trained_ms=(0, 5), metrics={"ndcg@10": 0.5}, purposes=["improve"])
    loaded = load(tmp_path / "v1")
    assert loaded.header == header
    assert loaded.model.settings() == one.settings()
    assert list(loaded.model.item_ids) == list(one.item_ids)
    np.testing.assert_array_equal(loaded.model.scores(histories, 9), one.scores(histories, 9))


@named(MODELS)
def test_mapped_arrays_are_read_only_and_stay_untouched(model: Model, tmp_path) -> None:
    one = fitted(model)
    save(one, tmp_path / "v1")
    before = {path.name: path.read_bytes() for path in (tmp_path / "v1").iterdir()}
    loaded = load(tmp_path / "v1").model
    assert not any(array.flags.writeable for array in loaded.arrays().values() if array.size)
    loaded.scores([History.of([0, 1, 2], [1.0, -1.0, 2.0]), History.empty()], 0)
    if loaded.explains:
        loaded.explain(History.of([0, 1], [1.0, -1.0]), 2)
    if type(loaded).similar is not Model.similar:
        loaded.similar([0, 5], 3)
    assert {path.name: path.read_bytes() for path in (tmp_path / "v1").iterdir()} == before


@named([model for model in MODELS if model.explains and model.name != "blend"])
def test_an_explanation_adds_up_to_the_score(model: Model) -> None:
    one = fitted(model)
    history = History.of([2, 9, 4, 2, 6, -7], [1.0, -2.0, 3.0, 1.0, -1.0, 5.0], [1, 2, 3, 4, 5, 6])
    scores = one.scores([history], 0)[0]
    for item in range(N_ITEMS):
        told = one.explain(history, item)
        assert sorted(told.items.tolist()) == [2, 4, 6, 9]
        assert told.contributions.sum() == pytest.approx(scores[item], abs=1e-5)


@named([model for model in MODELS if type(model).similar is not Model.similar])
def test_similar_items_have_the_same_colour_and_are_not_the_item_itself(model: Model) -> None:
    index, score = fitted(model).similar([0, 7], 4)
    assert index.shape == score.shape == (2, 4)
    assert (index[0] % 2 == 0).all()
    assert (index[1] % 2 == 1).all()
    assert 0 not in index[0]
    assert 7 not in index[1]


@named(MODELS)
@pytest.mark.parametrize(
    "data",
    [
        Interactions.from_events([], []),
        Interactions.from_events([], [], item_ids=["a", "b"]),
        Interactions.from_events(["u"], ["a"]),
        Interactions.from_events(["u", "v"], ["a", "b"], [-1.0, -2.0]),
        Interactions.from_events(["u", "u"], ["a", "a"], [1.0, -1.0]),
    ],
    ids=["nothing", "only items", "one event", "only dislikes", "a like taken back"],
)
def test_tiny_data_gives_an_answer(model: Model, data: Interactions) -> None:
    one = model.fit(data)
    scores = one.scores([History.empty(), *data.histories()], data.last_ms)
    assert scores.shape == (1 + data.n_users, data.n_items)
    assert np.isfinite(scores).all()
    one.recommend(["u"], 3)


def test_only_neighbourhoods_of_people_hold_people() -> None:
    assert {model.name for model in MODELS if model.holds_people} == {"user_neighbours", "tifu_knn"}


@named([model for model in MODELS if not model.holds_people])
def test_a_model_that_holds_no_people_holds_none_of_their_ids(model: Model) -> None:
    assert not any(b"user 0" in array.tobytes() for array in fitted(model).arrays().values())


@named(MODELS)
def test_whoever_is_forgotten_leaves_no_bytes_and_the_rest_still_get_answers(model: Model) -> None:
    forgotten = fitted(model).forget(["user 07", "user 08", "nobody"])
    assert not any(b"user 07" in a.tobytes() or b"user 08" in a.tobytes() for a in forgotten.arrays().values())
    scores = forgotten.scores([History.of([0, 2])], 0)
    if not model.holds_people:
        np.testing.assert_array_equal(scores, fitted(model).scores([History.of([0, 2])], 0))
    assert np.isfinite(scores).all()
