import numpy as np
import pytest

from bespeak.errors import InvalidInput, UnknownName
from bespeak.models import Blend, Ease, History, Interactions, Popularity


def data() -> Interactions:
    return Interactions.from_events(["a", "a", "b", "b", "c"], ["x", "y", "x", "y", "z"])


def test_a_blend_is_the_weighted_sum_of_scaled_scores() -> None:
    """Popularity gives everybody at most 2; EASE gives a and b 2/3 and c nothing, the median of which is 2/3."""
    blend = Blend.of([Popularity().fit(data()), Ease(l2=1.0).fit(data())], [0.25, 0.75], data())
    scores = blend.scores([History.of([0])], 0)[0]
    assert scores == pytest.approx([0.25, 0.25 + 0.75, 0.125])


def test_a_fitted_blend_and_one_of_fitted_members_are_the_same() -> None:
    ready = Blend.of([Popularity().fit(data()), Ease(l2=1.0).fit(data())], [0.25, 0.75], data())
    fresh = Blend(ready.members, ready.weights).fit(data())
    histories = [History.of([0]), History.empty()]
    np.testing.assert_array_equal(fresh.scores(histories, 0), ready.scores(histories, 0))


def test_an_explanation_tells_the_part_that_comes_from_the_history() -> None:
    blend = Blend.of([Popularity().fit(data()), Ease(l2=1.0).fit(data())], [0.25, 0.75], data())
    told = blend.explain(History.of([0]), 1)
    assert told.items.tolist() == [0]
    assert told.contributions.tolist() == pytest.approx([0.75])


@pytest.mark.parametrize(
    ("members", "weights", "error"),
    [
        ([{"name": "ease"}], [1.0, 2.0], InvalidInput),
        ([], [], InvalidInput),
        ([{"name": "ease"}], [-1.0], InvalidInput),
        ([{"name": "eaze"}], [1.0], UnknownName),
        ([{"name": "user_neighbours"}], [1.0], UnknownName),
        ([{"name": "blend"}], [1.0], UnknownName),
    ],
)
def test_a_wrong_blend_is_refused(members, weights, error) -> None:
    with pytest.raises(error):
        Blend(members, weights)
