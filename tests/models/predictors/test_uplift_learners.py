"""T- and DR-learner: a planted effect is found, and who buys anyway is not taken for it."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.errors import InvalidInput
from bespeak.models.predictors.uplift import DrLearner, ResponseModel, TLearner


def planted(n: int, seed: int):
    draw = np.random.default_rng(seed)
    x, treated = draw.normal(size=(n, 4)), draw.random(n) < 0.3
    effect = 1.0 + 2.0 * x[:, 1]
    return x, 3.0 * x[:, 0] + treated * effect + draw.normal(size=n), treated, effect


@pytest.mark.parametrize("learner", [TLearner, DrLearner])
def test_a_planted_effect_is_found(learner):
    x, y, treated, effect = planted(6_000, 1)
    found = learner.fit(x, y, treated, kind="amount", rng=np.random.default_rng(2)).uplift(x)
    assert np.corrcoef(found, effect)[0, 1] > 0.98
    assert found.mean() == pytest.approx(1.0, abs=0.1)


def test_the_response_model_finds_who_buys_anyway():
    x, y, treated, _ = planted(6_000, 3)
    found = ResponseModel.fit(x, y, treated, kind="amount", rng=np.random.default_rng(2)).uplift(x)
    assert np.corrcoef(found, x[:, 0])[0, 1] > np.corrcoef(found, x[:, 1])[0, 1]


def test_the_same_seed_gives_the_same_scores():
    x, y, treated, _ = planted(500, 4)
    one, two = (DrLearner.fit(x, y, treated, kind="amount", rng=np.random.default_rng(5)).uplift(x) for _ in range(2))
    assert one.tolist() == two.tolist()


def test_an_arm_that_is_too_small_is_refused():
    x, y, _, _ = planted(200, 6)
    with pytest.raises(InvalidInput, match="An arm has 3 rows"):
        TLearner.fit(x, y, np.arange(200) < 3, kind="amount", rng=np.random.default_rng(5))
