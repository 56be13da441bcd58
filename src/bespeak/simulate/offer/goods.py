"""The goods of the simulated shop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bespeak.simulate.offer.ranges import BRANDS, CATEGORIES, COLOURS, MODELS, Pair
from bespeak.simulate.offer.stock import DAY_MS, STYLE_DIMENSIONS, Kind, Stock, zipf

_VARIANT_SHARE = 0.25
_LAUNCH_SHARE = 0.12
_OUT_OF_STOCK_SHARE = 0.02
_GERMAN_SHARE = 0.6


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


def make_goods(rng: np.random.Generator, n_items: int, start_ms: int, end_ms: int) -> Stock:
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
    colour_index = {name: index for index, name in enumerate(COLOURS)}
    return Stock(
        ids=tuple(record["id"] for record in records),
        records=tuple(records),
        kinds=tuple(Kind(c.key, c.kinds, c.older, c.feminine, c.evening) for c in CATEGORIES),
        facets={
            "category": category,
            "brand": np.array([brand_index[line.brand] for line in lines], dtype=np.int64)[line_of],
            "colour": np.array([colour_index[record["attributes"]["colour"]] for record in records], dtype=np.int64),
        },
        n_values={"category": len(CATEGORIES), "brand": len(BRANDS), "colour": len(COLOURS)},
        style=rng.standard_normal((len(lines), STYLE_DIMENSIONS))[line_of],
        quality=np.array([line.quality for line in lines])[line_of],
        popularity=zipf(rng, len(lines))[line_of] / np.bincount(line_of)[line_of],
        price=price,
        price_level=_standardize_within(np.log(price), category),
        minutes=np.zeros(len(records)),
        consumable=np.array([record["attributes"]["consumable"] for record in records]),
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
