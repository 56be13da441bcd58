"""What a decision looks like to its caller."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Self, overload

from bespeak.catalogue.snapshot import CatalogueSnapshot
from bespeak.decide.reply import reply
from bespeak.decide.request import DecideRequest
from bespeak.decide.world import World
from bespeak.signals.decisions import Decision, ShownItem


class Variant(NamedTuple):
    """What a placement with variants shows.

    Attributes:
        id: of the variant.
        value: what was declared for it; None where it is declared no more.
        propensity: probability with which it was shown.
        source: how it was decided: `rule`, `learned`, `split` or `default`.
        text: why, in words.
    """

    id: str
    value: Any
    propensity: float
    source: str
    text: str


class Slate(Sequence[ShownItem]):
    """The ordered result of a decision.

    Attributes:
        decision: the complete record.
    """

    def __init__(
        self,
        decision: Decision,
        catalogue: CatalogueSnapshot,
        locale: str,
        market: str,
        values: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.decision = decision
        self._catalogue = catalogue
        self._locale = locale
        self._market = market
        self._values = values

    @classmethod
    def of(cls, decision: Decision, request: DecideRequest, world: World) -> Self:
        """Returns what was decided for a request with a snapshot."""
        locale = request.context.locale or world.locale
        if decision.kind == "variant":
            values = world.variants_of(request.placement, decision.policy)
            return cls(decision, world.catalogue, locale, "default", values)
        market = request.market or world.placement(request.placement).market
        return cls(decision, world.catalogue, locale, market)

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

    @property
    def variant(self) -> Variant | None:
        """What is shown at a placement with variants; None where items are shown."""
        if self.decision.kind != "variant":
            return None
        shown = self.decision.items[0]
        return Variant(
            shown.item_id, self._values.get(shown.item_id), shown.propensity, shown.sources[0], shown.reasons[0].text
        )

    def properties(self, item_id: str) -> dict[str, Any]:
        """Returns what a page needs to draw an item: title, link, image, price, attributes; empty when unknown."""
        index = self._catalogue.index.get(item_id)
        return {} if index is None else self._catalogue.properties(index, self._locale, self._market)

    def to_json(self) -> dict[str, Any]:
        """Returns the body of `POST /api/decide`."""
        return reply(self.decision, self._catalogue, self._locale, self._market, self._values)
