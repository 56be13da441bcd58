"""The reward model: the ridge optimum, probabilities for rewards of 0 and 1, and nobody predicted by what saw them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.special import expit

from bespeak.learn.replay.logged_choices import encoded, rewards_to_come, with_model
from bespeak.learn.replay.reward_model import RewardModel, cross_fitted
from bespeak.measure.choices import Choices


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(1)
    features = rng.normal(size=(4_000, 3))
    chance = expit(features @ [1.0, -0.5, 0.0] - 1.0)
    return sparse.csr_matrix(features), (rng.random(4_000) < chance).astype(float)


def test_a_logistic_fit_is_the_ridge_optimum_and_finds_the_weights(rows):
    features, rewards = rows
    model = RewardModel.fit(features, rewards, l2=2.0)
    left = rewards - model.predict(features)
    assert features.T @ left == pytest.approx(2.0 * model.weights, abs=1e-6)
    assert left.sum() == pytest.approx(0, abs=1e-6)
    assert model.weights == pytest.approx([1.0, -0.5, 0.0], abs=0.15)


def test_other_rewards_are_fitted_linearly(rows):
    features, rewards = rows
    for model in (RewardModel.fit(features, 3 * rewards), RewardModel.fit(features, 3 * rewards, is_linear=True)):
        assert not model.is_binary
        assert features.T @ (3 * rewards - model.predict(features)) == pytest.approx(model.weights, abs=1e-6)


def test_rewards_that_are_all_alike_are_fitted_too(rows):
    features, _ = rows
    assert RewardModel.fit(features, np.zeros(4_000)).predict(features).max() < 0.01
    assert RewardModel.fit(features, np.ones(4_000)).predict(features).min() > 0.99


def test_every_row_is_predicted_once_and_by_a_model_without_its_unit(rows):
    features, rewards = rows
    units = np.arange(4_000) // 4
    times = np.zeros(4_000)
    for held_out, _ in cross_fitted(features, rewards, units, np.random.default_rng(2)):
        times += held_out
        assert not set(units[held_out]) & set(units[~held_out])
    assert (times == 1).all()


def test_names_become_columns_and_numbers_are_brought_to_one_scale():
    found = encoded(3, [np.array([1.0, np.nan, 3.0])], [(2, np.array([0, 1, -1]))]).toarray()
    assert found.tolist() == [[-1, 1, 0], [0, 0, 1], [1, 0, 0]]
    assert encoded(3, [], []).shape == (3, 0)


def test_predictions_average_over_what_the_other_policy_takes():
    rng = np.random.default_rng(3)
    n = 3_000
    actions = rng.integers(0, 2, n)
    reward = (rng.random(n) < np.where(actions == 1, 0.6, 0.2)).astype(float)
    log = Choices(reward, np.full(n, 0.5), np.full(n, 0.5))
    found = with_model(
        log,
        encoded(n, [], []),
        actions,
        2,
        lambda rows: np.tile([0.25, 0.75], (len(rows), 1)),
        np.random.default_rng(4),
    )
    assert found.predicted[actions == 1].mean() == pytest.approx(0.6, abs=0.04)
    assert found.expected == pytest.approx(0.25 * 0.2 + 0.75 * 0.6, abs=0.04)


def test_rewards_to_come_are_those_from_a_position_on():
    log = Choices(
        np.array([1.0, 2.0, 4.0, 8.0]),
        np.ones(4),
        np.ones(4),
        decision=np.array([0, 0, 1, 0]),
        position=np.array([2, 1, 1, 3]),
    )
    assert rewards_to_come(log).tolist() == [9, 11, 4, 8]
