"""The catalogue at one version, as columns: what filters, features and replies read.

Immutable; a change makes a new one. Decoded items are kept, so that a change of ten items decodes ten items and
rebuilds arrays, nothing more.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.catalogue.columns import (
    DEFAULT_MARKET,
    as_number,
    attribute_columns,
    fixed_columns,
    major_price,
    market_columns,
    market_of,
    texts_of,
)
from bespeak.rules.columns import (
    TYPE_OF,
    BooleanColumn,
    Column,
    Columns,
    ColumnType,
    NumberColumn,
    TextColumn,
    TextsColumn,
)
from bespeak.rules.schema import Schema
from bespeak.signals.items import Item
from bespeak.storage.tables.items import ItemChanges

Bools: TypeAlias = npt.NDArray[np.bool_]
Int32s: TypeAlias = npt.NDArray[np.int32]
Int64s: TypeAlias = npt.NDArray[np.int64]
Float64s: TypeAlias = npt.NDArray[np.float64]

PRICE = "price"
PRICE_PERCENTILE = "price_percentile"
MAX_VALUES_PER_FACET = 32
"""Of one item's values of one facet, the first this many count."""

_ALWAYS_FROM = np.iinfo(np.int64).min
_ALWAYS_UNTIL = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class FacetColumn:
    """The values of one facet for every item, as a table with one row per item.

    Attributes:
        codes: int32[n, width], indices into `vocabulary`; the code `len(vocabulary)` pads, so that a lookup table with
            one more entry (a neutral one) gathers a whole slate's values at once.
        vocabulary: the distinct values.
        code_of: value -> code.
    """

    codes: Int32s
    vocabulary: tuple[str, ...]
    code_of: Mapping[str, int]

    @classmethod
    def from_values(cls, rows: Sequence[Sequence[str]]) -> FacetColumn:
        """Builds the table; of a row with more than `MAX_VALUES_PER_FACET` values the first ones are kept.

        Example:
            >>> facet = FacetColumn.from_values([["a", "b"], [], ["b"]])
            >>> facet.codes.tolist(), facet.vocabulary
            ([[0, 1], [2, 2], [1, 2]], ('a', 'b'))
        """
        code_of: dict[str, int] = {}
        coded = [[code_of.setdefault(text, len(code_of)) for text in row[:MAX_VALUES_PER_FACET]] for row in rows]
        width = max((len(row) for row in coded), default=0)
        codes = np.full((len(rows), max(width, 1)), len(code_of), np.int32)
        for position, row in enumerate(coded):
            codes[position, : len(row)] = row
        vocabulary = side_by_side(code_of)
        return cls(codes, vocabulary, places_of(vocabulary))

    def values_at(self, index: int) -> tuple[str, ...]:
        """The values of one item."""
        size = len(self.vocabulary)
        return tuple(self.vocabulary[code] for code in self.codes[index].tolist() if code < size)

    @cached_property
    def rarity(self) -> Float64s:
        """float64[len(vocabulary) + 1]: 1 - share of the items that have the value, near 1 for a rare one; 0 pads."""
        n_items = np.diff(self.items_of[1])
        return np.append(1.0 - n_items / max(len(self.codes), 1), 0.0)

    @cached_property
    def items_of(self) -> tuple[Int32s, Int64s]:
        """(items int32, starts int64[len(vocabulary) + 1]): the items of value v are items[starts[v]:starts[v + 1]]."""
        flat = self.codes.ravel()
        order = np.argsort(flat, kind="stable")
        starts = np.searchsorted(flat[order], np.arange(len(self.vocabulary) + 1)).astype(np.int64)
        return (order // self.codes.shape[1]).astype(np.int32), starts


@dataclass(frozen=True, eq=False)
class MarketView:
    """What holds in one market.

    Attributes:
        columns: all columns of the filter language, with this market's price, currency and availability.
        prices: float64[n], major units, NaN where unknown.
        in_stock: bool[n].
        from_ms, until_ms: int64[n], closed-open: publication, expiry and the licence window joined.
    """

    columns: Columns
    prices: Float64s
    in_stock: Bools
    from_ms: Int64s
    until_ms: Int64s
    _held: list[tuple[int, int, Bools]] = field(default_factory=list)

    def available(self, now_ms: int) -> Bools:
        """bool[n]: sold and in stock, and what holds it in time; kept until an item comes or goes, so read it only."""
        for since_ms, until_ms, held in self._held[:1]:
            if since_ms <= now_ms < until_ms:
                return held
        edges = np.concatenate([self.from_ms, self.until_ms])
        since_ms = int(edges[edges <= now_ms].max(initial=_ALWAYS_FROM))
        until_ms = int(edges[edges > now_ms].min(initial=_ALWAYS_UNTIL))
        found = self.in_stock & (self.from_ms <= now_ms) & (now_ms < self.until_ms)
        found.flags.writeable = False
        self._held[:] = [(since_ms, until_ms, found)]
        return found


@dataclass(frozen=True, eq=False)
class CatalogueSnapshot:
    """All items at one catalogue version, position = index.

    Attributes:
        version: the catalogue version.
        items: the records.
        item_ids: their ids.
        index: id -> position.
        facets: facet -> its values for every item.
        numbers: numeric facet -> float64[n], NaN where unknown. `price` is the default market's price in major units,
            `price_percentile` its place among the prices of the item's category (the first facet), 0 cheapest.
        groups: int32[n]; items with the same code are variants of one thing.
        facet_names, numeric_names: what it was built for.
    """

    version: int
    items: tuple[Item, ...]
    facet_names: tuple[str, ...]
    numeric_names: tuple[str, ...]
    item_ids: tuple[str, ...]
    index: Mapping[str, int]
    groups: Int32s
    facets: Mapping[str, FacetColumn]
    numbers: Mapping[str, Float64s]
    _common: Mapping[str, Column]
    _markets: dict[str, MarketView] = field(default_factory=dict)
    _carried: dict[int, dict[str, list[str] | float]] = field(default_factory=dict)
    _valued: dict[str, FacetColumn] = field(default_factory=dict)
    _kinds: dict[tuple[str, ...], Bools] = field(default_factory=dict)

    @classmethod
    def build(
        cls, items: Iterable[Item], facets: Sequence[str], numeric_facets: Sequence[str] = (), *, version: int = 0
    ) -> CatalogueSnapshot:
        """Builds a snapshot; of items with equal ids the last one counts.

        Args:
            items: the records.
            facets: attributes that affinities are kept for; the first one is the category that prices compare within.
            numeric_facets: numeric attributes with a typical value per person; `price_percentile` is computed.
            version: the catalogue version this is.
        """
        held = tuple({item.id: item for item in items}.values())
        common = {**fixed_columns(held), **attribute_columns(held)}
        groups = common["group"]
        assert isinstance(groups, TextColumn)
        columns = {name: FacetColumn.from_values([texts_of(i.attributes.get(name)) for i in held]) for name in facets}
        item_ids = side_by_side(item.id for item in held)
        return cls(
            version=version,
            items=held,
            facet_names=tuple(facets),
            numeric_names=tuple(numeric_facets),
            item_ids=item_ids,
            index=places_of(item_ids),
            groups=groups.codes,
            facets=columns,
            numbers={name: _numbers(name, held, columns, common) for name in numeric_facets},
            _common=common,
        )

    @classmethod
    def empty(cls) -> CatalogueSnapshot:
        """A catalogue without items."""
        return cls.build((), ())

    def updated(self, changes: ItemChanges) -> CatalogueSnapshot:
        """The snapshot after changes; items that stay keep their order, new ones come last."""
        if not changes.items and not changes.deleted:
            return self if changes.version == self.version else self._rebuilt(self.items, changes.version)
        held = {item.id: item for item in self.items}
        held.update((item.id, item) for item in changes.items)
        for item_id in changes.deleted:
            held.pop(item_id, None)
        return self._rebuilt(held.values(), changes.version)

    def _rebuilt(self, items: Iterable[Item], version: int) -> CatalogueSnapshot:
        return type(self).build(items, self.facet_names, self.numeric_names, version=version)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def columns(self) -> Columns:
        """The columns of the filter language, in the default market."""
        return self.market(DEFAULT_MARKET).columns

    @cached_property
    def schema(self) -> Schema:
        """The columns a filter may name; an unknown one is a RuleError that lists them."""
        return Schema({name: _type_of(column) for name, column in self.columns.items()})

    @cached_property
    def markets(self) -> tuple[str, ...]:
        """The markets that any item names, and `default`, which serves every other one; in order of name."""
        return tuple(sorted({DEFAULT_MARKET}.union(*(item.markets for item in self.items))))

    @cached_property
    def born_ms(self) -> Int64s:
        """int64[n]: when each item came out: its publication, else when it was first seen; 0 when unknown."""
        return np.array([_or(item.published_at, item.first_seen_at or 0) for item in self.items], np.int64)

    @cached_property
    def newest_first(self) -> Int32s:
        """int32: the items whose date is known, newest first."""
        order = np.argsort(-self.born_ms, kind="stable").astype(np.int32)
        return order[self.born_ms[order] > 0]

    @cached_property
    def next_in_group(self) -> Int32s:
        """int32[n]: the item that comes next in each item's group, -1 for the last one and for an item alone.

        The order within a group is that of the attributes `season` and `episode`, then of the dates, then of the index.
        """
        season, episode = (
            np.array([as_number(item.attributes.get(name)) or 0.0 for item in self.items], np.float64)
            if name in self._common
            else np.zeros(len(self.items))
            for name in ("season", "episode")
        )
        order = np.lexsort((self.born_ms, episode, season, self.groups)).astype(np.int32)
        following = np.full(len(self.items), -1, np.int32)
        same = self.groups[order[1:]] == self.groups[order[:-1]]
        following[order[:-1][same]] = order[1:][same]
        return following

    @cached_property
    def spreads(self) -> Mapping[str, float]:
        """Numeric facet -> standard deviation over the items where it is known; 0 where it never is."""
        return {
            name: float(np.std(values[~np.isnan(values)])) if (~np.isnan(values)).any() else 0.0
            for name, values in self.numbers.items()
        }

    def market(self, name: str) -> MarketView:
        """What holds in a market; built at first use and kept with the snapshot."""
        view = self._markets.get(name)
        if view is None:
            known = name in self.markets
            # Only markets that the catalogue names are kept, so that made-up names in requests cannot fill the memory.
            view = self._market(name) if known else self.market(DEFAULT_MARKET)
            if known:
                self._markets[name] = view
        return view

    def available(self, market: str, now_ms: int) -> Bools:
        """bool[n]: sold and in stock in the market, published, not expired, within its licence window. Read it only."""
        return self.market(market).available(now_ms)

    def positions(self, item_ids: Iterable[str]) -> Int32s:
        """int32: where the known ones of these ids stand, in the order given; unknown ids are left out."""
        find = self.index.get
        return np.array([at for at in map(find, item_ids) if at is not None], np.int32)

    def values_of(self, name: str) -> FacetColumn | None:
        """The values of an attribute, be it a facet or not; None where no item has one. Made at first use and kept."""
        found = self.facets.get(name) or self._valued.get(name)
        if found is None:
            found = _values_of(self.columns.get(name))
            if found is not None:
                self._valued[name] = found
        return found

    def is_kind(self, kinds: tuple[str, ...]) -> Bools:
        """bool[n]: the items of these kinds; kept, as settings name few. Read it only."""
        found = self._kinds.get(kinds)
        if found is None:
            column = self.columns["kind"]
            assert isinstance(column, TextColumn)
            codes = [column.code_of[kind] for kind in kinds if kind in column.code_of]
            found = self._kinds[kinds] = np.isin(column.codes, codes)
        return found

    def facets_of(self, item_id: str) -> dict[str, list[str] | float]:
        """The item's facet values and numeric facets, as an event's log row keeps them; empty for an unknown id.

        The result is shared: read it, do not change it.
        """
        index = self.index.get(item_id)
        if index is None:
            return {}
        carried = self._carried.get(index)
        if carried is None:
            carried = {name: list(facet.values_at(index)) for name, facet in self.facets.items()}
            carried = {name: values for name, values in carried.items() if values}
            for name, numbers in self.numbers.items():
                value = float(numbers[index])
                if not math.isnan(value):
                    carried[name] = value
            self._carried[index] = carried
        return carried

    def title(self, index: int, locale: str = "") -> str:
        """The item's title in the locale, in its language, or as given; its id when it has none."""
        item = self.items[index]
        return _localised(item, "title", locale) or item.title or item.id

    def properties(self, index: int, locale: str = "", market: str = DEFAULT_MARKET) -> dict[str, Any]:
        """What a reply says about an item: texts by locale (de-DE, then de, then as given), price in minor units."""
        item = self.items[index]
        properties: dict[str, Any] = {"title": self.title(index, locale)}
        description = _localised(item, "description", locale) or item.description
        optional = {"description": description, "url": item.url, "imageUrl": item.image_url, "group": item.group}
        properties.update((name, text) for name, text in optional.items() if text)
        properties["kind"] = item.kind
        entry = market_of(item, market)
        if entry is not None and entry.price is not None:
            properties["price"], properties["currency"] = entry.price, entry.currency
        if item.attributes:
            properties["attributes"] = item.attributes
        return properties

    def creative_properties(self, index: int, creative_id: str) -> dict[str, Any]:
        """What showing an item with a creative changes of its properties; nothing for one that it has no more."""
        for creative in self.items[index].creatives:
            if creative.id == creative_id:
                changed = {"title": creative.title, "imageUrl": creative.image_url}
                found: dict[str, Any] = {name: text for name, text in changed.items() if text}
                return found | ({"creative": creative.attributes} if creative.attributes else {})
        return {}

    def _market(self, name: str) -> MarketView:
        entries = [market_of(item, name) for item in self.items]
        own = market_columns(self.items, entries)
        price, available = own["price"], own["available"]
        assert isinstance(price, NumberColumn)
        assert isinstance(available, BooleanColumn)
        starts = [
            max(_or(item.published_at, _ALWAYS_FROM), _or(entry.from_ms if entry else None, _ALWAYS_FROM))
            for item, entry in zip(self.items, entries, strict=True)
        ]
        ends = [
            min(_or(item.expires_at, _ALWAYS_UNTIL), _or(entry.until_ms if entry else None, _ALWAYS_UNTIL))
            for item, entry in zip(self.items, entries, strict=True)
        ]
        return MarketView(
            columns=Columns({**self._common, **own}, len(self.items)),
            prices=price.values,
            in_stock=available.values,
            from_ms=np.array(starts, np.int64),
            until_ms=np.array(ends, np.int64),
        )


def _values_of(column: Column | None) -> FacetColumn | None:
    if isinstance(column, TextColumn):
        codes = np.where(column.codes < 0, len(column.vocabulary), column.codes).astype(np.int32)
        return FacetColumn(codes[:, None], tuple(column.vocabulary), column.code_of)
    if isinstance(column, TextsColumn):
        rows = [column.codes[start:end].tolist() for start, end in pairwise(column.indptr.tolist())]
        return FacetColumn.from_values([[column.vocabulary[code] for code in row] for row in rows])
    return None


def side_by_side(texts: Iterable[str]) -> tuple[str, ...]:
    """The texts as copies that lie one behind the other in memory.

    A decision looks up some hundred ids and values. Each of them lay within the record of its item, on a page of memory
    of its own, and most look-ups waited for it.
    """
    return tuple([(text + " ")[:-1] for text in texts])


def places_of(texts: Sequence[str]) -> dict[str, int]:
    """Text -> its place, of distinct texts."""
    return {text: place for place, text in enumerate(texts)}


def _or(value: int | None, fallback: int) -> int:
    return fallback if value is None else value


def _localised(item: Item, name: str, locale: str) -> str:
    if not item.texts or not locale:
        return ""
    wanted = locale.replace("_", "-")
    while wanted:
        texts = item.texts.get(wanted)
        if texts is not None and texts.get(name):
            return texts[name]
        wanted = wanted.rpartition("-")[0]
    return ""


def _type_of(column: Column) -> ColumnType:
    return TYPE_OF[type(column)]


def _numbers(
    name: str, items: Sequence[Item], facets: Mapping[str, FacetColumn], common: Mapping[str, Column]
) -> Float64s:
    if name in {PRICE, PRICE_PERCENTILE}:
        prices = np.array([major_price(item, market_of(item, DEFAULT_MARKET)) for item in items], np.float64)
        if name == PRICE:
            return prices
        category = next(iter(facets.values())).codes[:, 0] if facets else np.zeros(len(items), np.int32)
        return percentiles(prices, category)
    column = common.get(name)
    return column.values if isinstance(column, NumberColumn) else np.full(len(items), np.nan)


def percentiles(values: Float64s, groups: Int32s) -> Float64s:
    """Each value's place among those of its group: (how many are less + half of how many are equal) / how many.

    Args:
        values: float64[n]; NaN stays NaN and counts for nothing.
        groups: int32[n].

    Returns:
        float64[n] between 0 and 1; 0.5 for a value alone in its group.

    Example:
        >>> percentiles(np.array([1.0, 2.0, 2.0, 9.0]), np.zeros(4, np.int32)).tolist()
        [0.125, 0.5, 0.5, 0.875]
    """
    result = np.full(len(values), np.nan)
    known = np.flatnonzero(~np.isnan(values))
    if not len(known):
        return result
    order = known[np.lexsort((values[known], groups[known]))]
    value, group = values[order], groups[order]
    is_new_group = np.r_[True, group[1:] != group[:-1]]
    is_new_run = is_new_group | np.r_[True, value[1:] != value[:-1]]
    starts, runs = np.flatnonzero(is_new_group), np.flatnonzero(is_new_run)
    sizes = np.diff(np.r_[starts, len(order)])
    lengths = np.diff(np.r_[runs, len(order)])
    group_of = np.cumsum(is_new_group) - 1
    below = runs - starts[group_of[runs]]
    result[order] = np.repeat((below + lengths / 2) / sizes[group_of[runs]], lengths)
    return result
