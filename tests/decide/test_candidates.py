"""Candidates: the union of the sources, cut to the budget."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.decide.candidates import fuse


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


def test_of_one_source_what_comes_twice_stands_once() -> None:
    found = fuse([("affinity", np.array([5, 2, 5], np.int32), 1.0)], budget=3)
    assert (found.rows.tolist(), found.proposed.tolist(), found.names) == ([2, 5], [1, 1], ("affinity",))
