"""Times: whatever clients and files write, as integer milliseconds since 1970 UTC."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from bespeak.errors import EventRejected
from bespeak.intake.dates import DateOrder, read_written
from bespeak.signals.events import MAX_AHEAD_MS

EARLIEST_MS = 631_152_000_000  # 1990-01-01: earlier times are clocks that were never set

# A plain number below the first bound is in seconds, then milliseconds, microseconds, nanoseconds. The bounds lie where
# the smaller unit would mean a year before 1974 and the larger one a year after 5000.
_SECONDS_BELOW = 10**11
_MILLISECONDS_BELOW = 10**14
_MICROSECONDS_BELOW = 10**17
_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_300_799_999  # the years 1 to 9999


def parse_time_ms(value: Any, date_order: DateOrder | None = None) -> int:
    """Returns a time as milliseconds since 1970 UTC.

    Read are ISO 8601 text (with `Z`, an offset or none, which means UTC; any number of decimals), numbers, or their
    text, in seconds, milliseconds, microseconds or nanoseconds since 1970, and what `dates.read_written` reads.

    Args:
        value: text or number.
        date_order: what comes first in 3/4/2026; without it such dates are refused.

    Raises:
        EventRejected: code `invalid_timestamp`, for everything else.

    Example:
        >>> parse_time_ms("2024-01-02T03:04:05.000Z"), parse_time_ms(1704164645), parse_time_ms("1704164645000")
        (1704164645000, 1704164645000, 1704164645000)
        >>> parse_time_ms("2024-01-02T04:04:05.5+01:00") - parse_time_ms("2024-01-02 03:04:05")
        500
    """
    kind = type(value)
    if kind is str:
        try:
            # the usual form first: this is the hot path
            if len(value) > 10 and value[4] == "-":
                found = datetime.fromisoformat(value)
                if found.tzinfo is None:
                    found = found.replace(tzinfo=UTC)
                return round(found.timestamp() * 1000)
            return _parse_rare_text(value)
        except (ValueError, OverflowError):
            return _parse_written(value, date_order)
    if kind is int or kind is float:
        return _from_number(value)
    raise _invalid()


def _parse_rare_text(text: str) -> int:
    stripped = text.strip()
    if not stripped:
        raise _invalid()
    if stripped[4:5] != "-" and (len(stripped) != 8 or not stripped.isdecimal()):
        return _from_number(float(stripped) if "." in stripped or "e" in stripped.lower() else int(stripped))
    found = datetime.fromisoformat(stripped)
    return round((found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp() * 1000)


def _parse_written(text: str, date_order: DateOrder | None) -> int:
    try:
        return round(read_written(text, date_order).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise _invalid() from None


def _from_number(value: float) -> int:
    if isinstance(value, float) and not math.isfinite(value):
        raise _invalid()
    size = abs(value)
    if size < _SECONDS_BELOW:
        return round(value * 1000)
    if size < _MILLISECONDS_BELOW:
        return round(value)
    time_ms = round(value / 1000) if size < _MICROSECONDS_BELOW else round(value / 1_000_000)
    if not _FIRST_MS <= time_ms <= _LAST_MS:
        raise _invalid()
    return time_ms


def format_time_ms(time_ms: int) -> str:
    """Returns ISO 8601 text with milliseconds and `Z`; `parse_time_ms` reads it back exactly.

    Example:
        >>> format_time_ms(1_704_164_645_007)
        '2024-01-02T03:04:05.007Z'
    """
    seconds, milliseconds = divmod(time_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"


def canonical_ms(original_ms: int | None, sent_ms: int | None, received_ms: int) -> int:
    """Returns `received - (sent - original)`, which cancels a client clock that is wrong by any constant.

    Without a sending time the original time stands, without an original time the receipt does. A result later than
    five minutes after the receipt is clamped there.

    Raises:
        EventRejected: code `invalid_timestamp`: the result lies before 1990.

    Example:
        >>> canonical_ms(1_000_000, 1_060_000, 1_700_000_000_000)
        1699999940000
    """
    if original_ms is None:
        return received_ms
    time_ms = original_ms if sent_ms is None else received_ms - (sent_ms - original_ms)
    if time_ms > received_ms + MAX_AHEAD_MS:
        return received_ms + MAX_AHEAD_MS
    if time_ms < EARLIEST_MS:
        raise EventRejected("the timestamp lies before 1990.", code="invalid_timestamp")
    return time_ms


def _invalid() -> EventRejected:
    return EventRejected(
        "the timestamp cannot be read.",
        hint="Write ISO 8601 (2024-01-02T03:04:05Z) or seconds or milliseconds since 1970.",
        code="invalid_timestamp",
    )
