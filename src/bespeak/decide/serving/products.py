"""Dense products of one decision that stay on the thread that asks.

OpenBLAS hands a larger product to a thread per core and waits for all of them. In a process that answers requests the
other cores are busy, and the wait for their next time slice takes milliseconds where the product takes microseconds. So
the work is cut into pieces that OpenBLAS does at once: vectors of at most 10,000 numbers for a sum (its `axpy`), fewer
than 9,216 cells for a matrix times a vector (its `gemv`), at most 262,144 multiplications for two matrices (`gemm`).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.linalg.blas import saxpy

Float32s: TypeAlias = npt.NDArray[np.float32]
Float64s: TypeAlias = npt.NDArray[np.float64]
Int32s: TypeAlias = npt.NDArray[np.int32]

_SUM_CELLS = 10_000
_PRODUCT_CELLS = 9_000
_GRAM_MULTIPLICATIONS = 250_000


def weighted_rows(matrix: Float32s, rows: Int32s, weights: Float32s, *, only_positive: bool = False) -> Float32s:
    """float32[n], writable: weights @ matrix[rows], without a copy of those rows.

    Args:
        matrix: float32[m, n], rows contiguous.
        rows: int32[h].
        weights: float32[h].
        only_positive: take the positive part of the matrix.

    Example:
        >>> weighted_rows(np.array([[1, -1], [2, 3]], np.float32), np.array([0, 1]), np.array([1, 10])).tolist()
        [21.0, 29.0]
    """
    wanted = list(zip(rows.tolist(), weights.tolist(), strict=True))
    parts = []
    for start in range(0, matrix.shape[1], _SUM_CELLS):
        block = slice(start, min(start + _SUM_CELLS, matrix.shape[1]))
        total = np.zeros(block.stop - start, np.float32)
        for row, weight in wanted:
            values = matrix[row, block]
            total = saxpy(np.maximum(values, 0) if only_positive else values, total, a=weight)
        parts.append(total)
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def times_vector(matrix: Float32s, vector: Float32s) -> Float32s:
    """float32[m]: matrix (float32[m, w]) @ vector (float32[w]).

    Example:
        >>> times_vector(np.array([[1, -1], [2, 3]], np.float32), np.array([1, 10], np.float32)).tolist()
        [-9.0, 32.0]
    """
    n_rows, width = matrix.shape
    step = max(1, _PRODUCT_CELLS // max(width, 1))
    stacked = n_rows - n_rows % step
    blocks = matrix[:stacked].reshape(stacked // step, step, width) @ vector
    return np.concatenate([blocks.reshape(-1), matrix[stacked:] @ vector])


def weighted_gram(matrix: Float64s, weights: Float64s) -> Float64s:
    """float64[w, w]: the sum over rows of weight * row' row, for a matrix float64[h, w] and weights float64[h].

    Example:
        >>> weighted_gram(np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([1.0, 3.0])).tolist()
        [[1.0, 2.0], [2.0, 7.0]]
    """
    n_rows, width = matrix.shape
    step = max(1, _GRAM_MULTIPLICATIONS // max(width * width, 1))
    total = np.zeros((width, width))
    for start in range(0, n_rows, step):
        block = matrix[start : start + step]
        total += block.T @ (weights[start : start + step, None] * block)
    return total
