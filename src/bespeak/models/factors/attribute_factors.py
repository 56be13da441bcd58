"""Factors with attributes: people and items as short vectors that their traits and attributes foretell.

Regression-based latent factors (Agarwal and Chen, "Regression-based latent factor models", KDD 2009) with the squared
loss over all pairs of iALS (Hu, Koren, Volinsky 2008): p_u and y_i are drawn around what x_u, the person's traits, and
z_i, the item's attributes, foretell. Minimised is

    sum over u, i of c_ui (t_ui - p_u . y_i)^2 + l2 (sum |p_u - A'x_u|^2 + sum |y_i - B'z_i|^2 + ridge (|A|^2 + |B|^2))

with t = 1 and c = 1 + alpha w for a like of strength w, t = 0 elsewhere, c = 1 + alpha w for dislikes. Each of p, A, y
and B in turn has a closed form, a ridge regression given the others. x and z hold a constant 1 besides, so A and B also
know what holds for everybody. LightFM (Kula 2015) has the same shape with vectors that are sums of those of attributes
alone; here a person or item with events has an own part too.

A person's vector is one solve from the likes and traits given. With traits alone it is A'x_u, so the cold are ranked by
what people like them chose; with nothing at all it is 0. An item without events stands at B'z_i.
A dislike takes from what is like it (see `models.factors`).

A trait value that fewer than `min_people` distinct people have is not read, and only the sums A over all of them are
kept, never a person's vector.

Cost: per round events * factors^2, and factors^3 / 3 for each person and item with more events than factors; memory
(people + items) * factors numbers while fitting, items * factors after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from scipy.sparse import csr_array, hstack
from threadpoolctl import threadpool_limits

from bespeak.models.attribute_terms import AttributeTerms
from bespeak.models.factors.item_vectors import FactorModel
from bespeak.models.fits import FitMemory
from bespeak.models.interactions import (
    Csr,
    Float32s,
    Float64s,
    History,
    Int64s,
    Interactions,
    ItemContent,
    Traits,
)
from bespeak.models.strength import strengthened

_MIN_ITEMS = 2
_BLOCK_NUMBERS = 500_000
"""Bound of the numbers in the vectors of the entries of all rows that are solved together."""


@dataclass(frozen=True, eq=False)
class AttributeFactors(FactorModel):
    """iALS whose vectors lean on traits and attributes.

    Args:
        factors: length of the vectors.
        l2: how strongly a vector is held to what its attributes foretell.
        alpha: how much more a like of strength 1 weighs than an unseen pair.
        ridge: shrinks the vectors of traits and attributes, in people or items.
        rounds: alternations.
        min_people: distinct people behind a trait value that is read.
        weighting: how summed weights become strengths.
        seed: of the first vectors.
    """

    name: ClassVar[str] = "attribute_factors"
    reads_traits: ClassVar[bool] = True

    factors: int = 32
    l2: float = 50.0
    alpha: float = 2.0
    ridge: float = 50.0
    rounds: int = 8
    min_people: int = 5
    seed: int = 0

    def fit_memory(self, n_people: int, n_items: int, n_events: int) -> FitMemory:
        """See `Model.fit_memory`: vectors of people and items, thrice in float64, and the block that is solved."""
        vectors = 8.0 * self.factors
        block = min(_BLOCK_NUMBERS, self.factors * (2 * n_events + self.factors * (n_people + n_items)))
        return FitMemory(3 * vectors * (n_people + n_items) + 64.0 * n_events + 32.0 * block, vectors * n_items)

    def fit(self, interactions: Interactions, items: ItemContent | None = None) -> Self:
        """See `Model.fit`; without traits and attributes it is iALS around one mean."""
        signed = strengthened(interactions.net, self.weighting).copy()  # it shares its pattern with the log
        signed.eliminate_zeros()
        has_likes = (
            np.diff(signed.maximum(0).tocsr().indptr) > 0 if signed.nnz else np.zeros(interactions.n_users, bool)
        )
        columns = {} if interactions.traits is None else interactions.traits.attributes
        terms = AttributeTerms.of(columns, has_likes, self.min_people)
        people = _with_one(terms.matrix_of(columns, interactions.n_users))[has_likes]
        things = _item_terms(interactions, items)
        signed = signed[has_likes]
        by_item = signed.T.tocsr()
        by_item.sort_indices()
        vectors = np.random.default_rng(self.seed).normal(0, 0.1, (interactions.n_items, self.factors))
        vectors[np.diff(by_item.indptr) == 0] = 0
        of_traits = np.zeros((people.shape[1], self.factors))
        of_attributes = np.zeros((things.shape[1], self.factors))
        with threadpool_limits(limits=1, user_api="blas"):  # the matrices are small: threads mostly wait for each other
            for _ in range(self.rounds if signed.nnz else 0):
                own = self._solved(signed, vectors, people @ of_traits)
                of_traits = self._foretold(people, own)
                vectors = self._solved(by_item, own, things @ of_attributes)
                of_attributes = self._foretold(things, vectors)
        kept = vectors.astype(np.float32)
        arrays = terms.arrays("terms") | {
            "vectors": kept,
            "gram": kept.T.astype(np.float64) @ kept,
            "trait_vectors": of_traits.astype(np.float32),
        }
        return self._fitted(interactions.item_ids, arrays, interactions)

    def person_vectors(self, signed: Csr, histories: Sequence[History]) -> Float32s:
        """float32[n, factors]: zero for a person without likes and known traits."""
        held = self.terms.matrix([history.traits for history in histories])
        likes = signed.maximum(0).tocsr() if signed.nnz else signed
        likes.eliminate_zeros()
        is_known = (np.diff(held.indptr) > 0) | (np.diff(likes.indptr) > 0)
        of_traits = np.asarray(self._array("trait_vectors"), np.float64)
        foretold = (of_traits[0] + held @ of_traits[1:]) * is_known[:, None]
        base = np.asarray(self._array("gram"), np.float64)
        return self._solved(likes, self._vectors.astype(np.float64), foretold, base).astype(np.float32)

    def leading_trait(self, traits: Traits, item: int) -> tuple[str, str] | None:
        """See `Model.leading_trait`: the trait whose vector points most towards the item."""
        held = self.terms.positions(traits)
        if not held:
            return None
        parts = self._array("trait_vectors")[1:][held] @ self._vectors[item]
        best = int(parts.argmax())
        return self.terms.pairs[held[best]] if parts[best] > 0 else None

    @cached_property
    def terms(self) -> AttributeTerms:
        """The trait values that it reads, in the order of `trait_vectors` behind the first of these."""
        self._array("vectors")
        return AttributeTerms.from_arrays("terms", self._arrays)

    def _solved(self, signed: Csr, others: Float64s, foretold: Float64s, gram: Float64s | None = None) -> Float64s:
        """float64[n, factors]: each row's vector given those of the other side and what its attributes foretell.

        (V'V + sum alpha |w_i| v_i v_i' + l2 I) p = sum over likes (1 + alpha w_i) v_i + l2 * foretold; rows without an
        entry stand where they are foretold to. With fewer entries than factors the square of the entries is solved
        instead, by Woodbury's identity: a million people with two events each take a tenth of the time.
        """
        solved = foretold.copy()
        base = (others.T @ others if gram is None else gram) + self.l2 * np.eye(self.factors)
        inverse = np.asarray(np.linalg.inv(base), np.float64)
        sizes = np.diff(signed.indptr)
        for rows in _alike_in_size(sizes, self.factors):
            place = signed.indptr[rows][:, None] + np.arange(sizes[rows].max())
            is_entry = place < signed.indptr[rows + 1][:, None]
            place = np.where(is_entry, place, 0)
            known, strengths = others[signed.indices[place]], np.where(is_entry, signed.data[place], 0)
            extra = self.alpha * np.abs(strengths).astype(np.float64)
            wanted = np.where(strengths > 0, 1 + extra, 0)
            turned = known.transpose(0, 2, 1)
            right = turned @ wanted[:, :, None] + self.l2 * foretold[rows][:, :, None]
            if known.shape[1] > self.factors:
                solved[rows] = np.linalg.solve(base + turned @ (extra[:, :, None] * known), right)[:, :, 0]
            else:
                solved[rows] = _by_entries(inverse, np.sqrt(extra)[:, :, None] * known, right)[:, :, 0]
        return solved

    def _foretold(self, terms: Csr, vectors: Float64s) -> Float64s:
        """float64[terms, factors]: the ridge regression of vectors on attributes."""
        square = (terms.T @ terms).toarray() + self.ridge * np.eye(terms.shape[1])
        return np.asarray(np.linalg.solve(square, terms.T @ vectors), np.float64)


def _by_entries(inverse: Float64s, entries: Float64s, right: Float64s) -> Float64s:
    """float64[n, factors, 1]: (B + E'E)^-1 b = x - B^-1 E' (I + E B^-1 E')^-1 E x with x = B^-1 b.

    Args:
        inverse: float64[factors, factors], B^-1, symmetric.
        entries: float64[n, m, factors], E of each row.
        right: float64[n, factors, 1], b of each row.
    """
    alone = inverse @ right
    pulled = entries @ inverse
    square = pulled @ entries.transpose(0, 2, 1) + np.eye(entries.shape[1])
    return np.asarray(alone - pulled.transpose(0, 2, 1) @ np.linalg.solve(square, entries @ alone), np.float64)


def _alike_in_size(sizes: Int64s, factors: int) -> list[Int64s]:
    """The rows with entries in blocks of about equal sizes, so that each block is solved as one padded array."""
    order = np.argsort(sizes, kind="stable")
    order = order[sizes[order] > 0]
    blocks = []
    while len(order):
        most = int(1.3 * sizes[order[0]]) + 4  # so much padding costs less than another block
        n_rows = min(np.searchsorted(sizes[order], most, side="right"), max(1, _BLOCK_NUMBERS // (most * factors)))
        blocks.append(order[:n_rows])
        order = order[n_rows:]
    return blocks


def _with_one(terms: Csr) -> Csr:
    """CSR float64[n, 1 + terms]: a constant 1 before the terms."""
    return hstack([csr_array(np.ones((terms.shape[0], 1))), terms], format="csr").astype(np.float64)


def _item_terms(interactions: Interactions, items: ItemContent | None) -> Csr:
    """CSR float64[n_items, 1 + attribute values that at least two items have]."""
    columns = (items or ItemContent(())).aligned(interactions.item_ids).attributes
    terms = AttributeTerms.of(columns, np.ones(interactions.n_items, bool), _MIN_ITEMS)
    return _with_one(terms.matrix_of(columns, interactions.n_items))
