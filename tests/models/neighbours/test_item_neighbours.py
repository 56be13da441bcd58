import numpy as np
import pytest

from bespeak.models import History, Interactions, ItemNeighbours
from bespeak.models.neighbours import item_neighbours


def three_by_three() -> Interactions:
    return Interactions.from_events(["a", "a", "b", "b", "c", "c"], ["x", "y", "x", "z", "x", "y"])


def weights(model: ItemNeighbours) -> np.ndarray:
    """Row i: what a history of item i alone gives to every item."""
    return model.scores([History.of([item]) for item in range(3)], 0)


def test_cosine_with_shrinkage_by_hand() -> None:
    """x is liked by three, y by two of them, z by one: x.y = 2, x.z = 1, y.z = 0."""
    plain = weights(ItemNeighbours(shrinkage=0).fit(three_by_three()))
    expected = [[0, 2 / 6**0.5, 1 / 3**0.5], [2 / 6**0.5, 0, 0], [1 / 3**0.5, 0, 0]]
    np.testing.assert_allclose(plain, expected, rtol=1e-6)
    shrunk = weights(ItemNeighbours(shrinkage=2).fit(three_by_three()))
    assert shrunk[0, 1] == pytest.approx(2 / (6**0.5 + 2))


def test_only_the_nearest_are_kept() -> None:
    kept = weights(ItemNeighbours(neighbours=1, shrinkage=0).fit(three_by_three()))
    assert (kept > 0).sum(axis=1).tolist() == [1, 1, 1]
    assert kept[0, 1] > 0


@pytest.mark.parametrize(("min_people", "shown"), [(1, [1, 2]), (2, [1, -1]), (3, [-1, -1])])
def test_a_pair_is_shown_only_with_enough_distinct_people_behind_it(min_people: int, shown: list[int]) -> None:
    model = ItemNeighbours(min_people=min_people).fit(three_by_three())
    assert model.similar([0], 2)[0].tolist() == [shown]


def test_one_person_coming_back_counts_as_one() -> None:
    data = Interactions.from_events(["a"] * 20, ["x", "y"] * 10)
    assert ItemNeighbours(min_people=2).fit(data).similar([0], 1)[0].tolist() == [[-1]]
    assert ItemNeighbours(min_people=1).fit(data).similar([0], 1)[0].tolist() == [[1]]


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    data = Interactions.from_arrays(
        [str(u) for u in range(50)],
        [str(i) for i in range(30)],
        rng.integers(0, 50, 600),
        rng.integers(0, 30, 600),
        weights=rng.choice([1.0, 3.0, -1.0], 600),
    )
    whole = ItemNeighbours(neighbours=7).fit(data).arrays()
    monkeypatch.setattr(item_neighbours, "_BLOCK_PAIRS", 40)
    pieces = ItemNeighbours(neighbours=7).fit(data).arrays()
    for name, array in whole.items():
        np.testing.assert_array_equal(pieces[name], array)
