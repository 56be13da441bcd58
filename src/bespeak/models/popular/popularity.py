"""Popularity: how many people like an item. The baseline that every other model has to beat.

score_j = sum over people of clip(net_uj, -1, 1), where net_uj is the person's summed weight for the item: every person
has one vote, for or against, however often they came back. The history plays no part.

Cost: one pass over the events; one number per item.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from bespeak.models.base import Model
from bespeak.models.interactions import Float32s, Float64s, History, Interactions, ItemContent


def votes(interactions: Interactions) -> Float64s:
    """float64[n_items]: distinct people for the item, less those against it, each weighing at most one."""
    net = interactions.net
    signed = np.clip(net.data, -1, 1)
    return np.bincount(net.indices, weights=signed, minlength=interactions.n_items).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Popularity(Model):
    """Distinct people who like an item.

    Example:
        >>> data = Interactions.from_events(["a", "b", "b", "b"], ["x", "x", "y", "y"])
        >>> Popularity().fit(data).scores([History.empty()], now_ms=0).tolist()
        [[2.0, 1.0]]
    """

    name: ClassVar[str] = "popularity"
    personal: ClassVar[bool] = False

    def fit(self, interactions: Interactions, items: ItemContent | None = None) -> Self:
        """See `Model.fit`."""
        return self._fitted(interactions.item_ids, {"votes": votes(interactions).astype(np.float32)}, interactions)

    def scores(self, histories: Sequence[History], now_ms: int) -> Float32s:
        """See `Model.scores`: the same row for everybody."""
        return np.tile(self._array("votes"), (len(histories), 1))
