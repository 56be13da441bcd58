"""Attributes of people or items as columns of a matrix: one term for each value, such as (country, DE).

A value that fewer than `at_least` rows have is no term: of people it would speak of somebody rather than of a group,
and of items it links nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from bespeak.models.interactions import Bools, Csr, Traits
from bespeak.models.packing import pack_strings, unpack_strings

Columns = Mapping[str, Sequence[Sequence[str]]]


@dataclass(frozen=True, eq=False)
class AttributeTerms:
    """The (name, value) pairs that a model knows, sorted.

    Example:
        >>> people = {"country": [["DE"], ["DE"], ["US"]]}
        >>> terms = AttributeTerms.of(people, np.ones(3, bool), at_least=2)
        >>> terms.pairs, terms.matrix([{"country": ["DE"]}, {"country": ["US"]}]).toarray().tolist()
        ((('country', 'DE'),), [[1.0], [0.0]])
    """

    pairs: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, columns: Columns, counts: Bools, at_least: int) -> Self:
        """The values that stand in at least so many rows.

        Args:
            columns: name -> one list of values per row.
            counts: bool[n], which rows count.
            at_least: rows behind a term.
        """
        rows = np.flatnonzero(counts).tolist()
        return cls(
            tuple(
                (name, value)
                for name in sorted(columns)
                for value, n in sorted(Counter(value for row in rows for value in set(columns[name][row])).items())
                if n >= at_least
            )
        )

    @classmethod
    def from_arrays(cls, prefix: str, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """The terms that `arrays` packed."""
        names, values = (unpack_strings(f"{prefix}_{part}", arrays) for part in ("names", "values"))
        return cls(tuple(zip(names, values, strict=True)))

    def arrays(self, prefix: str) -> dict[str, npt.NDArray[Any]]:
        """The terms as plain arrays."""
        names, values = ([pair[part] for pair in self.pairs] for part in (0, 1))
        return pack_strings(f"{prefix}_names", names) | pack_strings(f"{prefix}_values", values)

    def __len__(self) -> int:
        return len(self.pairs)

    def positions(self, traits: Traits) -> list[int]:
        """Which terms hold for one person or item, ascending."""
        held = {(name, value) for name, values in traits.items() for value in values}
        return sorted(self._places[pair] for pair in held if pair in self._places)

    def matrix(self, rows: Sequence[Traits]) -> Csr:
        """CSR float32[n, terms]: ones where a term holds."""
        return self._ones([self.positions(row) for row in rows])

    def matrix_of(self, columns: Columns, n: int) -> Csr:
        """CSR float32[n, terms] of whole columns."""
        return self.matrix([{name: column[row] for name, column in columns.items()} for row in range(n)])

    @cached_property
    def _places(self) -> dict[tuple[str, str], int]:
        return {pair: place for place, pair in enumerate(self.pairs)}

    def _ones(self, held: Sequence[Sequence[int]]) -> Csr:
        indptr = np.concatenate([[0], np.cumsum([len(row) for row in held], dtype=np.int64)])
        indices = np.array([place for row in held for place in row], np.int32)
        return csr_array((np.ones(len(indices), np.float32), indices, indptr), shape=(len(held), len(self)))
