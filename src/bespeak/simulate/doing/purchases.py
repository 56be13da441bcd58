"""The properties of an order's events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bespeak.simulate.doing.buying import COUPON, COUPON_PERCENT
from bespeak.simulate.offer.goods import event_properties
from bespeak.simulate.offer.stock import Stock

_FREE_SHIPPING_FROM = 5_000
_SHIPPING = 490
_VAT_PERCENT = 19


def order_properties(stock: Stock, cart: Mapping[int, int], order_id: str, *, has_coupon: bool) -> dict[str, Any]:
    """Properties of `Checkout Started`, `Order Completed` and `Order Refunded`.

    Sums are made in minor units and divided at the end, so they are exact to the cent:
    revenue = subtotal - discount, total = revenue + shipping; tax is the part of the revenue that is value-added tax.

    Args:
        stock: the items of the world.
        cart: item index -> quantity.
        order_id: id of the order.
        has_coupon: the welcome coupon was used.
    """
    subtotal = sum(int(stock.price[item]) * n for item, n in cart.items())
    discount = subtotal * COUPON_PERCENT // 100 if has_coupon else 0
    revenue = subtotal - discount
    shipping = 0 if revenue >= _FREE_SHIPPING_FROM else _SHIPPING
    properties: dict[str, Any] = {
        "order_id": order_id,
        "subtotal": subtotal / 100,
        "discount": discount / 100,
        "revenue": revenue / 100,
        "shipping": shipping / 100,
        "tax": round(revenue * _VAT_PERCENT / (100 + _VAT_PERCENT)) / 100,
        "total": (revenue + shipping) / 100,
        "currency": "EUR",
        "products": [{**event_properties(stock.records[item]), "quantity": n} for item, n in cart.items()],
    }
    if has_coupon:
        properties["coupon"] = COUPON
    return properties
