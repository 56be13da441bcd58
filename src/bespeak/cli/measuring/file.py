"""A file of units -> the sums of each variant: read in blocks, so that memory stays bounded whatever its length."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bespeak.cli.measuring.columns import BadLines, Block, names, numbers, read_blocks
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
    """

    variant: str
    value: str
    denominator: str | None = None
    covariate: str | None = None

    def __post_init__(self) -> None:
        named = [name for name in (self.variant, self.value, self.denominator, self.covariate) if name is not None]
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
        sums: variant -> sums over the rows that have all numbers.
        assigned: variant -> rows, those without a number included.
        n_without_variant: rows that no variant is written in.
        is_binary: whether each value is 0 or 1.
        bad: lines that are no rows.
    """

    sums: dict[str, Sums] = field(default_factory=dict)
    assigned: dict[str, int] = field(default_factory=dict)
    n_without_variant: int = 0
    is_binary: bool = True
    bad: BadLines = field(default_factory=BadLines)

    @property
    def n_left_out(self) -> int:
        """Rows of a variant that lack a number."""
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
    found = Units()
    for block in read_blocks(path, [columns.variant, *columns.numbers.values()], found.bad, told):
        _add(found, block, columns)
    return found


def _add(found: Units, block: Block, columns: Columns) -> None:
    variants, codes = names(block, columns.variant)
    if len(found.sums.keys() | set(variants)) > MOST_VARIANTS:
        raise InvalidInput(
            f"The column '{columns.variant}' holds more than {MOST_VARIANTS} values.",
            hint="Name the column that says which variant a unit was given with --variant.",
        )
    held = {part: numbers(block, column) for part, column in columns.numbers.items()}
    is_whole = np.all([~np.isnan(part) for part in held.values()], axis=0)
    values = held["value"][is_whole & (codes >= 0)]
    found.is_binary = found.is_binary and bool(((values == 0) | (values == 1)).all())
    found.n_without_variant += int((codes < 0).sum())
    for code, name in enumerate(variants):
        rows = codes == code
        found.assigned[name] = found.assigned.get(name, 0) + int(rows.sum())
        part = Sums.of(**{key: column[rows & is_whole] for key, column in held.items()})
        found.sums[name] = found.sums.get(name, Sums.none()) + part
