"""What a history amounts to in the eyes of a model: distinct items, and how strongly each is liked or disliked.

The formulas are those of `models.strength`. One history is short, so it is read item by item: NumPy's set-up would cost
three times as much.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.models.interactions import History
from bespeak.models.strength import Weighting, strength

Float32s: TypeAlias = npt.NDArray[np.float32]
Int32s: TypeAlias = npt.NDArray[np.int32]
Strengths: TypeAlias = tuple[Int32s, Float32s]
"""(distinct items ascending, their signed strengths, none of them 0)."""


class Reader(ABC):
    """How a family reads a history. Equal readers give equal strengths, so what one gave is kept for the others."""

    @abstractmethod
    def read(self, history: History, n_items: int) -> Strengths:
        """The strengths of a history; items outside of 0 to `n_items` are strangers and left out."""


@dataclass(frozen=True, slots=True)
class Summed(Reader):
    """All that was done with an item, summed.

    Example:
        >>> items, strengths = Summed("linear").read(History.of([4, 2, 4, 9]), 5)
        >>> items.tolist(), strengths.tolist()
        ([2, 4], [1.0, 2.0])
    """

    weighting: Weighting

    def read(self, history: History, n_items: int) -> Strengths:
        """See `Reader.read`."""
        sums: dict[int, float] = {}
        for item, weight in zip(history.items.tolist(), history.weights.tolist(), strict=True):
            if 0 <= item < n_items:
                sums[item] = sums.get(item, 0.0) + weight
        return _strengths(sums, self.weighting)


@dataclass(frozen=True, slots=True)
class Latest(Reader):
    """The latest likes by their place from the end, dislikes by their weights.

    Attributes:
        sizes: what the latest like counts, the one before it, and so on; what came before these counts nothing.
        once: whether an item that was liked again counts at its latest like alone.

    Example:
        >>> items, strengths = Latest((1.0, 0.5, 0.25), "linear").read(History.of([7, 2, 4, 2]), 9)
        >>> items.tolist(), strengths.tolist()
        ([2, 4], [1.25, 0.5])
    """

    sizes: tuple[float, ...]
    weighting: Weighting
    once: bool = False

    def read(self, history: History, n_items: int) -> Strengths:
        """See `Reader.read`."""
        sums: dict[int, float] = {}
        liked: set[int] = set()
        step = 0
        for item, weight in zip(history.items[::-1].tolist(), history.weights[::-1].tolist(), strict=True):
            if not 0 <= item < n_items:
                continue
            if weight > 0:
                if step < len(self.sizes) and not (self.once and item in liked):
                    sums[item] = sums.get(item, 0.0) + self.sizes[step]
                    liked.add(item)
                step += 1
            elif weight < 0:
                sums[item] = sums.get(item, 0.0) + weight
        return _strengths(sums, self.weighting)


def _strengths(sums: Mapping[int, float], weighting: Weighting) -> Strengths:
    found = sorted(sums)
    items = np.array(found, np.int32)
    strengths = strength(np.array([sums[item] for item in found], np.float32), weighting)
    if strengths.all():
        return items, strengths
    kept = strengths != 0
    return items[kept], strengths[kept]
