"""What EASE, item neighbours, sequence rules and content share: a score is a sum over the items of the history.

score_j = sum over liked i of x_i W_ij  -  sum over disliked i of x_i (max(W_ij, 0) + [i = j])

x_i is the strength of the person's summed weight for item i. A dislike pushes down what is like the disliked item and
the item itself, and never lifts anything: that is why only the positive part of W counts for it. Because the score is
a sum, `explain` gives its exact terms.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from bespeak.models.base import Explanation, Model
from bespeak.models.interactions import Csr, Float32s, History, Int32s
from bespeak.models.strength import Weighting, dislikes, likes, stacked


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


def dense_product(strengths: Csr, matrix: Csr | npt.NDArray[Any]) -> Float32s:
    """strengths @ matrix as a dense float32 array that may be written to."""
    product = strengths @ matrix
    return np.asarray(product, np.float32) if isinstance(product, np.ndarray) else dense(product)


def dense(matrix: Csr) -> Float32s:
    """A sparse matrix as a dense float32 array."""
    return np.asarray(matrix.toarray(), np.float32)
