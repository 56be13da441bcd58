"""In a world whose effects are known, orders by uplift come out as they must: true > learned > response > random."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bespeak.learn.predicting.uplift import judge_uplift
from bespeak.measure.uplift import UpliftTest

SEED = 20_260_101


def test_true_beats_learned_beats_response_beats_random():
    draw = np.random.default_rng(SEED)
    n = 12_000
    taste, price, age = draw.normal(size=(3, n))
    treated = draw.random(n) < 0.5
    # Who is inclined to buy is a little easier to move; who minds the price is moved most; some are put off.
    before = 1 / (1 + np.exp(1.5 - taste))
    effect = 0.05 + 0.03 * np.tanh(taste) + 0.12 * np.tanh(price)

    def outcomes(of_whom: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        return (draw.random(n) < np.clip(before + of_whom * effect, 0, 1)).astype(float)

    y = outcomes(treated)
    columns = {"taste": taste, "price": price, "age": age}

    found = judge_uplift(columns, y, treated, np.random.default_rng(SEED))
    qini = {name: figures.qini.value for name, figures in found.orders.items()}
    true = UpliftTest(y, treated).qini(effect)

    learned = (qini["t_learner"], qini["dr_learner"])
    assert true > max(learned)
    assert min(learned) > qini["response"] > qini["random"]
    assert found.orders["response"].qini.interval.low > 0
    low, high = found.average.difference_interval
    assert low < effect.mean() < high

    # The same people in the same order, treated and luckier or not once more: what the order is worth in truth.
    lots = draw.random((10, n)) < 0.5
    worth = np.mean([UpliftTest(outcomes(lot), lot).qini(found.scores) for lot in lots])
    low, high = found.orders[found.best].qini.interval
    assert low < worth < high
    assert high - low < 0.05, "all rows judge"


def test_every_score_is_of_learners_that_did_not_see_the_row():
    draw = np.random.default_rng(SEED)
    n = 600
    treated, y = draw.random(n) < 0.5, (draw.random(n) < 0.3).astype(float)
    # Nothing tells anything: with thirty columns of noise the rows that were learned from would look ordered.
    columns = {f"x{place}": column for place, column in enumerate(draw.normal(size=(30, n)))}
    found = judge_uplift(columns, y, treated, np.random.default_rng(1), n_folds=2)
    for name in ("t_learner", "dr_learner"):
        low, high = found.orders[name].qini.interval
        assert low < 0 < high


def test_columns_that_the_treatment_changed_and_ids_are_no_features():
    draw = np.random.default_rng(SEED)
    n = 2_000
    treated, x = draw.random(n) < 0.5, draw.normal(size=n)
    y = (draw.random(n) < 0.2 + 0.1 * treated * (x > 0)).astype(float)
    columns = {
        "x": x,
        "opened": (draw.random(n) < 0.5 * treated).astype(float),
        "id": draw.permutation(n).astype(float),
    }
    found = judge_uplift(columns, y, treated, np.random.default_rng(1), n_folds=2)
    assert found.features == ("x",)
    assert "came after" in found.left_out["opened"]
    assert "an id" in found.left_out["id"]
    assert judge_uplift(columns, y, treated, np.random.default_rng(1), keep=["opened"], n_folds=2).features == (
        "x",
        "opened",
    )
