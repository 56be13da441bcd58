"""New items: until somebody has turned to an item, it stands where the items stand that its content is nearest to.

Models of behaviour have nothing to say of an item without events. It borrows from its lenders, the known items L(j)
whose content is most like that of item j, with their likeness c_ij (see `models.content`):

    score_j = min(s_j, 0) + sum over i in L(j) of c_ij s_i / (sum over i in L(j) of c_ij + shrinkage)

So a new item never stands above the best of its lenders, an item that is like nothing stays at 0, and what a model
holds against the item itself (the person disliked it) still counts. The shrinkage keeps a faint likeness from counting
as a full one. Scores are borrowed, so that one rule serves every model; Gantner et al. ("Learning attribute-to-feature
mappings for cold-start recommendations", ICDM 2010) borrow factors.

Cost: `LENDERS` multiplications per new item and person. Once per new item: its likeness to all items that may lend, at
most `MAX_LENDERS`, those that most people turned to.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from bespeak.models.content import Content
from bespeak.models.interactions import Csr, Float32s, Int32s, Interactions, ItemContent
from bespeak.models.linear import dense_product
from bespeak.models.topk import top_k

LENDERS = 5
SHRINKAGE = 2.0
MAX_LENDERS = 10_000
_BLOCK_CELLS = 8_000_000


@dataclass(frozen=True, eq=False)
class NewItems:
    """Items without a score of their own, and whose scores they borrow.

    Attributes:
        rows: int32[m], the new items.
        lenders: int32[m, LENDERS], known items; 0 where there are fewer, with a weight of 0.
        weights: float32[m, LENDERS], from 0 on; each row adds up to less than 1.
    """

    rows: Int32s
    lenders: Int32s
    weights: Float32s

    @classmethod
    def none(cls) -> Self:
        """Every item has a score of its own."""
        return cls(np.zeros(0, np.int32), np.zeros((0, LENDERS), np.int32), np.zeros((0, LENDERS), np.float32))

    @classmethod
    def of(cls, interactions: Interactions, items: ItemContent | None) -> Self:
        """The items that nobody of a log turned to; none where nothing is known of what items are.

        Args:
            interactions: the log that models are fitted on.
            items: what is known of its items.
        """
        n_people = people_of(interactions)
        new, known = np.flatnonzero(n_people == 0).astype(np.int32), may_lend(n_people)
        if items is None or not len(new) or not len(known):
            return cls.none()
        vectors = Content().fit(interactions.select(np.zeros(len(interactions), bool)), items).vectors
        lenders, weights = nearest(vectors[new], vectors[known])
        return cls(new, known[lenders], weights)

    def joined(self, other: Self) -> Self:
        """These and other new items."""
        return type(self)(
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.lenders, other.lenders]),
            np.concatenate([self.weights, other.weights]),
        )

    def lend(self, scores: Float32s, out: Float32s | None = None) -> Float32s:
        """The scores float32[n_items] or float32[n, n_items] with the borrowed ones in place; may be the same array.

        Args:
            scores: of all items.
            out: the same array, to write the borrowed scores into it; a copy when left out.

        Example:
            >>> new = NewItems(np.array([2]), np.array([[0, 1]]), np.array([[0.5, 0.25]], np.float32))
            >>> new.lend(np.array([[4.0, 2.0, 0.0]], np.float32)).tolist()
            [[4.0, 2.0, 2.5]]
        """
        if not len(self.rows):
            return scores
        rows, lenders, weights = self._by_place
        lent = scores.take(lenders, axis=-1)
        lent *= weights
        filled = scores.copy() if out is None else out
        filled[..., rows] = np.minimum(scores.take(rows, axis=-1), 0) + lent.sum(axis=-2)
        return filled

    @cached_property
    def _by_place(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Float32s]:
        """(rows, lenders [LENDERS, m], weights [LENDERS, m]) in the layout and type that gathering is fastest with."""
        return (
            self.rows.astype(np.int64),
            np.ascontiguousarray(self.lenders.T, np.int64),
            np.ascontiguousarray(self.weights.T, np.float32),
        )

    def lent_to(self, item: int) -> tuple[Int32s, Float32s]:
        """(lenders, weights) of one item, without those that lend nothing; none for an item that is not new."""
        place = self._places.get(item)
        if place is None:
            return np.zeros(0, np.int32), np.zeros(0, np.float32)
        lends = self.weights[place] > 0
        return self.lenders[place][lends], self.weights[place][lends]

    @cached_property
    def _places(self) -> dict[int, int]:
        """Item -> its place among `rows`."""
        return {row: place for place, row in enumerate(self.rows.tolist())}


def people_of(interactions: Interactions) -> npt.NDArray[np.int64]:
    """int64[n_items]: how many people turned to each item."""
    return np.bincount(interactions.matrix.indices, minlength=interactions.n_items).astype(np.int64)


def may_lend(n_people: npt.NDArray[np.int64]) -> Int32s:
    """int32: the items whose scores others may borrow, ascending: the best known, at most `MAX_LENDERS`.

    Example:
        >>> may_lend(np.array([3, 0, 1])).tolist()
        [0, 2]
    """
    first = np.argsort(-n_people, kind="stable")[:MAX_LENDERS]
    return np.sort(first[n_people[first] > 0]).astype(np.int32)


def nearest(new: Csr, known: Csr) -> tuple[Int32s, Float32s]:
    """(lenders int32[m, LENDERS], weights float32[m, LENDERS]) of new items; lenders are rows of `known`.

    Args:
        new: content vectors [m, terms] of the new items.
        known: content vectors [n, terms] of those that may lend.
    """
    lenders = np.zeros((new.shape[0], LENDERS), np.int32)
    weights = np.zeros((new.shape[0], LENDERS), np.float32)
    by_term = known.T.tocsr()
    step = max(1, _BLOCK_CELLS // max(1, known.shape[0]))
    for start in range(0, new.shape[0], step):
        part = slice(start, start + step)
        index, likeness = top_k(dense_product(new[part], by_term), LENDERS)
        likeness = np.where(index >= 0, np.maximum(likeness, 0), 0)
        lenders[part] = np.where(likeness > 0, index, 0)
        weights[part] = likeness / (likeness.sum(axis=1, keepdims=True) + np.float32(SHRINKAGE))
    return lenders, weights
