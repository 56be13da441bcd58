"""Writing items through the engine."""

from __future__ import annotations

import pytest

from bespeak.errors import InvalidInput


def test_one_wrong_item_is_named_by_its_place_and_nothing_is_written(engine):
    with pytest.raises(InvalidInput, match=r"item 2 of 3: price must be a number") as caught:
        engine.items.put([{"id": "x1"}, {"id": "x2", "price": "12,5"}, {"id": "x3"}])
    assert caught.value.code == "invalid_item"
    assert engine.items.get(["x1", "x2", "x3"]) == {}


def test_a_price_without_a_currency_is_in_the_projects(engine):
    engine.items.put([{"id": "x1", "price": 5}, {"id": "x2", "price": 5, "currency": "JPY"}])
    found = engine.items.get(["x1", "x2"])
    currency = engine.core.config.settings.project.currency
    assert (found["x1"].markets["default"].currency, found["x1"].markets["default"].price) == (currency, 500)
    assert (found["x2"].markets["default"].currency, found["x2"].markets["default"].price) == ("JPY", 5)
