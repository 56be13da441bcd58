"""Columns of any kind as a matrix that regressions can take: everything it needs is learned from the training rows.

Numbers are set to mean 0 and spread 1; a column with a long tail (skewness above 2) is taken by its signed logarithm
first; a missing number is the mean, and a column of its own says that it was missing. Names become one column each,
rare and unseen ones none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from bespeak.models.predictors.repeat_purchases import Float64s, Int64s

MOST_LEVELS = 50
_LONG_TAIL = 2.0
_RAREST = 20


@dataclass(frozen=True, slots=True, eq=False)
class Names:
    """A column of names.

    Attributes:
        levels: distinct names; codes: int64[n], a place in them, -1 for none.
    """

    levels: Sequence[str]
    codes: Int64s

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: npt.NDArray[np.bool_] | Int64s) -> Names:
        return Names(self.levels, self.codes[rows])


Columns = Mapping[str, Float64s | Names]
"""Name -> float64[n] with NaN for missing, or names."""


@dataclass(frozen=True, slots=True)
class _Number:
    is_log: bool
    mean: float
    spread: float
    missing_share: float


@dataclass(frozen=True, slots=True)
class Design:
    """How columns become a matrix.

    Attributes:
        numbers: column -> how it is scaled.
        levels: column -> the names that have a column of their own, and their shares.

    Example:
        >>> columns = {"age": np.array([20.0, 40.0]), "site": Names(["a", "b"], np.array([0, 1]))}
        >>> design = Design.of(columns, rarest=1)
        >>> design.names
        ('age', 'site=a', 'site=b')
        >>> design.matrix(columns).tolist()
        [[-1.0, 1.0, -1.0], [1.0, -1.0, 1.0]]
    """

    numbers: Mapping[str, _Number]
    levels: Mapping[str, Mapping[str, float]]

    @classmethod
    def of(cls, columns: Columns, *, rarest: int = _RAREST) -> Design:
        """Learns from training rows; names in fewer than `rarest` rows get no column."""
        numbers: dict[str, _Number] = {}
        levels: dict[str, dict[str, float]] = {}
        for name, column in columns.items():
            if isinstance(column, Names):
                levels[name] = _frequent(column, rarest)
            else:
                numbers[name] = _scaling(column)
        return cls(numbers, levels)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of the matrix."""
        found = []
        for name, scaling in self.numbers.items():
            found += [name] if scaling.spread > 0 else []
            found += [f"{name} is missing"] if 0 < scaling.missing_share < 1 else []
        found += [f"{name}={level}" for name, held in self.levels.items() for level in held]
        return tuple(found)

    def matrix(self, columns: Columns) -> Float64s:
        """float64[n, len(names)] of the same columns, of any rows."""
        n = len(next(iter(columns.values()))) if columns else 0
        parts: list[Float64s] = []
        for name, scaling in self.numbers.items():
            values = columns[name]
            assert not isinstance(values, Names)
            missing = np.isnan(values)
            if scaling.spread > 0:
                taken = _log(values) if scaling.is_log else values
                parts.append(np.where(missing, 0.0, (taken - scaling.mean) / scaling.spread))
            if 0 < scaling.missing_share < 1:
                parts.append(_standard(missing, scaling.missing_share))
        for name, held in self.levels.items():
            column = columns[name]
            assert isinstance(column, Names)
            place = {level: code for code, level in enumerate(column.levels)}
            parts += [_standard(column.codes == place.get(level, -2), share) for level, share in held.items()]
        return np.stack(parts, axis=1) if parts else np.zeros((n, 0))


def _scaling(values: Float64s) -> _Number:
    known = values[~np.isnan(values)]
    missing = 1.0 - len(known) / max(len(values), 1)
    if len(known) == 0 or np.ptp(known) == 0:
        return _Number(False, 0.0, 0.0, missing)
    mean, spread = float(known.mean()), float(known.std())
    is_log = float(np.mean((known - mean) ** 3)) / spread**3 > _LONG_TAIL and len(np.unique(known[:1000])) > 2
    if is_log:
        taken = _log(known)
        mean, spread = float(taken.mean()), float(taken.std())
    return _Number(is_log, mean, spread, missing)


def _frequent(column: Names, rarest: int) -> dict[str, float]:
    counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.levels))
    order = np.argsort(-counts, kind="stable")[:MOST_LEVELS]
    n = len(column)
    return {column.levels[code]: counts[code] / n for code in order.tolist() if rarest <= counts[code] < n}


def _standard(is_set: npt.NDArray[np.bool_], share: float) -> Float64s:
    return cast("Float64s", (is_set - share) / np.sqrt(share * (1 - share)))


def _log(values: Float64s) -> Float64s:
    return cast("Float64s", np.sign(values) * np.log1p(np.abs(values)))
