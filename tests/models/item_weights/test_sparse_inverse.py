import numpy as np
import pytest

from bespeak.errors import InvalidInput
from bespeak.models import Ease, History, Interactions
from bespeak.models.item_weights.sparse_inverse import SparseInverse


def random_log() -> tuple[np.ndarray, Interactions]:
    dense = (np.random.default_rng(5).random((60, 25)) < 0.4).astype(np.float64)
    users, items = np.nonzero(dense)
    return dense, Interactions.from_arrays([str(u) for u in range(60)], [str(i) for i in range(25)], users, items)


def weights_of(model: SparseInverse, n_items: int) -> np.ndarray:
    return model.scores([History.of([i]) for i in range(n_items)], 0)


def test_weights_by_hand() -> None:
    """G = [[2, 2, 0], [2, 2, 0], [0, 0, 1]] l2 1: B_xy = 2 / (2 + 1)."""
    data = Interactions.from_events(["a", "a", "b", "b", "c"], ["x", "y", "x", "y", "z"])
    model = SparseInverse(l2=1.0, dropout=0.0, person=0.0).fit(data)
    np.testing.assert_allclose(weights_of(model, 3), [[0, 2 / 3, 0], [2 / 3, 0, 0], [0, 0, 0]], atol=1e-6)


def test_with_every_item_as_neighbour_it_is_ease() -> None:
    _, data = random_log()
    model = SparseInverse(l2=20.0, dropout=0.0, person=0.0).fit(data)
    np.testing.assert_allclose(weights_of(model, 25), Ease(l2=20.0).fit(data).arrays()["weights"], atol=1e-5)


def test_each_column_is_the_optimum_on_its_nearest_items() -> None:
    dense, data = random_log()
    weights = weights_of(SparseInverse(neighbours=4, l2=6.0, dropout=0.25, person=0.6).fit(data), 25)
    scaled = dense * dense.sum(axis=1, keepdims=True).clip(1) ** -0.3
    gram = scaled.T @ scaled
    cosine = gram / np.sqrt(np.outer(dense.sum(axis=0), dense.sum(axis=0)))
    penalty = 6.0 * np.trace(gram) / dense.sum() + np.diag(gram) * 0.25 / 0.75
    np.fill_diagonal(cosine, 0)
    for item in range(25):
        used = np.flatnonzero(weights[:, item])
        assert cosine[used, item].min() >= np.sort(cosine[:, item])[-4] - 1e-6
        solution = np.linalg.solve(gram[np.ix_(used, used)] + np.diag(penalty[used]), gram[used, item])
        np.testing.assert_allclose(weights[used, item], solution, atol=1e-5)


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"neighbours > 0"):
        SparseInverse(neighbours=0)
    with pytest.raises(InvalidInput, match=r"dropout < 1"):
        SparseInverse(dropout=1.0)


def test_a_catalogue_too_large_for_all_products_at_once_gets_the_same_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    users, items = rng.integers(0, 60, 500), rng.integers(0, 30, 500)
    log = Interactions.from_arrays([f"{u:02}" for u in range(60)], [str(i) for i in range(30)], users, items)
    at_once = SparseInverse(neighbours=8).fit(log).arrays()
    monkeypatch.setattr("bespeak.models.item_weights.sparse_inverse._WHOLE_ITEMS", 29)
    for name, array in SparseInverse(neighbours=8).fit(log).arrays().items():
        np.testing.assert_allclose(array, at_once[name], rtol=1e-4, atol=1e-6)
