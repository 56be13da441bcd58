import numpy as np
import pytest

from bespeak.models import History, Interactions, Rp3Beta


def weights_of(model: Rp3Beta, n_items: int) -> np.ndarray:
    return model.scores([History.of([i]) for i in range(n_items)], 0)


def test_weights_by_hand() -> None:
    """x to y: through a (one of 3 ways, then one of 2) and b (one of 3 and one of 3): 1/6 + 1/9, over 2."""
    data = Interactions.from_events(list("aabbbc"), list("xyxyzx"))
    weights = weights_of(Rp3Beta(alpha=1.0, beta=1.0).fit(data), 3)
    np.testing.assert_allclose(weights, [[0, 5 / 36, 1 / 9], [5 / 36, 0, 1 / 6], [1 / 9, 1 / 6, 0]], atol=1e-6)


def test_weights_are_those_of_the_literal_walk() -> None:
    dense = (np.random.default_rng(5).random((50, 20)) < 0.2).astype(np.float64)
    users, items = np.nonzero(dense)
    data = Interactions.from_arrays([str(u) for u in range(50)], [str(i) for i in range(20)], users, items)
    person_to_item = (dense / dense.sum(axis=1, keepdims=True).clip(1)) ** 0.6
    item_to_person = (dense.T / dense.sum(axis=0)[:, None].clip(1)) ** 0.6
    expected = item_to_person @ person_to_item / dense.sum(axis=0).clip(1) ** 0.4
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(weights_of(Rp3Beta(alpha=0.6, beta=0.4).fit(data), 20), expected, atol=1e-5)


def test_popular_items_come_later_with_a_larger_beta() -> None:
    """From x, two of three people go on to the popular y and one to the rare z."""
    people = [("a", "xy"), ("b", "xy"), ("c", "xz"), *((str(i), "y") for i in range(6))]
    data = Interactions.from_events([u for u, its in people for _ in its], [i for _, its in people for i in its])
    history = [History.of([0])]
    assert Rp3Beta(beta=0.0).fit(data).scores(history, 0)[0].argmax() == 1
    assert Rp3Beta(beta=1.0).fit(data).scores(history, 0)[0].argmax() == 2


@pytest.mark.parametrize("neighbours", [1, 3])
def test_each_item_keeps_so_many_links(neighbours: int) -> None:
    data = Interactions.from_events(["a"] * 6, list("uvwxyz"))
    links = weights_of(Rp3Beta(neighbours=neighbours).fit(data), 6)
    assert (links > 0).sum(axis=1).tolist() == [neighbours] * 6
