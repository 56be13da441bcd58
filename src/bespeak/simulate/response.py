"""How a simulated person reacts to a slate that a decision system shows: the closed loop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bespeak.simulate.choice import examination, logistic
from bespeak.simulate.envelope import Visit
from bespeak.simulate.goods import Goods
from bespeak.simulate.purchases import CHECKOUT_PROBABILITY, COMPLETION_PROBABILITY, order_properties, product_event


def respond(
    visit: Visit,
    goods: Goods,
    utility: NDArray[np.float64],
    slate: NDArray[np.int64],
    rng: np.random.Generator,
    *,
    placement: str,
    decision_id: str | None,
) -> None:
    """Writes what the person does with `slate` into `visit`: the exposure, clicks, views, cart, perhaps an order.

    All draws are made per item before the slate is looked at (common random numbers): with an equally seeded `rng`,
    two slates differ in outcome only as far as they differ in content.

    Args:
        visit: where the events go.
        goods: the items.
        utility: the person's utilities, float64[n_items].
        slate: item indices in the order shown, int64[k].
        rng: source of all draws.
        placement: where the slate stands.
        decision_id: the decision that made the slate, if any.
    """
    click_draws, cart_draws = rng.random((2, len(utility)))
    checkout_draw, completion_draw, order_number = rng.random(3)
    shown = {"placement": placement, **({} if decision_id is None else {"decision_id": decision_id})}
    items = [{"item_id": goods.ids[int(item)], "position": k} for k, item in enumerate(slate, start=1)]
    visit.track("Recommendation Viewed", {**shown, "items": items})
    clicked = click_draws[slate] < examination(len(slate)) * logistic(utility[slate])
    cart: dict[int, int] = {}
    for offset in np.flatnonzero(clicked):
        item = int(slate[offset])
        record = goods.records[item]
        properties = product_event(goods, item, position=int(offset) + 1)
        visit.wait(8)
        visit.track("Product Clicked", {**properties, **shown})
        visit.go_to(f"/p/{record['id']}", record["title"])
        visit.wait(1)
        visit.track("Product Viewed", properties)
        if cart_draws[item] < logistic(0.9 * utility[[item]] - 0.2)[0]:
            visit.wait(25)
            cart[item] = 1
            visit.track("Product Added", product_event(goods, item, quantity=1))
    if cart and checkout_draw < CHECKOUT_PROBABILITY:
        order = order_properties(goods, cart, f"o-{int(order_number * 2**48):012x}")
        visit.wait(20)
        visit.go_to("/checkout", "Checkout")
        visit.track("Checkout Started", order)
        if completion_draw < COMPLETION_PROBABILITY:
            visit.wait(90)
            visit.track("Order Completed", order)
