"""Typed traits: the raw values that clients send, as the bands and words that profiles and rules use."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from bespeak.signals.money import number

AGE_BANDS = ("under_18", "18-24", "25-34", "35-44", "45-54", "55-64", "65+")
_AGE_STARTS = (18, 25, 35, 45, 55, 65)
INCOME_BANDS = ("under_25k", "25k-50k", "50k-75k", "75k-100k", "100k-150k", "150k+")
_INCOME_STARTS = (25_000, 50_000, 75_000, 100_000, 150_000)
_GENDERS = {
    **dict.fromkeys(("m", "male", "man"), "male"),
    **dict.fromkeys(("f", "w", "female", "woman"), "female"),
    **dict.fromkeys(("d", "x", "nb", "diverse", "non-binary", "nonbinary", "non_binary", "enby"), "non_binary"),
}
_MAX_AGE = 130


def age_band(value: Any, time_ms: int) -> str | None:
    """Returns the band of an age or of a date of birth (ISO 8601), as old as the person was at `time_ms`.

    Example:
        >>> age_band(24, 0), age_band("1990-06-01", 1_700_000_000_000), age_band("18-24", 0), age_band("soon", 0)
        ('18-24', '25-34', '18-24', None)
    """
    if isinstance(value, str):
        text = value.strip()
        if text in AGE_BANDS:
            return text
        years = number(text)
        if years is None:
            years = _years_since(text, time_ms)
    else:
        years = number(value)
    if years is None or not 0 <= years <= _MAX_AGE:
        return None
    return AGE_BANDS[sum(years >= start for start in _AGE_STARTS)]


def _years_since(text: str, time_ms: int) -> float | None:
    try:
        born = datetime.fromisoformat(text)
    except ValueError:
        return None
    now = datetime.fromtimestamp(time_ms / 1000, UTC)
    return float(now.year - born.year - ((now.month, now.day) < (born.month, born.day)))


def gender(value: Any, time_ms: int) -> str | None:
    """Returns `male`, `female`, `non_binary`, or the word as given in lower case."""
    del time_ms
    if not isinstance(value, str) or not value.strip():
        return None
    word = value.strip().lower()
    return _GENDERS.get(word, word)


def language(value: Any, time_ms: int) -> str | None:
    """Returns the language part of a locale: `de` of `de-DE`."""
    del time_ms
    if not isinstance(value, str) or not value.strip():
        return None
    return value.strip().replace("_", "-").split("-")[0].lower()


def income_band(value: Any, time_ms: int) -> str | None:
    """Returns the band of a yearly income in the project's currency; text that is no number is kept."""
    del time_ms
    income = number(value)
    if income is not None:
        return INCOME_BANDS[sum(income >= start for start in _INCOME_STARTS)] if income >= 0 else None
    return value.strip() or None if isinstance(value, str) else None


def text(value: Any, time_ms: int) -> str | None:
    """Returns trimmed text; a number is written out."""
    del time_ms
    if isinstance(value, str):
        return value.strip() or None
    found = number(value)
    if found is None:
        return None
    return str(int(found)) if found.is_integer() else str(found)


def plain_number(value: Any, time_ms: int) -> float | None:
    """Returns a finite number, also from its decimal text."""
    del time_ms
    return number(value)


def dropped(value: Any, time_ms: int) -> None:
    """Keeps nothing."""
    del value, time_ms


TYPES: dict[str, Callable[[Any, int], Any]] = {
    "text": text,
    "number": plain_number,
    "age_band": age_band,
    "gender": gender,
    "language": language,
    "income_band": income_band,
    "dropped": dropped,
}
