"""Decayed popularity and trend."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bespeak.catalogue.counters import DAY_MS, DailyCounts, ItemCounters

INDEX = {"a": 0, "b": 1, "c": 2}


def test_popularity_decays_by_half_every_two_weeks() -> None:
    counters = ItemCounters.build([("a", "view", 0, 8.0), ("b", "view", 14, 4.0)], INDEX, {"view": 1.0}, 14 * DAY_MS)
    assert counters.popularity[0] == pytest.approx(counters.popularity[1])
    older = ItemCounters.build([("a", "view", 0, 8.0), ("b", "view", 14, 2.0)], INDEX, {"view": 1.0}, 14 * DAY_MS)
    assert older.popularity.tolist() == pytest.approx([1.0, math.log(3) / math.log(5), 0.0])


def test_weights_count_and_dislikes_lower_but_never_below_zero() -> None:
    counts = [("a", "view", 0, 3.0), ("a", "hide", 0, 5.0), ("b", "view", 0, 1.0), ("c", "purchase", 0, 1.0)]
    counters = ItemCounters.build(counts, INDEX, {"view": 1.0, "hide": -3.0, "purchase": 5.0}, 0)
    assert counters.popularity[0] == 0
    assert counters.by_popularity.tolist() == [2, 1, 0]


def test_what_rises_leads_the_trend_though_it_is_less_popular() -> None:
    counts = [("a", "view", day, 10.0) for day in range(60)] + [("b", "view", day, 8.0) for day in range(57, 60)]
    counters = ItemCounters.build(counts, INDEX, {"view": 1.0}, 59 * DAY_MS)
    assert counters.by_popularity[0] == 0
    assert counters.by_trend[0] == 1
    assert counters.week["view"].tolist() == [70.0, 24.0, 0.0]


def test_unknown_items_classes_and_days_to_come_are_left_out() -> None:
    counts = [("x", "view", 0, 1.0), ("a", "odd", 0, 1.0), ("b", "view", 9, 1.0)]
    counters = ItemCounters.build(counts, INDEX, {"view": 1.0}, 3 * DAY_MS)
    assert not counters.popularity.any()


def test_counters_of_nothing_are_zero() -> None:
    empty = ItemCounters.empty(3)
    assert empty.popularity.tolist() == [0, 0, 0]
    assert sorted(empty.by_popularity.tolist()) == [0, 1, 2]
    assert np.isfinite(empty.trend).all()
    assert len(ItemCounters.empty(0).popularity) == 0


def test_days_that_are_put_anew_replace_what_was_held_and_the_others_stay() -> None:
    held = DailyCounts()
    held.put([("a", "view", 0, 2.0), ("b", "view", 1, 1.0), ("c", "view", 2, 9.0)])
    held.put([("a", "view", 1, 4.0)], days=[1, 2])
    expected = ItemCounters.build([("a", "view", 0, 2.0), ("a", "view", 1, 4.0)], INDEX, {"view": 1.0}, 2 * DAY_MS)
    found = held.counters(INDEX, {"view": 1.0}, 2 * DAY_MS)
    assert found.popularity.tolist() == expected.popularity.tolist() == [1.0, 0.0, 0.0]
    held.drop(1)
    assert held.counters(INDEX, {"view": 1.0}, 2 * DAY_MS).week["view"].tolist() == [4.0, 0.0, 0.0]


def test_counts_outlive_the_order_of_a_catalogue() -> None:
    held = DailyCounts()
    held.put([("a", "view", 0, 2.0), ("gone", "view", 0, 7.0)])
    assert held.counters({"b": 0, "a": 1}, {"view": 1.0}, 0).by_popularity.tolist() == [1, 0]
