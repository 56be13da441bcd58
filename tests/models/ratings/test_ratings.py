"""Ratings: the latest word of each person about each item, and what was known before each."""

from __future__ import annotations

import pytest

from bespeak.errors import InvalidInput
from bespeak.models.ratings.base import Ratings, RatingScale
from bespeak.models.ratings.item_mean import ItemMean

SCALE = RatingScale(1, 5)


def test_the_latest_word_counts_whatever_the_order_it_came_in():
    told = Ratings.of(["a", "b"], ["x", "y"], [1, 0, 0, 1], [0, 0, 0, 1], [3, 5, 2, 4], [7, 9, 8, 1], scale=SCALE)
    assert told.user_index.tolist() == [0, 1, 1]
    assert told.item_index.tolist() == [0, 1, 0]
    assert told.values.tolist() == [5, 4, 3]


def test_of_words_at_one_time_the_last_one_counts():
    assert Ratings.of(["a"], ["x"], [0, 0], [0, 0], [1, 2], scale=SCALE).values.tolist() == [2]


def test_known_before_a_rating_is_what_the_same_person_gave_at_earlier_times():
    told = Ratings.of(["a", "b"], ["x", "y", "z"], [0, 0, 0, 1], [0, 1, 2, 0], [1, 2, 3, 4], [5, 6, 6, 1], scale=SCALE)
    before = told.known_before([3, 2, 1, 0])
    assert before.user_index.tolist() == [1, 2]  # the second of two at one time does not know the first
    assert before.values.tolist() == [1, 1]
    assert len(before.user_ids) == 4


@pytest.mark.parametrize(
    ("user", "item", "value", "says"),
    [([0], [0], [6], "outside of 1 to 5"), ([0], [0], [float("nan")], "outside"), ([2], [0], [3], "user_index"),
     ([0], [-1], [3], "item_index"), ([0], [0], [3, 4], "length")],
)  # fmt: skip
def test_what_cannot_be_a_rating_is_refused(user, item, value, says):
    with pytest.raises(InvalidInput, match=says):
        Ratings.of(["a"], ["x"], user, item, value, scale=SCALE)


def test_a_scale_goes_upwards():
    with pytest.raises(InvalidInput, match="from low to high"):
        RatingScale(5, 5)


def test_an_item_mean_leans_on_the_mean_of_all_where_few_rated():
    told = Ratings.of(["a", "b", "c"], ["x", "y", "z"], [0, 1, 2], [0, 0, 1], [1, 3, 5], scale=SCALE)
    values = ItemMean(prior=1).fit(told).predict(told, [0, 0, 0, 0], [0, 1, 2, -1]).values
    assert values == pytest.approx([7 / 3, 4, 3, 3])
