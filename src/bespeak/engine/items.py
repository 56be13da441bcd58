"""The catalogue, as the engine offers it: typed items in, the snapshot brought up to date at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from bespeak.catalogue import changes
from bespeak.engine.core import Core
from bespeak.errors import InvalidInput
from bespeak.intake.items import item_from_json
from bespeak.signals.items import Item
from bespeak.storage.tables import items as table


class Items:
    """Bulk writes and reads of the catalogue; every write is visible to the next decision of this engine."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def put(self, items: Sequence[Mapping[str, Any] | Item]) -> int:
        """Writes whole items, completing stubs; returns how many. A price without a currency is in the project's.

        Raises:
            InvalidInput: an item is wrong (its place from 1, field, value, bound); then nothing is written.
        """
        currency = self._core.config.settings.project.currency
        typed = [
            item if isinstance(item, Item) else _read(item, f"item {place} of {len(items)}", currency)
            for place, item in enumerate(items, 1)
        ]
        with self._core.store.write() as tx:
            changes.put(tx, typed, self._core.clock.now_ms())
        self._core.refresh()
        return len(typed)

    def patch(self, patches: Mapping[str, Mapping[str, Any]]) -> int:
        """Merges patches (item id -> JSON merge patch) into items that exist; returns how many.

        Raises:
            UnknownName: an item does not exist; then nothing is written.
            InvalidInput: a value does not fit.
        """
        with self._core.store.write() as tx:
            changes.patch(tx, patches, self._core.clock.now_ms())
        self._core.refresh()
        return len(patches)

    def delete(self, item_ids: Collection[str]) -> int:
        """Deletes items; returns how many there were."""
        with self._core.store.write() as tx:
            n = table.delete(tx, item_ids, self._core.clock.now_ms())
        self._core.refresh()
        return n

    def get(self, item_ids: Collection[str]) -> dict[str, Item]:
        """Returns the items that exist, by id."""
        with self._core.store.read() as session:
            return table.get_items(session, item_ids)

    def page(self, after: str = "", limit: int = 100) -> list[Item]:
        """Returns items in id order, after an id."""
        with self._core.store.read() as session:
            return table.page(session, after, limit)

    def count(self) -> int:
        """Returns how many items there are, stubs included."""
        return len(self._core.world.catalogue)


def _read(item: Mapping[str, Any], where: str, default_currency: str) -> Item:
    try:
        return item_from_json(item, default_currency=default_currency)
    except InvalidInput as error:
        raise InvalidInput(f"{where}: {error.message}", hint=error.hint, code=error.code) from None
