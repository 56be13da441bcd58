"""Typed columns with NULLs: what a rule is evaluated over when there are many rows.

A column is a small frozen set of NumPy arrays. Text is dictionary-encoded (codes into a vocabulary), so that a rule
compares each distinct value once and then only indexes. The catalogue builds these for its item snapshot; nothing
here knows about items.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")

MAX_TIME_MS = 8_640_000_000_000_000
"""Times lie within this many milliseconds before or after 1970 (the range of JavaScript dates); others are NULL."""

_MEMO_ENTRIES = 256


class ColumnType(StrEnum):
    """What the values of a column are. Every column may hold NULL."""

    NUMBER = "number"
    TEXT = "text"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    TEXTS = "texts"


@dataclass(frozen=True, slots=True, eq=False)
class NumberColumn:
    """Numbers.

    Attributes:
        values: float64[n]; NaN counts as NULL.
        valid: bool[n]; False is NULL.
    """

    values: NDArray[np.float64]
    valid: NDArray[np.bool_]

    def __post_init__(self) -> None:
        _same_length("NumberColumn", self.values, self.valid)
        # Evaluation reads NULL from NaN alone, so that arithmetic carries it without a second array.
        if bool(np.any(~self.valid & ~np.isnan(self.values))):
            object.__setattr__(self, "values", np.where(self.valid, self.values, np.nan))

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def from_values(cls, values: Iterable[float | None]) -> NumberColumn:
        """Build from numbers; None and NaN are NULL.

        Example:
            >>> NumberColumn.from_values([1, None, float("nan")]).valid.tolist()
            [True, False, False]
        """
        array = np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)
        return cls(array, ~np.isnan(array))


@dataclass(frozen=True, eq=False)
class TextColumn:
    """Texts, dictionary-encoded.

    Attributes:
        codes: int32[n], an index into `vocabulary`, -1 for NULL.
        vocabulary: the distinct texts, each once, in any order; it may hold texts that no row uses.
    """

    codes: NDArray[np.int32]
    vocabulary: Sequence[str]
    _memo: dict[object, Any] = field(default_factory=dict, init=False, repr=False)

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def code_of(self) -> Mapping[str, int]:
        """The code of each text of the vocabulary."""
        return {text: code for code, text in enumerate(self.vocabulary)}

    def remembered(self, key: object, build: Callable[[], T]) -> T:
        """Return what `build` made for this key before, or build and keep it.

        The column never changes, so what was worked out over its vocabulary (which texts match a pattern) holds as
        long as the column does. At most 256 results are kept; a full memory is emptied.
        """
        found: T | None = self._memo.get(key)
        if found is None:
            if len(self._memo) >= _MEMO_ENTRIES:
                self._memo.clear()
            found = self._memo[key] = build()
        return found

    @classmethod
    def from_values(cls, values: Iterable[str | None]) -> TextColumn:
        """Build from texts; None is NULL. The vocabulary is in order of first appearance.

        Example:
            >>> column = TextColumn.from_values(["b", None, "a", "b"])
            >>> column.codes.tolist(), list(column.vocabulary)
            ([0, -1, 1, 0], ['b', 'a'])
        """
        code_of: dict[str, int] = {}
        codes = [-1 if value is None else code_of.setdefault(value, len(code_of)) for value in values]
        return cls(np.array(codes, dtype=np.int32), tuple(code_of))


@dataclass(frozen=True, slots=True, eq=False)
class BooleanColumn:
    """Truth values.

    Attributes:
        values: bool[n].
        valid: bool[n]; False is NULL.
    """

    values: NDArray[np.bool_]
    valid: NDArray[np.bool_]

    def __post_init__(self) -> None:
        _same_length("BooleanColumn", self.values, self.valid)

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def from_values(cls, values: Iterable[bool | None]) -> BooleanColumn:
        """Build from booleans; None is NULL."""
        rows = list(values)
        return cls(np.array([bool(row) for row in rows], dtype=np.bool_), _known(rows))


@dataclass(frozen=True, slots=True, eq=False)
class TimestampColumn:
    """Points in time.

    Attributes:
        values: int64[n], milliseconds since 1970 UTC, within `MAX_TIME_MS`.
        valid: bool[n]; False is NULL.
    """

    values: NDArray[np.int64]
    valid: NDArray[np.bool_]

    def __post_init__(self) -> None:
        _same_length("TimestampColumn", self.values, self.valid)

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def from_values(cls, values: Iterable[int | None]) -> TimestampColumn:
        """Build from milliseconds since 1970 UTC; None and what lies beyond `MAX_TIME_MS` are NULL.

        Example:
            >>> TimestampColumn.from_values([0, None, 10**17]).valid.tolist()
            [True, False, False]
        """
        rows = [row if row is not None and -MAX_TIME_MS <= row <= MAX_TIME_MS else None for row in values]
        return cls(np.array([row or 0 for row in rows], dtype=np.int64), _known(rows))


@dataclass(frozen=True, eq=False)
class TextsColumn:
    """Lists of texts, dictionary-encoded in compressed rows.

    Row `i` holds `codes[indptr[i]:indptr[i + 1]]`; a NULL row holds none.

    Attributes:
        indptr: int64[n + 1], rising from 0 to `len(codes)`.
        codes: int32, indices into `vocabulary`.
        vocabulary: the distinct texts, each once.
        valid: bool[n]; False is NULL, which is not the empty list.
    """

    indptr: NDArray[np.int64]
    codes: NDArray[np.int32]
    vocabulary: Sequence[str]
    valid: NDArray[np.bool_]

    def __post_init__(self) -> None:
        _same_length("TextsColumn", self.indptr[1:], self.valid)

    def __len__(self) -> int:
        return len(self.valid)

    @cached_property
    def code_of(self) -> Mapping[str, int]:
        """The code of each text of the vocabulary."""
        return {text: code for code, text in enumerate(self.vocabulary)}

    def holds(self, text: str) -> NDArray[np.bool_]:
        """Return bool[n]: which rows hold this text (False for NULL rows)."""
        rows = np.zeros(len(self), dtype=np.bool_)
        code = self.code_of.get(text)
        if code is not None:
            places = np.flatnonzero(self.codes == code)
            rows[np.searchsorted(self.indptr, places, side="right") - 1] = True
        return rows

    @classmethod
    def from_values(cls, values: Iterable[Iterable[str | None] | None]) -> TextsColumn:
        """Build from lists of texts; None is NULL, a None inside a list is left out.

        Example:
            >>> column = TextsColumn.from_values([["a", "b"], None, [], ["b"]])
            >>> column.holds("b").tolist(), column.valid.tolist()
            ([True, False, False, True], [True, False, True, True])
        """
        code_of: dict[str, int] = {}
        codes: list[int] = []
        ends = [0]
        rows = list(values)
        for row in rows:
            codes.extend(code_of.setdefault(text, len(code_of)) for text in row or () if text is not None)
            ends.append(len(codes))
        return cls(np.array(ends, dtype=np.int64), np.array(codes, dtype=np.int32), tuple(code_of), _known(rows))


Column = NumberColumn | TextColumn | BooleanColumn | TimestampColumn | TextsColumn

TYPE_OF: Mapping[type, ColumnType] = {
    NumberColumn: ColumnType.NUMBER,
    TextColumn: ColumnType.TEXT,
    BooleanColumn: ColumnType.BOOLEAN,
    TimestampColumn: ColumnType.TIMESTAMP,
    TextsColumn: ColumnType.TEXTS,
}
"""The type of each column class."""


@dataclass(frozen=True, eq=False)
class Columns(Mapping[str, Column]):
    """Columns of equal length, by name.

    Attributes:
        data: the columns.
        n_rows: their length; needed because a snapshot without columns still has rows.

    Raises:
        ValueError: a column has another length than `n_rows`.

    Example:
        >>> columns = Columns({"price": NumberColumn.from_values([1, 2])}, n_rows=2)
        >>> list(columns), len(columns["price"])
        (['price'], 2)
    """

    data: Mapping[str, Column]
    n_rows: int

    def __post_init__(self) -> None:
        for name, column in self.data.items():
            if len(column) != self.n_rows:
                raise ValueError(f"column {name!r} has {len(column)} rows; all columns need n_rows = {self.n_rows}")

    def __getitem__(self, name: str) -> Column:
        return self.data[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)

    @classmethod
    def from_values(cls, types: Mapping[str, ColumnType], rows: Sequence[Mapping[str, Any]]) -> Columns:
        """Build from one mapping a row; a missing name is NULL.

        Example:
            >>> columns = Columns.from_values({"price": ColumnType.NUMBER}, [{"price": 2.5}, {}])
            >>> columns["price"].valid.tolist()
            [True, False]
        """
        built = {
            name: _BUILDERS[column_type].from_values([row.get(name) for row in rows])
            for name, column_type in types.items()
        }
        return cls(built, len(rows))


_BUILDERS: Mapping[ColumnType, Any] = {column_type: column for column, column_type in TYPE_OF.items()}


def _known(rows: Sequence[object]) -> NDArray[np.bool_]:
    return np.array([row is not None for row in rows], dtype=np.bool_)


def _same_length(name: str, values: NDArray[Any], valid: NDArray[np.bool_]) -> None:
    if len(values) != len(valid):
        raise ValueError(f"{name}: {len(values)} values but {len(valid)} validity flags; they need equal length")
