"""Products in pieces are the products."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.decide.serving.products import times_vector, weighted_gram, weighted_rows

RNG = np.random.default_rng(1)


@pytest.mark.parametrize("width", [0, 1, 9_999, 10_000, 10_001, 25_000])
@pytest.mark.parametrize("only_positive", [False, True])
def test_weighted_rows_are_the_sum_of_the_rows(width: int, only_positive: bool) -> None:
    matrix = RNG.normal(size=(5, width)).astype(np.float32)
    rows, weights = np.array([4, 0, 4], np.int32), np.array([0.5, 2.0, 1.0], np.float32)
    taken = matrix[rows]
    expected = weights @ (np.maximum(taken, 0) if only_positive else taken)
    found = weighted_rows(matrix, rows, weights, only_positive=only_positive)
    assert found == pytest.approx(expected, abs=1e-5)
    assert found.dtype == np.float32


def test_no_rows_weigh_nothing_and_the_matrix_stays_as_it_is() -> None:
    matrix = RNG.normal(size=(3, 7)).astype(np.float32)
    before = matrix.copy()
    matrix.setflags(write=False)
    none = np.zeros(0, np.int32)
    assert not weighted_rows(matrix, none, none.astype(np.float32)).any()
    weighted_rows(matrix, np.array([1], np.int32), np.ones(1, np.float32))[:] = 9
    assert (matrix == before).all()


@pytest.mark.parametrize("shape", [(0, 8), (1, 8), (140, 64), (141, 64), (1_000, 64), (3, 20_000), (9_001, 1)])
def test_a_matrix_times_a_vector(shape: tuple[int, int]) -> None:
    matrix = RNG.normal(size=shape).astype(np.float32)
    vector = RNG.normal(size=shape[1]).astype(np.float32)
    assert times_vector(matrix, vector) == pytest.approx(matrix @ vector, abs=1e-3, rel=1e-4)


@pytest.mark.parametrize("shape", [(0, 8), (93, 64), (400, 64), (5, 600), (3, 0)])
def test_a_weighted_gram(shape: tuple[int, int]) -> None:
    matrix, weights = RNG.normal(size=shape), RNG.random(shape[0])
    assert weighted_gram(matrix, weights) == pytest.approx(matrix.T @ (weights[:, None] * matrix))
