"""Orders by falling value."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.decide.rankers.order import best_first, best_positive_first


@pytest.mark.parametrize("n_levels", [3, 50, 1_000_000])
def test_of_equal_values_the_first_comes_first(n_levels: int) -> None:
    rng = np.random.default_rng(n_levels)
    values = rng.integers(1, n_levels + 1, 700) / n_levels
    assert best_first(values).tolist() == np.argsort(-values, kind="stable").tolist()
    places = np.sort(rng.choice(10_000, 700, replace=False))
    expected = places[np.argsort(-values.astype(np.float32), kind="stable")]
    assert best_positive_first(places, values.astype(np.float32)).tolist() == expected.tolist()


def test_zeros_of_either_sign_are_equal_and_nan_is_last() -> None:
    values = np.array([np.nan, -0.0, 1.0, 0.0, -np.inf, np.inf])
    assert best_first(values).tolist() == [5, 2, 1, 3, 4, 0]


def test_the_largest_and_the_smallest_numbers_keep_their_order() -> None:
    values = np.array([1e-45, 3e38, 1.0, np.inf, 3e-45], np.float32)
    assert best_positive_first(np.arange(5), values).tolist() == [3, 1, 2, 4, 0]


def test_nothing_has_an_order_too() -> None:
    assert best_first(np.zeros(0)).tolist() == []
    assert best_positive_first(np.zeros(0, np.int64), np.zeros(0, np.float32)).tolist() == []
