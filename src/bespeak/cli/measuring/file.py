"""A file of units -> the sums of each variant.

A row is a unit, and the file is read in blocks, so that memory stays bounded whatever its length. Where a column names
the unit, its rows are joined, and every metric is a ratio of two sums over a unit's rows: memory then grows with the
units, by about 200 bytes each, and not with their rows. The metric stays what it is over rows; its variance is that
over units, which is right where rows of a unit depend on one another (the delta method; see `measure.pair`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bespeak.cli.measuring.columns import BadLines, Block, Names, names, numbers, read_blocks
from bespeak.cli.output import Told
from bespeak.errors import InvalidInput
from bespeak.measure.sums import Sums

MOST_VARIANTS = 100


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column means what.

    Attributes:
        variant: the group of the row's unit.
        value: the metric, or the upper part of a ratio; denominator: its lower part.
        covariate: the same unit's figure from before the experiment.
        unit: whose rows depend on one another; None where each row is a unit of its own.
    """

    variant: str
    value: str
    denominator: str | None = None
    covariate: str | None = None
    unit: str | None = None

    def __post_init__(self) -> None:
        parts = (self.variant, self.value, self.denominator, self.covariate, self.unit)
        named = [name for name in parts if name is not None]
        twice = next((name for name in named if named.count(name) > 1), None)
        if twice is not None:
            raise InvalidInput(f"The column '{twice}' is named twice.", hint="Each part needs a column of its own.")

    @property
    def numbers(self) -> dict[str, str]:
        """Argument of `Sums.of` -> column that must hold numbers."""
        named = {"value": self.value, "denominator": self.denominator, "covariate": self.covariate}
        return {part: column for part, column in named.items() if column is not None}


@dataclass(slots=True)
class Units:
    """What a file holds.

    Attributes:
        sums: variant -> sums over the units that have all numbers.
        assigned: variant -> units, those without a number included.
        n_nonzero: variant -> units of `sums` whose value is not 0.
        n_without_variant: rows that no variant (or no unit, where a column names it) is written in.
        n_in_several: units that have rows of several variants; they are in none.
        is_binary: whether each value is 0 or 1.
        bad: lines that are no rows.
    """

    sums: dict[str, Sums] = field(default_factory=dict)
    assigned: dict[str, int] = field(default_factory=dict)
    n_nonzero: dict[str, int] = field(default_factory=dict)
    n_without_variant: int = 0
    n_in_several: int = 0
    is_binary: bool = True
    bad: BadLines = field(default_factory=BadLines)

    @property
    def n_left_out(self) -> int:
        """Units of a variant that lack a number."""
        return sum(self.assigned.values()) - sum(sums.n for sums in self.sums.values())


def read_units(path: Path, columns: Columns, told: Told) -> Units:
    """Reads one row a unit from CSV, JSONL (plain or gzip) or Parquet.

    A row without a variant (empty, NULL, NaN) belongs to nobody. A row whose metric, denominator or covariate is
    missing (those, NA and None) counts as assigned and is left out of the sums.

    Args:
        path: the file.
        columns: which column means what.
        told: told the share that is read.

    Raises:
        InvalidInput: the file cannot be read, a column is not there (lists those there are), holds something that is no
            number (says in which line), or holds more variants than anybody compares.
    """
    wanted = [columns.variant, *columns.numbers.values()]
    found = Units()
    if columns.unit is None:
        for block in read_blocks(path, wanted, found.bad, told):
            _add(found, block, columns)
        return found
    joined = _Joined(columns, columns.unit)
    for block in read_blocks(path, [*wanted, columns.unit], found.bad, told):
        joined.add(block)
    return joined.told(found)


def _variants(known: Iterable[str], block: Block, columns: Columns) -> Names:
    variants, codes = names(block, columns.variant)
    if len({*known, *variants}) > MOST_VARIANTS:
        raise InvalidInput(
            f"The column '{columns.variant}' holds more than {MOST_VARIANTS} values.",
            hint="Name the column that says which variant a unit was given with --variant.",
        )
    return variants, codes


