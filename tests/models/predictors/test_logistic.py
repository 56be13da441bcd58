"""The solver: known answers, priors, bounds, examination, and intervals that cover what was planted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from bespeak.models.predictors.logistic import Rows, dispersion_of, fit_logistic
from bespeak.models.predictors.newton import Prior

N_WORLDS = 200
PLANTED = np.array([0.8, 0.5, -0.4, 0.2, 0.0])
BASE = -2.0


def world(seed: int, *, collinear: bool = False, has_positions: bool = False, n: int = 1500) -> Rows:
    """Rows whose rewards follow `BASE` and `PLANTED`."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, len(PLANTED)))
    if collinear:
        values[:, 1] = values[:, 0] + 0.3 * rng.normal(size=n)
    looked = (1.0 + np.arange(n) % 8) ** -0.8 if has_positions else np.ones(n)
    rewards = (rng.random(n) < looked * expit(BASE + values @ PLANTED)).astype(float)
    return Rows.of(values, rewards, looked)


@pytest.mark.parametrize(("collinear", "has_positions"), [(False, False), (True, False), (False, True)])
def test_intervals_of_unregularised_fits_cover_the_planted_weights(collinear: bool, has_positions: bool) -> None:
    covered = np.zeros(len(PLANTED))
    for seed in range(N_WORLDS):
        fit = fit_logistic(world(seed, collinear=collinear, has_positions=has_positions), Prior.none(len(PLANTED)))
        covered += np.abs(fit.weights - PLANTED) < 1.96 * fit.standard_errors
    # 1,000 intervals in all: 95 % give or take 1.5 %; each weight alone, 200 intervals: 4 standard errors.
    assert 0.93 < covered.mean() / N_WORLDS < 0.97
    assert (covered / N_WORLDS > 0.885).all()


def test_the_gradient_is_zero_at_an_unbounded_fit() -> None:
    rows = world(3, has_positions=True)
    fit = fit_logistic(rows, Prior.none(len(PLANTED)))

    def loss(weights: np.ndarray) -> float:
        chance = rows.examination * expit(fit.intercept + rows.values @ weights)
        return -float((rows.rewards * np.log(chance) + (1 - rows.rewards) * np.log(1 - chance)).sum())

    for place in range(len(PLANTED)):
        step = np.zeros(len(PLANTED))
        step[place] = 1e-3
        assert min(loss(fit.weights + step), loss(fit.weights - step)) > loss(fit.weights)
        assert abs(loss(fit.weights + step) - loss(fit.weights - step)) < 1e-4


def test_scarce_data_leaves_the_prior_and_much_data_leaves_it_behind() -> None:
    means = np.array([-1.0, 2.0, 0.0, 0.0, 0.0])
    prior = Prior(means, np.full(5, 0.2), np.full(5, -np.inf), np.full(5, np.inf))
    few, many = (fit_logistic(world(1, n=n), prior).weights for n in (10, 40_000))
    assert np.abs(few - means).max() < 0.1
    assert np.abs(many - PLANTED).max() < 0.15


def test_bounds_hold_weights_and_say_so() -> None:
    prior = Prior(np.zeros(5), np.full(5, np.inf), np.array([0.0, 0.0, 0.0, -np.inf, 0.3]), np.full(5, np.inf))
    prior.high[4] = 0.3
    fit = fit_logistic(world(2), prior)
    assert fit.weights[2] == 0.0
    assert fit.weights[4] == 0.3
    assert fit.is_held.tolist() == [False, False, True, False, True]
    assert fit.standard_errors[[2, 4]].tolist() == [0.0, 0.0]
    assert (fit.standard_errors[[0, 1, 3]] > 0).all()


def test_a_column_that_says_nothing_keeps_its_prior() -> None:
    rows = world(4)
    rows.values[:, 1] = 0.0
    prior = Prior(np.full(5, 0.7), np.full(5, 1.0), np.full(5, -np.inf), np.full(5, np.inf))
    fit = fit_logistic(rows, prior)
    assert fit.weights[1] == pytest.approx(0.7, abs=1e-4)
    assert fit.standard_errors[1] == pytest.approx(1.0, abs=1e-3)


def test_shares_scatter_less_than_yes_and_no() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(size=(4000, 1))
    chance = expit(values[:, 0])
    rows = Rows.of(values, (rng.random((8, 4000)) < chance).mean(axis=0))  # eight looks at each row
    fit = fit_logistic(rows, Prior.none(1))
    assert dispersion_of(rows, fit) == pytest.approx(1 / 8, rel=0.1)
    alike = fit_logistic(rows, Prior.none(1), dispersion=1 / 8)
    assert alike.standard_errors[0] == pytest.approx(fit.standard_errors[0] / np.sqrt(8), rel=1e-3)
    assert abs(alike.weights[0] - 1) < 3 * alike.standard_errors[0]


def test_the_evidence_prefers_the_spread_that_the_weights_have() -> None:
    rng = np.random.default_rng(6)
    values = rng.normal(size=(5000, 30))
    weights = rng.normal(scale=0.3, size=30)
    rows = Rows.of(values, (rng.random(5000) < expit(values @ weights)).astype(float))
    evidence = {
        spread: fit_logistic(
            rows, Prior(np.zeros(30), np.full(30, spread), np.full(30, -np.inf), np.full(30, np.inf))
        ).evidence
        for spread in (0.01, 0.3, 10.0)
    }
    assert max(evidence, key=lambda spread: evidence[spread]) == 0.3
