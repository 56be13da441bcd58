"""Templates, and how numbers, times and money read on a page. Everything a template prints is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from bespeak.console.plots import scale, share
from bespeak.signals.counts import counted

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEPS = ((60_000, 1_000, "s"), (3_600_000, 60_000, "min"), (86_400_000, 3_600_000, "h"))
_DAY_MS = 86_400_000
_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£"}
MINOR_UNITS = {"JPY": 0, "KRW": 0, "KWD": 3, "BHD": 3, "TND": 3}


def number(value: float | None) -> str:
    """Returns a whole number with separators.

    Example:
        >>> number(1234567), number(None)
        ('1,234,567', '–')
    """
    return "–" if value is None else f"{value:,.0f}"


def amount(value: float | None) -> str:
    """Returns an amount with separators, and with two decimals where it is not whole.

    Example:
        >>> amount(1500.0), amount(0.1 * 3), amount(None)
        ('1,500', '0.30', '–')
    """
    if value is None or round(value, 2) == round(value):
        return number(value)
    return f"{value:,.2f}"


def figure(value: float, digits: int = 3) -> str:
    """Returns a figure with so many decimals, a real minus sign and no negative zero.

    Example:
        >>> figure(-0.5), figure(0.25, 2), figure(-0.0001)
        ('−0.500', '0.25', '0.000')
    """
    text = f"{abs(value):,.{digits}f}"
    return f"−{text}" if value < 0 and text.strip("0.,") else text


def moment(time_ms: int) -> str:
    """Returns a time as ISO 8601 in UTC, to the second.

    Example:
        >>> moment(1_700_000_000_000)
        '2023-11-14T22:13:20Z'
    """
    return (_EPOCH + timedelta(milliseconds=time_ms)).strftime("%Y-%m-%dT%H:%M:%SZ")


def clock(time_ms: int) -> str:
    """Returns the time of day in UTC.

    Example:
        >>> clock(1_700_000_000_000)
        '22:13:20'
    """
    return moment(time_ms)[11:19]


def day(time: int | str) -> str:
    """Returns the date of a time in milliseconds or ISO 8601.

    Example:
        >>> day(1_700_000_000_000), day("2023-11-14T22:13:20.000Z")
        ('2023-11-14', '2023-11-14')
    """
    return (time if isinstance(time, str) else moment(time))[:10]


def ago(time: int | str, now_ms: int) -> str:
    """Returns how long ago something was.

    Example:
        >>> ago(0, 90_000), ago(0, 7_200_000), ago(0, 0), ago("1970-01-01T00:00:00.000Z", 3 * 86_400_000)
        ('1 min ago', '2 h ago', 'just now', '3 days ago')
    """
    time_ms = _milliseconds(time) if isinstance(time, str) else time
    past = now_ms - time_ms
    if past < 1_000:
        return "just now" if past > -300_000 else day(time_ms)
    for limit, unit, name in _STEPS:
        if past < limit:
            return f"{past // unit} {name} ago"
    days = past // _DAY_MS
    return f"{days} day{'' if days == 1 else 's'} ago"


def money(minor: float | None, currency: str | None) -> str:
    """Returns an amount in minor units as people write it.

    Example:
        >>> money(1999, "EUR"), money(500, "JPY"), money(None, None)
        ('€19.99', 'JPY 500', '')
    """
    if minor is None:
        return ""
    code = currency or ""
    digits = MINOR_UNITS.get(code, 2)
    amount = f"{minor / 10**digits:,.{digits}f}"
    return f"{_SIGNS[code]}{amount}" if code in _SIGNS else f"{code} {amount}".strip()


def words(name: str) -> str:
    """Returns a name of the program as words.

    Example:
        >>> words("price_percentile")
        'price percentile'
    """
    return name.replace("_", " ")


class Pages:
    """Renders the templates of the package."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader("bespeak.console"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True,
        )  # fmt: skip
        for function in (number, amount, figure, moment, clock, day, ago, money, words, counted):
            self._environment.filters[function.__name__] = function
        self._environment.globals.update(scale=scale, share=share)

    def render(self, template: str, values: Mapping[str, Any]) -> str:
        """Returns a template filled with values."""
        return self._environment.get_template(template).render(values)


def _milliseconds(text: str) -> int:
    return round((datetime.fromisoformat(text.replace("Z", "+00:00")) - _EPOCH).total_seconds() * 1000)
