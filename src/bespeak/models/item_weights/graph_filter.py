"""A graph filter: three steps on the graph of people and items, with its smooth part kept, flattened and lifted.

With strengths x, d_u and d_i their sums per person and item, and e = (known + scored) / 2, t = (known - scored) / 2:

    R_ui = x_ui / (d_u^(person / 2) d_i^e)        S = R'R = V diag(s) V' + the rest, s falling, V the first `factors`
    W = D^-t [ S + V diag(g) V' ] D^t             g_k = min(s_k, cap c) - s_k + lift c,  c the last (smallest) kept s
    scores = x W,  W_ii = 0

The spectrum of S is read as a filter on signals over items: small s are rough (private tastes and noise), large s
smooth (what everybody shares). The filter is linear where s is below c, flattened where it is above cap c, and lifted
by lift c on the kept directions. It has the filters of the field as special cases:

    linear filter       factors 0, or cap infinite and lift 0     (Turbo-CF's first order; LinkProp with free exponents)
    ideal low pass      cap infinite, lift > 0                    (GF-CF: Shen et al., "How powerful is graph
                                                                  convolution for recommendation?", CIKM 2021)
    sharpening          cap small: strong smooth parts give way   (BSPM: Choi et al., "Blurring-sharpening process
                                                                  models for collaborative filtering", SIGIR 2023,
                                                                  reaches it by solving dx/dt = -x S)

The part S is sparse and cut to the largest `neighbours` of each row; its diagonal is that which makes W_ii zero.

Cost of the fit: sum over people of (items of that person)^2, and 4 rounds (events + n_items factors) factors
operations for the directions; memory 4 n_items factors numbers at the peak. Serving holds n_items (factors + 2
neighbours) numbers and takes n_items factors operations per person.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, diags_array

from bespeak.errors import InvalidInput
from bespeak.models.fits import FitMemory, link_memory, pairs_of
from bespeak.models.interactions import Csr, Float32s, Float64s, Int32s, Interactions, ItemContent
from bespeak.models.item_weights.propagation import degrees, rescaled, three_steps
from bespeak.models.linear import LinearModel, dense, dense_product
from bespeak.models.packing import pack_csr, unpack_csr
from bespeak.models.strength import Weighting, strengthened
from bespeak.models.topk import top_k

_BLOCK_NUMBERS = 16_000_000
"""Numbers that one block of people may take beside the directions."""
_SPARE_SHARE = 16
"""One spare direction for each so many wanted: the last ones converge slowly."""
_NOISE = 1e-7
"""Directions whose share of the strongest is below it are rounding."""


@dataclass(frozen=True, eq=False)
class GraphFilter(LinearModel):
    """Linear filter with a shaped low-pass part.

    Args:
        factors: directions kept; no more than a quarter of the items are taken.
        cap: above so many times the weakest kept direction the filter is flat.
        lift: what every kept direction gets on top, in units of the weakest.
        person: exponent that discounts busy people.
        known: exponent that discounts popular items of the history.
        scored: exponent that discounts popular items among the scored.
        neighbours: links of the linear part kept per item.
        rounds: iterations of the subspace; each applies S twice.
        weighting: how summed weights become strengths.
        seed: of the first subspace.

    Raises:
        InvalidInput: a setting is out of its range.

    Example:
        >>> data = Interactions.from_events(["a", "a", "b", "b", "c"], ["x", "y", "x", "y", "z"])
        >>> GraphFilter().fit(data).recommend(["a"], 1, exclude_seen=False).items(0)
        ['x']
    """

    name: ClassVar[str] = "graph_filter"

    factors: int = 512
    cap: float = 3.0
    lift: float = 1.2
    person: float = 0.8
    known: float = 0.5
    scored: float = 0.25
    neighbours: int = 400
    rounds: int = 3
    weighting: Weighting = "log"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.factors < 0 or self.neighbours < 0 or self.rounds < 1:
            raise InvalidInput(
                "graph_filter needs factors >= 0, neighbours >= 0 and rounds >= 1, "
                f"given {self.factors}, {self.neighbours} and {self.rounds}."
            )

    def fit_memory(self, n_people: int, n_items: int, n_events: int) -> FitMemory:
        """See `Model.fit_memory`: links, and a few copies of the directions."""
        links = link_memory(n_items, self.neighbours, pairs_of(n_people, n_items, n_events))
        n_directions = min(self.factors, n_items // 4)
        directions = 4.0 * n_items * n_directions
        block = 4.0 * min(_BLOCK_NUMBERS, n_people * n_directions)
        return FitMemory(links.peak_bytes + 5 * directions + block + 48.0 * n_events, links.kept_bytes + directions)

    def fit(self, interactions: Interactions, items: ItemContent | None = None) -> Self:
        """See `Model.fit`."""
        strengths = strengthened(interactions.matrix, self.weighting)
        of_items = degrees(strengths, 0)
        middle, tilt = np.float32((self.known + self.scored) / 2), np.float32((self.known - self.scored) / 2)
        balanced = rescaled(strengths, degrees(strengths, 1) ** -np.float32(self.person / 2), of_items**-middle)
        directions, spectrum = smooth_directions(
            balanced, min(self.factors, interactions.n_items // 4), rounds=self.rounds, seed=self.seed
        )
        gains = self._gains(spectrum)
        links = three_steps(
            strengths, person=self.person, known=self.known, scored=self.scored, neighbours=self.neighbours
        )
        whole = csr_array(links + diags_array(-np.square(directions) @ gains))  # W_ii = 0
        arrays = {"directions": directions, "gains": gains, "tilt": of_items**tilt}
        return self._fitted(interactions.item_ids, pack_csr("links", whole) | arrays, interactions)

    def similar(self, item_index: npt.ArrayLike, k: int) -> tuple[Int32s, Float32s]:
        """See `Model.similar`: the largest W_ij of each item i."""
        chosen = np.asarray(item_index, np.int64)
        itself = np.zeros((len(chosen), len(self.item_ids)), bool)
        itself[np.arange(len(chosen)), chosen] = True
        return top_k(self._rows(chosen), k, itself)

    def _gains(self, spectrum: Float64s) -> Float32s:
        """g: what the filter adds to S on the kept directions."""
        if not len(spectrum):
            return np.zeros(0, np.float32)
        unit = spectrum[-1]
        return np.asarray(np.minimum(spectrum, self.cap * unit) - spectrum + self.lift * unit, np.float32)

    @cached_property
    def _sparse(self) -> Csr:
        self._array("links_data")
        return unpack_csr("links", self._arrays)

    def _pull(self, strengths: Csr) -> Float32s:
        scores = dense_product(strengths, self._sparse)
        scores += self._smooth(strengths)
        return scores

    def _smooth(self, strengths: Csr) -> Float32s:
        """strengths @ D^-t V diag(g) V' D^t."""
        tilt: Float32s = self._array("tilt")
        directions: Float32s = self._array("directions")
        tilted = rescaled(strengths, np.ones(strengths.shape[0], np.float32), np.reciprocal(tilt))
        smooth: Float32s = ((tilted @ directions) * self._array("gains")) @ directions.T
        smooth *= tilt
        return smooth

    def _rows(self, items: npt.NDArray[np.integer]) -> Float32s:
        """W[items], dense."""
        ones = np.ones(len(items), np.float32)
        return self._pull(csr_array((ones, items, np.arange(len(items) + 1)), shape=(len(items), len(self.item_ids))))

    def _push_down(self, strengths: Csr) -> Float32s:
        items = np.unique(strengths.indices)
        return dense_product(strengths[:, items], np.maximum(self._rows(items), 0)) + dense(strengths)

    def _links(self, items: Int32s, item: int) -> Float32s:
        tilt, directions = self._array("tilt"), self._array("directions")
        smooth = (directions[items] * self._array("gains")) @ directions[item] * (tilt[item] / tilt[items])
        direct = np.asarray(self._sparse[items][:, [item]].toarray(), np.float32).reshape(-1)
        return np.asarray(direct + smooth, np.float32)


