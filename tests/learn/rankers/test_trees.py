"""Boosted trees: served as LightGBM scores them, explained as it explains them, used only where they help."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from bespeak.engine.worlds.weights import StoredForest
from bespeak.learn.rankers.position_bias import position_bias
from bespeak.learn.rankers.shown import ShownItems
from bespeak.learn.rankers.tree_ranker import learn_trees
from bespeak.learn.rankers.trees import DEPTH, forest_of, grow, lightgbm

pytestmark = pytest.mark.outside

NAMES = tuple(f"s{n}" for n in range(6))
SIZE, N = 8, 3000


def shown(*, together: float, seed: int = 0) -> ShownItems:
    """Slates in random order; what is liked follows s0, and where `together` is not 0 whether s1 and s2 agree."""
    rng = np.random.default_rng(seed)
    n = N * SIZE
    values = rng.random((n, len(NAMES)))
    positions = np.tile(np.arange(1, SIZE + 1), N)
    agree = np.where((values[:, 1] > 0.5) == (values[:, 2] > 0.5), 1.0, -1.0)
    rewards = (rng.random(n) < positions**-0.5 * expit(-2 + 2 * values[:, 0] + together * agree)).astype(float)
    decisions = np.repeat(np.arange(N), SIZE).astype(np.int64)
    return ShownItems(
        names=NAMES,
        values=values,
        rewards=rewards,
        decisions=decisions,
        people=decisions % 200,
        items=(np.arange(n) % 50).astype(np.int32),
        positions=positions.astype(np.int32),
        devices=np.zeros(n, np.int32),
        device_names=("",),
        propensities=np.full(n, 1 / 50),
        scores=2 * values[:, 0],
        times_ms=decisions,
    )


@pytest.fixture(scope="module")
def booster() -> Any:
    library = lightgbm()
    assert library is not None, "the extra `trees` is not there: run `make test-all`, which installs what it needs"
    rng = np.random.default_rng(1)
    values = rng.normal(size=(4000, 12)).round(1)  # ties at thresholds
    labels = (rng.random(4000) < expit(values[:, 0] * values[:, 1] + values[:, 2])).astype(int)
    data = library.Dataset(values, label=labels, group=[10] * 400)
    settings = {"objective": "lambdarank", "max_depth": DEPTH, "num_leaves": 31, "verbosity": -1, "num_threads": 1}
    return library.train(settings, data, num_boost_round=40)


def test_scores_equal_the_librarys_bit_by_bit(booster: Any) -> None:
    names = tuple(f"x{n}" for n in range(12))
    forest = forest_of(booster.dump_model(), names)
    rows = np.random.default_rng(2).normal(size=(3000, 12)).round(1)
    assert (forest.scores(names, rows) == booster.predict(rows, num_threads=1)).all()
    stored = StoredForest.of(forest).forest()
    assert (stored.scores(names, rows) == forest.scores(names, rows)).all()


def test_contributions_equal_the_librarys(booster: Any) -> None:
    forest = forest_of(booster.dump_model(), tuple(f"x{n}" for n in range(12)))
    rows = np.random.default_rng(3).normal(size=(5, 12))
    wanted = booster.predict(rows, pred_contrib=True)
    for row, told in zip(rows, wanted, strict=True):
        assert forest.contributions(row) == pytest.approx(told[:-1], abs=1e-12)
        assert forest.base == pytest.approx(told[-1], abs=1e-12)


def test_trees_help_where_signals_work_together() -> None:
    rows = shown(together=1.0)
    found = learn_trees(rows, rows.scores, 1.0, position_bias(rows), window_ms=1)
    assert found is not None
    assert found.is_better
    assert found.weight > 0
    ours = rows.scores + found.weight * found.forest.scores(NAMES, rows.values)
    agree = (rows.values[:, 1] > 0.5) == (rows.values[:, 2] > 0.5)
    assert (ours - rows.scores)[agree].mean() > (ours - rows.scores)[~agree].mean()


def test_trees_are_not_used_where_the_sum_says_all() -> None:
    rows = shown(together=0.0, seed=4)
    found = learn_trees(rows, rows.scores, 1.0, position_bias(rows), window_ms=1)
    assert found is not None
    assert not found.is_better


def test_too_few_days_grow_nothing() -> None:
    rows = shown(together=1.0)
    assert learn_trees(rows, rows.scores, 1.0, position_bias(rows), window_ms=N) is None


def test_the_same_rows_and_seed_grow_the_same_trees() -> None:
    rows = shown(together=1.0)
    forests = [grow(rows, rows.scores, np.ones(len(rows)), seed=3) for _ in range(2)]
    assert (forests[0].thresholds == forests[1].thresholds).all()
    assert (forests[0].leaves == forests[1].leaves).all()
