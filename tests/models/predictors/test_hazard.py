"""Discrete-time hazard: planted effects of age and of customers are found, and what is expected is a sum."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.models.predictors.design import Names
from bespeak.models.predictors.hazard import Hazard
from bespeak.models.predictors.renewals import Renewals

N = 6_000


def population(hazard: np.ndarray, rng: np.random.Generator, n_seen: int) -> Renewals:
    """Who is lost at each of `n_seen` occasions with the probabilities float64[n, n_seen]."""
    is_lost = rng.random(hazard.shape) < hazard
    first = np.where(is_lost.any(axis=1), is_lost.argmax(axis=1), n_seen)
    return Renewals(first, first < n_seen)


def test_a_discount_that_ends_and_a_plan_that_keeps_people_are_found():
    draw = np.random.default_rng(3)
    plan = Names(["basic", "pro"], draw.integers(0, 2, N))
    by_age = np.array([0.05, 0.05, 0.30, 0.08, 0.06, 0.05])  # the discount ends after two months
    truth = np.where(plan.codes[:, None] == 1, 0.4, 1.0) * by_age
    renewals = population(truth, draw, 6)
    found = Hazard.fit({"plan": plan}, renewals, draw)

    both = {"plan": Names(["basic", "pro"], np.repeat([0, 1], 6))}
    said = found.lost(both, np.tile(np.arange(1, 7), 2))
    assert said == pytest.approx(np.concatenate([by_age, 0.4 * by_age]), abs=0.035)
    assert said[2] > 2.5 * said[1]


def test_without_anything_known_it_is_the_share_of_each_occasion():
    renewals = population(np.tile([0.3, 0.2, 0.1], (N, 1)), np.random.default_rng(4), 3)
    kept, lost = renewals.by_occasion()
    found = Hazard.fit({}, renewals, np.random.default_rng(1))
    assert found.lost({}, np.arange(1, 4)) == pytest.approx(lost / (kept + lost), abs=0.01)


def test_of_very_many_rows_a_part_is_fitted(monkeypatch):
    monkeypatch.setattr("bespeak.models.predictors.hazard.MOST_ROWS", 3_000)
    renewals = population(np.tile([0.3, 0.2, 0.1], (N, 1)), np.random.default_rng(4), 3)
    found = Hazard.fit({}, renewals, np.random.default_rng(1))
    assert found.lost({}, np.arange(1, 4)) == pytest.approx([0.3, 0.2, 0.1], abs=0.05)


def test_renewals_ahead_are_the_sum_of_staying_so_long():
    renewals = population(np.full((500, 4), 0.2), np.random.default_rng(5), 4)
    known = {"age": np.random.default_rng(6).normal(size=500)}
    found = Hazard.fit(known, renewals, np.random.default_rng(1))
    some = {"age": np.array([0.5, -0.5])}
    stays, expected = found.stays(some, np.array([2, 0]), np.array([3, 0]))
    one = {"age": np.array([0.5])}
    still = np.cumprod([1 - found.lost(one, np.array([t]))[0] for t in (3, 4, 5)])
    assert stays == pytest.approx([still[-1], 1.0])
    assert expected == pytest.approx([still.sum(), 0.0])


def test_long_after_all_that_was_seen_it_follows_the_line_of_log_time():
    renewals = population(0.3 / np.tile(np.arange(1.0, 13.0), (N, 1)), np.random.default_rng(7), 12)
    found = Hazard.fit({}, renewals, np.random.default_rng(1))
    assert 0 < found.lost({}, np.array([60]))[0] < found.lost({}, np.array([30]))[0] < 0.03
