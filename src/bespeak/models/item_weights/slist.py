"""Session-aware linear item transitions: the item-item weights that best foretell what comes next, in closed form.

Choi, Kim, Lee, Shim and Lee, "Session-aware Linear Item-Item Models for Session-based Recommendation", WWW 2021, the
transition part (SLIT, equations 6 to 10). Each like of a person but the first is one case t:

    x_t = sum over earlier likes i at distance d of gamma^(d - 1) e_i,     gamma = exp(-1 / memory)
    y_t = sum over k < ahead of e_(item k steps on) / (k + 1)
    B = inverse of (X'X + l2 I)  X'Y  with the diagonal of X'Y at 0,   B_ii = 0,     score = x_now B

Where the paper writes out every prefix of every session, here X'X comes from the recursion x_(t+1) = gamma x_t + e_t:
summed over a person's cases,

    (1 - gamma^2) X'X = gamma (S + S') + D - gamma^2 x_T x_T',     S = sum of x_t e_t'

so both products are sums over pairs of likes by their distance, and no row of X is ever built. Sequence rules are the
case without the inverse: the inverse takes out what an item only inherits from its neighbours in the history.
Only positive events make the sequence. A dislike pushes down what follows the disliked item (see `linear`).

Where few pairs of items occur, X'Y is mostly empty: it is then multiplied by the inverse, which takes less than half as
many operations as solving for each of its columns.

Cost: 7 * memory * events additions and n_items^3 operations, 2 n_items^2 numbers of memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack
from scipy.sparse import csr_array

from bespeak.errors import InvalidInput
from bespeak.models.fits import FitMemory
from bespeak.models.interactions import Csr, Float32s, Float64s, History, Int32s, Interactions, ItemContent
from bespeak.models.linear import DenseLinearModel
from bespeak.models.strength import Weighting, latest_first

_BLOCK_ITEMS = 2048
_NEGLIGIBLE = 1e-3
"""Pairs of likes, and likes of a history, whose weight is below this share of the largest are left out."""
_SPARSE = 0.02
"""Share of X'Y that is not 0 up to which a product of it with the inverse is faster than solving for it."""


@dataclass(frozen=True, eq=False)
class Slist(DenseLinearModel):
    """Linear item transitions in closed form.

    Args:
        memory: after how many later likes an item counts 1 / e of what the latest counts.
        ahead: how many of the next items a case foretells, the k-th with weight 1 / k.
        l2: regularisation; more means fewer, safer links. 30 to 300 is usual, whatever the size of the data.
        weighting: how the summed decays of a history become strengths.
        max_gb: memory the fit may take; a larger catalogue is refused before anything is computed.

    Example:
        >>> data = Interactions.from_events(["a", "a", "b", "b"], ["x", "y", "x", "y"], times_ms=[1, 2, 1, 2])
        >>> (Slist().fit(data).scores([History.of([0])], 0) > 0).tolist()
        [[False, True]]
    """

    name: ClassVar[str] = "slist"
    memory: float = 8.0
    ahead: int = 10
    l2: float = 100.0
    weighting: Weighting = "linear"
    max_gb: float = 8.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.memory) and self.memory > 0 and self.ahead >= 1 and self.l2 > 0):
            raise InvalidInput(
                "memory and l2 of slist must be positive, ahead at least 1.", hint="Try memory=8, l2=100."
            )

    @staticmethod
    def needed_gb(n_items: int) -> float:
        """Memory at the peak of the fit: X'X and X'Y, which becomes the result."""
        return 8 * n_items**2 / 1e9

    def fit_memory(self, n_people: int, n_items: int, n_events: int) -> FitMemory:
        """See `Model.fit_memory`: beside the two matrices blocks of them, and the pairs of likes at one distance."""
        blocks = 12.0 * n_items * min(n_items, _BLOCK_ITEMS)
        return FitMemory(self.needed_gb(n_items) * 1e9 + blocks + 80.0 * n_events, 4.0 * n_items**2)

    def fit(self, interactions: Interactions, items: ItemContent | None = None) -> Self:
        """See `Model.fit`.

        Raises:
            InvalidInput: the fit would take more than `max_gb`, or the matrix cannot be inverted.
        """
        n_items = interactions.n_items
        if self.needed_gb(n_items) > self.max_gb:
            raise InvalidInput(
                f"SLIST on {n_items:,} items needs {self.needed_gb(n_items):.1f} GB, allowed are {self.max_gb:g} GB.",
                hint="Raise max_gb, or use sequence_rules.",
            )
        liked = interactions.select(interactions.weights > 0)
        gram, links = self._products(liked)
        gram[np.diag_indices_from(gram)] += np.float32(self.l2)
        weights = _solved(gram, links)
        weights[np.diag_indices_from(weights)] = 0
        return self._fitted(interactions.item_ids, {"weights": weights}, interactions)

    @property
    def _gamma(self) -> float:
        return float(np.exp(-1 / self.memory))

    @property
    def _reach(self) -> int:
        """How many likes back the weight becomes negligible."""
        return int(np.ceil(self.memory * -np.log(_NEGLIGIBLE)))

    def _products(self, liked: Interactions) -> tuple[Float32s, Float32s]:
        """The upper triangle of X'X, and the transpose of X'Y with its diagonal at 0: float32[n_items, n_items]."""
        n_items, gamma = liked.n_items, self._gamma
        reach = self._reach
        decays = gamma ** np.arange(1, reach + 1)
        gram = np.zeros((n_items, n_items), np.float32)
        links = np.zeros((n_items, n_items), np.float32)
        has_next = np.append(liked.user_index[1:] == liked.user_index[:-1], False)  # the last like of a person has none
        for distance, weight in enumerate(_link_weights(gamma, self.ahead, reach), 1):
            same = np.flatnonzero(liked.user_index[distance:] == liked.user_index[:-distance])
            if not len(same):
                break
            before, after = liked.item_index[same], liked.item_index[same + distance]
            _add(links, after, before, weight)
            inner = has_next[same + distance]
            _add(gram, before[inner], after[inner], decays[distance - 1])
        links[np.diag_indices_from(links)] = 0
        cases = np.bincount(liked.item_index[has_next[: len(liked)]], minlength=n_items)
        _finish_gram(gram, cases, _last_states(liked, has_next[: len(liked)], gamma), gamma)
        return gram, links

    @property
    def step_sizes(self) -> Float32s:
        """float32[reach]: what the latest like counts, the one before it, and so on."""
        return np.asarray(self._gamma ** np.arange(self._reach), np.float32)

    def _strengths(self, histories: Sequence[History]) -> Csr:
        return latest_first(histories, len(self.item_ids), self.step_sizes, self.weighting)


