"""Signals: what an event says about a person."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal[
    "behavioral", "transactional", "demographic", "psychographic", "contextual", "preference", "social", "engagement"
]
Origin = Literal["explicit", "implicit", "contextual", "third_party", "inferred"]


class SignalClass(msgspec.Struct, frozen=True, kw_only=True):
    """A family of signals that is aggregated, consented to and weighted together.

    Attributes:
        half_life_days: after this many days an aggregate of the class counts half.
        prior_weight: weight in the score before weights are learned; negative for what people turn away from.
        purpose: the one purpose that must be granted for it to reach the profile.
        verb: past tense with "you", for reasons: "viewed" -> "you viewed 5 items in audio".
    """

    name: str
    half_life_days: float
    prior_weight: float
    purpose: str = "personalize"
    verb: str = ""


class Signal(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One thing an event says: this item (or these values), this strongly.

    Attributes:
        name: the catalogue's name, for example `product_viewed`.
        signal_class: the class it aggregates under, for example `view`.
        strength: size before any weight: 1.0 for a plain view, the watched fraction, the quantity, a centred rating.
            Aggregates keep it undiluted; a class's sign is in its weight.
        item_id: the item it is about, or "".
        value_minor: money in minor units of `currency`, or 0.
        quantity: how many pieces, 1 when not said.
    """

    name: str
    signal_class: str
    strength: float
    item_id: str = ""
    value_minor: int = 0
    currency: str = ""
    quantity: float = 1.0
