"""The linear families for one history: a score is a sum over its items of weights from item to item.

score_j = sum over liked i of x_i W_ij  -  sum over disliked i of x_i (max(W_ij, 0) + [i = j])

The forms differ in how W is kept; how a history becomes strengths x is a `Reader`. See `models.linear`.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.decide.serving.products import times_vector, weighted_rows
from bespeak.decide.serving.question import Question, Serving
from bespeak.decide.serving.strengths import Reader
from bespeak.models.interactions import Csr

Float32s: TypeAlias = npt.NDArray[np.float32]
Int32s: TypeAlias = npt.NDArray[np.int32]
Int64s: TypeAlias = npt.NDArray[np.int64]


class Linear(Serving):
    """What all of them share."""

    is_self_similar = False
    """Whether W itself already holds an item's likeness to itself."""

    def __init__(self, reader: Reader, n_items: int) -> None:
        self._reader = reader
        self._n_items = n_items

    def scores(self, question: Question) -> Float32s:
        """See `Serving.scores`."""
        items, strengths = question.strengths(self._n_items, self._reader)
        total = self._pulled(question, items, strengths)
        if not self.is_self_similar:
            disliked = strengths < 0
            if disliked.any():
                total[items[disliked]] += strengths[disliked]
        return total

    def terms(self, question: Question, targets: Int32s) -> tuple[Int32s, Float32s]:
        """See `Serving.terms`."""
        items, strengths = question.strengths(self._n_items, self._reader)
        links = self._links(question, items, targets)
        disliked = strengths < 0
        if disliked.any():
            lowered = np.maximum(links, 0)
            if not self.is_self_similar:
                lowered += items[:, None] == targets
            links = np.where(disliked[:, None], lowered, links)
        return items, strengths[:, None] * links

    @abstractmethod
    def _pulled(self, question: Question, items: Int32s, strengths: Float32s) -> Float32s:
        """float32[n_items], writable: strengths @ W[items], of the positive part of W where a strength is negative."""

    @abstractmethod
    def _links(self, question: Question, items: Int32s, targets: Int32s) -> Float32s:
        """float32[h, t]: W[items, targets]."""


