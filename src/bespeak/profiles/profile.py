"""The record of one person.

Every part joins with its like of another profile of the same person: decayed sums and counts add, dates take minimum
and maximum, values that can change are last writer by (time, received, message id), sequences keep the latest by
time, sessions unite. Whatever follows from these and the present time (stage, shares, segments) is derived when read
and never stored.

Steps and pages of one millisecond are ordered by their content: no order of arrival shows.
"""

from __future__ import annotations

from typing import Any

import msgspec

from bespeak.profiles.decay import Moments
from bespeak.profiles.sums import Sums


class Trait(msgspec.Struct, array_like=True, gc=False):
    """A value that a later one replaces, and where it came from. `value` None is unset."""

    value: Any
    time_ms: int
    received_ms: int
    message_id: str
    source: str = ""

    def precedes(self, time_ms: int, received_ms: int, message_id: str) -> bool:
        """True when a writer of that time, receipt and message id comes after this one."""
        if time_ms != self.time_ms:
            return time_ms > self.time_ms
        return (received_ms, message_id) > (self.received_ms, self.message_id)


class Consent(msgspec.Struct, array_like=True, gc=False):
    """The latest word about one purpose."""

    is_granted: bool
    time_ms: int
    received_ms: int
    message_id: str


class Step(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """One item of the recent sequence, with the class and the strength of the signal."""

    time_ms: int
    item_id: str
    signal_class: str
    strength: float


class PageView(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """A page or screen; `referrer` is the class of the referrer."""

    time_ms: int
    path: str
    referrer: str = ""


class Session(msgspec.Struct, array_like=True):
    """One visit: events with no gap longer than the session gap.

    Attributes:
        pages: the path, the latest pages of it, ascending.
        counts: class -> signals.
        devices: device class -> events.
    """

    start_ms: int
    end_ms: int
    n_events: int = 0
    n_pages: int = 0
    entry: PageView | None = None
    exit: PageView | None = None
    pages: list[PageView] = []
    counts: dict[str, int] = {}
    devices: dict[str, int] = {}


class Order(msgspec.Struct, frozen=True, array_like=True):
    """What one order was counted as: by the earliest of the events that tell of it."""

    time_ms: int
    received_ms: int
    message_id: str
    money: dict[str, int] = {}

    @property
    def stamp(self) -> tuple[int, int, str]:
        """Time, receipt and message id: which of two events tells first."""
        return self.time_ms, self.received_ms, self.message_id


class Orders(msgspec.Struct, array_like=True):
    """Recency, frequency, monetary.

    Attributes:
        classes: of the signals that told, ascending; orders may be read where all of them may.
        money: currency -> minor units ordered; `refunded` is kept apart and never below 0.
        days: day since 1970 (UTC) -> orders; `money_days` the same with currency -> minor units.
        known: order id -> what it was counted as, of the latest orders that had an id: each counts once.
    """

    n: int = 0
    first_ms: int = 0
    last_ms: int = 0
    money: dict[str, int] = {}
    n_refunds: int = 0
    refunded: dict[str, int] = {}
    days: dict[int, int] = {}
    money_days: dict[int, dict[str, int]] = {}
    classes: list[str] = []
    known: dict[str, Order] = {}


class CartLine(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The latest word about one item in the cart; quantity 0 is taken out or bought."""

    quantity: float
    time_ms: int
    received_ms: int
    message_id: str
    signal_class: str

    @property
    def stamp(self) -> tuple[int, int, str]:
        """Time, receipt and message id: which of two words is the later one."""
        return self.time_ms, self.received_ms, self.message_id


class Progress(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How much of an item was played, 0 to 1, by the latest word about it."""

    fraction: float
    time_ms: int
    received_ms: int
    message_id: str
    signal_class: str

    @property
    def stamp(self) -> tuple[int, int, str]:
        """Time, receipt and message id: which of two words is the later one."""
        return self.time_ms, self.received_ms, self.message_id


class SubscriptionWord(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """A subscription was started or renewed (`is_on`), or it ended; with what was paid, in minor units."""

    time_ms: int
    received_ms: int
    message_id: str
    is_on: bool
    signal_class: str
    value_minor: int = 0
    currency: str = ""


class Device(msgspec.Struct, array_like=True, gc=False):
    """A kind of device that was used."""

    n_events: int
    first_ms: int
    last_ms: int


class Profile(msgspec.Struct, array_like=True):
    """What is known of one person. A new one is empty; `fold` and `merge` change it in place.

    Attributes:
        fold_version: of the settings it was folded with.
        n_events: events folded; `first_ms` and `last_ms` mean nothing while it is 0.
        identities: kind -> value -> when it was last used.
        traits: name -> value with its source.
        places: country, city, language, time zone, as the latest events had them.
        affinities: facet -> class -> value -> decayed strength, undiluted by weights.
        numbers: numeric facet -> class -> moments.
        items: class -> item id -> decayed strength.
        recent: the latest steps, ascending.
        sessions: the latest visits, ascending; `n_older_sessions` were dropped.
        counts: class -> day since 1970 (UTC) -> signals.
        cart: item id -> line; one that is older than `cart_set`, when the whole cart was last seen, is no longer in it.
        consent: purpose -> latest word.
        withdrawn: purpose -> time of its latest withdrawal; signals up to then never count again.
        devices: "device os browser" -> use.
        progress: item id -> how much of it was played.
        subscription: the latest words about their subscription, ascending.
    """

    fold_version: int = 0
    n_events: int = 0
    first_ms: int = 0
    last_ms: int = 0
    identities: dict[str, dict[str, int]] = {}
    traits: dict[str, Trait] = {}
    places: dict[str, Trait] = {}
    affinities: dict[str, Sums] = {}
    numbers: dict[str, dict[str, Moments]] = {}
    items: Sums = {}
    recent: list[Step] = []
    sessions: list[Session] = []
    n_older_sessions: int = 0
    counts: dict[str, dict[int, int]] = {}
    orders: Orders = msgspec.field(default_factory=Orders)
    cart: dict[str, CartLine] = {}
    cart_set: CartLine | None = None
    consent: dict[str, Consent] = {}
    withdrawn: dict[str, int] = {}
    devices: dict[str, Device] = {}
    progress: dict[str, Progress] = {}
    subscription: list[SubscriptionWord] = []
