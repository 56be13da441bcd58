import numpy as np
import pytest

from bespeak.errors import InvalidInput
from bespeak.models import Ease, History, Interactions
from bespeak.models.item_weights import ease as module


def test_weights_by_hand() -> None:
    """X'X + I = [[3, 2, 0], [2, 3, 0], [0, 0, 2]]; its inverse is [[3, -2], [-2, 3]] / 5 and 1/2: B_xy = 2/3."""
    data = Interactions.from_events(["a", "a", "b", "b", "c"], ["x", "y", "x", "y", "z"])
    model = Ease(l2=1.0).fit(data)
    np.testing.assert_allclose(model.arrays()["weights"], [[0, 2 / 3, 0], [2 / 3, 0, 0], [0, 0, 0]], atol=1e-6)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_weights_are_those_of_the_plain_formula(precision, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_GRAM_BLOCK_ITEMS", 7)
    rng = np.random.default_rng(5)
    dense = (rng.random((60, 25)) < 0.2).astype(np.float64)
    users, items = np.nonzero(dense)
    data = Interactions.from_arrays([str(u) for u in range(60)], [str(i) for i in range(25)], users, items)
    inverse = np.linalg.inv(dense.T @ dense + 20 * np.eye(25))
    expected = inverse / -np.diag(inverse)
    np.fill_diagonal(expected, 0)
    weights = Ease(l2=20.0, precision=precision).fit(data).arrays()["weights"]
    np.testing.assert_allclose(weights, expected, atol=1e-5)


def test_a_catalogue_too_large_for_memory_is_refused_with_a_way_out() -> None:
    data = Interactions.from_events([], [], item_ids=[str(i) for i in range(20_000)])
    with pytest.raises(InvalidInput, match=r"20,000 items needs 3\.2 GB, allowed are 1 GB.*implicit_mf"):
        Ease(max_gb=1).fit(data)


def test_stronger_signals_pull_more() -> None:
    data = Interactions.from_events(["a", "a", "b", "b"], ["x", "y", "x", "y"])
    weak, strong = Ease(l2=1.0).fit(data).scores([History.of([0], [1.0]), History.of([0], [3.0])], 0)
    assert strong[1] == pytest.approx(2 * weak[1])
