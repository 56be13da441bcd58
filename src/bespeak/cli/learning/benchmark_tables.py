"""The files of `benchmark recommend` as arrays: people, items, weights, times; what cannot be read is said in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from bespeak.errors import InvalidInput
from bespeak.models.interactions import Float32s, Float64s, Int64s

_PEOPLE = ("user", "session")
_UNITS = ((1e11, 1e3), (1e14, 1.0), (1e17, 1e-3))
"""Times below a bound are seconds (until the year 5138), milliseconds, microseconds; above all bounds nanoseconds."""


class Rows:
    """One file.

    Args:
        path: Parquet, or CSV where the name ends so.
        needed: columns without which it is refused.
        may_be_empty: columns whose values may be missing.
    """

    def __init__(self, path: Path, needed: tuple[str, ...] = (), may_be_empty: tuple[str, ...] = ()) -> None:
        self.path = path
        self.table = _read(path)
        for name in needed:
            if name not in self:
                raise InvalidInput(
                    f"{path.name} has no column '{name}'.", hint=f"Columns: {', '.join(self.table.column_names)}."
                )
        for name in {*_PEOPLE, "query", "item"} & set(self.table.column_names):
            self._require_ids(name, may_be_empty=name in may_be_empty)
        # Positions put rows in order; where times decide, they break ties.
        if "pos" in self:
            self.table = self.table.take(pa.array(np.argsort(self.numbers("pos"), kind="stable")))

    def __contains__(self, name: str) -> bool:
        return name in self.table.column_names

    @property
    def person(self) -> str:
        """The name of the column of people."""
        for name in _PEOPLE:
            if name in self:
                return name
        raise InvalidInput(f"{self.path.name} has neither 'user' nor 'session'.", hint="Name the column of people so.")

    def values(self, name: str) -> list[Any]:
        """A column."""
        values: list[Any] = self.table.column(name).to_pylist()
        return values

    def distinct(self, name: str) -> pa.Array:
        """Distinct ids in the order in which they first stand, in the type they came in."""
        return pc.unique(self.table.column(name))

    def positions(self, name: str) -> dict[Any, int]:
        """Distinct id -> its place."""
        return {value: place for place, value in enumerate(self.distinct(name).to_pylist())}

    def numbers(self, name: str) -> Float64s:
        """A column of finite numbers."""
        column = self.table.column(name)
        if not _is_number(column.type):
            raise InvalidInput(f"The column '{name}' of {self.path.name} holds {column.type}; it must hold numbers.")
        values = column.cast(pa.float64()).to_numpy()
        if not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values))[0])
            raise InvalidInput(
                f"Row {row + 1} of {self.path.name} has no finite number in the column '{name}'.",
                hint="Leave such rows out, or fill them in.",
            )
        return np.asarray(values, np.float64)

    def weights(self, scale: tuple[float, float] | None) -> Float32s | None:
        """Weights as given; a rating is a use and an opinion: 1 in the middle of its scale, 0.2 to 1.8 at its ends.

        Args:
            scale: lowest and highest rating, see `scale`.
        """
        if "weight" in self:
            return self.numbers("weight").astype(np.float32)
        if "rating" not in self or scale is None or scale[0] == scale[1]:
            return None
        low, high = scale
        centred = np.clip((self.numbers("rating") - (low + high) / 2) / ((high - low) / 2), -1, 1)
        return (1 + 0.8 * centred).astype(np.float32)

    def scale(self) -> tuple[float, float] | None:
        """The lowest and the highest rating; None without ratings."""
        if "rating" not in self or not len(self.table):
            return None
        ratings = self.numbers("rating")
        return float(ratings.min()), float(ratings.max())

    def times(self) -> Int64s | None:
        """Milliseconds since 1970 UTC of a column of numbers, times, dates or ISO 8601 texts; None without one."""
        if "timestamp" not in self:
            return None
        column = self.table.column("timestamp")
        if _is_number(column.type):
            values = self.numbers("timestamp")
            largest = float(np.abs(values).max(initial=0))
            factor = next((factor for bound, factor in _UNITS if largest < bound), 1e-6)
            return (values * factor).astype(np.int64)
        moments = _moments(column)
        if moments is None or moments.null_count:
            raise InvalidInput(
                f"The column 'timestamp' of {self.path.name} holds values ({column.type}) that are no times.",
                hint="Give numbers since 1970, times, or texts such as 2026-05-01T12:00:00Z.",
            )
        return np.asarray(moments.cast(pa.int64()).to_numpy())

    def _require_ids(self, name: str, *, may_be_empty: bool) -> None:
        column = self.table.column(name)
        if pa.types.is_nested(column.type):
            raise InvalidInput(f"The column '{name}' of {self.path.name} holds {column.type}; it must hold ids.")
        if column.null_count and not may_be_empty:
            raise InvalidInput(
                f"{column.null_count:,} rows of {self.path.name} have no '{name}'.", hint="Leave these rows out."
            )


def _read(path: Path) -> pa.Table:
    is_csv = path.suffix.lower() == ".csv"
    try:
        return csv.read_csv(path) if is_csv else pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        kind = "CSV" if is_csv else "Parquet"
        raise InvalidInput(
            f"{path.name} cannot be read as {kind} ({type(error).__name__}).",
            hint="Files are Parquet, or CSV with a line of names where the file's name ends in .csv.",
        ) from None


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _moments(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """As timestamps in milliseconds; None where that means nothing."""
    for kind in (pa.timestamp("ms"), pa.timestamp("ms", "UTC")):
        try:
            return column.cast(kind, safe=False)
        except pa.ArrowException:
            continue
    return None
