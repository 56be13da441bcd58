import numpy as np
import pytest

from bespeak.errors import InvalidInput, UnknownName
from bespeak.models import Blend, Ease, History, Interactions, Popularity
from bespeak.models.artefact import load, save


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
        ([{"name": "blend"}], [1.0], UnknownName),
    ],
)
def test_a_wrong_blend_is_refused(members, weights, error) -> None:
    with pytest.raises(error):
        Blend(members, weights)


def with_people() -> Blend:
    members = [{"name": "popularity"}, {"name": "tifu_knn"}, {"name": "user_neighbours"}]
    return Blend(members, [0.2, 0.4, 0.4]).fit(data())


def test_a_blend_holds_people_when_a_member_does() -> None:
    assert with_people().holds_people
    assert not Blend([{"name": "popularity"}], [1.0]).holds_people
    assert Blend.from_arrays(with_people().settings(), with_people().item_ids, with_people().arrays()).holds_people


def test_a_blend_forgets_people_in_every_member() -> None:
    blend = with_people()
    forgotten = blend.forget(iter(["b", "unknown"]))
    held = {name: array.tobytes() for name, array in forgotten.arrays().items() if name.endswith("user_ids_utf8")}
    assert held == {"1.user_ids_utf8": b"ac", "2.user_ids_utf8": b"ac"}
    member = blend.fitted_members[2].forget(["b"])
    alone = blend.fitted_members[1].forget(["b"])
    scales = blend.arrays()["scales"]
    query = [History.of([0])]
    expected = 0.2 / scales[0] * blend.fitted_members[0].scores(query, 0)
    expected = expected + 0.4 / scales[1] * alone.scores(query, 0) + 0.4 / scales[2] * member.scores(query, 0)
    np.testing.assert_allclose(forgotten.scores(query, 0), expected, rtol=1e-5)


def test_a_stored_blend_says_that_it_holds_people(tmp_path) -> None:
    assert save(with_people(), tmp_path / "with").holds_people
    assert not save(Blend([{"name": "popularity"}], [1.0]).fit(data()), tmp_path / "without").holds_people
    assert load(tmp_path / "with").model.forget(["b"]).arrays()["1.user_ids_utf8"].tobytes() == b"ac"
