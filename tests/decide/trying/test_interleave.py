"""Team draft: both teams get the same places, propensities are exact, and votes say who is better."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from bespeak.decide.slates.slate import Constraints, build
from bespeak.decide.trying.interleave import TeamDraft
from bespeak.measure.interleaving import preference

N_DRAWS = 10_000
FIRST = np.array([6.0, 5.0, 4.0, 3.0, -np.inf, 1.0])
SECOND = np.array([1.0, 5.0, 6.0, -np.inf, 4.0, 0.5])


def drawn(seed: int, count: int = 4, constraints: Constraints | None = None):
    """Slates with their propensities and teams."""
    coins = np.random.default_rng(seed).random((N_DRAWS, count))
    scores = np.maximum(FIRST, SECOND)
    for row in coins:
        draft = TeamDraft((FIRST, SECOND), row)
        slate = build(scores, count, constraints or Constraints(), draft.choose)
        yield [choice.candidate for choice in slate.chosen], [choice.propensity for choice in slate.chosen], draft.teams


@pytest.mark.parametrize("groups", [None, np.array([0, 1, 0, 2, 3, 4], np.int32)])
def test_frequencies_given_the_prefix_match_the_logged_propensities(groups):
    counts: Counter[tuple[int, ...]] = Counter()
    said: dict[tuple[int, ...], float] = {}
    for items, propensities, _ in drawn(5, constraints=Constraints(groups=groups)):
        for position, propensity in enumerate(propensities, 1):
            prefix = tuple(items[:position])
            counts[prefix] += 1
            assert said.setdefault(prefix, propensity) == pytest.approx(propensity)
    for prefix, propensity in said.items():
        n = counts[prefix[:-1]] if len(prefix) > 1 else N_DRAWS
        expected = n * propensity
        spread = max(np.sqrt(n * propensity * (1 - propensity)), 1e-9)
        assert abs(counts[prefix] - expected) <= 4.5 * spread, prefix


def test_each_team_picks_once_a_round_and_takes_its_best_that_is_left():
    for items, _, teams in drawn(7):
        assert teams[1] != teams[2]
        assert teams[3] != teams[4]
        left = set(range(6))
        for position, item in enumerate(items, 1):
            own = (FIRST, SECOND)[teams[position]]
            assert item == max(left, key=lambda one: own[one])
            left.remove(item)
        break


def test_equal_policies_get_equal_credit():
    items_of = Counter()
    for items, _, teams in drawn(11):
        for position, item in enumerate(items, 1):
            items_of[item, teams[position]] += 1
    # the item that both like second is credited to either team
    assert items_of[1, 0] > 0
    assert items_of[1, 1] > 0


def test_a_team_that_proposes_nothing_more_takes_what_the_other_does():
    draft = TeamDraft((np.array([1.0, -np.inf, -np.inf]), np.array([3.0, 2.0, 1.0])), np.array([0.9, 0.9]))
    slate = build(np.array([3.0, 2.0, 1.0]), 3, Constraints(), draft.choose)
    assert [choice.candidate for choice in slate.chosen] == [0, 1, 2]
    assert [choice.propensity for choice in slate.chosen] == [1.0, 1.0, 1.0]


def test_looking_forty_times_at_two_equal_policies_is_wrong_seldom():
    votes = np.random.default_rng(17).choice([-1.0, 1.0], (300, 2_000))
    looks = range(50, 2_001, 50)
    wrong = [any(preference(row[:n]).p_value < 0.05 for n in looks) for row in votes]
    assert np.mean(wrong) <= 0.05


def test_votes_without_a_winner_and_none_at_all():
    even = preference([1, -1] * 50)
    assert even.p_value == 1.0
    assert even.interval.low < 0.5 < even.interval.high
    assert preference([]).share is None
    assert preference([0, 0]).n_ties == 2
    assert preference([1] * 49).interval is None
    clear = preference([1] * 90 + [-1] * 10)
    assert clear.p_value < 0.001
    assert clear.interval.low > 0.5
