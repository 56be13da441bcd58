"""Candidates: the best of a source, and the union cut to the budget."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.decide.candidates import best_of, fuse


@pytest.mark.parametrize("n_levels", [4, 100, 1_000_000])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 1.0])
@pytest.mark.parametrize("limit", [1, 60, 400])
def test_the_best_of_a_source_are_eligible_best_first_and_of_equals_the_first(
    n_levels: int, share: float, limit: int
) -> None:
    rng = np.random.default_rng(n_levels)
    values = (rng.integers(-n_levels, n_levels, 3_000) / n_levels * (rng.random(3_000) < share)).astype(np.float32)
    eligible = rng.random(3_000) < 0.8
    may_stand = np.flatnonzero(eligible & (values > 0))
    expected = may_stand[np.argsort(-values[may_stand], kind="stable")][:limit]
    assert best_of(values, eligible, limit).tolist() == expected.tolist()


def test_what_is_infinite_or_no_number_and_may_not_be_shown_changes_nothing() -> None:
    values = np.array([np.inf, np.nan, 1.0, -np.inf], np.float32)
    assert best_of(values, np.array([False, False, True, False]), 5).tolist() == [2]


@pytest.mark.parametrize("budget", [1, 37, 200, 10_000])
def test_a_union_is_cut_by_the_best_rank_and_of_equals_to_the_first(budget: int) -> None:
    rng = np.random.default_rng(budget)
    proposals = [
        (name, rng.permutation(400)[:150].astype(np.int32), weight)
        for name, weight in (("a", 1.0), ("b", 1.0), ("c", 0.5), ("a", 2.0))
    ]
    places: dict[int, float] = {}
    for _, rows, weight in proposals:
        for place, row in enumerate(rows.tolist(), 1):
            places[row] = min(place / weight, places.get(row, np.inf))
    expected = sorted(sorted(places, key=lambda row: (places[row], row))[:budget])
    found = fuse(proposals, budget)
    assert found.rows.tolist() == expected
    for position, row in enumerate(expected):
        assert set(found.sources_of(position)) == {name for name, rows, _ in proposals if row in rows}
