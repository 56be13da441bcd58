"""What all models of item-to-item weights share: a score is a sum over the items of the history.

score_j = sum over liked i of x_i W_ij  -  sum over disliked i of x_i (max(W_ij, 0) + [i = j])

x_i is the strength of the person's summed weight for item i. A dislike pushes down what is like the disliked item and
the item itself, and never lifts anything: that is why only the positive part of W counts for it. Because the score is
a sum, `explain` gives its exact terms.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from bespeak.models.base import Explanation, Model
from bespeak.models.interactions import Csr, Float32s, History, Int32s
from bespeak.models.packing import pack_csr, unpack_csr
from bespeak.models.strength import Weighting, dislikes, likes, stacked
from bespeak.models.topk import top_k


class LinearModel(Model):
    """Scores that are sums over history items. Subclasses say how items pull each other."""

    explains: ClassVar[bool] = True
    weighting: Weighting

    @abstractmethod
    def _pull(self, strengths: Csr) -> Float32s:
        """strengths @ W as float32[n, n_items], for a non-negative CSR matrix."""

    @abstractmethod
    def _push_down(self, strengths: Csr) -> Float32s:
        """strengths @ (max(W, 0) + I) as float32[n, n_items], for a non-negative CSR matrix with few entries."""

    @abstractmethod
    def _links(self, items: Int32s, item: int) -> Float32s:
        """W[items, item] as float32[m]."""

    def _strengths(self, histories: Sequence[History]) -> Csr:
        """CSR float32[n, n_items], signed: what each person's history amounts to."""
        return stacked(histories, len(self.item_ids), self.weighting)

    def scores(self, histories: Sequence[History], now_ms: int) -> Float32s:
        """See `Model.scores`; the time plays no part."""
        signed = self._strengths(histories)
        scores = self._pull(likes(signed))
        disliked = dislikes(signed)
        if disliked.nnz:
            scores -= self._push_down(disliked)
        return scores

    def explain(self, history: History, item: int) -> Explanation:
        """See `Model.explain`; the contributions add up to the score."""
        signed = self._strengths([history])
        items, strengths = signed.indices.astype(np.int32), signed.data
        links = self._links(items, item)
        lowered = np.maximum(links, 0) if self._self_similar() else np.maximum(links, 0) + (items == item)
        return Explanation(items, (strengths * np.where(strengths > 0, links, lowered)).astype(np.float32))

    def _self_similar(self) -> bool:
        """Whether W itself already holds an item's likeness to itself."""
        return False


class DenseLinearModel(LinearModel):
    """A linear model whose W stands whole in memory, in the array `weights`."""

    def similar(self, item_index: npt.ArrayLike, k: int) -> tuple[Int32s, Float32s]:
        """See `Model.similar`: what each item i pulls most, the largest weights W_ij."""
        chosen = np.asarray(item_index, np.int64)
        itself = np.zeros((len(chosen), len(self.item_ids)), bool)
        itself[np.arange(len(chosen)), chosen] = True
        return top_k(self._weights[chosen], k, itself)

    @cached_property
    def _weights(self) -> Float32s:
        return np.asarray(self._array("weights"))

    def _pull(self, strengths: Csr) -> Float32s:
        return dense_product(strengths, self._weights)

    def _push_down(self, strengths: Csr) -> Float32s:
        rows = np.unique(strengths.indices)  # few: copying the positive part of the whole matrix would cost more
        return dense_product(strengths[:, rows], np.maximum(self._weights[rows], 0)) + dense(strengths)

    def _links(self, items: Int32s, item: int) -> Float32s:
        return np.asarray(self._weights[items, item], np.float32)


class SparseLinearModel(LinearModel):
    """A linear model whose W is sparse, in the arrays that `packed_weights` makes."""

    @cached_property
    def _weights(self) -> Csr:
        self._array("weights_data")
        return unpack_csr("weights", self._arrays)

    def _pull(self, strengths: Csr) -> Float32s:
        return dense_product(strengths, self._weights)

    def _push_down(self, strengths: Csr) -> Float32s:
        rows = np.unique(strengths.indices)
        return dense_product(strengths[:, rows], self._weights[rows].maximum(0)) + dense(strengths)

    def _links(self, items: Int32s, item: int) -> Float32s:
        return np.asarray(self._weights[items][:, [item]].toarray(), np.float32).reshape(-1)


def packed_weights(weights: Csr) -> dict[str, npt.NDArray[Any]]:
    """The arrays that a `SparseLinearModel` keeps of W, CSR float32[n_items, n_items]."""
    return pack_csr("weights", weights)


def dense_product(strengths: Csr, matrix: Csr | npt.NDArray[Any]) -> Float32s:
    """strengths @ matrix as a dense float32 array that may be written to."""
    product = strengths @ matrix
    return np.asarray(product, np.float32) if isinstance(product, np.ndarray) else dense(product)


def dense(matrix: Csr) -> Float32s:
    """A sparse matrix as a dense float32 array."""
    return np.asarray(matrix.toarray(), np.float32)
