"""Ids: opaque, case-sensitive strings of at most 255 bytes.

Numbers are turned into strings at intake. Values that clients send by mistake for everybody ("null", "0000",
"anonymous") are blocked: an id that does not tell people apart must never link them.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any

import msgspec

from bespeak.errors import EventRejected

MAX_ID_BYTES = 255
USER_ID = "user_id"
ANONYMOUS_ID = "anonymous_id"
PROFILE_ID = "profile_id"
"""Kind of a household profile: the account's user id and the profile's own id, joined by `SEPARATOR`."""

DEVICE_PROFILE_ID = "device_profile_id"
"""Kind of a household profile that is only known on one device: `anonymous_id` and `profile_id` together."""

SEPARATOR = "\x1f"

_BLOCKED_WORDS = frozenset(
    {"-1", "null", "none", "nil", "undefined", "nan", "anonymous", "unknown", "guest", "[object object]"}
)


class IdKey(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """One identifier of a person: its kind (`user_id`, `anonymous_id`, `email`, …) and its value."""

    kind: str
    value: str


def clean_id(value: Any, field: str) -> str:
    """Returns the id as a string; "" when absent (None or an empty string).

    Raises:
        EventRejected: not text or number, or longer than `MAX_ID_BYTES` bytes of UTF-8, or holding a NUL, the separator
            of household ids (U+001F) or a lone surrogate.

    Example:
        >>> clean_id(42, "userId"), clean_id(None, "userId"), clean_id(42.0, "userId")
        ('42', '', '42')
    """
    if value is None:
        return ""
    if type(value) is not str:
        value = _as_text(value, field)
    if value.isascii():
        n_bytes = len(value)
    else:
        try:
            n_bytes = len(value.encode())
        except UnicodeEncodeError:
            raise EventRejected(f"{field} holds characters that are not valid Unicode.", code="invalid_id") from None
    if n_bytes > MAX_ID_BYTES:
        raise EventRejected(f"{field} is {n_bytes} bytes long; at most {MAX_ID_BYTES} are allowed.", code="invalid_id")
    if "\x00" in value:
        raise EventRejected(f"{field} holds a NUL character.", code="invalid_id")
    if SEPARATOR in value:
        raise EventRejected(f"{field} holds the character U+001F, which separates household ids.", code="invalid_id")
    return str(value)


def _as_text(value: Any, field: str) -> str:
    """An id that is no plain text: NumPy's texts and numbers count as Python's."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bool) or not isinstance(value, Integral | float):
        raise EventRejected(f"{field} must be text or a number, not {type(value).__name__}.", code="invalid_id")
    if isinstance(value, float) and not value.is_integer():
        raise EventRejected(f"{field} must be a whole number or text.", code="invalid_id")
    return str(int(value))


def is_blocked(value: str) -> bool:
    """True for values that clients send for everybody, which must never identify a person.

    Example:
        >>> is_blocked("00000000-0000-0000"), is_blocked("Null"), is_blocked("u1")
        (True, True, False)
    """
    return value.strip().lower() in _BLOCKED_WORDS or not value.strip("0-\n")
