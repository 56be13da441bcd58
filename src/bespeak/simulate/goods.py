"""The goods of the simulated shop: catalogue records and, beside them, the hidden numbers behaviour depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bespeak.simulate.ranges import BRANDS, CATEGORIES, COLOURS, MODELS, Pair

DAY_MS = 86_400_000
STYLE_DIMENSIONS = 4
"""Length of the hidden style vectors: taste that no attribute of an item shows."""

_VARIANT_SHARE = 0.25
_LAUNCH_SHARE = 0.12
_OUT_OF_STOCK_SHARE = 0.02
_GERMAN_SHARE = 0.6
_ZIPF_EXPONENT = 0.8


@dataclass(frozen=True, eq=False)
class Goods:
    """All items of a world; row `i` of every array belongs to `ids[i]`.

    Attributes:
        ids: item ids.
        records: the items as the catalogue takes them.
        category: index into `CATEGORIES`, int64[n].
        brand: index into the keys of `BRANDS`, int64[n].
        price: price in minor units, int64[n].
        price_level: log price, standardized within the category, float64[n].
        quality: hidden quality, standard normal, float64[n].
        style: hidden style, float64[n, STYLE_DIMENSIONS].
        popularity: share of attention, a Zipf law, sums to one, float64[n].
        published_ms: launch, int64[n].
        available: can be bought, bool[n].
    """

    ids: tuple[str, ...]
    records: tuple[dict[str, Any], ...]
    category: NDArray[np.int64]
    brand: NDArray[np.int64]
    price: NDArray[np.int64]
    price_level: NDArray[np.float64]
    quality: NDArray[np.float64]
    style: NDArray[np.float64]
    popularity: NDArray[np.float64]
    published_ms: NDArray[np.int64]
    available: NDArray[np.bool_]

    def on_sale(self, at_ms: int) -> NDArray[np.bool_]:
        """Which items stand in the shop at `at_ms` (published and available), bool[n]."""
        return self.available & (self.published_ms <= at_ms)


@dataclass(frozen=True)
class _Line:
    """A product line: what all its colour variants share."""

    title: Pair
    description: Pair
    has_german: bool
    category: int
    brand: str
    kind: int
    price: int
    quality: float
    tags: tuple[str, ...]
    published_ms: int


def make_goods(rng: np.random.Generator, n_items: int, start_ms: int, end_ms: int) -> Goods:
    """Draws `n_items` items; categories take turns, so every category is filled before one has two more than another.

    Args:
        rng: source of all draws.
        n_items: how many items (variants counted).
        start_ms: begin of the simulated time; most items are older, some launch between it and `end_ms`.
        end_ms: end of the simulated time.
    """
    brand_index = {name: index for index, name in enumerate(BRANDS)}
    records: list[dict[str, Any]] = []
    lines: list[_Line] = []
    rows: list[int] = []
    taken: set[str] = set()
    while len(records) < n_items:
        line = _draw_line(rng, len(lines) % len(CATEGORIES), taken, start_ms, end_ms)
        n_variants = int(rng.integers(2, 4)) if rng.random() < _VARIANT_SHARE else 1
        for colour in rng.permutation(list(COLOURS))[: min(n_variants, n_items - len(records))]:
            available = bool(rng.random() >= _OUT_OF_STOCK_SHARE)
            ids = (f"p{len(records) + 1:04d}", f"g{len(lines) + 1:04d}")
            records.append(_record(line, str(colour), *ids, available=available, is_variant=n_variants > 1))
            rows.append(len(lines))
        lines.append(line)
    line_of = np.array(rows, dtype=np.int64)
    category = np.array([line.category for line in lines], dtype=np.int64)[line_of]
    price = np.array([line.price for line in lines], dtype=np.int64)[line_of]
    return Goods(
        ids=tuple(record["id"] for record in records),
        records=tuple(records),
        category=category,
        brand=np.array([brand_index[line.brand] for line in lines], dtype=np.int64)[line_of],
        price=price,
        price_level=_standardize_within(np.log(price), category),
        quality=np.array([line.quality for line in lines])[line_of],
        style=rng.standard_normal((len(lines), STYLE_DIMENSIONS))[line_of],
        popularity=_zipf(rng, len(lines))[line_of] / np.bincount(line_of)[line_of],
        published_ms=np.array([line.published_ms for line in lines], dtype=np.int64)[line_of],
        available=np.array([record["markets"]["default"]["available"] for record in records]),
    )


def event_properties(record: Mapping[str, Any]) -> dict[str, Any]:
    """The properties by which tracking clients describe this item; the price is in major units there.

    Example:
        >>> goods = make_goods(np.random.default_rng(1), 1, 0, DAY_MS)
        >>> sorted(event_properties(goods.records[0]))
        ['brand', 'category', 'currency', 'name', 'price', 'product_id', 'variant']
    """
    market = record["markets"]["default"]
    attributes = record["attributes"]
    return {
        "product_id": record["id"],
        "name": record["title"],
        "category": attributes["category"],
        "brand": attributes["brand"],
        "variant": attributes["colour"],
        "price": market["price"] / 100,
        "currency": market["currency"],
    }


def _draw_line(rng: np.random.Generator, category_index: int, taken: set[str], start_ms: int, end_ms: int) -> _Line:
    category = CATEGORIES[category_index]
    kind = int(rng.integers(len(category.kinds)))
    brand = str(rng.choice(category.brands))
    english, german = category.kinds[kind]
    model = str(rng.choice(MODELS))
    generation = 1
    while (key := f"{brand} {model}{'' if generation == 1 else f' {generation}'}") + english in taken:
        generation += 1
    taken.add(key + english)
    low, high = category.prices
    # A kind has its own price range inside the category's (a bag costs less than a lens); brands add their level.
    position = np.clip((kind + 0.5) / len(category.kinds) + rng.normal(0, 0.18), 0, 1)
    euros = low * (high / low) ** position * BRANDS[brand]
    price = max(int(euros), 2) * 100 - int(rng.choice([1, 5, 10]))
    first, second = (category.features[int(index)] for index in rng.permutation(len(category.features))[:2])
    return _Line(
        title=(f"{key} {english}", f"{key} {german}"),
        description=(f"{english}: {first[0]}, {second[0]}.", f"{german}: {first[1]}, {second[1]}."),
        has_german=bool(rng.random() < _GERMAN_SHARE),
        category=category_index,
        brand=brand,
        kind=kind,
        price=price,
        quality=float(rng.standard_normal()),
        tags=tuple(sorted(str(tag) for tag in rng.permutation(category.tags)[: int(rng.integers(1, 4))])),
        published_ms=_draw_launch(rng, start_ms, end_ms),
    )


def _draw_launch(rng: np.random.Generator, start_ms: int, end_ms: int) -> int:
    if rng.random() < _LAUNCH_SHARE:
        return int(rng.integers(start_ms, end_ms))
    return start_ms - int(rng.integers(1, 720)) * DAY_MS


def _record(line: _Line, colour: str, item_id: str, group: str, *, available: bool, is_variant: bool) -> dict[str, Any]:
    category = CATEGORIES[line.category]
    title, german_title = line.title
    if is_variant:
        title, german_title = f"{title}, {colour}", f"{german_title}, {COLOURS[colour][0]}"
    return {
        "id": item_id,
        "kind": "product",
        "group": group,
        "title": title,
        "description": line.description[0],
        "attributes": {
            "category": category.key,
            "brand": line.brand,
            "type": category.kinds[line.kind][0].lower(),
            "colour": colour,
            "tags": list(line.tags),
            "rating": round(float(np.clip(3.9 + 0.5 * line.quality, 1, 5)), 1),
            "consumable": category.consumable,
        },
        "markets": {"default": {"price": line.price, "currency": "EUR", "available": available}},
        "texts": {"de": {"title": german_title, "description": line.description[1]}} if line.has_german else {},
        "publishedAt": line.published_ms,
        "expiresAt": None,
        "url": f"/demo/p/{item_id}",
        "imageUrl": f"/demo/art/{item_id}.svg",
    }


def _standardize_within(values: NDArray[np.float64], group: NDArray[np.int64]) -> NDArray[np.float64]:
    counts = np.maximum(np.bincount(group), 1)
    centred = values - (np.bincount(group, values) / counts)[group]
    spread = np.sqrt(np.bincount(group, centred**2) / counts)
    return np.asarray(centred / np.where(spread > 0, spread, 1.0)[group])


def _zipf(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    weights = (1.0 + rng.permutation(n)) ** -_ZIPF_EXPONENT
    return np.asarray(weights / weights.sum())
