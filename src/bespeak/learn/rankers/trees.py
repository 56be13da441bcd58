"""Boosted trees that correct a linear score where its signals work together: LambdaMART (Burges, 2010) by LightGBM.

The trees start from the linear score, so they learn what it misses, and signals that they never met keep their weights.
A reward weighs 1 / examination of where it stood, so that what stood low is not taken for what is liked less.
Needs the extra `trees`; what is grown is served without it (`decide.rankers.forest`).
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from bespeak.decide.rankers.forest import ENDED, Forest
from bespeak.learn.rankers.shown import Float64s, ShownItems

DEPTH = 5
N_TREES = 80
LEARNING_RATE = 0.06
_GRADES = 4
_LEAST_EXAMINATION = 0.1
MISSING = "boosted trees need the extra: pip install 'bespeak[trees]' (and the system's OpenMP library, libgomp1)"


def lightgbm() -> ModuleType | None:
    """Returns the library, None where it or the OpenMP library that it loads is missing."""
    try:
        return import_module("lightgbm")
    except (ImportError, OSError):
        return None


def grow(shown: ShownItems, linear: Float64s, examination: Float64s, *, seed: int = 0) -> Forest:
    """Grows trees on shown items.

    Args:
        shown: the rows; slates without any reward teach nothing and are left out.
        linear: float64[n], the linear score of each row on the logit scale: where the trees start.
        examination: float64[n], how likely each row was looked at.
        seed: of the library's draws.

    Raises:
        RuntimeError: the extra is not there; ask `lightgbm` first.
    """
    library = lightgbm()
    if library is None:
        raise RuntimeError(MISSING)
    _, place = np.unique(shown.decisions, return_inverse=True)
    is_taught = (np.bincount(place, shown.rewards) > 0)[place]
    rows = shown.select(is_taught)
    weights = np.where(rows.rewards > 0, 1.0 / np.maximum(examination[is_taught], _LEAST_EXAMINATION), 1.0)
    data = library.Dataset(
        rows.values,
        label=np.ceil(rows.rewards * _GRADES),
        weight=weights,
        group=np.unique(rows.decisions, return_counts=True)[1],
        init_score=linear[is_taught],
        free_raw_data=False,
    )
    settings: dict[str, Any] = {
        "objective": "lambdarank",
        "label_gain": list(range(_GRADES + 1)),
        "max_depth": DEPTH,
        "num_leaves": 2**DEPTH - 1,
        "learning_rate": LEARNING_RATE,
        "min_data_in_leaf": max(20, len(rows) // 200),
        "lambda_l2": 5.0,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "seed": seed,
        "verbosity": -1,
    }
    booster = library.train(settings, data, num_boost_round=N_TREES)
    return forest_of(booster.dump_model(), shown.names)


def forest_of(dump: dict[str, Any], names: tuple[str, ...]) -> Forest:
    """Returns the trees of a dumped model as heaps."""
    trees = [tree["tree_structure"] for tree in dump["tree_info"]]
    n_trees, n_nodes = len(trees), 2**DEPTH - 1
    forest = Forest(
        names=names,
        features=np.zeros((n_trees, n_nodes), np.int64),
        thresholds=np.full((n_trees, n_nodes), ENDED),
        leaves=np.zeros((n_trees, n_nodes + 1)),
        covers=np.zeros((n_trees, n_nodes + 1)),
    )
    for place, tree in enumerate(trees):
        _lay(forest, place, tree, 0)
    return forest


def _lay(forest: Forest, tree: int, found: dict[str, Any], node: int) -> None:
    if "split_index" in found:
        forest.features[tree, node] = found["split_feature"]
        forest.thresholds[tree, node] = found["threshold"]
        _lay(forest, tree, found["left_child"], 2 * node + 1)
        _lay(forest, tree, found["right_child"], 2 * node + 2)
        return
    n_nodes = forest.features.shape[1]
    while node < n_nodes:
        node = 2 * node + 1
    forest.leaves[tree, node - n_nodes] = found["leaf_value"]
    forest.covers[tree, node - n_nodes] = found.get("leaf_count", 1)
