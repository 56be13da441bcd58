"""Dates as people and spreadsheets write them: 31.12.2025, 12/31/2025 8:26 PM, 2025/12/31 20:26:00 UTC.

3/4/2026 is a day of April in most of the world and of March in the United States. Nothing in it says which, so whoever
reads such dates says what comes first, or the file's other dates show it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Literal

DateOrder = Literal["day-first", "month-first"]

_WRITTEN = re.compile(
    r"""\s*(?P<first>\d{1,4})(?P<mark>[./-])(?P<second>\d{1,2})(?P=mark)(?P<third>\d{1,4})
    (?:(?:\s*,\s*|\s+|T)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<seconds>\d{2}(?:[.,]\d+)?))?
    (?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?)?
    (?:\s*(?P<zone>UTC|GMT|Z|[+-]\d{2}:?\d{2}))?\s*""",
    re.VERBOSE,
)


def read_written(text: str, order: DateOrder | None = None) -> datetime:
    """Returns the moment that a written date means; without a zone it is UTC.

    Args:
        text: year first, or year last with day and month before it; a time of day may follow.
        order: what comes first in dates with slashes or dashes and the year last; dots always mean the day first.

    Raises:
        ValueError: no such date, or one whose order is not known.

    Example:
        >>> str(read_written("2019/11/01 00:00:00 UTC")), str(read_written("31.12.2025 8:26"))
        ('2019-11-01 00:00:00+00:00', '2025-12-31 08:26:00+00:00')
        >>> str(read_written("12/1/2010 8:26 PM", "month-first"))
        '2010-12-01 20:26:00+00:00'
    """
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise ValueError("no date")
    first, second, third = found["first"], int(found["second"]), found["third"]
    if len(first) == 4:
        year, month, day = int(first), second, int(third)
    elif len(third) != 4:
        raise ValueError("no year of four digits")
    elif found["mark"] == "." or order == "day-first":
        year, month, day = int(third), second, int(first)
    elif order == "month-first":
        year, month, day = int(third), int(first), second
    else:
        raise ValueError("day or month first?")
    midnight = datetime(year, month, day, tzinfo=_zone(found["zone"]))
    return midnight + _time_of_day(found) if found["hour"] else midnight


def guess_order(values: Sequence[Any]) -> DateOrder | None:
    """Returns the order in which all the dates can be read, or None where both orders do, or neither.

    Example:
        >>> guess_order(["1/2/2026", "31/12/2025"]), guess_order(["12/13/2010 8:26"]), guess_order(["1/2/2026"])
        ('day-first', 'month-first', None)
    """
    dates = [value for value in values if needs_order(value)]
    orders: tuple[DateOrder, ...] = ("day-first", "month-first")
    counts = {order: sum(_is_read(date, order) for date in dates) for order in orders}
    if counts["day-first"] == counts["month-first"]:
        return None
    return max(orders, key=lambda order: counts[order])


def needs_order(value: Any) -> bool:
    """True for a date whose day and month can be told apart only by their order.

    Example:
        >>> needs_order("1/2/2026"), needs_order("1.2.2026"), needs_order("2026-02-01")
        (True, False, False)
    """
    found = _WRITTEN.fullmatch(value) if isinstance(value, str) else None
    return found is not None and found["mark"] != "." and len(found["first"]) <= 2 and len(found["third"]) == 4


def _is_read(text: str, order: DateOrder) -> bool:
    try:
        read_written(text, order)
    except (ValueError, OverflowError):
        return False
    return True


def _time_of_day(found: re.Match[str]) -> timedelta:
    hour, minute = int(found["hour"]), int(found["minute"])
    seconds = float((found["seconds"] or "0").replace(",", "."))
    if found["half"]:
        if not 1 <= hour <= 12:
            raise ValueError("no hour of half a day")
        hour = hour % 12 + (12 if found["half"] in "pP" else 0)
    if hour > 23 or minute > 59 or seconds >= 60:
        raise ValueError("no time of day")
    return timedelta(hours=hour, minutes=minute, seconds=seconds)


def _zone(text: str | None) -> timezone:
    if text is None or text[0] not in "+-":
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-offset if text[0] == "-" else offset)
