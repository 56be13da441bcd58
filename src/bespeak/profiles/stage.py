"""Where a person is on the journey: new, browsing, considering, cart, customer, loyal or lapsed.

Derived from the profile and the present time, never stored. The first that holds, from the end of the journey:

- *lapsed*: nothing for `lapsed_after_days`;
- *loyal*: at least `loyal_orders` orders; *customer*: an order;
- *cart*: something in the cart, changed within `cart_days`;
- *considering*: came back to one item within `considering_days`, or touched `considering_items` of them;
- *browsing*: more than one visit, or `browsing_events` events; *new*: less than that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import msgspec

from bespeak.profiles.commerce import in_cart
from bespeak.profiles.profile import Profile
from bespeak.profiles.settings import DAY_MS

Stage = Literal["new", "browsing", "considering", "cart", "customer", "loyal", "lapsed"]
STAGES: tuple[str, ...] = get_args(Stage)


class StageRules(msgspec.Struct, frozen=True, kw_only=True):
    """The thresholds between the stages."""

    lapsed_after_days: int = 60
    loyal_orders: int = 3
    cart_days: int = 14
    considering_days: int = 14
    considering_items: int = 5
    browsing_events: int = 3


def stage_of(
    profile: Profile, classes: Mapping[str, float], now_ms: int, rules: StageRules
) -> tuple[Stage, int | None]:
    """Returns the stage, and the first time at which it may change without an event (None: never).

    Args:
        profile: whose.
        classes: the classes that may be read, with their weights; only those of positive weight count as considering.
        now_ms: the present.
        rules: the thresholds.
    """
    if not profile.n_events:
        return "new", None
    lapses_ms = profile.last_ms + rules.lapsed_after_days * DAY_MS
    if now_ms >= lapses_ms:
        return "lapsed", None
    orders = profile.orders
    if orders.n and all(name in classes for name in orders.classes):
        return ("loyal" if orders.n >= rules.loyal_orders else "customer"), lapses_ms
    changed = [line.time_ms for line in in_cart(profile).values() if line.signal_class in classes]
    cart_ends_ms = max(changed, default=-(1 << 62)) + rules.cart_days * DAY_MS
    if now_ms < cart_ends_ms:
        return "cart", min(lapses_ms, cart_ends_ms)
    considers_ms = _considers_until(profile, classes, now_ms, rules)
    if considers_ms is not None:
        return "considering", min(lapses_ms, considers_ms)
    is_back = len(profile.sessions) + profile.n_older_sessions > 1
    return ("browsing" if is_back or profile.n_events >= rules.browsing_events else "new"), lapses_ms


def _considers_until(profile: Profile, classes: Mapping[str, float], now_ms: int, rules: StageRules) -> int | None:
    """Returns until when the latest steps show that a person considers something, None when they do not."""
    window_ms = rules.considering_days * DAY_MS
    touched: dict[str, int] = {}
    for step in reversed(profile.recent):
        if step.time_ms + window_ms <= now_ms:
            return None
        if classes.get(step.signal_class, 0.0) > 0:
            came_back = touched.setdefault(step.item_id, step.time_ms) != step.time_ms
            if came_back or len(touched) >= rules.considering_items:
                return step.time_ms + window_ms
    return None
