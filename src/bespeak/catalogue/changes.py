"""Writes to the catalogue that must read first: a write completes a stub, a patch merges into what is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bespeak.catalogue.items import checked, completed, patched
from bespeak.errors import UnknownName
from bespeak.signals.items import Item
from bespeak.storage import items as table
from bespeak.storage.base import Transaction

_LOCK = "catalogue"


def put(tx: Transaction, items: Sequence[Item], now_ms: int) -> int:
    """Writes whole items, completing stubs, and returns the catalogue version.

    Raises:
        InvalidInput: an item that `checked` refuses; then nothing is written.
    """
    written = {item.id: item for item in map(checked, items)}
    tx.lock_keys([_LOCK])
    held = table.get_items(tx, written)
    return table.put_items(tx, [completed(item, held.get(item_id)) for item_id, item in written.items()], now_ms)


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
    return table.put_items(
        tx, [completed(patched(held[item_id], change), held[item_id]) for item_id, change in patches.items()], now_ms
    )