def _link_weights(gamma: float, ahead: int, reach: int) -> Float64s:
    """float64[reach]: how much a pair of likes at each distance adds to X'Y, cut where it becomes negligible."""
    decays = gamma ** np.arange(reach)
    weights = np.convolve(decays, 1 / np.arange(1, ahead + 1))[:reach]
    return np.asarray(weights, np.float64)


def _add(matrix: Float32s, rows: Int32s, columns: Int32s, weight: float) -> None:
    """matrix[row, column] += weight for each pair, pairs that occur often as often."""
    np.add.at(matrix.reshape(-1), rows.astype(np.int64) * matrix.shape[1] + columns, np.float32(weight))


def _last_states(liked: Interactions, has_next: npt.NDArray[np.bool_], gamma: float) -> Csr:
    """CSR float32[n_users, n_items]: x of each person's last case."""
    ends = liked.row_starts[liked.user_index + 1] - 2  # the like before the last
    distance = ends - np.arange(len(liked))
    weights = np.where(has_next, gamma ** np.maximum(distance, 0), 0)
    used = weights > _NEGLIGIBLE
    parts = (weights[used].astype(np.float32), (liked.user_index[used], liked.item_index[used]))
    return csr_array(parts, shape=(liked.n_users, liked.n_items))


def _finish_gram(gram: Float32s, cases: npt.NDArray[np.int64], last: Csr, gamma: float) -> None:
    """Turns gamma S, in place, into the upper triangle of X'X; what stands below the diagonal is spent."""
    tall = last.T.tocsr()
    for start in range(0, len(gram), _BLOCK_ITEMS):
        block = slice(start, start + _BLOCK_ITEMS)
        gram[block, start:] += gram[start:, block].T.copy()
        gram[block, start:] -= np.float32(gamma**2) * (tall[block] @ last).toarray()[:, start:]
    gram[np.diag_indices_from(gram)] += cases.astype(np.float32)
    gram /= np.float32(1 - gamma**2)


def _solved(gram: Float32s, links: Float32s) -> Float32s:
    """B from the upper triangle of X'X + l2 I and the transpose of X'Y; both are overwritten."""
    if len(gram) == 0:
        return links
    # transposes are Fortran-ordered, so that LAPACK works in place and nothing is copied
    factor, failed = lapack.spotrf(gram.T, lower=1, overwrite_a=1)
    if failed:
        raise InvalidInput("SLIST cannot invert its matrix.", hint="Use a larger l2.")
    if np.count_nonzero(links) > _SPARSE * links.size:
        solved, _ = lapack.spotrs(factor, links.T, lower=1, overwrite_b=1)
        links = solved.T
    else:
        inverse, _ = lapack.spotri(factor, lower=1, overwrite_c=1)
        _multiply(links, inverse.T)
    _transpose(links)
    return links


def _multiply(links: Float32s, inverse: Float32s) -> None:
    """Multiplies, in place, a mostly empty matrix by a symmetric one of which the upper triangle is given."""
    sparse = csr_array(links)
    for start in range(0, len(inverse), _BLOCK_ITEMS):
        stop = start + _BLOCK_ITEMS
        corner = np.triu(inverse[start:stop, start:stop])
        inverse[start:stop, start:stop] = corner + np.triu(corner, 1).T
        inverse[stop:, start:stop] = inverse[start:stop, stop:].T
    for start in range(0, len(inverse), _BLOCK_ITEMS):
        block = slice(start, start + _BLOCK_ITEMS)
        links[block] = sparse[block] @ inverse


def _transpose(square: Float32s) -> None:
    """Transposes in place: a second matrix of this size would be half as much memory again."""
    starts = range(0, len(square), _BLOCK_ITEMS)
    for start in starts:
        rows = slice(start, start + _BLOCK_ITEMS)
        for other in starts[start // _BLOCK_ITEMS :]:
            columns = slice(other, other + _BLOCK_ITEMS)
            upper = square[rows, columns].copy()
            square[rows, columns] = square[columns, rows].T.copy()
            square[columns, rows] = upper.T
