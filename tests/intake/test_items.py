"""Item records as JSON."""

from __future__ import annotations

from typing import Any

import pytest

from bespeak.errors import InvalidInput
from bespeak.intake.items import item_from_json, item_to_json
from bespeak.signals.items import Market

FULL = {
    "id": "p1",
    "kind": "video",
    "group": "g",
    "title": "Lamp",
    "description": "It shines.",
    "url": "https://x.test/p1",
    "imageUrl": "/a.svg",
    "attributes": {"category": "light", "size": 3, "new": True, "tags": ["a", "b"], "gone": None},
    "markets": {"de": {"price": 1999, "currency": "EUR", "available": False, "fromMs": 5}},
    "texts": {"de": {"title": "Lampe"}},
    "creatives": [{"id": "c1", "imageUrl": "/c.svg"}],
    "publishedAt": "2024-01-02T03:04:05Z",
    "expiresAt": 1_900_000_000_000,
}


def test_an_item_reads_back_what_it_wrote() -> None:
    item = item_from_json(FULL)
    assert item.published_at == 1_704_164_645_000
    assert item.attributes == {"category": "light", "size": 3.0, "new": True, "tags": ["a", "b"]}
    assert item.markets["de"] == Market(price=1999, currency="EUR", is_available=False, from_ms=5)
    assert item_from_json(item_to_json(item)) == item


@pytest.mark.parametrize(
    ("raw", "market"),
    [
        ({"price": 19.99, "currency": "eur"}, Market(price=1999, currency="EUR")),
        ({"price": "1500", "currency": "JPY"}, Market(price=1500, currency="JPY")),
        ({"priceMinor": 1999, "currency": "EUR"}, Market(price=1999, currency="EUR")),
        ({"price": 2}, Market(price=200, currency="CHF")),
        ({"available": False}, Market(is_available=False, currency="CHF")),
    ],
)
def test_a_price_of_the_default_market_can_be_given_in_short(raw: dict[str, Any], market: Market) -> None:
    assert item_from_json({"id": "p", **raw}, default_currency="CHF").markets == {"default": market}


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ([], "must be an object"),
        ({}, "needs an id"),
        ({"id": ""}, "needs an id"),
        ({"id": ["x"]}, "id must be text"),
        ({"id": "x" * 300}, "300 bytes"),
        ({"id": "p", "colour": "red"}, "no field 'colour'.*under attributes"),
        ({"id": "p", "title": 5}, "title must be text"),
        ({"id": "p", "title": "a\x00"}, "NUL"),
        ({"id": "p", "attributes": []}, "attributes must be an object"),
        ({"id": "p", "attributes": {"a": {"b": 1}}}, "attributes.a must be text, a number"),
        ({"id": "p", "attributes": {"a": [[1]]}}, "attributes.a must be a list of text"),
        ({"id": "p", "attributes": {"a": float("inf")}}, "finite"),
        ({"id": "p", "attributes": {"a": [1.0, float("nan")]}}, "finite"),
        ({"id": "p", "attributes": {str(i): i for i in range(201)}}, "at most 200"),
        ({"id": "p", "price": "cheap"}, "price must be a number"),
        ({"id": "p", "price": -1}, "negative"),
        ({"id": "p", "price": 1, "priceMinor": 100}, "not both"),
        ({"id": "p", "priceMinor": 1.5}, "priceMinor"),
        ({"id": "p", "markets": {"de": {"price": 9.99}}}, "markets.*int"),
        ({"id": "p", "publishedAt": "soon"}, "publishedAt.*ISO 8601"),
        ({"id": "p", "texts": {"de": "Lampe"}}, "texts"),
        ({"id": "p", "creatives": [{}]}, "creatives.*id"),
    ],
)
def test_a_wrong_item_is_refused_by_field(raw: Any, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        item_from_json(raw)
    assert caught.value.code == "invalid_item"
