"""What a profile keeps: facets, classes with their half-lives, limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from bespeak.errors import ConfigError
from bespeak.signals.signal import SignalClass

DAY_MS = 86_400_000
MINUTE_MS = 60_000

FOLD_REVISION = 4
"""Raised by a release that makes another profile of the same events; projects then fold their people anew."""

Role = Literal[
    "order", "refund", "cancel", "cart_add", "cart_remove", "cart_set", "progress", "subscribe", "unsubscribe"
]
ROLES: frozenset[str] = frozenset(get_args(Role))

BUILT_IN_ROLES: Mapping[str, str] = {
    "purchase": "order",
    "refund": "refund",
    "cart": "cart_add",
    "cart_view": "cart_set",
    "product_removed": "cart_remove",
    "progress": "progress",
    "watch": "progress",
    "subscription_started": "subscribe",
    "subscription_cancelled": "unsubscribe",
}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much one profile holds. `bespeak.profiles.limits` says what goes first when a limit bites.

    Attributes:
        n_recent: steps of the recent sequence.
        n_items: items with a history.
        n_facet_values: values per facet.
        n_pages: pages kept of one session's path; `n_page_sessions` sessions keep a path, older ones entry and exit.
        n_cart: cart lines, emptied ones included.
        n_progress: items of which it is known how much was played, the latest ones.
        n_subscription: words about the subscription, the latest ones.
        n_orders: orders whose id is remembered, so that each counts once.
        window_days: days that daily counts reach back from the latest event.
    """

    n_recent: int = 200
    n_items: int = 2000
    n_facet_values: int = 500
    n_traits: int = 200
    n_sessions: int = 50
    n_page_sessions: int = 5
    n_pages: int = 20
    n_cart: int = 100
    n_progress: int = 100
    n_subscription: int = 100
    n_orders: int = 100
    n_devices: int = 20
    n_identities: int = 50
    window_days: int = 400

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise ConfigError(f"must be at least 1, not {value}.", key=f"profiles.limits.{name}")


@dataclass(frozen=True, kw_only=True)
class FoldSettings:
    """Everything that decides how events become a profile. A change of any of it wants a new `fold_version`.

    Attributes:
        classes: name -> signal class. Signals of other classes are ignored.
        facets: item attributes whose values get affinities.
        numeric_facets: item attributes of which mean and spread are kept.
        roles: signal name or class -> what it does to orders, cart or subscription, or that its strength is the part
            of the item that was played (`progress`); a signal's name wins over its class. Other words than those of
            `Role` mean nothing here.
        recent_min_weight: a class enters the recent sequence when its prior weight, positive or negative, is at least
            this large; what was merely on a page (lists, exposures) would crowd out the rest.
        profile_purpose: the purpose of what has no class: traits, sessions, devices, dates.
        fold_version: kept in every profile; a profile of another version wants a refold.
        rates: class -> halvings per millisecond (derived).
        purposes: class -> purpose (derived).

    Example:
        >>> view = SignalClass(name="view", half_life_days=30, prior_weight=1.0)
        >>> FoldSettings(classes={"view": view}, facets=("genre",)).rates["view"] * 30 * DAY_MS
        1.0
    """

    classes: Mapping[str, SignalClass]
    facets: tuple[str, ...] = ()
    numeric_facets: tuple[str, ...] = ()
    roles: Mapping[str, str] = field(default_factory=lambda: BUILT_IN_ROLES)
    session_gap_minutes: float = 30
    recent_min_weight: float = 0.5
    limits: Limits = Limits()
    profile_purpose: str = "personalize"
    fold_version: int = 1
    rates: Mapping[str, float] = field(init=False)
    purposes: Mapping[str, str] = field(init=False)
    recent_classes: frozenset[str] = field(init=False)
    facet_set: frozenset[str] = field(init=False)
    numeric_set: frozenset[str] = field(init=False)
    session_gap_ms: int = field(init=False)

    def __post_init__(self) -> None:
        for name, signal_class in self.classes.items():
            if not signal_class.half_life_days > 0:
                raise ConfigError("half_life_days must be above 0.", key=f"signals.classes.{name}")
        both = sorted(set(self.facets) & set(self.numeric_facets))
        if both:
            raise ConfigError(f"a facet is either text or numeric: {', '.join(both)}.", key="profiles.facets")
        if not self.session_gap_minutes > 0:
            raise ConfigError("must be above 0.", key="profiles.session_gap_minutes")
        derived = {
            "rates": {name: 1.0 / (c.half_life_days * DAY_MS) for name, c in self.classes.items()},
            "purposes": {name: c.purpose for name, c in self.classes.items()},
            "recent_classes": frozenset(
                name for name, c in self.classes.items() if abs(c.prior_weight) >= self.recent_min_weight
            ),
            "facet_set": frozenset(self.facets),
            "numeric_set": frozenset(self.numeric_facets),
            "session_gap_ms": round(self.session_gap_minutes * MINUTE_MS),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)
