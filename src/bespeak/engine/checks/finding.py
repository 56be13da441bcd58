"""What a check finds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from bespeak.engine.core import Core

Status = Literal["PASS", "WARN", "FAIL"]
PASS: Status = "PASS"  # noqa: S105 - a verdict
WARN: Status = "WARN"
FAIL: Status = "FAIL"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one check.

    Attributes:
        name: the check.
        message: what was found, with counts; names of settings, events and items, never a person's data.
        n: how many cases speak against a pass.
        advice: what to do next; empty for a pass.
    """

    name: str
    status: Status
    message: str
    n: int = 0
    advice: str = ""


Check = Callable[[Core], Finding]


def passed(name: str, message: str) -> Finding:
    """Returns a pass."""
    return Finding(name=name, status=PASS, message=message)


def named(names: list[str], limit: int = 5) -> str:
    """Returns the first names as text.

    Example:
        >>> named(["b", "a", "c"], 2)
        'b, a and 1 more'
    """
    rest = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {rest} more" if rest > 0 else "")
