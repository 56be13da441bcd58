"""Writes to the catalogue that must read first: a write completes a stub, a patch merges into what is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bespeak.catalogue.columns import texts_of
from bespeak.catalogue.items import checked, completed, patched
from bespeak.errors import UnknownName
from bespeak.signals.items import Item
from bespeak.storage.base import Transaction
from bespeak.storage.tables import items as table
from bespeak.storage.tables.records import bump

FACETS = "facets"
"""Version counter that rises when something else is known of an item that events may have named."""

_LOCK = "catalogue"


def put(tx: Transaction, items: Sequence[Item], now_ms: int) -> int:
    """Writes whole items, completing stubs, and returns the catalogue version.

    Raises:
        InvalidInput: an item that `checked` refuses; then nothing is written.
    """
    written = {item.id: item for item in map(checked, items)}
    tx.lock_keys([_LOCK])
    held = table.get_items(tx, written)
    return _write(tx, held, [completed(item, held.get(item_id)) for item_id, item in written.items()], now_ms)


def patch(tx: Transaction, patches: Mapping[str, Mapping[str, Any]], now_ms: int) -> int:
    """Merges patches (item id -> JSON merge patch) into items that exist and returns the catalogue version.

    Like a put, a patch completes a stub.

    Raises:
        UnknownName: an item that does not exist, or a field that items do not have; then nothing is written.
        InvalidInput: a value that does not fit.
    """
    tx.lock_keys([_LOCK])
    held = table.get_items(tx, patches)
    for item_id in patches:
        if item_id not in held:
            raise UnknownName("item", item_id, sorted(held))
    items = [completed(patched(held[item_id], change), held[item_id]) for item_id, change in patches.items()]
    return _write(tx, held, items, now_ms)


def _write(tx: Transaction, held: Mapping[str, Item], items: Sequence[Item], now_ms: int) -> int:
    if any(item.id in held and describes_anew(item, held[item.id]) for item in items):
        bump(tx, FACETS)
    return table.put_items(tx, items, now_ms)


def describes_anew(item: Item, before: Item) -> bool:
    """True when events about an item now mean something else: its texts differ, or a number is known that was not.

    A number that only changes (a price, a rating) stays in the log as it was when somebody saw it.

    Example:
        >>> lamp = Item(id="p1", attributes={"price": 9.0})
        >>> describes_anew(Item(id="p1", attributes={"price": 8.0}), lamp)
        False
        >>> describes_anew(Item(id="p1", attributes={"price": 9.0, "category": "light"}), lamp)
        True
    """
    if _texts(item) != _texts(before):
        return True
    return not _numbers(item) <= _numbers(before)


def _texts(item: Item) -> dict[str, tuple[str, ...]]:
    return {name: texts for name, value in item.attributes.items() if (texts := texts_of(value))}


def _numbers(item: Item) -> set[str]:
    known = {name for name, value in item.attributes.items() if isinstance(value, float)}
    return known | {"price"} if any(market.price is not None for market in item.markets.values()) else known
