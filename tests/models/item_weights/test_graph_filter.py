import numpy as np
import pytest

from bespeak.errors import InvalidInput
from bespeak.models import GraphFilter, History, Interactions
from bespeak.models.item_weights import graph_filter as module
from bespeak.models.item_weights.graph_filter import smooth_directions


def random_log(n_users: int = 80, n_items: int = 30, seed: int = 3) -> tuple[np.ndarray, Interactions]:
    dense = (np.random.default_rng(seed).random((n_users, n_items)) < 0.2).astype(np.float64)
    users, items = np.nonzero(dense)
    ids = [str(u) for u in range(n_users)], [str(i) for i in range(n_items)]
    return dense, Interactions.from_arrays(*ids, users, items)


def literal_weights(dense: np.ndarray, model: GraphFilter, k: int) -> np.ndarray:
    """The formula of the module, with a dense singular value decomposition and no cut to neighbours."""
    person, item = dense.sum(axis=1).clip(1), dense.sum(axis=0).clip(1)
    e, t = (model.known + model.scored) / 2, (model.known - model.scored) / 2
    balanced = dense / person[:, None] ** (model.person / 2) / item**e
    _, singular, right = np.linalg.svd(balanced)
    s, v = singular[:k] ** 2, right[:k].T
    gains = np.minimum(s, model.cap * s[-1]) - s + model.lift * s[-1]
    weights = item[:, None] ** -t * (balanced.T @ balanced + v * gains @ v.T) * item**t
    np.fill_diagonal(weights, 0)
    return weights


def weights_of(model: GraphFilter, n_items: int) -> np.ndarray:
    return model.scores([History.of([i]) for i in range(n_items)], 0)


def test_the_linear_filter_by_hand() -> None:
    """x and y share the people a (2 items) and b (3 items): 1/2 + 1/3, over roots of 3 and 2; z knows b alone."""
    data = Interactions.from_events(list("aabbbc"), list("xyxyzx"))
    model = GraphFilter(factors=0, person=1.0, known=0.5, scored=0.5).fit(data)
    xy, xz, yz = 5 / 6 / np.sqrt(3 * 2), 1 / 3 / np.sqrt(3), 1 / 3 / np.sqrt(2)
    np.testing.assert_allclose(weights_of(model, 3), [[0, xy, xz], [xy, 0, yz], [xz, yz, 0]], atol=1e-6)


@pytest.mark.parametrize("settings", [{}, {"cap": np.inf, "lift": 0.5}, {"person": 1.0, "known": 0.5, "scored": 0.5}])
def test_weights_are_those_of_the_plain_formula(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK_NUMBERS", 100)
    dense, data = random_log()
    model = GraphFilter(factors=6, rounds=200, **settings).fit(data)
    np.testing.assert_allclose(weights_of(model, 30), literal_weights(dense, model, 6), atol=2e-4)


def test_without_factors_nothing_smooth_is_stored() -> None:
    assert GraphFilter(factors=0).fit(random_log()[1]).arrays()["directions"].shape == (30, 0)


def test_each_row_keeps_its_strongest_links() -> None:
    """Two links to others a row and the diagonal."""
    model = GraphFilter(factors=0, neighbours=2).fit(random_log()[1])
    kept = np.sort(weights_of(model, 30), axis=1)[:, ::-1]
    every = np.sort(weights_of(GraphFilter(factors=0).fit(random_log()[1]), 30), axis=1)[:, ::-1]
    np.testing.assert_array_equal(kept[:, :2], every[:, :2])
    assert not kept[:, 2:].any()


def test_directions_are_those_of_the_singular_value_decomposition() -> None:
    dense, data = random_log()
    directions, squares = smooth_directions(data.matrix, 5, rounds=200, seed=1)
    np.testing.assert_allclose(squares, np.linalg.svd(dense)[1][:5] ** 2, rtol=1e-5)
    np.testing.assert_allclose(directions.T @ directions, np.eye(5), atol=1e-5)


def test_a_matrix_of_rank_two_has_two_directions() -> None:
    data = Interactions.from_events(list("aabbccdd"), list("wxwxyzyz"))
    directions, squares = smooth_directions(data.matrix, 4, rounds=3, seed=0)
    assert directions.shape == (4, 2)
    np.testing.assert_allclose(squares, [4, 4], rtol=1e-5)


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"factors >= 0"):
        GraphFilter(factors=-1)
