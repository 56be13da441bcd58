"""Half a round of alternating least squares: the vectors of all rows while those of the columns stand still.

Row u, with entries of confidence c (negative: confidence |c| that there is no like), has the vector x that solves

    (Y'Y + l2 I + sum over its entries of d_i y_i y_i') x = sum of b_i y_i,   d = |c| - 1,  b = c for c > 0, else 0

Rows of many entries go on from the vector they have by conjugate gradients, in the C++ of `implicit` (Takacs, Pilaszy,
Tikk, "Applications of the conjugate gradient method for implicit feedback collaborative filtering", RecSys 2011). Rows
of few entries are solved exactly in as many unknowns as they have entries (the matrix inversion lemma):

    x = R E' w,   (I + diag(d) E E') w = b,   R R' = (Y'Y + l2 I)^-1,  E the rows y_i R of their entries

Cost per row of n entries: (n factors + factors^2) per step; where n is small, n^2 factors + n^3 + factors^2 in all.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_matrix

from bespeak.models.interactions import Csr, Float32s, Int64s

SHORT_ROW = 8
"""Up to so many entries a row is solved exactly; beyond, steps of conjugate gradients are faster."""
_BLOCK_NUMBERS = 1_000_000
"""Numbers that one block of short rows gathers, few enough for the processor's cache."""
_LEAST_SHARE = 1e-7

Solver = Callable[..., Any]
"""`AlternatingLeastSquares.solver` of the library: confidences, vectors written to, vectors read, l2, threads."""


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of one side, sorted out by how many entries they have.

    Attributes:
        confidence: CSR float32[n_rows, n_columns], signed.
        long: int64, the rows of more than `SHORT_ROW` entries.
        of_long: their part of `confidence`, as the library reads it.
        short: for 1 to `SHORT_ROW` entries: how many, and int64, the rows that have so many.
    """

    confidence: Csr
    long: Int64s
    of_long: Csr
    short: tuple[tuple[int, Int64s], ...]

    @classmethod
    def of(cls, confidence: Csr) -> Self:
        """Sorts the rows out."""
        sizes = np.diff(confidence.indptr)
        long = np.flatnonzero(sizes > SHORT_ROW)
        short = tuple((size, np.flatnonzero(sizes == size)) for size in range(1, SHORT_ROW + 1))
        return cls(confidence, long, csr_matrix(confidence[long]), short)

    def solve(self, vectors: Float32s, others: Float32s, l2: float, solver: Solver, threads: int) -> None:
        """Writes the vectors of all rows; rows without entries stay as they are.

        Args:
            vectors: float32[n_rows, factors], where the long rows go on from.
            others: float32[n_columns, factors].
            l2: regularisation, above 0.
            solver: of the long rows.
            threads: 0 means all cores.
        """
        if len(self.long):
            of_long = vectors[self.long]
            solver(self.of_long, of_long, others, l2, num_threads=threads)
            vectors[self.long] = of_long
        blocks = [block for rows in self.short for block in _blocks(rows, vectors.shape[1])]
        if blocks:
            root = _inverse_root(others, l2)
            turned = others @ root

            def solved(block: tuple[int, Int64s]) -> None:
                n_entries, rows = block
                vectors[rows] = self._exact(rows, n_entries, turned) @ root.T

            with ThreadPoolExecutor(min(threads or os.cpu_count() or 1, len(blocks))) as pool:
                list(pool.map(solved, blocks))

    def _exact(self, rows: Int64s, n_entries: int, turned: Float32s) -> Float32s:
        """E' w of rows that all have `n_entries` entries: float32[rows, factors]."""
        entries = self.confidence.indptr[rows][:, None] + np.arange(n_entries)
        confidence = self.confidence.data[entries]
        near = turned[self.confidence.indices[entries]]
        system = near @ near.transpose(0, 2, 1)
        system *= (np.abs(confidence) - 1)[:, :, None]
        system[:, np.arange(n_entries), np.arange(n_entries)] += 1
        shares = np.linalg.solve(system, np.maximum(confidence, 0)[:, :, None])
        vectors: Float32s = (shares.transpose(0, 2, 1) @ near)[:, 0]
        return vectors


def _blocks(rows: tuple[int, Int64s], factors: int) -> list[tuple[int, Int64s]]:
    """The rows of one length in pieces that fit the processor's cache."""
    n_entries, chosen = rows
    step = max(1, _BLOCK_NUMBERS // (n_entries * factors))
    return [(n_entries, chosen[start : start + step]) for start in range(0, len(chosen), step)]


def _inverse_root(others: Float32s, l2: float) -> Float32s:
    """R, float32[factors, factors], with R R' = (others' others + l2 I)^-1."""
    gram = (others.T @ others).astype(np.float64) + l2 * np.eye(others.shape[1])
    values, turns = np.linalg.eigh(gram)
    least = max(_LEAST_SHARE * values[-1], np.finfo(np.float32).tiny)  # with l2 0 there may be no inverse
    values = np.maximum(values, least)
    return np.asarray(turns / np.sqrt(values), np.float32)
