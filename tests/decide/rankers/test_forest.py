"""Forests: walked by hand, explained by brute force."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import msgspec
import numpy as np
import pytest

from bespeak.decide.rankers.forest import ENDED, TREES, Forest
from bespeak.decide.reasons.tree_reasons import REST, told_by_signal
from bespeak.signals.decisions import Decision, Reason, ShownItem

NAMES = ("a", "b", "c")


def by_hand() -> Forest:
    """Two trees of depth 2: the second ends at once on its left side."""
    return Forest(
        names=NAMES,
        features=np.array([[0, 1, 1], [2, 0, 0]]),
        thresholds=np.array([[0.5, 0.3, 0.7], [0.0, ENDED, 0.5]]),
        leaves=np.array([[1.0, 2.0, 3.0, 4.0], [10.0, 0.0, 20.0, 30.0]]),
        covers=np.array([[4.0, 6.0, 5.0, 5.0], [8.0, 0.0, 9.0, 3.0]]),
    )


def grown(seed: int, depth: int = 4, n_trees: int = 6, n_names: int = 5) -> Forest:
    """Random trees; a feature may come twice on one path, and some branches end early."""
    rng = np.random.default_rng(seed)
    n_nodes = 2**depth - 1
    thresholds = rng.random((n_trees, n_nodes))
    covers = rng.integers(1, 50, (n_trees, n_nodes + 1)).astype(float)
    for tree in range(n_trees):
        node = int(rng.integers(n_nodes // 2, n_nodes))  # a parent of leaves
        thresholds[tree, node] = ENDED
        covers[tree, 2 * (node - n_nodes // 2) + 1] = 0.0
    return Forest(
        names=tuple(f"s{n}" for n in range(n_names)),
        features=rng.integers(0, n_names, (n_trees, n_nodes)),
        thresholds=thresholds,
        leaves=rng.normal(size=(n_trees, n_nodes + 1)),
        covers=covers,
    )


def expected(forest: Forest, row: np.ndarray, known: set[int]) -> float:
    """The score when only some signals are known: elsewhere both ways are taken, by how many rows went there."""

    def down(tree: int, node: int) -> tuple[float, float]:
        n_nodes = forest.features.shape[1]
        if node >= n_nodes:
            return float(forest.leaves[tree, node - n_nodes]), float(forest.covers[tree, node - n_nodes])
        (left, many), (right, others) = down(tree, 2 * node + 1), down(tree, 2 * node + 2)
        feature, threshold = int(forest.features[tree, node]), forest.thresholds[tree, node]
        if feature in known:
            return (left if row[feature] <= threshold else right), many + others
        return (left * many + right * others) / max(many + others, 1e-300), many + others

    return sum(down(tree, 0)[0] for tree in range(len(forest.leaves)))


def shapley(forest: Forest, row: np.ndarray) -> list[float]:
    """Shapley values from their definition."""
    n = len(forest.names)
    values = []
    for player in range(n):
        others = [other for other in range(n) if other != player]
        total = 0.0
        for size in range(n):
            share = factorial(size) * factorial(n - size - 1) / factorial(n)
            for known in combinations(others, size):
                held = set(known)
                total += share * (expected(forest, row, held | {player}) - expected(forest, row, held))
        values.append(total)
    return values


def test_trees_are_walked_as_by_hand() -> None:
    rows = np.array([[0.5, 0.3, 0.0], [0.6, 0.8, 1.0], [0.5, 0.31, -1.0], [0.4, 0.0, 2.0]])
    assert by_hand().scores(NAMES, rows).tolist() == [1 + 10, 4 + 30, 2 + 10, 1 + 20]


def test_signals_are_found_by_name_and_missing_ones_count_as_0() -> None:
    rows = np.array([[9.0, 1.0, 0.6]])
    assert by_hand().scores(("other", "c", "a"), rows).tolist() == [3.0 + 30.0]
    assert by_hand().scores((), np.zeros((2, 0))).tolist() == [11.0, 11.0]
    assert by_hand().scores(NAMES, np.zeros((0, 3))).tolist() == []


@pytest.mark.parametrize("seed", range(4))
def test_contributions_are_shapley_values_and_add_up(seed: int) -> None:
    forest = grown(seed)
    row = np.random.default_rng(seed + 100).random(5)
    found = forest.contributions(row)
    assert found.tolist() == pytest.approx(shapley(forest, row), abs=1e-12)
    assert forest.base == pytest.approx(expected(forest, row, set()))
    assert forest.base + found.sum() == pytest.approx(forest.scores(forest.names, row[None])[0], abs=1e-12)


def test_a_signal_that_no_tree_asks_for_adds_nothing() -> None:
    forest = by_hand()
    bare = Forest((*NAMES, "idle"), forest.features, forest.thresholds, forest.leaves, forest.covers)
    assert bare.contributions(np.array([0.9, 0.1, 1.0, 5.0]))[3] == 0.0


def test_from_the_record_the_trees_are_told_by_signal() -> None:
    forest, linear = by_hand(), {"a": 0.5, "b": -1.0, TREES: 0.1}
    row = np.array([0.6, 0.8, 0.0])
    trees = float(forest.scores(NAMES, row[None])[0])
    score = 0.5 * 0.6 - 0.8 + 0.1 * trees
    shown = ShownItem(
        item_id="p1",
        position=1,
        score=score,
        features={"a": 0.6, "b": 0.8, TREES: trees},
        reasons=(Reason(signal="a=x", value=0.6, weight=0.5, contribution=0.3, text="because of x"),),
    )
    decision = Decision(decision_id="d", time_ms=0, placement="home", mode="profiled", policy="home@1", items=(shown,))
    told = told_by_signal(decision, forest, lambda names: np.array([linear[n] for n in names])).items[0]
    shares = forest.contributions(row)
    by_name = {reason.signal: reason for reason in told.reasons}
    assert by_name["a=x"].contribution == pytest.approx(0.3 + 0.1 * shares[0])
    assert by_name["a=x"].text == "because of x"
    assert by_name["b"].contribution == pytest.approx(-0.8 + 0.1 * shares[1])
    assert by_name[TREES].contribution == pytest.approx(0.1 * (forest.base + shares[2]))
    assert by_name[TREES].text == REST
    assert sum(reason.contribution for reason in told.reasons) == pytest.approx(score, abs=1e-12)
    for reason in told.reasons:
        assert reason.contribution == pytest.approx(reason.value * reason.weight)
    plain = msgspec.structs.replace(decision, items=(msgspec.structs.replace(shown, features={"a": 0.6}),))
    assert told_by_signal(plain, forest, lambda names: np.zeros(len(names))) == plain
