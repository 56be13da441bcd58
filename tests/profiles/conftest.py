"""A small shop's settings, and a short way to write observations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bespeak.profiles.observation import Observation
from bespeak.profiles.settings import FoldSettings
from bespeak.signals.signal import Signal, SignalClass

CLASSES = {
    "view": SignalClass(name="view", half_life_days=30, prior_weight=1.0, verb="viewed"),
    "cart": SignalClass(name="cart", half_life_days=30, prior_weight=3.0, verb="added to your cart"),
    "cart_view": SignalClass(name="cart_view", half_life_days=14, prior_weight=0.3),
    "purchase": SignalClass(name="purchase", half_life_days=180, prior_weight=5.0, verb="bought"),
    "refund": SignalClass(name="refund", half_life_days=180, prior_weight=-4.0, verb="returned"),
    "hide": SignalClass(name="hide", half_life_days=180, prior_weight=-3.0, verb="hid"),
    "remove": SignalClass(name="remove", half_life_days=30, prior_weight=-1.5, verb="removed"),
    "exposure": SignalClass(name="exposure", half_life_days=14, prior_weight=0.0, purpose="measure"),
}


@pytest.fixture
def settings() -> FoldSettings:
    return FoldSettings(classes=CLASSES, facets=("category", "brand"), numeric_facets=("price",))


Saw = Callable[..., Observation]


@pytest.fixture
def saw() -> Saw:
    """Returns `saw(time_ms, class, item, …)`: one observation with one signal (none without a class)."""
    count = iter(range(1_000_000))

    def make(time_ms: int, signal_class: str = "", item: str = "", **more: Any) -> Observation:
        n = next(count)
        names = {"signal": signal_class, "strength": 1.0, "value": 0, "quantity": 1.0}
        given = {key: more.pop(key, default) for key, default in names.items()}
        signals = ()
        if signal_class:
            signals = (
                Signal(
                    given["signal"], signal_class, given["strength"], item, given["value"], "EUR", given["quantity"]
                ),
            )
        defaults = {"received_ms": time_ms, "message_id": f"m{n:06}", "signals": signals}
        return Observation(time_ms=time_ms, **{**defaults, **more})

    return make
