"""What a decision looks like to its caller."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

from bespeak.catalogue.snapshot import CatalogueSnapshot
from bespeak.decide.reply import reply
from bespeak.signals.decisions import Decision, ShownItem


class Slate(Sequence[ShownItem]):
    """The ordered result of a decision.

    Attributes:
        decision: the complete record.
    """

    def __init__(self, decision: Decision, catalogue: CatalogueSnapshot, locale: str, market: str) -> None:
        self.decision = decision
        self._catalogue = catalogue
        self._locale = locale
        self._market = market

    @overload
    def __getitem__(self, index: int) -> ShownItem: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[ShownItem]: ...

    def __getitem__(self, index: int | slice) -> ShownItem | Sequence[ShownItem]:
        return self.decision.items[index]

    def __len__(self) -> int:
        return len(self.decision.items)

    def __iter__(self) -> Iterator[ShownItem]:
        return iter(self.decision.items)

    def __repr__(self) -> str:
        return f"Slate({self.decision.placement!r}, {[item.item_id for item in self]})"

    @property
    def item_ids(self) -> list[str]:
        """The items shown, in order."""
        return [item.item_id for item in self.decision.items]

    def properties(self, item_id: str) -> dict[str, Any]:
        """Returns what a page needs to draw an item: title, link, image, price, attributes; empty when unknown."""
        index = self._catalogue.index.get(item_id)
        return {} if index is None else self._catalogue.properties(index, self._locale, self._market)

    def to_json(self) -> dict[str, Any]:
        """Returns the body of `POST /api/decide`."""
        return reply(self.decision, self._catalogue, self._locale, self._market)
