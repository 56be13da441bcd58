"""Numbers as files write them: 39.90, and by column also 1.234,50 (decimal comma) or 1,234.50 (grouped thousands)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

from bespeak.signals.money import number

NumberStyle = Literal["plain", "comma", "grouped"]

_COMMA = re.compile(r"\s*[+-]?(?:\d+|\d{1,3}(?:[. ]\d{3})+)(?:,\d+)?\s*")
_GROUPED = re.compile(r"\s*[+-]?(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d+)?\s*")
_SURELY_COMMA = re.compile(r".*,(?:\d{1,2}|\d{4,})\s*|\s*[+-]?\d{4,},\d+\s*|.*[. ].*,.*")
_SURELY_GROUPED = re.compile(r".*,.*[.,].*")
_SHARE = 0.5


def read_number(value: Any, style: NumberStyle = "plain") -> float | None:
    """Returns a finite number, or None for what is none in this style.

    Example:
        >>> read_number("1.234,50", "comma"), read_number("1,234.50", "grouped"), read_number("39,90")
        (1234.5, 1234.5, None)
    """
    if isinstance(value, str) and style == "comma":
        return number(re.sub(r"[. ]", "", value.strip()).replace(",", ".")) if _COMMA.fullmatch(value) else None
    if isinstance(value, str) and style == "grouped":
        return number(value.replace(",", "")) if _GROUPED.fullmatch(value) else None
    return number(value)


def guess_style(values: Sequence[Any]) -> NumberStyle:
    """Returns how a column's numbers are written; `plain` unless most values are numbers in another style and one of
    them can be read no other way: `1,234` alone could be either.

    Example:
        >>> guess_style(["39,90", "1.234,50"]), guess_style(["999", "1,234.50"]), guess_style(["1,234"])
        ('comma', 'grouped', 'plain')
    """
    texts = [value for value in values if isinstance(value, str)]
    if not any("," in text for text in texts):
        return "plain"
    styles: tuple[tuple[NumberStyle, re.Pattern[str], re.Pattern[str]], ...] = (
        ("comma", _COMMA, _SURELY_COMMA),
        ("grouped", _GROUPED, _SURELY_GROUPED),
    )
    for style, form, is_sure in styles:
        fitting = [text for text in texts if form.fullmatch(text)]
        if len(fitting) >= _SHARE * len(texts) and any(is_sure.fullmatch(text) for text in fitting):
            return style
    return "plain"
