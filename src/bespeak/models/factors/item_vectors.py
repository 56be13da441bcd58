"""What models with a vector for each item have in common, however the vectors come about.

A person's vector is worked out from their history; item j scores p . y_j. A dislike of item i with strength x then
subtracts x max(0, cos(y_i, y_j)) / 2 from item j, so that it can lift nothing. Items are alike by the cosine of their
vectors.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from bespeak.models.base import Model
from bespeak.models.interactions import Csr, Float32s, History, Int32s
from bespeak.models.strength import Weighting, dislikes, stacked
from bespeak.models.topk import top_k

DISLIKE_PUSH = np.float32(0.5)
"""What a dislike of strength 1 takes from the score of the item itself."""


@dataclass(frozen=True, eq=False)
class FactorModel(Model):
    """A model that keeps the array `vectors`, float32[n_items, factors]."""

    weighting: Weighting = "log"

    @abstractmethod
    def person_vectors(self, signed: Csr, histories: Sequence[History]) -> Float32s:
        """float32[n, factors]: the vectors of people.

        Args:
            signed: float32[n, n_items], the strengths of their histories.
            histories: the same histories with what else they tell.
        """

    def scores(self, histories: Sequence[History], now_ms: int) -> Float32s:
        """See `Model.scores`; the time plays no part."""
        signed = stacked(histories, len(self.item_ids), self.weighting)
        scores: Float32s = self.person_vectors(signed, histories) @ self._vectors.T
        disliked = dislikes(signed)
        for row in np.flatnonzero(np.diff(disliked.indptr)):
            entries = slice(disliked.indptr[row], disliked.indptr[row + 1])
            near = np.maximum(self._directions[disliked.indices[entries]] @ self._directions.T, 0)
            near[np.arange(len(near)), disliked.indices[entries]] = 1
            scores[row] -= DISLIKE_PUSH * (disliked.data[entries] @ near)
        return scores

    def similar(self, item_index: npt.ArrayLike, k: int) -> tuple[Int32s, Float32s]:
        """See `Model.similar`: cosine of the item vectors."""
        chosen = np.asarray(item_index, np.int64)
        itself = np.zeros((len(chosen), len(self.item_ids)), bool)
        itself[np.arange(len(chosen)), chosen] = True
        return top_k(self._directions[chosen] @ self._directions.T, k, itself)

    @cached_property
    def _vectors(self) -> Float32s:
        return np.asarray(self._array("vectors"))

    @cached_property
    def _directions(self) -> Float32s:
        lengths = np.linalg.norm(self._vectors, axis=1, keepdims=True)
        return np.asarray(self._vectors / np.where(lengths > 0, lengths, 1), np.float32)