class Dense(Linear):
    """EASE, SLIST: W is a dense matrix, perhaps mapped from a file."""

    def __init__(self, weights: Float32s, reader: Reader) -> None:
        super().__init__(reader, len(weights))
        self._weights = weights

    def _pulled(self, question: Question, items: Int32s, strengths: Float32s) -> Float32s:
        liked = strengths > 0
        if liked.all():
            return weighted_rows(self._weights, items, strengths)
        total = weighted_rows(self._weights, items[liked], strengths[liked])
        total += weighted_rows(self._weights, items[~liked], strengths[~liked], only_positive=True)
        return total

    def _links(self, question: Question, items: Int32s, targets: Int32s) -> Float32s:
        return np.asarray(self._weights[items[:, None], targets], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Some rows of a matrix in compressed rows, one after the other.

    Attributes:
        columns: int[e].
        values: float32[e]. Read them only.
        sizes: int64[h], how many entries each row has.
    """

    columns: npt.NDArray[np.integer]
    values: Float32s
    sizes: Int64s

    @classmethod
    def of(cls, matrix: Csr, rows: Int32s) -> Rows:
        """Reads rows.

        Example:
            >>> from scipy.sparse import csr_array
            >>> found = Rows.of(csr_array(np.array([[0, 5, 6], [0, 0, 0], [7, 0, 0]])), np.array([2, 0], np.int32))
            >>> found.columns.tolist(), found.values.tolist(), found.sizes.tolist()
            ([0, 1, 2], [7, 5, 6], [1, 2])
        """
        starts = matrix.indptr.take(rows).astype(np.int64)
        sizes = matrix.indptr.take(rows + 1) - starts
        entries = np.repeat(starts - (np.cumsum(sizes) - sizes), sizes)
        entries += np.arange(len(entries))
        return cls(matrix.indices.take(entries), matrix.data.take(entries), sizes)

    def weighted(self, weights: Float32s) -> Float32s:
        """float32[e]: each entry times the weight of its row."""
        return self.values * np.repeat(weights, self.sizes)


class Compressed(Linear):
    """What those share that keep a row of numbers for each item, most of them 0."""

    def __init__(self, matrix: Csr, reader: Reader) -> None:
        super().__init__(reader, matrix.shape[0])
        self._matrix = matrix

    def _rows(self, question: Question, items: Int32s) -> Rows:
        """The rows of the history, which scores and terms both read."""
        return question.once((self, "rows"), lambda: Rows.of(self._matrix, items))


class Sparse(Compressed):
    """Item neighbours, sequence rules, session links, sparse inverse: W in compressed rows."""

    def _pulled(self, question: Question, items: Int32s, strengths: Float32s) -> Float32s:
        rows = self._rows(question, items)
        pulled = rows.weighted(strengths)
        if (strengths < 0).any():
            np.minimum(pulled, 0, out=pulled, where=np.repeat(strengths < 0, rows.sizes))
        return np.bincount(rows.columns, pulled, self._n_items).astype(np.float32)

    def _links(self, question: Question, items: Int32s, targets: Int32s) -> Float32s:
        rows = self._rows(question, items)
        place = np.full(self._n_items, -1, np.int32)
        place[targets] = np.arange(len(targets))
        wanted = place.take(rows.columns)
        hit = np.flatnonzero(wanted >= 0)
        owners = np.searchsorted(np.cumsum(rows.sizes), hit, side="right")
        found = np.zeros((len(items), len(targets)), np.float32)
        found[owners, wanted[hit]] = rows.values[hit]
        return found


class Smoothed(Sparse):
    """Graph filter: W = links + D^-t V diag(g) V' D^t, the links in compressed rows; see `models.graph_filter`."""

    def __init__(self, links: Csr, directions: Float32s, gains: Float32s, tilt: Float32s, reader: Reader) -> None:
        super().__init__(links, reader)
        self._directions, self._gains, self._tilt = directions, gains, tilt

    def _pulled(self, question: Question, items: Int32s, strengths: Float32s) -> Float32s:
        liked = strengths > 0
        rows = self._rows(question, items)
        pulled = rows.weighted(np.where(liked, strengths, np.float32(0)))
        total = np.bincount(rows.columns, pulled, self._n_items).astype(np.float32)
        tilted = np.asarray(strengths[liked] / self._tilt[items[liked]], np.float32)
        total += self._smooth(tilted @ self._directions[items[liked]])
        for item, strength in zip(items[~liked].tolist(), strengths[~liked].tolist(), strict=True):
            row = self._smooth(np.asarray(self._directions[item] / self._tilt[item], np.float32))
            entries = slice(self._matrix.indptr[item], self._matrix.indptr[item + 1])
            row[self._matrix.indices[entries]] += self._matrix.data[entries]
            total += np.float32(strength) * np.maximum(row, 0)
        return total

    def _smooth(self, direction: Float32s) -> Float32s:
        """float32[n_items]: (direction * g) V' D^t."""
        return times_vector(self._directions, direction * self._gains) * self._tilt

    def _links(self, question: Question, items: Int32s, targets: Int32s) -> Float32s:
        smooth = (self._directions[items] * self._gains) @ self._directions[targets].T
        smooth *= self._tilt[targets]
        smooth /= self._tilt[items, None]
        return np.asarray(super()._links(question, items, targets) + smooth, np.float32)


class Vectors(Compressed):
    """Content: W = V V', so the history becomes one vector of terms, and every item is compared with it."""

    is_self_similar = True

    def _pulled(self, question: Question, items: Int32s, strengths: Float32s) -> Float32s:
        # likeness is never negative, so its positive part is all of it
        rows = self._rows(question, items)
        profile = np.bincount(rows.columns, rows.weighted(strengths), self._matrix.shape[1]).astype(np.float32)
        return np.asarray(self._matrix @ profile, np.float32)

    def _links(self, question: Question, items: Int32s, targets: Int32s) -> Float32s:
        wanted, held = Rows.of(self._matrix, targets), self._rows(question, items)
        column = np.full(self._matrix.shape[1], -1, np.int32)
        column[wanted.columns] = np.arange(len(wanted.columns))  # of a term of several targets one of the places stays
        profiles = np.zeros((len(targets), len(wanted.columns)), np.float32)
        owners = np.repeat(np.arange(len(targets)), wanted.sizes)
        profiles[owners, column.take(wanted.columns)] = wanted.values  # a row names each term once
        columns = column.take(held.columns)
        shared = np.flatnonzero(columns >= 0)  # what no target holds adds nothing
        products = held.values[shared] * profiles[:, columns[shared]]
        places = np.searchsorted(np.cumsum(held.sizes), shared, side="right")
        cells = np.arange(len(targets))[:, None] * len(items) + places
        sums = np.bincount(cells.ravel(), products.ravel(), len(targets) * len(items))
        return np.asarray(sums.reshape(len(targets), len(items)).T, np.float32)