class _Joined:
    """What is kept of units that have any number of rows, block by block."""

    def __init__(self, columns: Columns, unit: str) -> None:
        self._columns = columns
        self._unit = unit
        self._variants: dict[str, int] = {}
        self._places: dict[str, int] = {}
        self._first, self._last, self._rows = (np.zeros(0, np.int64) for _ in range(3))
        self._totals = {part: np.zeros(0) for part in columns.numbers}
        self._n_nobody = 0
        self._is_binary = True

    def add(self, block: Block) -> None:
        """Adds the rows of a block to those of their units."""
        variants, codes = _variants(self._variants, block, self._columns)
        ids, unit_of = names(block, self._unit)
        held = {part: numbers(block, column) for part, column in self._columns.numbers.items()}
        of_all = np.array([self._variants.setdefault(name, len(self._variants)) for name in variants], np.int64)
        place = np.array([self._places.setdefault(name, len(self._places)) for name in ids], np.int64)
        self._make_room()
        is_known = (codes >= 0) & (unit_of >= 0)
        self._n_nobody += int((~is_known).sum())
        which, who = of_all[codes[is_known]], place[unit_of[is_known]]
        np.minimum.at(self._first, who, which)
        np.maximum.at(self._last, who, which)
        is_whole = is_known & np.all([~np.isnan(part) for part in held.values()], axis=0)
        values, units = held["value"][is_whole], unit_of[is_whole]
        self._is_binary = self._is_binary and bool(((values == 0) | (values == 1)).all())
        self._rows[place] += np.bincount(units, minlength=len(ids))
        for part, one in held.items():
            self._totals[part][place] += np.bincount(units, one[is_whole], len(ids))

    def told(self, found: Units) -> Units:
        """The sums of each variant, over the units that have rows of it alone."""
        n = len(self._places)
        first, last, rows = self._first[:n], self._last[:n], self._rows[:n]
        totals: dict[str, npt.NDArray[np.generic]] = {part: total[:n] for part, total in self._totals.items()}
        totals.setdefault("denominator", rows)
        if self._columns.covariate is not None:
            totals["covariate_denominator"] = rows
        found.n_without_variant, found.is_binary = self._n_nobody, self._is_binary
        found.n_in_several = int((first < last).sum())
        for name, code in self._variants.items():
            its_own = (first == code) & (last == code)
            found.assigned[name] = int(its_own.sum())
            found.n_nonzero[name] = int((totals["value"][its_own & (rows > 0)] != 0).sum())
            found.sums[name] = Sums.of(**{part: total[its_own & (rows > 0)] for part, total in totals.items()})
        return found

    def _make_room(self) -> None:
        n, room = len(self._places), len(self._rows)
        if n > room:
            more = max(n, 2 * room) - room
            self._first = np.append(self._first, np.full(more, MOST_VARIANTS))
            self._last = np.append(self._last, np.full(more, -1))
            self._rows = np.append(self._rows, np.zeros(more, np.int64))
            self._totals = {part: np.append(total, np.zeros(more)) for part, total in self._totals.items()}


def _add(found: Units, block: Block, columns: Columns) -> None:
    variants, codes = _variants(found.sums, block, columns)
    held = {part: numbers(block, column) for part, column in columns.numbers.items()}
    is_whole = np.all([~np.isnan(part) for part in held.values()], axis=0)
    values = held["value"][is_whole & (codes >= 0)]
    found.is_binary = found.is_binary and bool(((values == 0) | (values == 1)).all())
    found.n_without_variant += int((codes < 0).sum())
    for code, name in enumerate(variants):
        rows = codes == code
        found.assigned[name] = found.assigned.get(name, 0) + int(rows.sum())
        n_nonzero = int((held["value"][rows & is_whole] != 0).sum())
        found.n_nonzero[name] = found.n_nonzero.get(name, 0) + n_nonzero
        part = Sums.of(**{key: column[rows & is_whole] for key, column in held.items()})
        found.sums[name] = found.sums.get(name, Sums.none()) + part
