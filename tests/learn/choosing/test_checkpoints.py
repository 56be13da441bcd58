from collections.abc import Mapping
from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from bespeak.learn.choosing.checkpoints import fingerprint
from bespeak.learn.train import Trained, train
from bespeak.models import Ease, Interactions, ItemContent, ItemNeighbours, PersonTraits, Popularity, SequenceRules


class Killed(Exception):
    """The process dies here."""


class Memory:
    """Checkpoints in memory that may kill the training after so many of them."""

    def __init__(self, kill_after: int | None = None) -> None:
        self.run = ""
        self.held: dict[str, Mapping[str, np.ndarray]] = {}
        self.n_saved = 0
        self.kill_after = kill_after

    def begin(self, run: str) -> None:
        if run != self.run:
            self.held = {}
        self.run = run

    def load(self, key: str):
        return self.held.get(key)

    def save(self, key: str, arrays) -> None:
        self.held[key] = {name: np.array(array) for name, array in arrays.items()}
        self.n_saved += 1
        if self.n_saved == self.kill_after:
            raise Killed


def trained(log: Interactions, content: ItemContent, checkpoints: Memory | None, seed: int = 1) -> Trained:
    """On a stopwatch that ticks once a reading, so that everything is worth keeping."""
    ticks = count()
    return train(
        log,
        content,
        candidates=[Popularity(), Ease(l2=20.0), Ease(l2=60.0), ItemNeighbours(), SequenceRules()],
        seed=seed,
        checkpoints=checkpoints,
        stopwatch=lambda: float(next(ticks)),
    )


def figures(found: Trained) -> list[object]:
    """Everything but seconds."""
    return [
        [repr(replace(row, seconds_fit=0.0, seconds_recommend=0.0)) for row in board.rows] for board in found.boards
    ] + found.sentences()


@pytest.mark.parametrize("kill_after", [1, 7, 22, 33])
def test_a_training_that_was_killed_goes_on_to_the_same_end(kill_after: int, tasteful_log, tastes) -> None:
    whole = trained(tasteful_log, tastes, None)
    checkpoints = Memory(kill_after)
    with pytest.raises(Killed):
        trained(tasteful_log, tastes, checkpoints)
    checkpoints.kill_after = None
    resumed = trained(tasteful_log, tastes, checkpoints)
    assert checkpoints.n_saved == len(checkpoints.held)  # nothing was found twice
    assert figures(resumed) == figures(whole)
    for name, array in whole.model.arrays().items():
        assert array.tobytes() == resumed.model.arrays()[name].tobytes(), name
    assert {name: model.settings() for name, model in resumed.members.items()} == {
        name: model.settings() for name, model in whole.members.items()
    }


def test_other_data_begins_anew(tasteful_log, tastes) -> None:
    checkpoints = Memory()
    trained(tasteful_log, tastes, checkpoints)
    n_saved = checkpoints.n_saved
    fewer = tasteful_log.select(np.arange(len(tasteful_log)) > 3)
    trained(fewer, tastes, checkpoints)
    assert checkpoints.n_saved >= 2 * n_saved - 10


def test_whatever_a_training_follows_from_is_in_its_fingerprint(tasteful_log, tastes) -> None:
    first = fingerprint(tasteful_log, tastes, [1])
    assert fingerprint(tasteful_log, tastes, [1]) == first
    later = replace(tasteful_log, times_ms=tasteful_log.times_ms + 1)
    told = tasteful_log.with_traits(PersonTraits(tasteful_log.user_ids, {"age": [["30"]] * tasteful_log.n_users}))
    others = [
        fingerprint(tasteful_log, tastes, [2]),
        fingerprint(tasteful_log, None, [1]),
        fingerprint(later, tastes, [1]),
        fingerprint(replace(tasteful_log, is_ordered=False), tastes, [1]),
        fingerprint(told, tastes, [1]),
        fingerprint(tasteful_log, ItemContent(tastes.item_ids, texts=["new"] * len(tastes.item_ids)), [1]),
    ]
    assert len({first, *others}) == 1 + len(others)
    assert not any(user in first for user in tasteful_log.user_ids)
