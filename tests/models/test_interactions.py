import numpy as np
import pytest

from bespeak.errors import InvalidInput
from bespeak.models.interactions import History, Interactions, ItemContent, PersonTraits


def test_events_are_sorted_by_person_then_time_and_ties_keep_their_order() -> None:
    data = Interactions.from_events(["b", "a", "b", "a"], ["x", "y", "z", "x"], times_ms=[5, 7, 5, 1])
    assert [data.user_ids[u] for u in data.user_index] == ["a", "a", "b", "b"]
    assert [data.item_ids[i] for i in data.item_index] == ["x", "y", "x", "z"]
    assert data.source_rows.tolist() == [3, 1, 0, 2]


def test_weights_are_summed_and_split_by_sign() -> None:
    data = Interactions.from_events(["a"] * 5, ["x", "x", "y", "y", "z"], [1, 2, 1, -3, -1])
    assert data.matrix.toarray().tolist() == [[3.0, 0.0, 0.0]]
    assert data.dislikes.toarray().tolist() == [[0.0, 2.0, 1.0]]


def test_a_like_taken_back_is_neither_liked_nor_disliked_but_touched() -> None:
    data = Interactions.from_events(["a", "a"], ["x", "x"], [1, -1])
    assert data.matrix.nnz == data.dislikes.nnz == 0
    assert data.net.indices.tolist() == [0]


def test_making_the_matrix_leaves_the_events_alone() -> None:
    data = Interactions.from_events(["a", "a", "a"], ["x", "y", "x"], [1, 2, 4], [1, 2, 3])
    assert data.net.toarray().tolist() == [[5.0, 2.0]]
    assert data.item_index.tolist() == [0, 1, 0]
    assert data.weights.tolist() == [1, 2, 4]
    assert data.history(0).items.tolist() == [0, 1, 0]


def test_with_a_catalogue_given_events_of_other_items_are_left_out() -> None:
    data = Interactions.from_events(["a", "a", "b"], ["x", "gone", "y"], item_ids=["y", "x", "new"])
    assert data.item_ids == ("y", "x", "new")
    assert len(data) == 2
    assert data.source_rows.tolist() == [0, 2]


def test_before_keeps_strictly_earlier_events_and_all_ids() -> None:
    data = Interactions.from_events(["a", "b"], ["x", "y"], times_ms=[1, 2])
    earlier = data.before(2)
    assert len(earlier) == 1
    assert earlier.user_ids == data.user_ids
    assert earlier.item_ids == data.item_ids


def test_class_weights_multiply_and_unnamed_classes_stay() -> None:
    data = Interactions.from_events(["a", "a"], ["x", "y"], classes=["view", "purchase"])
    assert data.weighted({"purchase": 5}).matrix.toarray().tolist() == [[1.0, 5.0]]
    with pytest.raises(InvalidInput, match="no signal classes"):
        Interactions.from_events(["a"], ["x"]).weighted({"view": 2})


def test_added_items_come_last_and_known_ones_keep_their_index() -> None:
    data = Interactions.from_events(["a"], ["x"]).with_items(["new", "x"])
    assert data.item_ids == ("x", "new")
    assert data.matrix.shape == (1, 2)


def test_histories_are_in_time_order_and_empty_for_people_without_events() -> None:
    data = Interactions.from_arrays(["a", "b"], ["x", "y"], [0, 0], [1, 0], times_ms=[9, 3])
    first, second = data.histories()
    assert first.items.tolist() == [0, 1]
    assert first.times_ms.tolist() == [3, 9]
    assert len(second) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Interactions.from_events(["a"], ["x", "y"]), "users 1, items 2"),
        (lambda: Interactions.from_events(["a"], ["x"], [float("nan")]), "event 0"),
        (lambda: Interactions.from_arrays(["a"], ["x"], [0], [1]), r"item_index must lie in 0\.\.0"),
        (lambda: Interactions.from_arrays(["a"], ["x"], [-1], [0]), "user_index must lie"),
        (lambda: History.of([1], [float("inf")]), "event 0"),
        (lambda: History.of([1, 2], [1.0]), "items 2, weights 1"),
        (lambda: ItemContent(["a"], ["one", "two"]), "'texts' has 2 rows for 1 items"),
        (lambda: PersonTraits(["a"], {"country": []}), "'country' has 0 rows for 1 people"),
    ],
)
def test_wrong_input_is_refused_in_the_users_words(call, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        call()


def test_content_is_aligned_to_other_items_with_blanks_for_the_unknown() -> None:
    content = ItemContent(["a", "b"], ["A", "B"], {"genre": [["war"], []]}, {"price": np.array([1.0, 2.0])})
    aligned = content.aligned(["b", "?", "a"])
    assert aligned.texts == ["B", "", "A"]
    assert [list(values) for values in aligned.attributes["genre"]] == [[], [], ["war"]]
    assert aligned.numbers["price"].tolist()[::2] == [2.0, 1.0]
    assert np.isnan(aligned.numbers["price"][1])


def test_traits_stay_with_their_people_through_cuts_and_new_items() -> None:
    log = Interactions.from_events(["b", "a", "c"], ["x", "y", "x"], times_ms=[1, 2, 3])
    told = log.with_traits(PersonTraits(["c", "stranger", "a"], {"country": [["DE"], ["US"], []], "age": [["1"]] * 3}))
    for cut in (told, told.select(np.array([False, True, True])), told.before(2), told.with_items(["new"])):
        assert [history.traits for history in cut.histories()] == [
            {"age": ["1"]},
            {},
            {"country": ["DE"], "age": ["1"]},
        ]


def test_a_history_without_items_may_hold_traits_and_has_none_unless_given() -> None:
    assert History.empty({"country": ["DE"]}).traits == {"country": ["DE"]}
    assert len(History.empty({"country": ["DE"]})) == 0
    assert History.of([1]).traits == History.empty().traits == {}
