"""What needs torch (extra `deep`)."""

import importlib

import numpy as np
import pytest

from bespeak.models import Interactions
from bespeak.models.sequences.attention import last_state
from bespeak.models.sequences.transformer import Transformer

pytestmark = pytest.mark.outside

SMALL = {"width": 8, "layers": 2, "heads": 2, "length": 6, "negatives": 16, "batch_likes": 64}


@pytest.fixture(scope="module")
def torch():
    return importlib.import_module("torch")


@pytest.fixture(scope="module")
def training(torch):
    return importlib.import_module("bespeak.models.sequences.transformer_training")


def rounds(n_users: int = 30, n_items: int = 10, length: int = 15) -> Interactions:
    """Everybody goes round the items in the same order, from different starts."""
    users = np.repeat(np.arange(n_users), length)
    items = (np.tile(np.arange(length), n_users) + users) % n_items
    return Interactions.from_arrays([str(u) for u in range(n_users)], [str(i) for i in range(n_items)], users, items)


def test_numpy_serves_what_torch_trained(torch, training) -> None:
    model = Transformer(**SMALL, epochs=2).fit(rounds())
    parts = {name: torch.from_numpy(array) for name, array in model.arrays().items()}
    likes = np.array([[3, 1, 4, 1, 5, 9], [2, 6, 5, 3, 5, 8]])
    states = training.state(model, parts, torch.from_numpy(likes)).numpy()
    for row, sequence in enumerate(likes):
        for n in range(1, len(sequence) + 1):
            served = last_state(model.arrays(), sequence[:n], model.heads)
            np.testing.assert_allclose(served, states[row, n - 1], rtol=1e-4, atol=1e-5)


def test_the_next_item_of_a_round_is_learnt() -> None:
    data = rounds()
    model = Transformer(**SMALL, epochs=25, dropout=0.0, learning_rate=0.02).fit(data)
    best = model.scores(data.histories(), 0).argmax(axis=1)
    assert best.tolist() == [(history.items[-1] + 1) % data.n_items for history in data.histories()]


def test_dropout_leaves_out_its_share_and_keeps_the_sum(torch, training) -> None:
    ones = torch.ones(400, 500)
    found = training.dropping(0.3, np.random.default_rng(5))(ones)
    assert float((found == 0).float().mean()) == pytest.approx(77 / 256, abs=0.005)  # in steps of 1 / 256
    assert float(found.max()) == pytest.approx(256 / 179)
    assert float(found.mean()) == pytest.approx(1, abs=0.01)
    assert training.dropping(0.0, np.random.default_rng(5))(ones) is ones


def test_a_seed_settles_everything_and_torch_keeps_its_own_state(torch) -> None:
    model = Transformer(**SMALL, epochs=1)
    before = torch.random.get_rng_state()
    first = model.fit(rounds()).arrays()
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(99)
    second, other = model.fit(rounds()).arrays(), Transformer(**SMALL, epochs=1, seed=1).fit(rounds()).arrays()
    assert all(first[name].tobytes() == second[name].tobytes() for name in first)
    assert not np.array_equal(first["items"], other["items"])


def test_the_sampled_loss_is_the_full_softmax_when_every_other_item_is_drawn_once(torch, training) -> None:
    settings = Transformer(**SMALL)
    data = rounds(n_users=4)
    parts = {
        name: torch.from_numpy(array)
        for name, array in training.initial(settings, data, np.random.default_rng(0)).items()
    }
    sequence = np.array([[4, 7]])
    loss = training._loss(settings, parts, sequence, torch.tensor([i for i in range(10) if i != 7]))
    state = training.state(settings, parts, torch.tensor([[4]]))[0, 0]
    logits = parts["items"] @ state + parts["item_bias"]
    torch.testing.assert_close(loss, torch.nn.functional.cross_entropy(logits[None], torch.tensor([7])))


def test_sequences_are_cut_from_their_end_into_stretches_that_overlap_by_one(training) -> None:
    data = Interactions.from_arrays(["a", "b"], [str(i) for i in range(8)], [0] * 8 + [1], [*range(8), 3])
    assert [stretch.tolist() for stretch in training._stretches(data, 3)] == [[4, 5, 6, 7], [1, 2, 3, 4], [0, 1]]


def test_every_stretch_is_in_one_batch_and_no_batch_is_too_large(training) -> None:
    rng = np.random.default_rng(1)
    stretches = [np.zeros(size, np.int32) for size in rng.integers(2, 40, 200).tolist()]
    batches = training._batches(stretches, 128, rng)
    assert sorted(np.concatenate(batches).tolist()) == list(range(200))
    assert all(len(batch) * max(len(stretches[s]) for s in batch) <= 128 for batch in batches)


def test_large_logs_are_passed_over_less_often() -> None:
    data = rounds()
    once, bounded = (
        Transformer(**SMALL, epochs=epochs, max_likes=bound).fit(data)
        for epochs, bound in ((1, 10**6), (50, len(data)))
    )
    np.testing.assert_array_equal(once.arrays()["items"], bounded.arrays()["items"])
