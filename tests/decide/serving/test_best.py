"""The guess of an edge changes nothing: the best are those of a full sort."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bespeak.decide.serving.best import best_of, best_of_each, first_eligible


def sorted_best(values: np.ndarray, eligible: np.ndarray, limit: int) -> list[int]:
    rows = [row for row in range(len(values)) if eligible[row] and values[row] > 0]
    return sorted(rows, key=lambda row: (-values[row], row))[:limit]


@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 3_000),
    st.sampled_from([1, 5, 60]),
    st.sampled_from([0.0, 0.02, 0.5, 1.0]),
)
def test_the_best_of_each_row_are_those_of_a_full_sort(seed: int, n: int, limit: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    table = np.stack([rng.normal(size=n), rng.integers(-2, 3, n), np.zeros(n), rng.random(n) ** 9]).astype(np.float32)
    eligible = rng.random(n) < share
    found = best_of_each(table, eligible, limit)
    assert [row.tolist() for row in found] == [sorted_best(values, eligible, limit) for values in table]
    assert found[0].dtype == np.int32


def test_what_may_be_shown_stands_far_below_the_best() -> None:
    """The sample promises more than the rule leaves."""
    values = np.arange(2_000, dtype=np.float32)
    eligible = values < 300
    assert best_of(values, eligible, 100).tolist() == list(range(299, 199, -1))


def test_scores_that_are_no_numbers_are_never_the_best() -> None:
    values = np.array([np.nan, 1.0, np.nan, 2.0] * 200, np.float32)
    assert best_of(values, np.ones(800, bool), 3).tolist() == [3, 7, 11]


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


@pytest.mark.parametrize("limit", [1, 3, 900])
def test_the_first_of_an_order_that_may_be_shown(limit: int) -> None:
    order = np.random.default_rng(1).permutation(800).astype(np.int32)
    eligible = order.argsort() % 7 == 0
    assert first_eligible(order, eligible, limit).tolist() == [row for row in order.tolist() if eligible[row]][:limit]
