import numpy as np
import pytest

from bespeak.errors import InvalidInput
from bespeak.models import History, Interactions
from bespeak.models.item_weights import slist as module
from bespeak.models.item_weights.slist import Slist

HALVES = 1 / np.log(2)
"""The memory whose gamma is one half."""


def walks(n_users: int, n_items: int, length: int) -> Interactions:
    rng = np.random.default_rng(3)
    users = np.repeat(np.arange(n_users), rng.integers(1, length, n_users))
    items = rng.integers(0, n_items, len(users))
    return Interactions.from_arrays([str(u) for u in range(n_users)], [str(i) for i in range(n_items)], users, items)


def plain_weights(data: Interactions, memory: float, ahead: int, l2: float) -> np.ndarray:
    """The formula of the docstring, with every row of X and Y written out."""
    gamma, n_items = np.exp(-1 / memory), data.n_items
    rows, targets = [], []
    for user in range(data.n_users):
        items = data.history(user).items
        for t in range(1, len(items)):
            x, y = np.zeros(n_items), np.zeros(n_items)
            for d in range(1, t + 1):
                x[items[t - d]] += gamma ** (d - 1)
            for k in range(min(ahead, len(items) - t)):
                y[items[t + k]] += 1 / (k + 1)
            rows.append(x)
            targets.append(y)
    x, y = np.array(rows), np.array(targets)
    gram, links = x.T @ x, x.T @ y
    np.fill_diagonal(links, 0)
    weights = np.linalg.solve(gram + l2 * np.eye(n_items), links)
    np.fill_diagonal(weights, 0)
    return weights


def test_weights_by_hand() -> None:
    """One walk x, y, z with gamma 1/2: the cases are x -> y and x / 2 + y -> z. X'X = [[5/4, 1/2, 0], [1/2, 1, 0], 0].

    X'X + I/4 = [[3/2, 1/2], [1/2, 5/4]], of determinant 13/8; X'Y has y after x with 1, z after x and y with 1/2 and 1.
    """
    data = Interactions.from_events(["a"] * 3, list("xyz"), times_ms=[1, 2, 3])
    weights = Slist(memory=HALVES, ahead=1, l2=0.25).fit(data).arrays()["weights"]
    expected = [[0, 10 / 13, 1 / 13], [0, 0, 10 / 13], [0, 0, 0]]
    np.testing.assert_allclose(weights, expected, atol=1e-6)


@pytest.mark.parametrize("is_sparse", [True, False])
@pytest.mark.parametrize(("memory", "ahead"), [(HALVES, 1), (4.0, 3), (20.0, 10)])
def test_weights_are_those_of_the_plain_formula(memory, ahead, is_sparse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK_ITEMS", 7)
    monkeypatch.setattr(module, "_SPARSE", 1.0 if is_sparse else -1.0)
    monkeypatch.setattr(module, "_NEGLIGIBLE", 1e-7)
    data = walks(80, 18, 25)
    weights = Slist(memory=memory, ahead=ahead, l2=5.0).fit(data).arrays()["weights"]
    np.testing.assert_allclose(weights, plain_weights(data, memory, ahead, 5.0), atol=2e-4)


def test_what_is_left_out_as_negligible_changes_little() -> None:
    data = walks(80, 18, 60)
    weights = Slist(memory=4.0, ahead=3, l2=5.0).fit(data).arrays()["weights"]
    np.testing.assert_allclose(weights, plain_weights(data, 4.0, 3, 5.0), atol=0.01)


def test_the_latest_item_counts_most_and_order_matters() -> None:
    data = Interactions.from_events(["a", "a", "b", "b"], ["x", "y", "z", "w"], times_ms=[1, 2, 1, 2])
    model = Slist(memory=HALVES).fit(data)  # items w, x, y, z
    first, second = model.scores([History.of([1, 3]), History.of([3, 1])], 0)
    assert first[0] > first[2] > 0
    assert second[2] > second[0] > 0
    assert not model.scores([History.of([2])], 0).any()


def test_dislikes_are_no_part_of_the_walk() -> None:
    soured = Interactions.from_events(["a"] * 3, list("xyz"), [1, -1, 1], [1, 2, 3])
    plain = Interactions.from_events(["a"] * 2, list("xz"), times_ms=[1, 2], item_ids=list("xyz"))
    np.testing.assert_array_equal(Slist().fit(soured).arrays()["weights"], Slist().fit(plain).arrays()["weights"])


def test_a_catalogue_too_large_for_memory_is_refused_with_a_way_out() -> None:
    data = Interactions.from_events([], [], item_ids=[str(i) for i in range(20_000)])
    with pytest.raises(InvalidInput, match=r"20,000 items needs 3\.2 GB, allowed are 1 GB.*sequence_rules"):
        Slist(max_gb=1).fit(data)


@pytest.mark.parametrize("settings", [{"memory": 0.0}, {"memory": np.nan}, {"ahead": 0}, {"l2": 0.0}])
def test_settings_without_a_meaning_are_refused(settings) -> None:
    with pytest.raises(InvalidInput, match="must be positive"):
        Slist(**settings)
