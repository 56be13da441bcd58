"""The two worlds that ship: a shop and a streaming service."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bespeak.simulate.behaviour import Weights
from bespeak.simulate.doing.buying import Buying
from bespeak.simulate.doing.watching import Watching
from bespeak.simulate.events import Event, events_of
from bespeak.simulate.offer.goods import make_goods
from bespeak.simulate.offer.stock import Stock
from bespeak.simulate.offer.titles import make_titles
from bespeak.simulate.world import Funnel, World


class PlayedWorld(World):
    """A world that plays itself."""

    def events(self) -> Iterator[Event]:
        """The history under the popular policy: Segment-shaped events in time order, times in [start_ms, end_ms)."""
        return events_of(self)


class ShopWorld(PlayedWorld):
    """A shop: twelve departments, carts, orders, reviews, refunds and a newsletter.

    Args:
        seed: seed of all draws, not negative.
        n_people: how many people there are; a few may never visit.
        n_items: how many items (variants counted).
        days: length of the world's time in days.
        end_ms: its end (exclusive), milliseconds since 1970 UTC.
        behaviour: the planted values.

    Raises:
        InvalidInput: an argument is out of its range.

    Example:
        >>> world = ShopWorld(7, n_people=3, n_items=24, days=30, end_ms=1_750_000_000_000)
        >>> len(world.items()), len(world.people()), world.items()[0]["id"]
        (24, 3, 'p0001')
        >>> events = list(world.events())
        >>> events == list(world.events()), {"messageId", "timestamp", "type"} <= events[0].keys()
        (True, True)
    """

    WEIGHTS = Weights(base=-2.5, facets={"category": 1.1, "brand": 0.55, "colour": 0.25})
    name = "shop"
    has_subscriptions = False

    def _make_stock(self, rng: np.random.Generator, n_items: int) -> Stock:
        return make_goods(rng, n_items, self.start_ms, self.end_ms)

    def _make_funnel(self) -> Funnel:
        return Buying(self.stock, self.appeal, self.draws, self.behaviour)


class StreamingWorld(PlayedWorld):
    """A streaming service: films and series, watch fractions, ratings, continue watching, subscriptions that end.

    Args:
        seed, n_people, days, end_ms, behaviour: as in `ShopWorld`.
        n_items: how many titles.

    Example:
        >>> world = StreamingWorld(7, n_people=5, n_items=24, days=30, end_ms=1_750_000_000_000)
        >>> any(event.get("event") == "Video Content Started" for event in world.events())
        True
    """

    WEIGHTS = Weights(
        base=-2.0, facets={"genre": 1.1, "studio": 0.4}, price=0.0, mobile_price=0.0, evening=0.6, fatigue=-0.8
    )
    name = "streaming"
    has_subscriptions = True

    def _make_stock(self, rng: np.random.Generator, n_items: int) -> Stock:
        return make_titles(rng, n_items, self.start_ms, self.end_ms)

    def _make_funnel(self) -> Funnel:
        return Watching(self.stock, self.appeal, self.draws)


WORLDS: dict[str, type[PlayedWorld]] = {"shop": ShopWorld, "streaming": StreamingWorld}
"""Name -> world."""
