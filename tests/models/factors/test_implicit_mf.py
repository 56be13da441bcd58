import numpy as np
import pytest

from bespeak.models import History, ImplicitMf, Interactions


def known_vectors() -> ImplicitMf:
    return ImplicitMf.from_arrays(
        {"factors": 2, "l2": 1.0, "alpha": 1.0},
        ["x", "y", "z"],
        {"vectors": np.array([[1, 0], [0, 1], [0, 0]], np.float32), "gram": np.eye(2)},
    )


def test_fold_in_by_hand() -> None:
    """(Y'Y + l2 I + alpha e e') u = (1 + alpha) e gives diag(3, 2) u = (2, 0)."""
    assert known_vectors().scores([History.of([0])], 0)[0] == pytest.approx([2 / 3, 0, 0])


def test_a_dislike_subtracts_half_its_strength_from_the_item() -> None:
    assert known_vectors().scores([History.of([0, 1], [1.0, -1.0])], 0)[0] == pytest.approx([2 / 3, -0.5, 0])


def test_the_latest_event_counts_at_once() -> None:
    before, after = known_vectors().scores([History.of([0]), History.of([0, 1])], 0)
    assert after[1] > before[1]


def test_fold_in_of_a_training_history_is_near_the_trained_person() -> None:
    rng = np.random.default_rng(11)
    users, items = np.nonzero(rng.random((80, 30)) < 0.2)
    data = Interactions.from_arrays([str(u) for u in range(80)], [str(i) for i in range(30)], users, items)
    model = ImplicitMf(factors=8, l2=1.0, rounds=60, threads=1).fit(data)
    vectors = model.arrays()["vectors"].astype(np.float64)
    history = data.history(0)
    weights = np.ones(30)
    weights[history.items] += model.alpha
    liked = np.zeros(30)
    liked[history.items] = 1
    left = (vectors * weights[:, None]).T @ vectors + np.eye(8)
    expected = vectors @ np.linalg.solve(left, (vectors * weights[:, None]).T @ liked)
    np.testing.assert_allclose(model.scores([history], 0)[0], expected, atol=1e-4)


def test_an_item_nobody_touched_scores_zero() -> None:
    data = Interactions.from_events(["a", "b"], ["x", "x"], item_ids=["x", "new"])
    assert ImplicitMf(factors=2, threads=1).fit(data).scores([History.of([0])], 0)[0, 1] == 0
