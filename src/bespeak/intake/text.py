"""Text that no store takes: NUL characters, which JSON may carry escaped."""

from __future__ import annotations

from typing import Any

NUL_ESCAPE = b"\\u0000"


def holds_nul(value: Any) -> bool:
    """True when any text in a JSON value, keys included, holds a NUL character.

    Example:
        >>> holds_nul({"a": ["x", "y\\x00"]}), holds_nul({"a": 1})
        (True, False)
    """
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any("\x00" in key or holds_nul(part) for key, part in value.items())
    return isinstance(value, list) and any(holds_nul(part) for part in value)
