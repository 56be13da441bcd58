"""What each act is called on the wire, and what its properties are: the shop's words and the streaming service's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bespeak.simulate.crowd.people import Person
from bespeak.simulate.doing.acts import Act
from bespeak.simulate.doing.purchases import order_properties
from bespeak.simulate.life import Day
from bespeak.simulate.offer.goods import event_properties
from bespeak.simulate.offer.titles import video_properties
from bespeak.simulate.policies import Experiment
from bespeak.simulate.world import World

EXPERIMENT = "home-policy"
_REVIEWS = {
    1: "Not what I had hoped for.",
    2: "Could be better for the price.",
    3: "Does what it should.",
    4: "Very happy with it.",
    5: "Wonderful, I would buy it again.",
}
_SAID = {
    Act.CONSENT: "Segment Consent Preference Updated",
    Act.ASSIGNED: "Experiment Viewed",
    Act.CLICKED: "Product Clicked",
    Act.LOOKED: "Product Viewed",
    Act.LISTED: "Product List Viewed",
    Act.SEARCHED: "Products Searched",
    Act.SUBSCRIBED: "Newsletter Subscribed",
    Act.ANSWERED: "Survey Answered",
    Act.ADDED: "Product Added",
    Act.REMOVED: "Product Removed",
    Act.WISHED: "Product Added to Wishlist",
    Act.SHARED: "Product Shared",
    Act.CHECKOUT: "Checkout Started",
    Act.ORDERED: "Order Completed",
    Act.REFUNDED: "Order Refunded",
    Act.RATED: "Product Reviewed",
    Act.STARTED: "Video Content Started",
    Act.RESUMED: "Video Playback Resumed",
    Act.STOPPED: "Video Playback Exited",
    Act.COMPLETED: "Video Content Completed",
    Act.JOINED: "Subscription Started",
    Act.CANCELLED: "Subscription Cancelled",
    Act.MAILED: "Email Delivered",
    Act.OPENED: "Email Opened",
    Act.FOLLOWED: "Email Link Clicked",
    Act.UNSUBSCRIBED: "Unsubscribed",
}
_MAIL: dict[Act, dict[str, Any]] = {
    Act.MAILED: {},
    Act.OPENED: {},
    Act.FOLLOWED: {"link_id": "new"},
    Act.UNSUBSCRIBED: {"list_id": "weekly"},
}
_CONSTANT: dict[Act, dict[str, Any]] = {
    Act.SUBSCRIBED: {"list_id": "weekly", "list_name": "New this week"},
    Act.JOINED: {"plan": "standard"},
    Act.CANCELLED: {"plan": "standard"},
}


@dataclass
class Words:
    """An act as the wire has it: the name, the properties, and the page it happens on ("" stays where one is)."""

    name: str
    properties: dict[str, Any] = field(default_factory=dict)
    type: str = "track"
    path: str = ""
    title: str = ""


class Wording:
    """The words of one world.

    Args:
        world: the world.
        describe: record -> the properties by which clients describe an item.
        item_path: where an item's page stands.
    """

    def __init__(self, world: World, describe: Callable[[dict[str, Any]], dict[str, Any]], item_path: str) -> None:
        self._world = world
        self._records = world.stock.records
        self._described = [describe(record) for record in self._records]
        self._item_path = item_path

    def described(self, item: int) -> dict[str, Any]:
        """The properties by which clients describe an item."""
        return dict(self._described[item])

    def of(self, act: Act, person: Person, day: Day, item: int, value: float, order: int) -> Words:
        """The words of one act."""
        if act in (Act.LISTED, Act.SEARCHED):
            return self._shelf(act, person, item, value)
        if act is Act.PAGE:
            return Words("Home", type="page", path="/", title="Home")
        if act is Act.LOGGED_IN:
            return Words("", person.traits(), type="identify")
        if order >= 0:
            return self._order(act, day, item, order)
        if item >= 0:
            return self._item(act, item, value)
        return Words(_SAID[act], self._plain(act, person, day, value))

    def _item(self, act: Act, item: int, value: float) -> Words:
        record = self._records[item]
        words = Words(_SAID[act], self.described(item))
        if act is not Act.CLICKED:
            words.path, words.title = f"{self._item_path}{record['id']}", record["title"]
        if act in (Act.ADDED, Act.REMOVED):
            words.properties["quantity"] = int(value)
        elif act is Act.SHARED:
            words.properties["share_via"] = "link"
        elif act is Act.RATED:
            words.properties["rating"] = int(value)
            words.properties["review_body"] = _REVIEWS[int(value)]
        elif act in (Act.STOPPED, Act.COMPLETED):
            length = words.properties["total_length"]
            words.properties["position"] = length if act is Act.COMPLETED else round(value * 60)
        elif act is Act.RESUMED:
            words.properties["position"] = round(value * words.properties["total_length"])
        return words

    def _shelf(self, act: Act, person: Person, kind_index: int, value: float) -> Words:
        kind = self._world.stock.kinds[kind_index]
        if act is Act.SEARCHED:
            pair = kind.words[int(value) % len(kind.words)]
            query = pair[1 if person.locale.startswith("de") else 0].lower()
            return Words(_SAID[act], {"query": query}, path="/search", title="Search")
        facet = next(iter(self._world.stock.facets))
        path = f"/c/{kind.key.replace(' ', '-')}"
        return Words(_SAID[act], {"list_id": kind.key, facet: kind.key}, path=path, title=kind.key.capitalize())

    def _order(self, act: Act, day: Day, item: int, order: int) -> Words:
        orders, row = day.orders, order
        cart = {
            int(one): int(n)
            for one, n in zip(orders.items[row].tolist(), orders.quantity[row].tolist(), strict=True)
            if one >= 0
        }
        order_id = f"o-{self._world.seed}-{int(orders.person[row]) + 1}-{int(orders.number[row])}"
        properties = order_properties(self._world.stock, cart, order_id, has_coupon=bool(orders.has_coupon[row]))
        path = "/account/orders" if act is Act.REFUNDED else "/checkout"
        return Words(_SAID[act], properties, path=path, title="My orders" if act is Act.REFUNDED else "Checkout")

    def _plain(self, act: Act, person: Person, day: Day, value: float) -> dict[str, Any]:
        if act is Act.ASSIGNED:
            return {"experiment_name": EXPERIMENT, "variation_name": Experiment.ARMS[int(value)]}
        if act is Act.ANSWERED:
            taste = next(iter(self._world.people_truth.tastes.values()))[person.index]
            return {"interests": [self._world.stock.kinds[int(k)].key for k in np.argsort(-taste)[:2]]}
        if act in _MAIL:
            mail = {"email_id": f"weekly-{day.number // 7}", "email_subject": "New this week"}
            return {**mail, "campaign_name": "weekly", **_MAIL[act]}
        return dict(_CONSTANT.get(act, {}))


def wording(world: World) -> Wording:
    """The words of a world."""
    if world.has_subscriptions:
        return Wording(world, video_properties, "/title/")
    return Wording(world, event_properties, "/p/")
