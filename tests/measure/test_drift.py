"""Drift is named by its day, and nothing else is called drift."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.measure.drift import MIN_PEOPLE, find_drift


def turned_to(seed, *, n_people=120, n_days=40, turns_on=None, n_values=6):
    """Who turned to which value on which day: mostly their favourite, which changes for all on a day."""
    rng = np.random.default_rng(seed)
    likes = rng.integers(n_values, size=(2, n_people))
    person, day = np.nonzero(rng.random((n_people, n_days)) < 0.4)
    later = np.zeros(len(day), int) if turns_on is None else (day >= turns_on).astype(int)
    value = np.where(rng.random(len(day)) < 0.5, likes[later, person], rng.integers(n_values, size=len(day)))
    return person, value, day + 20_000


@pytest.mark.parametrize("seed", range(5))
def test_the_day_on_which_tastes_turn_is_named(seed):
    found = find_drift(*turned_to(seed, turns_on=22))
    assert found.day == 20_022
    assert found.before > 0.15 > 0.08 > found.after
    assert found.n_people <= 120


@pytest.mark.parametrize("seed", range(20))
def test_tastes_that_stay_are_no_drift(seed):
    assert find_drift(*turned_to(seed)) is None


def test_another_mix_of_what_is_popular_is_no_drift():
    person, value, day = turned_to(3)
    rng = np.random.default_rng(3)
    everybody = (rng.random(len(day)) < 0.3) & (day >= 20_020)
    calm = rng.random(len(day)) < 0.3
    # The same share of what they do is not their own choice before and after; only what it falls on changes.
    value = np.where(calm & (day < 20_020), 0, np.where(everybody, 1, value))
    assert find_drift(person, value, day) is None


def test_few_people_or_days_say_nothing():
    nothing = np.zeros(0, np.int64)
    assert find_drift(nothing, nothing, nothing) is None
    assert find_drift(*turned_to(1, n_people=MIN_PEOPLE - 1, turns_on=22)) is None
    assert find_drift(*turned_to(1, n_days=13, turns_on=7)) is None
