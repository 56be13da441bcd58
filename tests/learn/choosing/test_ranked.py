import numpy as np

from bespeak.learn.choosing.ranked import Ranked, union
from bespeak.learn.splits import per_person
from bespeak.models import Ease


def test_items_below_the_end_of_a_list_count_as_much_as_its_last() -> None:
    lists = Ranked(np.array([[2, 0], [1, -1]], np.int32), np.array([[3.0, 1.0], [2.0, -np.inf]], np.float32), 0.0, 0.0)
    found = lists.scores_of(np.array([[0, 1, 2], [0, 1, -1]], np.int32), 4)
    assert found.tolist() == [[1.0, 1.0, 3.0], [2.0, 2.0, -np.inf]]


def test_somebody_without_a_list_has_no_scores() -> None:
    lists = Ranked(np.array([[-1]], np.int32), np.array([[-np.inf]], np.float32), 0.0, 0.0)
    assert lists.scores_of(np.array([[3]], np.int32), 4).tolist() == [[0.0]]


def test_a_whole_list_gives_the_scores_of_the_model(tasteful_log) -> None:
    cut = per_person(tasteful_log)
    model = Ease(l2=20.0).fit(cut.fit)
    lists = Ranked.of(model, cut, cut.fit.n_items, lambda: 0.0)
    items = union([lists.index], cut.fit.n_items)
    scores = cut.scores(model, cut.histories(slice(0, len(cut))))
    factor = lists.scores[0, 0] / scores[0, lists.index[0, 0]]
    found = lists.scores_of(items, cut.fit.n_items)
    expected = np.where(items >= 0, np.take_along_axis(scores, np.maximum(items, 0), axis=1) * factor, -np.inf)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_lists_are_the_same_after_they_were_kept(tasteful_log) -> None:
    cut = per_person(tasteful_log)
    lists = Ranked.deep(Ease(l2=20.0).fit(cut.fit), cut, 10, lambda: 0.0, 2.5)
    again = Ranked.from_arrays(lists.arrays())
    assert again.index.tobytes() == lists.index.tobytes()
    assert again.scores.tobytes() == lists.scores.tobytes()
    assert again.seconds == lists.seconds
