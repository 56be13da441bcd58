"""Meetings of items: the inner product of every pair of columns and the people behind it, in one sparse product.

A sparse product spends its time on finding which pairs occur; what it adds up there costs little. So both sums of a
pair are made at once, as the real part of one complex number:

    sum over the n people of both of (a + i r) (b - i r)  =  x . y + n r^2 + i r (...),   r^2 > 2 x . y

The whole multiples of r^2 are the people, the rest is the inner product. The numbers have 53 bits, so r^2 may be up to
2^29 of the smallest square of a strength before the rest is less exact than float32; beyond that two products are made.

Cost: sum over people of (items of that person)^2 operations; 20 bytes per pair of a block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.sparse import csr_array

from bespeak.models.interactions import Csr, Float32s, Float64s, Int32s

_EXACT_SHARE = 2.0**29


@dataclass(frozen=True, eq=False)
class Meetings:
    """Inner products and counts of people for blocks of items.

    Attributes:
        by_item: CSR[n_items, n_people], left factor.
        by_person: CSR[n_people, n_items], right factor.
        unit: r^2; 0 where all strengths are 1, so that products are counts; None where two products are needed.
    """

    by_item: Csr
    by_person: Csr
    unit: float | None

    @classmethod
    def of(cls, strengths: Csr) -> Self:
        """From CSR float32[n_people, n_items], not negative; what is 0 is no meeting."""
        if not np.all(strengths.data):  # the logarithm of a weight near 0
            strengths = strengths.copy()
            strengths.eliminate_zeros()
        kind = np.int32 if max(strengths.nnz, *strengths.shape) <= np.iinfo(np.int32).max else np.int64
        pattern = strengths.indices.astype(kind), strengths.indptr.astype(kind)
        unit = _unit(strengths)
        data = strengths.data.astype(np.float64)  # no product of two is 0, which SciPy would leave out
        if unit:
            data = data - 1j * np.sqrt(unit)
        by_person = csr_array((data, *pattern), strengths.shape)
        by_item = by_person.T.tocsr()
        if unit:
            np.conjugate(by_item.data, out=by_item.data)
        return cls(by_item, by_person, unit)

    def block(self, items: slice) -> tuple[Csr, Int32s]:
        """CSR float32[block, n_items]: the inner products; int32: the people behind each of its entries."""
        products = self.by_item[items] @ self.by_person
        if self.unit:
            whole: Float64s = products.data.real
            people = whole * (1 / self.unit)
            people += 0.25
            np.floor(people, out=people)
            products.data = whole - people * self.unit
        elif self.unit is None:
            people = (_present(self.by_item[items]) @ _present(self.by_person)).data  # its entries stand as those above
        else:
            people = products.data
        products.data = products.data.astype(np.float32, copy=False)
        return products, people.astype(np.int32)


def _unit(strengths: Csr) -> float | None:
    """r^2, a power of four, for that r is exact."""
    if not strengths.nnz or np.all(strengths.data == 1):
        return 0.0
    squares: Float64s = np.square(strengths.data, dtype=np.float64)
    largest = np.bincount(strengths.indices, squares).max()
    unit = 4.0 ** np.ceil(np.log2(2 * largest) / 2)
    return float(unit) if unit <= _EXACT_SHARE * squares.min() else None


def _present(matrix: Csr) -> Csr:
    ones: Float32s = np.ones_like(matrix.data)
    return csr_array((ones, matrix.indices, matrix.indptr), matrix.shape)
