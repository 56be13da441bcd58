import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from bespeak.models import Interactions, Model, Transformer
from bespeak.models.members import MEMBERS

N_PEOPLE, N_ITEMS, N_EVENTS = 1000, 1200, 60_000
FITTED_HERE = [name for name in MEMBERS if name not in ("transformer", "content")]  # content hangs on texts alone


def log() -> Interactions:
    """Visits of seven events each, a few items far ahead of the others."""
    rng = np.random.default_rng(3)
    event = np.arange(N_EVENTS)
    return Interactions.from_arrays(
        [f"u{user}" for user in range(N_PEOPLE)],
        [f"i{item}" for item in range(N_ITEMS)],
        event // 7 % N_PEOPLE,
        np.minimum((rng.pareto(1.0, N_EVENTS) * N_ITEMS / 20).astype(np.int64), N_ITEMS - 1),
        times_ms=event % 7 * 60_000 + event // (7 * N_PEOPLE) * 10**8,
    )


@pytest.fixture(scope="module")
def data() -> Interactions:
    made = log()
    for matrix in (made.matrix, made.dislikes):  # made once, for all models
        assert matrix.shape == (N_PEOPLE, N_ITEMS)
    return made


@pytest.mark.parametrize("name", FITTED_HERE)
def test_a_fit_takes_no_more_memory_than_was_said_and_not_far_less(name: str, data: Interactions) -> None:
    model = MEMBERS[name]()
    said = model.fit_memory(N_PEOPLE, N_ITEMS, N_EVENTS)
    tracemalloc.start()
    try:
        fitted = model.fit(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 1.1 * said.peak_bytes + 1e6
    assert said.peak_bytes <= 6 * peak + 8e6
    kept = sum(array.nbytes for array in fitted.arrays().values())
    assert kept <= 1.5 * said.kept_bytes + 1e6
    assert said.kept_bytes <= 4 * kept + 1e6


MEASURED = """
import sys

sys.path.insert(0, sys.argv[1])
from test_fits import log
from bespeak.engine.training.machine import peak_bytes
from bespeak.models import Transformer

data = log()
data.matrix
before = peak_bytes()
Transformer(epochs=1).fit(data)
print(peak_bytes() - before)
"""


@pytest.mark.outside
def test_the_transformer_with_torch_takes_no_more_memory_than_was_said() -> None:
    folder = __file__.rpartition("/")[0]
    done = subprocess.run([sys.executable, "-c", MEASURED, folder], capture_output=True, text=True, check=True)
    peak = float(done.stdout)
    said = Transformer().fit_memory(N_PEOPLE, N_ITEMS, N_EVENTS).peak_bytes
    assert peak <= 1.2 * said
    assert said <= 8 * peak  # what torch gives back between its steps differs from run to run


class Stopped(Exception):
    """The process dies here."""


class Kept:
    """Keeps the state of the latest pass, and may stop the fit."""

    def __init__(self, state=None, stop_at: float = 2.0) -> None:
        self.state, self.stop_at, self.shares = state, stop_at, []

    def latest(self):
        return self.state

    def passed(self, share, state) -> None:
        self.shares.append(share)
        self.state = {name: np.array(array) for name, array in state().items()}
        if share >= self.stop_at:
            raise Stopped


@pytest.mark.outside
@pytest.mark.parametrize("stop_at", [0.2, 0.8])
def test_a_transformer_that_was_stopped_goes_on_to_the_same_arrays_bit_for_bit(stop_at: float) -> None:
    rng = np.random.default_rng(0)
    small = Interactions.from_arrays(
        [str(u) for u in range(40)], [str(i) for i in range(30)], np.repeat(np.arange(40), 12), rng.integers(0, 30, 480)
    )
    model = Transformer(width=8, layers=1, length=10, epochs=5, negatives=16, batch_likes=64)
    watched = Kept(stop_at=stop_at)
    with pytest.raises(Stopped):
        model.fit_in_passes(small, None, watched)
    rest = Kept(watched.state)
    resumed = model.fit_in_passes(small, None, rest).arrays()
    assert watched.shares + rest.shares == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    for name, array in model.fit(small).arrays().items():
        assert array.tobytes() == resumed[name].tobytes(), name


@pytest.mark.parametrize("model", [MEMBERS["ease"](l2=10.0), MEMBERS["popularity"]()], ids=lambda model: model.name)
def test_a_fit_in_one_go_is_one_pass(model: Model, data: Interactions) -> None:
    assert model.n_passes(len(data)) == 1
    whole = model.fit(data).arrays()
    for name, array in model.fit_in_passes(data, None, Kept()).arrays().items():
        np.testing.assert_array_equal(array, whole[name])