def smooth_directions(matrix: Csr, k: int, *, rounds: int, seed: int) -> tuple[Float32s, Float64s]:
    """The first right singular vectors of a sparse matrix and their squared singular values, by subspace iteration.

    Halko, Martinsson, Tropp, "Finding structure with randomness", SIAM Review 2011, algorithms 4.4 and 5.3. The
    directions near the last one are not converged after few rounds; a filter does not need them to be.

    Args:
        matrix: CSR float32[n, m].
        k: how many are wanted; fewer come out when the matrix has fewer.
        rounds: each multiplies by matrix' matrix twice and makes the basis orthogonal again.
        seed: of the first basis.

    Returns:
        directions float32[m, k], orthonormal; squared singular values float64[k], falling.
    """
    m = matrix.shape[1]
    if k <= 0 or not matrix.nnz:
        return np.zeros((m, 0), np.float32), np.zeros(0)
    wide = min(m, k + max(8, k // _SPARE_SHARE))
    basis = np.random.default_rng(seed).standard_normal((m, wide), np.float32)
    for _ in range(rounds):
        basis = _orthonormal(_squared_product(matrix, _squared_product(matrix, basis)))
    projected = basis.T @ _squared_product(matrix, basis)
    values, turns = np.linalg.eigh(projected.astype(np.float64))
    kept = np.flatnonzero(values > values[-1] * _NOISE)[::-1][:k]
    return basis @ turns[:, kept].astype(np.float32), values[kept]


def _squared_product(matrix: Csr, basis: Float32s) -> Float32s:
    """matrix' (matrix basis) in blocks of rows, so that no array of people times directions is made."""
    product = np.zeros_like(basis)
    step = max(1, _BLOCK_NUMBERS // basis.shape[1])
    for start in range(0, matrix.shape[0], step):
        block = matrix[start : start + step]
        product += block.T @ (block @ basis)
    return product


def _orthonormal(basis: Float32s) -> Float32s:
    """An orthonormal basis of the columns; twice, since once leaves rounding. A fraction of the time of Householder."""
    for _ in range(2):
        values, turns = np.linalg.eigh((basis.T @ basis).astype(np.float64))
        kept = values > values[-1] * _NOISE
        basis = basis @ (turns[:, kept] / np.sqrt(values[kept])).astype(np.float32)
    return basis
