from __future__ import annotations

import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix

from bespeak.models.factors import least_squares
from bespeak.models.factors.least_squares import SHORT_ROW, Rows

FACTORS, L2 = 6, 0.7
LENGTHS = [0, 1, 2, SHORT_ROW, SHORT_ROW + 1, 20, 3, 1]


def problem() -> tuple[csr_matrix, np.ndarray]:
    """One row of each length, a third of the entries dislikes; forty columns."""
    rng = np.random.default_rng(4)
    columns = np.concatenate([rng.choice(40, size, replace=False) for size in LENGTHS]).astype(np.int32)
    signs = rng.choice([1.0, 1.0, -1.0], len(columns))
    data = (signs * (1 + rng.random(len(columns)))).astype(np.float32)
    starts = np.concatenate([[0], np.cumsum(LENGTHS)]).astype(np.int32)
    others = rng.standard_normal((40, FACTORS)).astype(np.float32)
    return csr_matrix((data, columns, starts), shape=(len(LENGTHS), 40)), others


def literal(confidence: csr_matrix, others: np.ndarray) -> np.ndarray:
    """The normal equations of Hu, Koren and Volinsky, row by row in float64."""
    y = others.astype(np.float64)
    solved = []
    for row in confidence.toarray().astype(np.float64):
        d = np.where(row == 0, 0, np.abs(row) - 1)
        left = y.T @ y + L2 * np.eye(FACTORS) + (y.T * d) @ y
        solved.append(np.linalg.solve(left, y.T @ np.maximum(row, 0)))
    return np.array(solved)


def solved(threads: int = 1) -> np.ndarray:
    confidence, others = problem()
    solver = AlternatingLeastSquares(factors=FACTORS)
    solver.cg_steps = 3 * FACTORS
    vectors = np.zeros((len(LENGTHS), FACTORS), np.float32)
    Rows.of(confidence).solve(vectors, others, L2, solver.solver, threads)
    return vectors


def test_short_and_long_rows_solve_the_normal_equations() -> None:
    np.testing.assert_allclose(solved(), literal(*problem()), atol=2e-5)


def test_a_row_without_entries_stays_as_it_is() -> None:
    assert not solved()[LENGTHS.index(0)].any()


def test_threads_and_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = solved()
    monkeypatch.setattr(least_squares, "_BLOCK_NUMBERS", 1)
    np.testing.assert_allclose(solved(threads=3), whole, rtol=1e-5, atol=1e-6)


def test_without_regularisation_too_few_columns_still_give_finite_vectors() -> None:
    vectors = np.zeros((1, FACTORS), np.float32)
    confidence = csr_matrix(np.array([[2.0, 2.0]], np.float32))
    Rows.of(confidence).solve(vectors, np.eye(2, FACTORS, dtype=np.float32), 0.0, AlternatingLeastSquares().solver, 1)
    np.testing.assert_allclose(vectors[0, :2], 1, rtol=1e-3)
    assert np.isfinite(vectors).all()
