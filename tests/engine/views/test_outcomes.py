"""Outcomes are counted for the last showing before them, within the window, of the same item to the same person."""

from __future__ import annotations

import numpy as np

from bespeak.engine.views.outcomes import Showings, last_before

SHOWN = Showings(np.array([1, 1, 2, 1, 1]), ["a", "b", "a", "a", "a"], np.array([100, 100, 110, 200, 200]))


def places(*outcomes: tuple[int, str, int], window_ms: int = 50) -> list[int]:
    person, item, time_ms = zip(*outcomes, strict=True)
    return last_before(SHOWN, np.array(person), list(item), np.array(time_ms), window_ms).tolist()


def test_the_last_showing_before_it_counts():
    assert places((1, "a", 120), (1, "b", 120), (2, "a", 120), (1, "a", 100)) == [0, 1, 2, 0]
    assert places((1, "a", 210))[0] in (3, 4)


def test_what_came_before_too_late_or_about_something_else_does_not_count():
    assert places((1, "a", 99), (1, "a", 151), (2, "b", 120), (3, "a", 120), (1, "c", 120)) == [-1] * 5
    assert places((1, "a", 150), (2, "a", 161)) == [0, -1]


def test_without_outcomes_there_are_none():
    none = np.zeros(0, np.int64)
    assert last_before(SHOWN, none, [], none, 50).tolist() == []
