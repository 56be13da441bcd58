"""Items as columns for the rule language: fixed columns for every item, and one column for every attribute.

What a filter can name:

    id, kind, group, title, url                 text
    price                                       number, in major units as people write them: `price < 100`
    currency                                    text
    available, stub                             boolean
    published_at, expires_at, first_seen        timestamp
    every attribute                             number, text, boolean or texts, whatever its values are

`price`, `currency` and `available` are those of the market asked for. An attribute that shares a fixed column's name is
named `attributes.NAME`. An attribute whose values differ in type across items becomes text (texts where one is a list);
but where all but a few are numbers it stays one, and what is no number counts as unknown: one wrong item must not undo
every filter that names the attribute.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import isfinite

import numpy as np

from bespeak.rules.columns import (
    BooleanColumn,
    Column,
    NumberColumn,
    TextColumn,
    TextsColumn,
    TimestampColumn,
)
from bespeak.signals.items import AttributeValue, Item, Market
from bespeak.signals.money import exponent

DEFAULT_MARKET = "default"
MAX_ATTRIBUTE_COLUMNS = 1_000
"""Attributes beyond this many, the rarest first, get no column."""

ENOUGH_NUMBERS = 0.95
"""An attribute of which this share of the values are numbers is a number."""

FIXED_NAMES = (
    "id",
    "kind",
    "group",
    "title",
    "url",
    "price",
    "currency",
    "available",
    "stub",
    "published_at",
    "expires_at",
    "first_seen",
)


def market_of(item: Item, market: str) -> Market | None:
    """What holds for the item in a market: its own entry, else `default`; None when it is not sold there at all.

    An item without any market entry is sold everywhere, without a price.
    """
    if not item.markets:
        return _EVERYWHERE
    found = item.markets.get(market)
    return found if found is not None else item.markets.get(DEFAULT_MARKET)


def major_price(item: Item, market: Market | None) -> float:
    """The price in major units (19.99), NaN when unknown. A stub's price is what its events carried."""
    if market is not None and market.price is not None:
        return float(market.price / 10 ** exponent(market.currency))
    carried = item.attributes.get("price") if not item.markets else None
    return carried if type(carried) is float else float("nan")


def fixed_columns(items: Sequence[Item]) -> dict[str, Column]:
    """The columns that every item has and that no market changes."""
    return {
        "id": TextColumn.from_values(item.id for item in items),
        "kind": TextColumn.from_values(item.kind for item in items),
        "group": TextColumn.from_values(item.group or item.id for item in items),
        "title": TextColumn.from_values(item.title or None for item in items),
        "url": TextColumn.from_values(item.url or None for item in items),
        "stub": _flags([item.is_stub for item in items]),
        "published_at": TimestampColumn.from_values(item.published_at for item in items),
        "expires_at": TimestampColumn.from_values(item.expires_at for item in items),
        "first_seen": TimestampColumn.from_values(item.first_seen_at for item in items),
    }


def market_columns(items: Sequence[Item], markets: Sequence[Market | None]) -> dict[str, Column]:
    """The columns of one market; `markets` holds each item's entry there (stock only: windows depend on the moment)."""
    prices = np.array([major_price(item, market) for item, market in zip(items, markets, strict=True)], np.float64)
    return {
        "price": NumberColumn(prices, ~np.isnan(prices)),
        "currency": TextColumn.from_values((market.currency or None) if market else None for market in markets),
        "available": _flags([market is not None and market.is_available for market in markets]),
    }


def attribute_columns(items: Sequence[Item]) -> dict[str, Column]:
    """One column for every attribute; see the module's docstring for names and types."""
    counts: Counter[str] = Counter()
    for item in items:
        counts.update(item.attributes.keys())
    names = sorted(counts, key=lambda name: (-counts[name], name))[:MAX_ATTRIBUTE_COLUMNS]
    return {
        f"attributes.{name}" if name in FIXED_NAMES else name: _column([item.attributes.get(name) for item in items])
        for name in sorted(names)
    }


def texts_of(value: AttributeValue | None) -> tuple[str, ...]:
    """An attribute's value as facet values: a text, the texts of a list; numbers and booleans are none.

    Example:
        >>> texts_of("audio"), texts_of(["a", "b"]), texts_of(3.0)
        (('audio',), ('a', 'b'), ())
    """
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple(text for text in value if text) if isinstance(value, list) else ()


def _column(values: Sequence[AttributeValue | None]) -> Column:
    kinds = {type(value) for value in values} - {type(None)}
    if kinds <= {float, int}:
        return NumberColumn.from_values(values)  # type: ignore[arg-type]
    if kinds == {str}:
        return TextColumn.from_values(values)  # type: ignore[arg-type]
    if kinds == {bool}:
        return BooleanColumn.from_values(values)  # type: ignore[arg-type]
    if list in kinds:
        return TextsColumn.from_values(None if value is None else _as_texts(value) for value in values)
    if kinds <= {float, int, str}:
        numbers = [as_number(value) for value in values]
        n_known = len(values) - values.count(None)
        if sum(number is not None for number in numbers) >= ENOUGH_NUMBERS * n_known:
            return NumberColumn.from_values(numbers)
    return TextColumn.from_values(None if value is None else _as_text(value) for value in values)


def as_number(value: AttributeValue | None) -> float | None:
    """A value as a finite number, also where it was sent as text; None where it is none.

    Example:
        >>> as_number(3), as_number(" 4.5 "), as_number("n/a"), as_number("nan"), as_number(True)
        (3.0, 4.5, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if isfinite(number) else None


def _as_texts(value: AttributeValue) -> Iterable[str]:
    return value if isinstance(value, list) else (_as_text(value),)


def _as_text(value: AttributeValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _flags(values: Sequence[bool]) -> BooleanColumn:
    return BooleanColumn(np.array(values, np.bool_), np.ones(len(values), np.bool_))


_EVERYWHERE = Market()
