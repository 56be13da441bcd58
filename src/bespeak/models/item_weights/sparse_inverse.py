"""EASE for large catalogues: every item is rebuilt from its nearest items only, so nothing of size items^2 is made.

EASE (Steck, WWW 2019) rebuilds each item's column of strengths from all other items. Its weights are those of the
inverse of X'X, and nearly all of them are close to zero; SANSA (Spisak, Bartyzal, Hoskovec, Peska, Tuma, "Scalable
approximate nonsymmetric autoencoder", RecSys 2023) keeps the inverse sparse. Here the pattern is chosen first, and then
each column is the exact optimum on it (a sparse approximate inverse of the Frobenius kind: Grote and Huckle 1997;
SLIM with feature selection: Ning and Karypis, ICDM 2011, with EASE's penalty):

    G = X' diag(d_u^-person) X,   N_j = the `neighbours` items nearest to j by G_ij / sqrt(d_i d_j)
    B_Nj = (G_NN + l2 c I + dropout / (1 - dropout) diag G_NN)^-1 G_Nj,   0 elsewhere,   scores = x B

c = trace G / trace X'X keeps one l2 right for every person exponent. `dropout` is the penalty of the denoising
autoencoder (Steck, "Autoencoders that don't overfit towards the identity", NeurIPS 2020). With all items as neighbours,
person 0 and dropout 0 this is EASE. Only items that share a person with j are neighbours.
Up to `_WHOLE_ITEMS` items G is made once, dense; beyond it never: each G_NN comes from the people of N_j.

Cost: sum over people of (items of that person)^2 operations to find neighbours; per item neighbours^3 / 3 and, in a
large catalogue, the events of its neighbours times what their people share of them; memory 16 bytes per neighbour
beside the events, and in a small catalogue 4 n_items^2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy import linalg
from scipy.sparse import csr_array

from bespeak.errors import InvalidInput
from bespeak.models.fits import FitMemory, link_memory, pairs_of
from bespeak.models.interactions import Csr, Float32s, Int32s, Interactions, ItemContent
from bespeak.models.item_weights.propagation import degrees, rescaled, three_steps
from bespeak.models.linear import SparseLinearModel, dense, packed_weights
from bespeak.models.strength import Weighting, strengthened
from bespeak.models.topk import top_k

_WHOLE_ITEMS = 6_000
"""Up to so many items X'X is made as a whole, at most 144 MB: cutting it out is faster than making it anew."""


@dataclass(frozen=True, eq=False)
class SparseInverse(SparseLinearModel):
    """Linear autoencoder on the nearest items of each item.

    Args:
        neighbours: items that each item is rebuilt from.
        l2: regularisation, as in EASE; 30 to 300 is usual.
        dropout: share of a history that the denoising autoencoder would hide; at least 0, below 1.
        person: exponent that discounts busy people.
        weighting: how summed weights become strengths.

    Raises:
        InvalidInput: a setting is out of its range.

    Example:
        >>> data = Interactions.from_events(["a", "a", "b", "b", "c"], ["x", "y", "x", "y", "z"])
        >>> SparseInverse().fit(data).recommend(["a"], 1, exclude_seen=False).items(0)
        ['x']
    """

    name: ClassVar[str] = "sparse_inverse"

    neighbours: int = 200
    l2: float = 100.0
    dropout: float = 0.5
    person: float = 0.0
    weighting: Weighting = "log"

    def __post_init__(self) -> None:
        if not (self.neighbours > 0 and self.l2 > 0 and 0 <= self.dropout < 1):
            raise InvalidInput(
                "sparse_inverse needs neighbours > 0, l2 > 0 and 0 <= dropout < 1, "
                f"given {self.neighbours}, {self.l2:g} and {self.dropout:g}."
            )

    def fit_memory(self, n_people: int, n_items: int, n_events: int) -> FitMemory:
        """See `Model.fit_memory`: links, and copies of the log scaled."""
        links = link_memory(n_items, self.neighbours, pairs_of(n_people, n_items, n_events), n_copies=4)
        whole = 12.0 * n_items**2 if n_items <= _WHOLE_ITEMS else 0.0  # sparse once, and dense
        return FitMemory(links.peak_bytes + 48.0 * n_events + whole, links.kept_bytes)

    def fit(self, interactions: Interactions, items: ItemContent | None = None) -> Self:
        """See `Model.fit`."""
        strengths = strengthened(interactions.matrix, self.weighting)
        support = three_steps(strengths, person=self.person, known=0.5, scored=0.5, neighbours=self.neighbours)
        per_person = degrees(strengths, 1) ** -np.float32(self.person / 2)
        balanced = rescaled(strengths, per_person, np.ones(strengths.shape[1], np.float32))
        ridge = self.l2 * _squares(balanced).sum() / max(_squares(strengths).sum(), 1e-12)
        weights = self._solved(balanced.T.tocsr(), support, ridge)
        return self._fitted(interactions.item_ids, packed_weights(weights), interactions)

    def similar(self, item_index: npt.ArrayLike, k: int) -> tuple[Int32s, Float32s]:
        """See `Model.similar`: the largest positive weights B_ij of each item i."""
        near = dense(self._weights[np.asarray(item_index, np.int64)])
        return top_k(np.where(near > 0, near, -np.inf), k)

    def _solved(self, people_of: Csr, support: Csr, ridge: float) -> Csr:
        """B: for each item the regularised least squares solution on its support; `people_of` is X' scaled."""
        penalty = _squares(people_of.T) * np.float32(self.dropout / (1 - self.dropout)) + np.float32(ridge)
        solved = np.zeros(support.nnz, np.float32)
        whole = _products(people_of) if support.shape[0] <= _WHOLE_ITEMS else None
        for item in np.flatnonzero(np.diff(support.indptr)).tolist():
            entries = slice(support.indptr[item], support.indptr[item + 1])
            near = support.indices[entries]
            both = np.append(near, item)
            gram = _products(people_of[both]) if whole is None else whole[np.ix_(both, both)]
            gram[np.diag_indices(len(near))] += penalty[near]
            solved[entries] = linalg.solve(gram[:-1, :-1], gram[:-1, -1], assume_a="pos", check_finite=False)
        by_item = csr_array((solved, support.indices, support.indptr), shape=support.shape)
        weights = by_item.T.tocsr()  # the rows of the support are the columns of B
        weights.sort_indices()
        return weights


def _products(matrix: Csr) -> Float32s:
    """float32[n, n], dense: the inner products of all rows with each other."""
    return dense(matrix @ matrix.T)


def _squares(matrix: Csr) -> Float32s:
    """float32: sums of squares per column."""
    return np.asarray(matrix.multiply(matrix).sum(axis=0), np.float32).reshape(-1)
