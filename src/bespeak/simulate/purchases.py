"""From interest to order: the probabilities after a click, and the properties of cart and order events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bespeak.simulate.goods import Goods, event_properties

CHECKOUT_PROBABILITY = 0.55
"""A visit that ends with a filled cart goes on to the checkout."""
COMPLETION_PROBABILITY = 0.72
"""A checkout that was started ends in an order."""

_FREE_SHIPPING_FROM = 5_000
_SHIPPING = 490
_VAT_PERCENT = 19


def product_event(goods: Goods, item: int, **more: Any) -> dict[str, Any]:
    """Properties of an event about one item, with what the caller adds (position, quantity, cart id)."""
    return {**event_properties(goods.records[item]), **more}


def order_properties(
    goods: Goods,
    cart: Mapping[int, int],
    order_id: str,
    *,
    coupon: str | None = None,
    discount_percent: int = 0,
    only: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Properties of `Checkout Started`, `Order Completed` and `Order Refunded`.

    Sums are made in minor units and divided at the end, so they are exact to the cent:
    revenue = subtotal - discount, total = revenue + shipping; tax is the part of the revenue that is value-added tax.

    Args:
        goods: the items of the world.
        cart: item index -> quantity.
        order_id: id of the order.
        coupon: code that was used, if any.
        discount_percent: what it takes off.
        only: restricts to these items (a partial refund).
    """
    chosen = {item: n for item, n in cart.items() if only is None or item in only}
    subtotal = sum(int(goods.price[item]) * n for item, n in chosen.items())
    discount = subtotal * discount_percent // 100
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
        "products": [product_event(goods, item, quantity=n) for item, n in chosen.items()],
    }
    if coupon is not None:
        properties["coupon"] = coupon
    return properties
