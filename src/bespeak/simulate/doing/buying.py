"""From a look to an order in the shop: cart, wish list, checkout, abandonment, and what follows days later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bespeak.simulate.behaviour import Behaviour
from bespeak.simulate.crowd.choice import Appeal, Visits, logistic
from bespeak.simulate.crowd.memory import CART, OWNED, WISHES, Memory, by_visit, first_distinct
from bespeak.simulate.doing.acts import Act, ActLog, Stage
from bespeak.simulate.doing.browsing import Looks
from bespeak.simulate.doing.errands import Errands
from bespeak.simulate.draws import Draws, Purpose
from bespeak.simulate.offer.stock import Stock

CHECKOUT_PROBABILITY = 0.55
"""A visit that ends with a filled cart goes on to the checkout."""
COMPLETION_PROBABILITY = 0.72
"""A checkout that was started ends in an order."""
COUPON, COUPON_PERCENT = "WELCOME10", 10
_COUPON_SHARE = 0.3
_WANT_SLOPE, _WANT_BASE = 0.9, -0.6
_OWNED_FACTOR = 0.05  # who owns a thing that lasts hardly wants another
_WISH_SHARE = 0.08
_SHARE_FROM = 0.985
_REMOVE_SHARE = 0.1
_MOST_LOOKS = 24


@dataclass(frozen=True, eq=False)
class Orders:
    """The carts of one day that were taken to the checkout; acts refer to their rows.

    Attributes:
        person: whose, int64[o].
        number: of the person's orders, from 1, int64[o].
        items: -1 where there are fewer, int64[o, CART].
        quantity: int64[o, CART].
        has_coupon: bool[o].
    """

    person: NDArray[np.int64]
    number: NDArray[np.int64]
    items: NDArray[np.int64]
    quantity: NDArray[np.int64]
    has_coupon: NDArray[np.bool_]

    def revenue(self, price: NDArray[np.int64]) -> NDArray[np.int64]:
        """What comes in for the goods, in minor units: subtotal less discount, int64[o]."""
        subtotal = np.where(self.items >= 0, price[self.items] * self.quantity, 0).sum(axis=1)
        return np.asarray(subtotal - np.where(self.has_coupon, subtotal * COUPON_PERCENT // 100, 0))


class Buying:
    """The shop's funnel."""

    def __init__(self, stock: Stock, appeal: Appeal, draws: Draws, behaviour: Behaviour) -> None:
        self._stock = stock
        self._appeal = appeal
        self._draws = draws
        self._behaviour = behaviour

    def after(self, visits: Visits, looks: Looks, memory: Memory, log: ActLog, errands: Errands) -> Orders:
        """Plays what follows from the looks of a day's usual visits; the orders are those of started checkouts."""
        self._want(visits, looks, memory, log)
        return self._check_out(visits, memory, log, errands)

    def errand(
        self, visits: Visits, kind: NDArray[np.int64], item: NDArray[np.int64], number: NDArray[np.int64],
        memory: Memory, log: ActLog, errands: Errands, *, first_row: int, first_order: int,
    ) -> Orders:  # fmt: skip
        """Plays reviews, refunds and late orders.

        Args:
            visits: one for each errand.
            kind, item, number: what they are about.
            memory, log, errands: as in `after`.
            first_row: row of the first of these visits among all of the day.
            first_order: row of the first of the orders returned among all of the day.
        """
        rated = np.flatnonzero(kind == Act.RATED)
        log.add(Act.RATED, first_row + rated, Stage.END, item=item[rated], value=number[rated], seconds=30)
        late = np.flatnonzero((kind == Act.ORDERED) & (memory.cart[visits.person, 0] >= 0))
        orders = self._order(visits.only(late), memory, np.ones(len(late), dtype=np.bool_), errands)
        log.add(
            Act.ORDERED, first_row + late, Stage.END, value=orders.revenue(self._stock.price),
            order=first_order + np.arange(len(late)), seconds=60,
        )  # fmt: skip
        back = np.flatnonzero(kind == Act.REFUNDED)
        items = np.full((len(back), CART), -1, dtype=np.int64)
        items[:, 0] = item[back]
        refunds = Orders(
            person=visits.person[back],
            number=number[back],
            items=items,
            quantity=self._quantity(visits.person[back], items),
            has_coupon=np.zeros(len(back), dtype=np.bool_),
        )
        log.add(
            Act.REFUNDED, first_row + back, Stage.END, item=item[back], value=refunds.revenue(self._stock.price),
            order=first_order + len(late) + np.arange(len(back)), seconds=30,
        )  # fmt: skip
        return joined(orders, refunds)

    def _want(self, visits: Visits, looks: Looks, memory: Memory, log: ActLog) -> None:
        person, item = visits.person[looks.visit], looks.item
        log.add(Act.LOOKED, looks.visit, looks.key, item=item, position=looks.position, seconds=13)
        has_it = (memory.owned[person] == item[:, None]).any(axis=1) & ~self._stock.consumable[item]
        wants = logistic(_WANT_SLOPE * looks.utility + _WANT_BASE) * np.where(has_it, _OWNED_FACTOR, 1.0)
        luck = self._draws.uniform(Purpose.WANT, person, visits.day, item)
        add, wish = luck < wants, (luck >= wants) & (luck < wants + _WISH_SHARE)
        shared = np.flatnonzero(~add & ~wish & (luck > _SHARE_FROM))
        log.add(Act.SHARED, looks.visit[shared], looks.key[shared] + 2, item=item[shared], seconds=25)
        for act, chosen, held, width in (
            (Act.ADDED, add, memory.cart, CART),
            (Act.WISHED, wish, memory.wishes, WISHES),
        ):
            rows = np.flatnonzero(chosen)
            offered = by_visit(looks.visit[rows], item[rows], len(visits), _MOST_LOOKS)
            keys = by_visit(looks.visit[rows], looks.key[rows], len(visits), _MOST_LOOKS)
            now, kept = first_distinct(np.concatenate([held[visits.person], offered], axis=1), width)
            held[visits.person] = now
            visit, place = np.nonzero(kept[:, width:])
            taken = offered[visit, place]
            quantity = self._quantity(visits.person[visit], taken[:, None])[:, 0]
            log.add(act, visit, keys[visit, place] + 1, item=taken, value=quantity, seconds=25)

    def _quantity(self, person: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many of an item a person always takes: one to three of what is used up, int64[m, k]."""
        luck = self._draws.uniform(Purpose.QUANTITY, person[:, None], np.maximum(items, 0))
        return np.where(self._stock.consumable[items], 1 + (3 * luck).astype(np.int64), 1)

    def _check_out(self, visits: Visits, memory: Memory, log: ActLog, errands: Errands) -> Orders:
        person, day = visits.person, visits.day
        cart = memory.cart[person]
        luck = self._draws.uniform(Purpose.CHECKOUT, person[:, None], day, 100 + np.maximum(cart, 0))
        rows, places = np.nonzero((cart >= 0) & (luck < _REMOVE_SHARE))
        removed = cart[rows, places]
        log.add(
            Act.REMOVED, rows, Stage.CART + places, item=removed, seconds=10,
            value=self._quantity(person[rows], removed[:, None])[:, 0],
        )  # fmt: skip
        cart[rows, places] = -1
        memory.cart[person] = cart = first_distinct(cart, CART)[0]
        starts = (cart[:, 0] >= 0) & (self._draws.uniform(Purpose.CHECKOUT, person, day, 0) < CHECKOUT_PROBABILITY)
        going = np.flatnonzero(starts)
        completes = self._draws.uniform(Purpose.CHECKOUT, person[going], day, 1) < COMPLETION_PROBABILITY
        orders = self._order(visits.only(going), memory, completes, errands)
        numbers = np.arange(len(going))
        revenue = orders.revenue(self._stock.price)
        log.add(Act.CHECKOUT, going, Stage.CHECKOUT, value=revenue, order=numbers, seconds=20)
        log.add(
            Act.ORDERED, going[completes], Stage.CHECKOUT + 20, value=revenue[completes], order=numbers[completes],
            seconds=100,
        )  # fmt: skip
        gave_up = person[going[~completes]]
        returns = self._draws.uniform(Purpose.CHECKOUT, gave_up, day, 2) < self._behaviour.delayed_share
        late = gave_up[returns]
        wait = self._behaviour.delay_days * self._draws.exponential(Purpose.CHECKOUT, late, day, 3)
        errands.plan(day + 1 + wait.astype(np.int64), Act.ORDERED, late)
        return orders

    def _order(self, visits: Visits, memory: Memory, is_completed: NDArray[np.bool_], errands: Errands) -> Orders:
        """The carts of these visits as orders; completed ones are emptied, owned, and followed up."""
        person, day = visits.person, visits.day
        cart = memory.cart[person]
        coupon = self._draws.uniform(Purpose.CHECKOUT, person, day, 4) < _COUPON_SHARE
        orders = Orders(
            person=person,
            number=memory.n_orders[person] + 1,
            items=cart,
            quantity=self._quantity(person, cart),
            has_coupon=coupon & (memory.n_orders[person] == 0),
        )
        done = person[is_completed]
        memory.n_orders[done] += 1
        memory.cart[done] = -1
        bought = cart[is_completed]
        memory.owned[done] = first_distinct(np.concatenate([bought, memory.owned[done]], axis=1), OWNED)[0]
        wishes = memory.wishes[done]
        wishes[(wishes[:, :, None] == bought[:, None, :]).any(axis=2)] = -1
        memory.wishes[done] = first_distinct(wishes, WISHES)[0]
        self._follow_up(visits.only(is_completed), bought, orders.number[is_completed], memory, errands)
        return orders

    def _follow_up(
        self, visits: Visits, bought: NDArray[np.int64], number: NDArray[np.int64], memory: Memory, errands: Errands
    ) -> None:
        """Plans what orders lead to: reviews, refunds, and running out of what is used up."""
        row, place = np.nonzero(bought >= 0)
        item, person, day = bought[row, place], visits.person[row], visits.day
        some = visits.only(row)
        utility = self._appeal.utility(some, item[:, None])[:, 0].astype(np.float64)

        def uniform(which: int) -> NDArray[np.float64]:
            return self._draws.uniform(Purpose.AFTER, person, day, item, which)

        noise = self._draws.normal(Purpose.RATING, person, item)
        is_disappointed = utility + noise < -2.0
        refunds = uniform(0) < np.where(is_disappointed, 0.3, 0.02)
        errands.plan(
            day + 3 + (9 * uniform(1)[refunds]).astype(np.int64), Act.REFUNDED, person[refunds], item[refunds],
            number[row[refunds]],
        )  # fmt: skip
        rates = ~refunds & (uniform(2) < 0.22)
        satisfaction = 3.9 + 0.45 * utility + 0.6 * self._stock.quality[item] + 0.6 * noise
        rating = np.clip(np.floor(satisfaction + 0.5), 1, 5).astype(np.int64)
        errands.plan(
            day + 3 + (7 * uniform(3)[rates]).astype(np.int64), Act.RATED, person[rates], item[rates], rating[rates]
        )
        used_up = self._stock.consumable[item]
        memory.restock_item[person[used_up]] = item[used_up]
        memory.restock_day[person[used_up]] = day + 18 + (17 * uniform(4)[used_up]).astype(np.int64)


def joined(first: Orders, second: Orders) -> Orders:
    """Orders below orders."""
    return Orders(
        person=np.concatenate([first.person, second.person]),
        number=np.concatenate([first.number, second.number]),
        items=np.concatenate([first.items, second.items]),
        quantity=np.concatenate([first.quantity, second.quantity]),
        has_coupon=np.concatenate([first.has_coupon, second.has_coupon]),
    )


def no_orders() -> Orders:
    """No order at all."""
    none = np.zeros(0, dtype=np.int64)
    return Orders(none, none, none.reshape(0, CART), none.reshape(0, CART), none.astype(np.bool_))
