"""The vectors of vectorised evaluation: truths, times and texts of all rows, and what is done with them.

A plain scalar stands for "the same in all rows" wherever an array may stand.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from bespeak.rules import values
from bespeak.rules.columns import TextColumn

Mask = NDArray[np.bool_] | np.bool_
Numbers = NDArray[np.float64] | np.float64


class Truth(NamedTuple):
    """Where an expression is true and where it is false; elsewhere it is NULL."""

    true: Mask
    false: Mask


class Times(NamedTuple):
    """Milliseconds, and where they are known."""

    ms: NDArray[np.int64] | np.int64
    known: Mask


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """Texts as codes into `values`; code -1 (the last place of every lookup table) is NULL.

    `owner` and `path` name the column and the functions that the values came by, so that lookup tables over a
    vocabulary are kept with the column; a derived list without an owner is worked out each time.
    """

    codes: NDArray[np.int32]
    values: Sequence[str]
    owner: TextColumn | None = None
    path: tuple[Hashable, ...] = ()

    def remembered(self, key: Hashable, build: Callable[[], Any]) -> Any:
        """What was built over these values before, if their column can keep it."""
        return build() if self.owner is None else self.owner.remembered((self.path, key), build)

    def mapped(self, name: str, change: Callable[[str], str]) -> Texts:
        """Change each distinct value once; `name` says by which function."""
        changed = self.remembered((name, "values"), lambda: [change(text) for text in self.values])
        return Texts(self.codes, changed, self.owner, (*self.path, name))

    def where(self, key: Hashable, holds: Callable[[str], bool]) -> Truth:
        """Ask each distinct value once, then index."""

        def tables() -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
            true = np.zeros(len(self.values) + 1, dtype=np.bool_)
            true[:-1] = [holds(text) for text in self.values]
            false = ~true
            false[-1] = False
            return true, false

        true, false = self.remembered(key, tables)
        return Truth(true[self.codes], false[self.codes])


ORDER: Mapping[str, tuple[Any, Any]] = {
    "<": (np.less, np.greater_equal),
    "<=": (np.less_equal, np.greater),
    ">": (np.greater, np.less_equal),
    ">=": (np.greater_equal, np.less),
}
"""The sign of an ordering -> what it is, and what its opposite is, both false beside NaN."""

MIRRORED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
"""The sign that says the same with the sides swapped."""

UNKNOWN = Truth(np.False_, np.False_)
"""NULL in all rows."""


def all_true(parts: Sequence[Truth]) -> Truth:
    """AND of one or more."""
    true, false = parts[0]
    for part in parts[1:]:
        true, false = true & part.true, false | part.false
    return Truth(true, false)


def first_known_truth(parts: Sequence[Truth]) -> Truth:
    """Coalesce of one or more."""
    true, false = parts[0]
    for part in parts[1:]:
        is_open = ~(true | false)
        true, false = true | (is_open & part.true), false | (is_open & part.false)
    return Truth(true, false)


def opposite(truth: Truth) -> Truth:
    """NOT."""
    return Truth(truth.false, truth.true)


def nan_if_none(value: float | None) -> np.float64:
    """A single number, NaN for NULL."""
    return np.float64(np.nan if value is None else value)


def rounded(numbers: Numbers, digits: int) -> Numbers:
    """Round half away from zero, as DuckDB does; what would leave the range of numbers stays as it is."""
    scale = 10.0 ** abs(digits)
    scaled = numbers * scale if digits >= 0 else numbers / scale
    whole = np.trunc(scaled)
    whole = whole + np.where(np.abs(scaled - whole) >= 0.5, np.copysign(1.0, scaled), 0.0)
    result = whole / scale if digits >= 0 else whole * scale
    return cast(Numbers, np.where(np.isfinite(result), result, numbers))


def chosen(name: str, one: Times, other: Times) -> Times:
    """One step of coalesce, least or greatest; NULL loses against everything."""
    takes_one = one.known
    if name == "least":
        takes_one = one.known & (~other.known | (one.ms <= other.ms))
    elif name == "greatest":
        takes_one = one.known & (~other.known | (one.ms >= other.ms))
    return Times(np.where(takes_one, one.ms, other.ms), one.known | other.known)


def compare_with_constant(op: str, texts: Texts, constant: str) -> Truth:
    """Compare texts with one text; equality on a plain column is one look-up of its code."""
    if texts.owner is not None and not texts.path and op in {"=", "!="}:
        code = texts.owner.code_of.get(constant, -2)
        same = Truth(texts.codes == code, (texts.codes != code) & (texts.codes >= 0))
        return same if op == "=" else opposite(same)
    compare = values.COMPARE[op]
    return texts.where((op, constant), lambda text: bool(compare(text, constant)))


def compare_codes(op: str, one: Texts, other: Texts) -> Truth:
    """Compare two text columns by the rank of each value among the values of both."""
    ranks = {text: rank for rank, text in enumerate(sorted({*one.values, *other.values}))}

    def ranked(texts: Texts) -> NDArray[np.int64]:
        return np.array([*(ranks[text] for text in texts.values), -1], dtype=np.int64)[texts.codes]

    known = (one.codes >= 0) & (other.codes >= 0)
    is_so = values.COMPARE[op](ranked(one), ranked(other))
    return Truth(is_so & known, ~is_so & known)


def first_known_text(one: Texts | str | None, other: Texts | str | None) -> Texts | str | None:
    """One step of coalesce, over the values of both."""
    if other is None or isinstance(one, str):
        return one
    if one is None:
        return other
    if isinstance(other, str):
        return Texts(np.where(one.codes >= 0, one.codes, np.int32(len(one.values))), [*one.values, other])
    shifted = np.where(other.codes >= 0, other.codes + np.int32(len(one.values)), np.int32(-1))
    return Texts(np.where(one.codes >= 0, one.codes, shifted), [*one.values, *other.values])
