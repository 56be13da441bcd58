"""What the items of a log entry are known as now, beside what was known when it came in.

Somebody who imports events first and the catalogue afterwards expects affinities by genre, and somebody who corrects a
category expects that the wrong one is gone: an affinity is there to choose from today's catalogue. So where the
catalogue has words for an item, they replace those in the log. Three things stay as they were: a number (the price or
the rating was what the person saw; it comes from the catalogue only where none was known), whatever the catalogue no
longer says, and everything about items that are known from events alone.
"""

from __future__ import annotations

import msgspec

from bespeak.catalogue.snapshot import CatalogueSnapshot
from bespeak.engine.core import Core
from bespeak.engine.folding.observe import Observer
from bespeak.profiles.observation import ItemFacets
from bespeak.storage.tables.log import Entry, EntryBody


class FacetsNow:
    """Brings the facets of log entries up to date.

    Args:
        observer: tells which items an entry's signals are about, and which facets are kept.
        catalogue: what is known of items.
    """

    def __init__(self, observer: Observer, catalogue: CatalogueSnapshot) -> None:
        self._observer = observer
        self._catalogue = catalogue
        self._texts = observer.fold_settings.facet_set
        self._numbers = observer.fold_settings.numeric_set

    @classmethod
    def of(cls, core: Core) -> FacetsNow:
        """Returns what the engine knows now."""
        return cls(core.runtime.observer, core.world.catalogue)

    def refreshed(self, entry: Entry) -> EntryBody | None:
        """Returns the entry's body with what is known now, or None when that is what it says."""
        event, held = entry.body.event, entry.body.facets
        if event is None or entry.is_bot:
            return None
        changed: dict[str, ItemFacets] = {}
        carried: dict[str, ItemFacets] | None = None
        for signal in self._observer.allowed(event, entry.purposes):
            item_id = signal.item_id
            if item_id in changed:
                continue
            mine = held.get(item_id, {})
            known = self._catalogue.facets_of(item_id) if item_id else {}
            if not known:
                if carried is None:
                    carried = self._observer.signals.event_facets(event)
                known = carried.get(item_id, {})
            fresh = self._joined(mine, known, replaces=bool(item_id) and self._is_described(item_id))
            if fresh != mine:
                changed[item_id] = fresh
        return msgspec.structs.replace(entry.body, facets={**held, **changed}) if changed else None

    def _joined(self, mine: ItemFacets, known: ItemFacets, *, replaces: bool) -> ItemFacets:
        fresh = dict(mine)
        for name, value in known.items():
            is_new = name not in mine
            if (name in self._texts and (is_new or replaces)) or (name in self._numbers and is_new):
                fresh[name] = value
        return fresh

    def _is_described(self, item_id: str) -> bool:
        """True when somebody wrote the item, so that it is not known from events alone."""
        place = self._catalogue.index.get(item_id)
        return place is not None and not self._catalogue.items[place].is_stub
