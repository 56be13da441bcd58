"""New items seen from one catalogue: those of the training data, and those that came into the catalogue after it.

Whose scores they borrow is worked out when the catalogue changes, only for items that have not been seen before or
whose record changed, so that a decision only gathers. The formula is that of `models.new_items`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.catalogue.columns import texts_of
from bespeak.catalogue.snapshot import CatalogueSnapshot
from bespeak.decide.serving.question import ItemMap
from bespeak.models.base import ItemContent
from bespeak.models.content import Content
from bespeak.models.interactions import Csr
from bespeak.models.new_items import LENDERS, NewItems, may_lend, nearest
from bespeak.signals.items import Item

Float32s: TypeAlias = npt.NDArray[np.float32]
Int32s: TypeAlias = npt.NDArray[np.int32]
Int64s: TypeAlias = npt.NDArray[np.int64]
Lent: TypeAlias = tuple[Int32s, Float32s]
"""(int32[m, LENDERS], float32[m, LENDERS]): lenders and their weights."""


@dataclass(frozen=True, slots=True, eq=False)
class NewHere:
    """The new items of one catalogue, all in catalogue indices.

    Attributes:
        unscored: what no model knows; those borrow from every model.
        unused: what training knew from the catalogue alone, and `unscored`; models that read no content know neither.
    """

    unscored: NewItems = field(default_factory=NewItems.none)
    unused: NewItems = field(default_factory=NewItems.none)


class Lending:
    """What a trained set brings for new items.

    Args:
        content: the set's model of content; None, and nothing can be borrowed.
        n_people: int64[n_items], how many people of the training data turned to each of its items.
    """

    def __init__(self, content: Content | None = None, n_people: Int64s | None = None) -> None:
        counts = np.zeros(0, np.int64) if n_people is None else n_people
        self._known = may_lend(counts)
        self._content = content if content is not None and content.vectors.nnz and len(self._known) else None
        self._unused = np.flatnonzero(counts == 0).astype(np.int32)
        self._lent_to_unused = self._lent(content.vectors[self._unused]) if content and self._content else None
        self._after: dict[str, tuple[Item, Int32s, Float32s]] = {}

    def here(self, catalogue: CatalogueSnapshot) -> NewHere:
        """The new items of a catalogue. What has left the catalogue does not lend."""
        if self._content is None or self._lent_to_unused is None:
            return NewHere()
        items = ItemMap.of(self._content.item_ids, catalogue)
        rows = np.flatnonzero(items.from_catalogue < 0).astype(np.int32)
        unscored = _placed(rows, self._looked_up([catalogue.items[row] for row in rows.tolist()], catalogue), items)
        unused = _placed(items.to_catalogue[self._unused], self._lent_to_unused, items)
        return NewHere(unscored, unscored.joined(unused))

    def _looked_up(self, items: Sequence[Item], catalogue: CatalogueSnapshot) -> Lent:
        """Of items that the set does not know; a record that was seen before is not worked out again."""
        held = {item.id: entry for item in items if (entry := self._after.get(item.id)) and entry[0] is item}
        fresh = [item for item in items if item.id not in held]
        if fresh and self._content is not None:
            found = self._lent(self._content.vectors_of(item_content(fresh, catalogue.facet_names)))
            held.update((item.id, (item, *lent)) for item, *lent in zip(fresh, *found, strict=True))
        self._after = held  # and no longer what has left
        lent = [held[item.id][1:] for item in items]
        lenders, weights = ([entry[part] for entry in lent] for part in (0, 1))
        return np.array(lenders, np.int32).reshape(-1, LENDERS), np.array(weights, np.float32).reshape(-1, LENDERS)

    def _lent(self, new: Csr) -> Lent:
        assert self._content is not None
        lenders, weights = nearest(new, self._content.vectors[self._known])
        return self._known[lenders], weights


def _placed(rows: Int32s, lent: Lent, items: ItemMap) -> NewItems:
    """Catalogue rows that borrow from items of the models, in catalogue indices."""
    here = rows >= 0
    lenders = items.to_catalogue[lent[0][here]]
    return NewItems(rows[here], np.maximum(lenders, 0), np.where(lenders >= 0, lent[1][here], np.float32(0)))


def item_content(items: Sequence[Item], facets: Sequence[str]) -> ItemContent:
    """What the catalogue knows of items, for models of content: title and description, and facets."""
    names = [name for name in facets if any(name in item.attributes for item in items)]
    return ItemContent(
        item_ids=tuple(item.id for item in items),
        texts=[f"{item.title} {item.description}".strip() for item in items],
        attributes={name: [texts_of(item.attributes.get(name)) for item in items] for name in names},
    )
