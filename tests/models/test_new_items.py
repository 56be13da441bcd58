import numpy as np
import pytest

from bespeak.models import Content, Ease, History, Interactions, ItemContent
from bespeak.models.new_items import LENDERS, SHRINKAGE, NewItems, may_lend, people_of

IDS = ["war1", "war2", "love1", "love2", "new_war", "new_love", "blank"]
FILMS = ItemContent(IDS, attributes={"genre": [["war"], ["war"], ["love"], ["love"], ["war"], ["love"], []]})


def log() -> Interactions:
    """Two people like war films, two like love films; nobody has touched the last three items."""
    pairs = [("a", "war1"), ("a", "war2"), ("b", "war1"), ("c", "love1"), ("c", "love2"), ("d", "love1")]
    return Interactions.from_events([u for u, _ in pairs], [i for _, i in pairs], item_ids=IDS)


def test_a_new_item_stands_at_the_shrunk_mean_of_its_lenders_by_hand() -> None:
    """Both war films are like the new one by 1, so with scores 6 and 2 it gets (6 + 2) / (1 + 1 + shrinkage)."""
    new = NewItems.of(log(), FILMS)
    lent = new.lend(np.array([6, 2, 0, 0, 0, 0, 0], np.float32))
    assert lent.tolist() == pytest.approx([6, 2, 0, 0, 8 / (2 + SHRINKAGE), 0, 0])
    assert new.rows.tolist() == [4, 5, 6]
    assert new.lenders[0, :2].tolist() == [0, 1]


def test_known_items_keep_their_scores_and_the_array_given_is_left_alone() -> None:
    scores = np.arange(14, dtype=np.float32).reshape(2, 7)
    kept = scores.copy()
    lent = NewItems.of(log(), FILMS).lend(scores)
    np.testing.assert_array_equal(scores, kept)
    np.testing.assert_array_equal(lent[:, :4], kept[:, :4])


@pytest.mark.parametrize("seed", range(5))
def test_a_new_item_never_stands_above_the_best_of_its_lenders(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ids = [f"i{n}" for n in range(60)]
    content = ItemContent(ids, attributes={"tag": [[f"t{t}" for t in rng.integers(0, 9, 3)] for _ in ids]})
    data = Interactions.from_arrays(["u"], ids, np.zeros(40, int), np.arange(40))
    new = NewItems.of(data, content)
    scores = rng.normal(size=(8, 60)).astype(np.float32)
    scores[:, 40:] = 0
    best = np.where(new.weights > 0, scores[:, new.lenders], 0).max(axis=2)
    assert (new.lend(scores)[:, new.rows] <= np.maximum(best, 0) + 1e-6).all()
    assert (new.weights.sum(axis=1) < 1).all()


def test_a_disliked_new_item_stays_down_and_a_dislike_of_what_it_is_like_lowers_it() -> None:
    data = log()
    new, model = NewItems.of(data, FILMS), Ease(l2=1.0).fit(data)

    def scored(items: list[int], weights: list[float]) -> np.ndarray:
        return new.lend(model.scores([History.of(items, weights)], 0))[0]

    assert scored([0], [1.0])[4] > 0
    assert scored([0, 4], [1.0, -2.0])[4] < 0
    assert scored([0], [-1.0])[4] < 0
    assert scored([0], [-1.0])[5] == 0


def test_an_item_that_is_like_nothing_stays_at_zero() -> None:
    assert NewItems.of(log(), FILMS).lend(np.full(7, 3, np.float32))[6] == 0


def test_nothing_is_borrowed_without_content_or_without_new_or_known_items() -> None:
    scores = np.ones(7, np.float32)
    for data, content in (
        (log(), None),
        (log(), ItemContent(IDS)),
        (Interactions.from_events([], [], item_ids=IDS), FILMS),
    ):
        assert not NewItems.of(data, content).weights.any()
    known = Interactions.from_events(["a"] * 7, IDS)
    assert NewItems.of(known, FILMS).lend(scores) is scores


def test_the_best_known_lend_and_one_person_counts_once() -> None:
    data = Interactions.from_events(["a"] * 9 + ["b", "c"], ["x"] * 9 + ["y", "y"], item_ids=["x", "y", "z"])
    assert people_of(data).tolist() == [1, 2, 0]
    assert may_lend(people_of(data)).tolist() == [0, 1]


def test_every_new_item_has_the_same_number_of_places_for_lenders() -> None:
    new = NewItems.of(log(), FILMS)
    assert new.lenders.shape == new.weights.shape == (3, LENDERS)
    both = new.joined(NewItems.none())
    np.testing.assert_array_equal(both.lenders, new.lenders)


def test_vectors_of_items_that_came_later_are_those_a_fit_gives() -> None:
    model = Content().fit(log(), FILMS)
    later = ItemContent(["later"], attributes={"genre": [["war"]]})
    np.testing.assert_allclose(model.vectors_of(later).toarray(), model.vectors[[0]].toarray())
