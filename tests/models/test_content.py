import numpy as np
import pytest

from bespeak.errors import InvalidInput
from bespeak.models import Content, History, Interactions, ItemContent

FILMS = ItemContent(
    ["alien", "aliens", "love", "notes", "blank"],
    [
        "a ship and a monster in space",
        "marines, a monster, a ship in space",
        "two people in love",
        "love, in notes",
        "",
    ],
    {"genre": [["horror", "sf"], ["action", "sf"], ["romance"], ["romance"], []]},
    {"year": np.array([1979.0, 1986.0, 2003.0, 2004.0, np.nan])},
)


def fitted(content: ItemContent = FILMS, **settings: float) -> Content:
    return Content(**settings).fit(Interactions.from_events([], [], item_ids=content.item_ids), content)


def test_items_nobody_touched_are_recommended_by_what_they_are() -> None:
    model = fitted()
    scores = model.scores([History.of([0]), History.of([2])], 0)
    assert scores[0].argsort()[::-1][:2].tolist() == [0, 1]
    assert set(scores[1].argsort()[::-1][:2].tolist()) == {2, 3}


def test_likeness_lies_between_zero_and_one_and_is_one_with_itself() -> None:
    likeness = fitted().scores([History.of([i]) for i in range(5)], 0)
    np.testing.assert_allclose(np.diag(likeness)[:4], 1, atol=1e-6)
    assert (likeness > -1e-6).all()
    assert (likeness < 1 + 1e-6).all()
    assert not likeness[4].any()


def test_cosine_by_hand() -> None:
    """Four texts, "red" in two, "big" in two: equal rarity, so "red big" against "red" is 1 / sqrt 2."""
    content = ItemContent(["p", "q", "r", "s"], ["red big", "red", "big", ""])
    likeness = fitted(content).scores([History.of([0])], 0)[0]
    assert likeness == pytest.approx([1, 0.5**0.5, 0.5**0.5, 0])


def test_text_share_weighs_words_against_attributes() -> None:
    content = ItemContent(["p", "q", "r", "s"], ["red", "red", "blue", "blue"], {"kind": [["k"], ["l"], ["k"], ["l"]]})
    likeness = fitted(content, text_share=0.25).scores([History.of([0])], 0)[0]
    assert likeness == pytest.approx([1, 0.25, 0.75, 0])


def test_near_numbers_are_alike_and_far_ones_are_not() -> None:
    content = ItemContent([str(n) for n in range(40)], numbers={"price": np.arange(40, dtype=np.float64)})
    likeness = fitted(content).scores([History.of([10])], 0)[0]
    assert likeness[11] > 0
    assert likeness[35] == 0


def test_an_item_that_came_after_the_fit_has_a_vector_at_once() -> None:
    model = fitted()
    added = ItemContent(
        ["alien3"], ["a monster on a ship"], {"genre": [["horror", "sf"]]}, {"year": np.array([1992.0])}
    )
    likeness = (model.vectors_of(added) @ model.vectors.T).toarray()[0]
    assert likeness[0] > likeness[2]


def test_a_share_outside_of_zero_to_one_is_refused() -> None:
    with pytest.raises(InvalidInput, match="text_share must lie between 0 and 1"):
        fitted(text_share=1.5)
