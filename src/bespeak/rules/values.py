"""Read values of unknown origin as what a rule expects; what does not fit is NULL, never an error.

Traits and item attributes come from outside. A rule over them must answer for every row, so a text where a number was
declared counts as missing, in every evaluator alike.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from bespeak.rules.columns import MAX_TIME_MS

COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
"""Comparison by its sign. Texts compare by code point, which is the order of their UTF-8 bytes, as in DuckDB."""

ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
"""Arithmetic by its sign."""


def number(value: object) -> float | None:
    """Return a number as float; None for NaN, booleans and everything else.

    Example:
        >>> number(3), number(float("nan")), number(True), number("3")
        (3.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return None if math.isnan(found) else found


def text(value: object) -> str | None:
    """Return a text, None for everything else."""
    return value if isinstance(value, str) else None


def boolean(value: object) -> bool | None:
    """Return a truth value, None for everything else (1 and 0 too)."""
    return value if isinstance(value, bool) else None


def time_ms(value: object) -> int | None:
    """Return integer milliseconds within `MAX_TIME_MS`, None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if -MAX_TIME_MS <= value <= MAX_TIME_MS else None


def texts(value: object) -> tuple[str, ...] | None:
    """Return the texts of a list, tuple or set, without what is not a text; None for everything else.

    Example:
        >>> texts(["a", None, 3]), texts("a")
        (('a',), None)
    """
    if not isinstance(value, list | tuple | set | frozenset):
        return None
    return tuple(each for each in value if isinstance(each, str))
