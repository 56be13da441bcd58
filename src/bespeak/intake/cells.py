"""The cells of a row: where each field stands, and how text from files becomes ids, numbers, lists and flags."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec

from bespeak.errors import EventRejected
from bespeak.intake.columns import ColumnMapping
from bespeak.intake.dates import DateOrder
from bespeak.intake.numbers import NumberStyle, read_number
from bespeak.intake.wire import SourceInfo
from bespeak.signals.ids import clean_id
from bespeak.signals.money import number

LIST_SEPARATOR = "|"
ID_FIELDS = frozenset(("item", "order", "decision"))

_YES = frozenset(("true", "1", "yes", "y", "t", "in stock", "available"))
_NO = frozenset(("false", "0", "no", "n", "f", "out of stock", "unavailable", "sold out"))
ABSENT = frozenset(("", "NULL", "\\N", "NaN"))
_SHORT = 63

Convert = Callable[[Any], Any]
Cells = Sequence[Any]


class RowShape(msgspec.Struct, frozen=True, kw_only=True):
    """How rows are read, whatever their columns.

    Attributes:
        words: short word -> event name (the signal catalogue's).
        lists: columns with several values in one text; numbers: columns whose text is a number.
        number_styles: columns whose numbers are not written plainly.
        date_order: what comes first in dates such as 3/4/2026; such dates are refused without it.
        default_currency: of prices that name none.
    """

    mapping: ColumnMapping
    source: SourceInfo
    received_ms: int
    words: Mapping[str, str] = {}
    lists: Collection[str] = ()
    numbers: Collection[str] = ()
    number_styles: Mapping[str, NumberStyle] = {}
    date_order: DateOrder | None = None
    default_currency: str = ""


class CellReader:
    """Where each field of a row stands, and how the remaining columns are read."""

    def __init__(self, columns: tuple[str, ...], shape: RowShape) -> None:
        self._places = {
            field: columns.index(column) for field, column in shape.mapping.columns.items() if column in columns
        }
        self._constants = shape.mapping.constants
        self._shape = shape
        used = set(shape.mapping.columns.values())
        self.rest = [
            (name, place, self._reader(name, name in shape.numbers))
            for place, name in enumerate(columns)
            if name not in used and name
        ]

    def place(self, field: str) -> int:
        """Returns the place of a field's column, or -1."""
        return self._places.get(field, -1)

    def constant(self, field: str) -> str:
        """Returns the constant of a field, or ""."""
        return self._constants.get(field, "")

    def mapped(self, names: Mapping[str, str], numbers: Collection[str]) -> list[tuple[str, int, Convert]]:
        """Returns (name, place, how to read it) of the given fields that have a column."""
        found = []
        for field, name in names.items():
            place = self.place(field)
            if place >= 0:
                column = self._shape.mapping.columns[field]
                read = _id_reader(field) if field in ID_FIELDS else self._reader(column, field in numbers)
                found.append((name, place, read))
        return found

    def reader(self, field: str) -> Convert:
        """Returns how the number column of a field is read."""
        return self._reader(self._shape.mapping.columns.get(field, ""), True)

    def _reader(self, column: str, is_number: bool) -> Convert:
        style = self._shape.number_styles.get(column)
        if is_number and style is not None:
            return _styled(style)
        return as_list if column in self._shape.lists else as_number if is_number else as_plain


def as_id(value: Any, field: str) -> str:
    """Returns an id as text, "" for none; raises `EventRejected` for what cannot be one."""
    if type(value) is str and len(value) <= _SHORT and "\x00" not in value:
        return value
    return clean_id(value, field)


def _id_reader(field: str) -> Convert:
    """Returns how an id that is a property is read; an empty one is None."""
    return lambda value: as_id(value, field) or None


def _styled(style: NumberStyle) -> Convert:
    """Returns how a number in a style is read; what is none stays as it is."""

    def read(value: Any) -> Any:
        found = read_number(value, style)
        return found if found is not None else as_plain(value)

    return read


def as_number(value: Any) -> Any:
    """Returns a number, or the value as it is where it is none."""
    found = number(value)
    return found if found is not None else as_plain(value)


def as_plain(value: Any) -> Any:
    """Returns a value that JSON can hold, or None for what means nothing (empty, not a number)."""
    kind = type(value)
    if kind is str:
        if "\x00" in value:
            raise EventRejected("text must not hold NUL characters.", code="invalid_text")
        return None if value in ABSENT else value
    if kind is float and not math.isfinite(value):
        return None
    if kind is int or kind is bool or kind is float or value is None:
        return value if kind is not int or -(2**63) <= value < 2**64 else str(value)
    if kind is list:
        return [part for part in map(as_plain, value) if part is not None] or None
    if kind is dict:
        return {str(key): as_plain(part) for key, part in value.items() if part is not None} or None
    return str(value)


def as_list(value: Any) -> Any:
    """Returns the parts of `a|b|c`, or None when there are none."""
    if type(value) is not str:
        return as_plain(value)
    return [part for part in (part.strip() for part in value.split(LIST_SEPARATOR)) if part] or None


def as_flag(value: Any) -> Any:
    """Returns whether a word or a stock count means yes; anything else comes back as it is."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in _YES or word in _NO:
        return word in _YES
    found = number(value)
    # a stock count says as much
    return value if found is None else found > 0


def raw_row(row: Cells) -> bytes:
    """Returns a row as JSON, for the rejects."""
    return msgspec.json.encode([None if value is None else str(value) for value in row])[:4096]
