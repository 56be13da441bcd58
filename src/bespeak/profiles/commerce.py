"""Orders, refunds and the cart.

All order signals of one event are one order, and so are all events with one order id (a browser and a server both tell
of it): the earliest of them counts, by time, receipt and message id, whichever comes in first. A cart line is the
latest word about its item, by time, receipt and message id, so that late events find their place: what was added before
it was bought is not in the cart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from bespeak.profiles import limits
from bespeak.profiles.observation import Observation
from bespeak.profiles.profile import CartLine, Order, Orders, Profile
from bespeak.profiles.settings import DAY_MS, FoldSettings
from bespeak.signals.signal import Signal

_Key = TypeVar("_Key", str, int)

_IS_MONEY = {"order": "order", "refund": "refund", "cancel": "refund"}


def fold_commerce(
    profile: Profile, observation: Observation, signals: Sequence[tuple[str, Signal]], settings: FoldSettings
) -> None:
    """Folds the signals of one event that have a role (`settings.Role`)."""
    money: dict[str, dict[str, int]] = {}
    for role, signal in signals:
        part = _IS_MONEY.get(role)
        if part is not None:
            sums = money.setdefault(part, {})
            if signal.value_minor:
                sums[signal.currency] = sums.get(signal.currency, 0) + abs(signal.value_minor)
            _tell(profile.orders, signal.signal_class)
        if part != "refund":
            _fold_cart(profile, role, signal, observation)
    limits.drop_oldest(profile.cart, settings.limits.n_cart, "time_ms")
    if "order" in money:
        first_day = profile.last_ms // DAY_MS - settings.limits.window_days + 1
        told = Order(observation.time_ms, observation.received_ms, observation.message_id, money["order"])
        _tell_order(profile.orders, observation.order_id, told, first_day, settings.limits.n_orders)
    if "refund" in money:
        profile.orders.n_refunds += 1
        for currency, amount in money["refund"].items():
            profile.orders.refunded[currency] = profile.orders.refunded.get(currency, 0) + amount


def in_cart(profile: Profile) -> dict[str, CartLine]:
    """Returns item id -> line of what is in the cart now."""
    since = profile.cart_set
    return {
        item_id: line
        for item_id, line in profile.cart.items()
        if line.quantity > 0 and (since is None or line.stamp >= since.stamp)
    }


def join_orders(into: Orders, other: Orders, n_known: int) -> None:
    """Adds the orders of other events; an order that both know counts once.

    Args:
        n_known: orders whose id is remembered, the latest ones.
    """
    if other.n:
        into.first_ms = min(into.first_ms, other.first_ms) if into.n else other.first_ms
        into.last_ms = max(into.last_ms, other.last_ms) if into.n else other.last_ms
        into.n += other.n
    into.n_refunds += other.n_refunds
    for mine, theirs in ((into.money, other.money), (into.refunded, other.refunded)):
        for currency, amount in theirs.items():
            mine[currency] = mine.get(currency, 0) + amount
    for day, n in other.days.items():
        into.days[day] = into.days.get(day, 0) + n
    for day, money in other.money_days.items():
        held = into.money_days.setdefault(day, {})
        for currency, amount in money.items():
            held[currency] = held.get(currency, 0) + amount
    for name in other.classes:
        _tell(into, name)
    for order_id, order in other.known.items():
        known = into.known.get(order_id)
        if known is None:
            into.known[order_id] = order
            continue
        first, second = (known, order) if known.stamp <= order.stamp else (order, known)
        into.known[order_id] = first
        _take_back(into, second)
    limits.drop_oldest(into.known, n_known, "time_ms")


def join_carts(into: Profile, other: Profile) -> None:
    """Keeps the latest word about each item, and about the cart as a whole."""
    for item_id, line in other.cart.items():
        held = into.cart.get(item_id)
        if held is None or held.stamp < line.stamp:
            into.cart[item_id] = line
    if other.cart_set is not None and (into.cart_set is None or into.cart_set.stamp < other.cart_set.stamp):
        into.cart_set = other.cart_set


def _tell(orders: Orders, signal_class: str) -> None:
    if signal_class not in orders.classes:
        orders.classes = sorted([*orders.classes, signal_class])


def _tell_order(orders: Orders, order_id: str, told: Order, first_day: int, n_known: int) -> None:
    """Counts an order, unless an earlier event told of it; one that came in first and tells later is taken back."""
    held = orders.known.get(order_id)
    if held is not None and held.stamp <= told.stamp:
        orders.last_ms = max(orders.last_ms, told.time_ms)
        return
    _add_order(orders, told.money, told.time_ms, is_in_window=told.time_ms // DAY_MS >= first_day)
    if held is not None:
        _take_back(orders, held)
    if order_id:
        orders.known[order_id] = told
        limits.drop_oldest(orders.known, n_known, "time_ms")


def _take_back(orders: Orders, order: Order) -> None:
    """Uncounts an order; the dates stay, as the event did tell of it. A day outside the window is not held any more."""
    orders.n -= 1
    _subtract(orders.money, order.money)
    day = order.time_ms // DAY_MS
    _subtract(orders.days, {day: 1})
    held = orders.money_days.get(day)
    if held is not None:
        _subtract(held, order.money)
        if not held:
            del orders.money_days[day]


def _subtract(held: dict[_Key, int], amounts: Mapping[_Key, int]) -> None:
    """Takes amounts out; nothing is left of what comes to nothing."""
    for key, amount in amounts.items():
        left = held.get(key, 0) - amount
        if left > 0:
            held[key] = left
        else:
            held.pop(key, None)


def _add_order(orders: Orders, money: dict[str, int], time_ms: int, *, is_in_window: bool) -> None:
    orders.first_ms = min(orders.first_ms, time_ms) if orders.n else time_ms
    orders.last_ms = max(orders.last_ms, time_ms) if orders.n else time_ms
    orders.n += 1
    for currency, amount in money.items():
        orders.money[currency] = orders.money.get(currency, 0) + amount
    if is_in_window:
        day = time_ms // DAY_MS
        orders.days[day] = orders.days.get(day, 0) + 1
        if money:
            held = orders.money_days.setdefault(day, {})
            for currency, amount in money.items():
                held[currency] = held.get(currency, 0) + amount


def _fold_cart(profile: Profile, role: str, signal: Signal, observation: Observation) -> None:
    stamp = (observation.time_ms, observation.received_ms, observation.message_id)
    quantity = max(0.0, float(signal.quantity)) if role in ("cart_add", "cart_set") else 0.0
    if role == "cart_set" and (profile.cart_set is None or profile.cart_set.stamp < stamp):
        profile.cart_set = CartLine(0.0, *stamp, signal.signal_class)
    if signal.item_id:
        line = profile.cart.get(signal.item_id)
        if line is None or line.stamp <= stamp:
            profile.cart[signal.item_id] = CartLine(quantity, *stamp, signal.signal_class)
