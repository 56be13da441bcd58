"""Outcomes are counted for the last showing before them, within the window, of the same item to the same person."""

from __future__ import annotations

import numpy as np

from bespeak.engine.logged.outcomes import Outcomes, latest_shown, watched_share

PEOPLE, ITEMS = np.array([1, 1, 2, 1, 1]), np.array([5, 6, 5, 5, 5])
TIMES_MS = np.array([100, 100, 110, 200, 200])


def places(*outcomes: tuple[int, int, int], window_ms: int = 50) -> list[int]:
    who, what, when_ms = np.array(outcomes, np.int64).reshape(-1, 3).T
    return latest_shown(PEOPLE, ITEMS, TIMES_MS, who, what, when_ms, window_ms).tolist()


def test_the_last_showing_before_it_counts() -> None:
    assert places((1, 5, 120), (1, 6, 120), (2, 5, 120), (1, 5, 100)) == [0, 1, 2, 0]
    assert places((1, 5, 210))[0] in (3, 4)


def test_what_came_before_too_late_or_about_something_else_does_not_count() -> None:
    assert places((1, 5, 99), (1, 5, 151), (2, 6, 120), (3, 5, 120), (1, 7, 120)) == [-1] * 5
    assert places((1, 5, 150), (2, 5, 161)) == [0, -1]


def test_without_outcomes_there_are_none() -> None:
    assert places() == []


def test_rewards_are_the_most_that_came_of_a_row_as_a_share_of_the_largest_worth() -> None:
    outcomes = Outcomes(
        people=np.array([1, 1, 2, 1]),
        items=np.array([5, 5, 5, 6]),
        times_ms=np.array([120, 130, 120, 120]),
        classes=np.array([0, 1, 0, 2]),
        names=("click", "purchase", "watch"),
        shares=np.array([1.0, 1.0, 1.0, 0.4]),
    )
    worth = {"click": 1.0, "purchase": 4.0, "watch": 2.0}
    found = outcomes.rewards(worth, PEOPLE, ITEMS, TIMES_MS, 50)
    assert found.tolist() == [1.0, 0.5 * 0.4, 0.25, 0.0, 0.0]
    assert outcomes.rewards({"view": 1.0}, PEOPLE, ITEMS, TIMES_MS, 50).tolist() == [0.0] * 5


def test_watched_shares_are_ranked_among_items_as_long() -> None:
    running = np.array([10.0] * 4 + [120.0] * 4)
    strengths = np.array([0.5, 0.6, 0.7, 0.8, 0.05, 0.1, 0.15, 0.2])
    assert watched_share(strengths, running).tolist() == [0.25, 0.5, 0.75, 1.0] * 2
    assert watched_share(np.array([0.3, 0.9]), np.array([np.nan, np.nan])).tolist() == [0.5, 1.0]
    assert watched_share(np.zeros(0), np.zeros(0)).tolist() == []
