"""The items whose vectors have the largest inner product with a person's, without looking at all of them.

An inverted file (IVF): spherical k-means puts the directions of the item vectors into cells; a query looks into the
cells whose centres lie nearest to its own direction. Inner products are also large for long vectors in other
directions, which such cells miss: so the longest fiftieth of the items makes a cell of its own, which every query
looks into. That lifts recall@100 among 100,000 items from .77 to 1.00 (`bench/top_k.py`).

Cells are made by faiss (extra `ann`) and searched with NumPy: the arrays are mapped from a file, so the workers of one
machine share them, and serving needs no extra. Cost: a query multiplies `1/50 + 1/32` of the vectors; memory is that of
the vectors, which are kept cell by cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.util import find_spec
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from bespeak.errors import MissingExtra
from bespeak.models.interactions import Float32s, Int32s, Int64s

INDEX_FROM = 100_000
"""Below so many items multiplying all vectors takes no longer than a decision takes anyway (`bench/top_k.py`)."""

_LONGEST = 50  # one of so many items is looked at by every query
_LOOKED_INTO = 32  # one of so many cells is looked into
_ROUNDS = 10
_TRAINED_ON = 64  # vectors per cell that k-means sees


@dataclass(frozen=True, eq=False)
class VectorIndex:
    """Item vectors, cell by cell.

    Attributes:
        items: int32[n], the items in the order of their cells; the first cell holds the longest vectors.
        starts: int64[cells + 2], where each cell starts in `items`, and the end.
        vectors: float32[n, d], in the order of `items`.
        centres: float32[cells, d], the directions of all cells but the first.
    """

    items: Int32s
    starts: Int64s
    vectors: Float32s
    centres: Float32s

    @staticmethod
    def can_build() -> bool:
        """Whether faiss is installed."""
        return find_spec("faiss") is not None

    @classmethod
    def build(cls, vectors: Float32s, seed: int = 0) -> Self:
        """Puts the items with vectors float32[n_items, d] into cells. Items with the zero vector are left out.

        The same vectors and seed give the same index, on the same machine with the same number of threads.

        Raises:
            MissingExtra: faiss is not installed.
        """
        if not cls.can_build():
            raise MissingExtra("ann", "an index of item vectors")
        lengths = np.linalg.norm(vectors, axis=1)
        longest_first = np.argsort(-lengths, kind="stable")[: np.count_nonzero(lengths)]
        n_longest = -(-len(longest_first) // _LONGEST)
        others = np.sort(longest_first[n_longest:])
        directions = vectors[others] / lengths[others, None]
        centres, cell = _cells(directions, _n_cells(len(others)), seed)
        items = np.concatenate([np.sort(longest_first[:n_longest]), others[np.argsort(cell, kind="stable")]])
        starts = np.cumsum([0, n_longest, *np.bincount(cell, minlength=len(centres)).tolist()])
        return cls(items.astype(np.int32), starts.astype(np.int64), vectors[items], centres)

    def best(self, query: Float32s, k: int) -> tuple[Int32s, Float32s]:
        """(items int32, inner products float32) of at most k items that were looked at, the largest first."""
        near = self.centres @ query
        n_cells = -(-len(near) // _LOOKED_INTO)
        chosen = np.argpartition(-near, n_cells - 1)[:n_cells] + 1 if n_cells else np.zeros(0, np.int64)
        spans = [(int(self.starts[cell]), int(self.starts[cell + 1])) for cell in (0, *np.sort(chosen).tolist())]
        products = np.concatenate([self.vectors[start:stop] @ query for start, stop in spans])
        items = np.concatenate([self.items[start:stop] for start, stop in spans])
        if len(items) > k:
            kept = np.argpartition(-products, k - 1)[:k]
            items, products = items[kept], products[kept]
        order = np.lexsort((items, -products))
        return items[order], products[order]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All that `from_arrays` needs."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """The index again; the arrays may be mapped read-only."""
        return cls(**arrays)


def _n_cells(n: int) -> int:
    """The power of two near 2 sqrt(n): then finding the cells takes about as long as looking into them.

    Example:
        >>> [_n_cells(n) for n in (0, 10_000, 1_000_000)]
        [0, 256, 2048]
    """
    return min(n, 2 ** round(float(np.log2(2 * np.sqrt(n))))) if n else 0


def _cells(directions: Float32s, n_cells: int, seed: int) -> tuple[Float32s, Int64s]:
    """(centres float32[n_cells, d], int64[n] the cell of each direction)."""
    import faiss  # noqa: PLC0415  needs the extra

    n, width = directions.shape
    if not n:
        return np.zeros((0, width), np.float32), np.zeros(0, np.int64)
    clustering = faiss.Kmeans(
        width, n_cells, niter=_ROUNDS, seed=seed + 1, spherical=True, max_points_per_centroid=_TRAINED_ON,
        min_points_per_centroid=1,
    )  # fmt: skip
    clustering.train(np.ascontiguousarray(directions, np.float32))
    centres = np.asarray(clustering.centroids, np.float32)
    _, cell = clustering.index.search(np.ascontiguousarray(directions, np.float32), 1)
    return centres, np.asarray(cell[:, 0], np.int64)
