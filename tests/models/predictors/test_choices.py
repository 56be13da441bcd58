"""Conditional logit: intervals that cover what was planted, people who choose much, bounds, and nothing chosen."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.models.predictors.choices import Choices, fit_choices
from bespeak.models.predictors.logistic import Rows, fit_logistic
from bespeak.models.predictors.newton import Prior

N_WORLDS = 150
PLANTED = np.array([0.8, 0.5, -0.4, 0.0])
SIZE = 6


def world(seed: int, n_slates: int = 250, *, has_positions: bool = True) -> Choices:
    """Slates of `SIZE`, of each of which one item is chosen."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n_slates, SIZE, len(PLANTED)))
    looked = np.arange(1.0, SIZE + 1) ** (-0.8 if has_positions else 0.0)
    odds = looked * np.exp(values @ PLANTED)
    chosen = (odds.cumsum(axis=1) > rng.random((n_slates, 1)) * odds.sum(axis=1, keepdims=True)).argmax(axis=1)
    rewards = (np.arange(SIZE) == chosen[:, None]).astype(float)
    groups = np.repeat(np.arange(n_slates), SIZE)
    return Choices.of(values.reshape(-1, len(PLANTED)), rewards.ravel(), np.tile(looked, n_slates), groups)


@pytest.mark.parametrize("has_positions", [False, True])
def test_intervals_of_unregularised_fits_cover_the_planted_weights(has_positions: bool) -> None:
    covered = np.zeros(len(PLANTED))
    for seed in range(N_WORLDS):
        fit = fit_choices(world(seed, has_positions=has_positions), Prior.none(len(PLANTED)))
        covered += np.abs(fit.weights - PLANTED) < 1.96 * fit.standard_errors
    # 600 intervals: 95 % give or take 2 %.
    assert 0.93 < covered.mean() / N_WORLDS < 0.97


def test_what_people_who_choose_much_are_shown_does_not_pass_for_what_is_chosen() -> None:
    rng = np.random.default_rng(1)
    n_slates = 3_000
    eager = rng.integers(0, 2, n_slates)  # and whoever is eager is shown more of the first kind
    values = rng.normal(size=(n_slates, SIZE)) + 2.0 * eager[:, None]
    rewards = (rng.random((n_slates, SIZE)) < np.where(eager, 0.5, 0.05)[:, None]).astype(float)
    rows = values.reshape(-1, 1), rewards.ravel()
    alone = fit_logistic(Rows.of(*rows), Prior.none(1))
    among = fit_choices(Choices.of(*rows, np.ones(len(rows[1])), np.repeat(np.arange(n_slates), SIZE)), Prior.none(1))
    assert alone.weights[0] > 20 * alone.standard_errors[0]
    assert abs(among.weights[0]) < 3 * among.standard_errors[0]


def test_bounds_hold_and_the_prior_stays_where_nothing_was_chosen() -> None:
    prior = Prior(
        np.full(4, 0.7), np.full(4, 2.0), np.array([-np.inf, -np.inf, 0.0, 0.3]), np.array([np.inf] * 3 + [0.3])
    )
    fit = fit_choices(world(2), prior)
    assert fit.weights[2:].tolist() == [0.0, 0.3]
    assert fit.is_held.tolist() == [False, False, True, True]
    assert fit.standard_errors[2:].tolist() == [0.0, 0.0]
    none = Choices.of(np.ones((4, 4)), np.zeros(4), np.ones(4), np.array([0, 0, 1, 1]))
    assert len(none.starts) == 0
    assert fit_choices(none, prior).weights.tolist() == [0.7, 0.7, 0.7, 0.3]


def test_a_group_of_one_says_nothing_and_shares_of_rewards_count() -> None:
    values = np.array([[5.0], [0.0], [1.0]])
    one = Choices.of(values, np.array([1.0, 0.25, 0.75]), np.ones(3), np.array([0, 1, 1]))
    assert one.starts.tolist() == [0]
    assert fit_choices(one, Prior.none(1)).weights[0] == pytest.approx(np.log(3))
