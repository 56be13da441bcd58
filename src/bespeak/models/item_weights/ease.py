"""EASE: the item-item weights that best rebuild every history from itself, in closed form.

Harald Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019, equation 8:
G = X'X + l2 I,  P = inverse of G,  B_ij = -P_ij / P_jj,  B_jj = 0,  scores = x B.
X holds strengths of positive sums; dislikes act when scoring (see `linear`).

Cost: n_items^3 operations, n_items^2 numbers of memory, whatever the number of people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack

from bespeak.errors import InvalidInput
from bespeak.models.fits import FitMemory
from bespeak.models.interactions import Csr, Float32s, Interactions, ItemContent
from bespeak.models.linear import DenseLinearModel
from bespeak.models.strength import Weighting, strengthened

_GRAM_BLOCK_ITEMS = 2048


@dataclass(frozen=True, eq=False)
class Ease(DenseLinearModel):
    """Closed-form linear autoencoder.

    Args:
        l2: regularisation; more means fewer, safer links. 50 to 1000 is usual.
        weighting: how summed weights become strengths.
        precision: of the inversion. `float32` is enough for l2 from about 10 on; `float64` takes twice as long.
        max_gb: memory the fit may take; a larger catalogue is refused before anything is computed.

    Example:
        >>> data = Interactions.from_events(["a", "a", "b", "b"], ["x", "y", "x", "y"])
        >>> Ease(l2=1.0).fit(data).recommend(["a"], 1, exclude_seen=False).items(0)
        ['x']
    """

    name: ClassVar[str] = "ease"

    l2: float = 300.0
    weighting: Weighting = "log"
    precision: Literal["float32", "float64"] = "float32"
    max_gb: float = 8.0

    def needed_gb(self, n_items: int) -> float:
        """Memory at the peak of the fit: the matrix being inverted and the float32 result."""
        return n_items**2 * (np.dtype(self.precision).itemsize + 4) / 1e9

    def fit_memory(self, n_people: int, n_items: int, n_events: int) -> FitMemory:
        """See `Model.fit_memory`."""
        block = 16.0 * n_items * min(n_items, _GRAM_BLOCK_ITEMS)
        return FitMemory(self.needed_gb(n_items) * 1e9 + block, 4.0 * n_items**2)

    def fit(self, interactions: Interactions, items: ItemContent | None = None) -> Self:
        """See `Model.fit`.

        Raises:
            InvalidInput: the fit would take more than `max_gb`.
        """
        n_items = interactions.n_items
        if self.needed_gb(n_items) > self.max_gb:
            raise InvalidInput(
                f"EASE on {n_items:,} items needs {self.needed_gb(n_items):.1f} GB, allowed are {self.max_gb:g} GB.",
                hint="Raise max_gb, or use item_neighbours or implicit_mf.",
            )
        strengths = strengthened(interactions.matrix, self.weighting)
        weights = _inverse_weights(_gram(strengths, np.dtype(self.precision)), self.l2)
        return self._fitted(interactions.item_ids, {"weights": weights}, interactions)


def _gram(strengths: Csr, dtype: np.dtype[np.float32] | np.dtype[np.float64]) -> npt.NDArray[np.floating]:
    """X'X, dense, in blocks of rows so that the sparse product never stands beside it as a whole."""
    n_items = strengths.shape[1]
    gram = np.empty((n_items, n_items), dtype)
    wide = strengths.astype(dtype)
    tall = wide.T.tocsr()
    for start in range(0, n_items, _GRAM_BLOCK_ITEMS):
        block = slice(start, min(start + _GRAM_BLOCK_ITEMS, n_items))
        gram[block] = (tall[block] @ wide).toarray()
    return gram


def _inverse_weights(gram: npt.NDArray[np.floating], l2: float) -> Float32s:
    """B from X'X; overwrites its argument."""
    if len(gram) == 0:
        return np.zeros((0, 0), np.float32)
    gram[np.diag_indices_from(gram)] += l2
    factor, invert = (lapack.spotrf, lapack.spotri) if gram.dtype == np.float32 else (lapack.dpotrf, lapack.dpotri)
    lower, failed = factor(gram.T, lower=1, overwrite_a=1)  # the transpose is Fortran-ordered: nothing is copied
    if failed:
        raise InvalidInput(f"EASE cannot invert its matrix with l2={l2:g}.", hint="Use a larger l2 or float64.")
    inverse, _ = invert(lower, lower=1, overwrite_c=1)
    diagonal = np.diag(inverse).copy()
    weights = np.empty(gram.shape, np.float32)
    for start in range(0, len(gram), _GRAM_BLOCK_ITEMS):
        block = slice(start, min(start + _GRAM_BLOCK_ITEMS, len(gram)))
        # only the lower half of `inverse` is filled; the full symmetric rows are put together block by block
        rows = np.tril(inverse[block], start) + np.tril(inverse[:, block], -start - 1).T
        weights[block] = rows / -diagonal[None, :]
    weights[np.diag_indices_from(weights)] = 0
    return weights
