"""The life of one simulated person in the shop: when they come, what they look at, what they buy, what follows."""

from __future__ import annotations

import heapq
import math
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from bespeak.simulate.choice import examination, logistic
from bespeak.simulate.envelope import SHOP_URL, Event, Visit, iso_time
from bespeak.simulate.goods import DAY_MS, Goods
from bespeak.simulate.people import Device, Person
from bespeak.simulate.purchases import CHECKOUT_PROBABILITY, COMPLETION_PROBABILITY, order_properties, product_event
from bespeak.simulate.ranges import CATEGORIES
from bespeak.simulate.rhythm import visit_times

_SESSION_GAP_MS = 31 * 60_000
_TASTE_FOCUS = 1.6  # how strongly taste steers which department is opened
_FATIGUE = 0.5  # utility lost each time an item was looked at before
_SURVEY_SHARE = 0.2
_CAMPAIGNS: tuple[tuple[dict[str, str] | None, str, float], ...] = (
    (None, "", 0.55),
    (None, "https://www.google.com/", 0.2),
    ({"source": "instagram", "medium": "social", "name": "new-season"}, "https://www.instagram.com/", 0.13),
    ({"source": "google", "medium": "cpc", "name": "brand"}, "https://www.google.com/", 0.12),
)
_REVIEWS = {
    1: "Not what I had hoped for.",
    2: "Could be better for the price.",
    3: "Does what it should.",
    4: "Very happy with it.",
    5: "Wonderful, I would buy it again.",
}


class Shopper:
    """Plays one person from `start_ms` to `end_ms`.

    Args:
        person: who.
        goods: what the shop sells.
        utility: this person's utilities, float64[n_items].
        rng: this person's own generator.
        message_prefix: begin of the person's message ids.
    """

    def __init__(
        self,
        person: Person,
        goods: Goods,
        utility: NDArray[np.float64],
        rng: np.random.Generator,
        message_prefix: str,
    ) -> None:
        self._person = person
        self._goods = goods
        self._utility = utility
        self._rng = rng
        self._prefix = message_prefix
        self._log_popularity = np.log(goods.popularity)
        focus = np.exp(_TASTE_FOCUS * person.taste)
        self._departments = 0.85 * focus / focus.sum() + 0.15 / len(focus)
        self._agenda: list[tuple[int, int, str, int]] = []
        self._n_planned = 0
        self._n_visits = 0
        self._n_orders = 0
        self._n_views: Counter[int] = Counter()
        self._cart: dict[int, int] = {}
        self._wishlist: list[int] = []
        self._owned: set[int] = set()
        self._restock: list[int] = []
        self._orders: dict[int, tuple[str, dict[int, int]]] = {}
        self._logged_in: set[str] = set()
        self._asked: set[str] = set()
        self._subscribed = person.newsletter

    def history(self, start_ms: int, end_ms: int) -> list[Event]:
        """All events of this person in [start_ms, end_ms), in time order."""
        for at_ms in visit_times(self._person, self._rng, start_ms, end_ms):
            self._plan(at_ms, "visit")
        if self._subscribed:
            for at_ms in range(start_ms + 3 * DAY_MS, end_ms, 7 * DAY_MS):
                self._plan(at_ms + int(self._rng.exponential(6 * 3_600_000)), "newsletter")
        acts = {
            "visit": self._shop,
            "newsletter": self._read_newsletter,
            "review": self._review,
            "refund": self._refund,
            "restock": self._run_out,
        }
        events: list[Event] = []
        free_from_ms = start_ms
        while self._agenda:
            at_ms, _, act, subject = heapq.heappop(self._agenda)
            if at_ms >= end_ms:
                break
            if at_ms < free_from_ms:  # visits of one person never overlap: this one waits for the pause to end
                self._plan(free_from_ms, act, subject)
                continue
            visit = acts[act](at_ms, subject)
            if visit is not None and visit.events:
                events.extend(visit.events)
                free_from_ms = visit.at_ms + _SESSION_GAP_MS
        end = iso_time(end_ms)  # the last visit may reach over the end
        return [event for event in events if event["timestamp"] < end]

    def _plan(self, at_ms: int, act: str, subject: int = -1) -> None:
        heapq.heappush(self._agenda, (at_ms, self._n_planned, act, subject))
        self._n_planned += 1

    def _enter(self, at_ms: int, *, campaign: dict[str, str] | None = None, referrer: str = "") -> Visit:
        devices = self._person.devices
        device: Device = devices[int(self._rng.choice(len(devices), p=[device.share for device in devices]))]
        self._n_visits += 1
        return Visit(
            self._person,
            device,
            at_ms,
            message_prefix=f"{self._prefix}-{self._n_visits}",
            logged_in=device.anonymous_id in self._logged_in,
            campaign=campaign,
            referrer=referrer,
        )

    def _shop(self, at_ms: int, _subject: int) -> Visit:
        campaign, referrer, _ = _CAMPAIGNS[int(self._rng.choice(len(_CAMPAIGNS), p=[row[-1] for row in _CAMPAIGNS]))]
        visit = self._enter(at_ms, campaign=campaign, referrer=referrer)
        self._answer_consent(visit)
        visit.page("Home")
        self._look(visit, self._shelf(visit.at_ms, None, 8, 0.5))
        if not visit.logged_in and self._rng.random() < self._person.login_habit:
            self._log_in(visit)
        self._pick_up_where_left(visit)
        for _ in range(1 + int(self._rng.poisson(0.7))):
            self._browse_department(visit)
        self._checkout(visit)
        return visit

    def _answer_consent(self, visit: Visit) -> None:
        """The first visit on a device starts with the consent question; unspoken people leave it open."""
        device_id = visit.device.anonymous_id
        if self._person.consent.preferences is not None and device_id not in self._asked:
            self._asked.add(device_id)
            visit.track("Segment Consent Preference Updated", {})

    def _log_in(self, visit: Visit) -> None:
        if self._person.user_id is not None and not visit.logged_in:
            visit.wait(float(self._rng.uniform(3, 20)))
            visit.identify()
            if not self._logged_in:
                self._introduce(visit)
            self._logged_in.add(visit.device.anonymous_id)

    def _introduce(self, visit: Visit) -> None:
        """What new accounts are asked: the newsletter and, with a few answers, their interests."""
        if self._subscribed:
            visit.track("Newsletter Subscribed", {"list_id": "weekly", "list_name": "New this week"})
        if self._rng.random() < _SURVEY_SHARE:
            favourites = np.argsort(-self._person.taste)[:2]
            visit.wait(float(self._rng.uniform(5, 30)))
            visit.track("Survey Answered", {"interests": [CATEGORIES[int(index)].key for index in favourites]})

    def _shelf(self, at_ms: int, category: int | None, n: int, noise: float) -> NDArray[np.int64]:
        """What the unpersonalized shop shows: by popularity with some rotation, the same rule for everybody."""
        shown = self._goods.on_sale(at_ms)
        if category is not None:
            shown = shown & (self._goods.category == category)
        items = np.flatnonzero(shown)
        order = self._log_popularity[items] + noise * self._rng.gumbel(size=len(items))
        return np.asarray(items[np.argsort(-order, kind="stable")[:n]])

    def _browse_department(self, visit: Visit) -> None:
        category_index = int(self._rng.choice(len(CATEGORIES), p=self._departments))
        category = CATEGORIES[category_index]
        visit.wait(float(self._rng.uniform(4, 40)))
        shelf = self._shelf(visit.at_ms, category_index, 12, 0.8)
        if self._rng.random() < 0.35:
            kind = category.kinds[int(self._rng.integers(len(category.kinds)))]
            query = kind[1 if self._person.locale.startswith("de") else 0].lower()
            visit.go_to("/search", "Search")
            visit.track("Products Searched", {"query": query})
            wanted = np.array(
                [self._goods.records[int(i)]["attributes"]["type"] == kind[0].lower() for i in shelf], dtype=bool
            )
            shelf = np.concatenate([shelf[wanted], shelf[~wanted]])
        else:
            visit.go_to(f"/c/{category.key}", category.label[0])
            visit.track("Product List Viewed", {"list_id": category.key, "category": category.key})
        self._look(visit, shelf)

    def _look(self, visit: Visit, shelf: NDArray[np.int64]) -> None:
        """Scans a shelf from the top; each position is clicked or not, as `choice` says."""
        fatigue = np.array([min(self._n_views[int(item)], 4) for item in shelf], dtype=np.float64)
        chance = examination(len(shelf)) * logistic(self._utility[shelf] - _FATIGUE * fatigue)
        clicked = self._rng.random(len(shelf)) < chance
        for position in np.flatnonzero(clicked):
            self._view(visit, int(shelf[position]), int(position) + 1)

    def _view(self, visit: Visit, item: int, position: int | None = None) -> None:
        rng, record = self._rng, self._goods.records[item]
        visit.wait(float(rng.uniform(2, 25)))
        visit.go_to(f"/p/{record['id']}", record["title"])
        more = {} if position is None else {"position": position}
        visit.track("Product Viewed", product_event(self._goods, item, **more))
        self._n_views[item] += 1
        visit.wait(float(rng.lognormal(3.0, 0.8)))
        keeps_off = item in self._owned and not record["attributes"]["consumable"]
        wants = float(logistic(np.array([0.9 * self._utility[item] - 0.2]))[0]) * (0.05 if keeps_off else 1.0)
        draw = float(rng.random())
        if item not in self._cart and draw < wants:
            quantity = int(rng.integers(1, 4)) if record["attributes"]["consumable"] else 1
            self._cart[item] = quantity
            visit.track("Product Added", product_event(self._goods, item, quantity=quantity, cart_id=self._cart_id))
        elif item not in self._wishlist and draw < wants + 0.08:
            self._wishlist.append(item)
            visit.track("Product Added to Wishlist", product_event(self._goods, item, wishlist_id=f"w-{self._prefix}"))
        elif draw > 0.985:
            visit.track("Product Shared", product_event(self._goods, item, share_via="link"))

    @property
    def _cart_id(self) -> str:
        return f"c-{self._prefix}-{self._n_orders + 1}"

    def _pick_up_where_left(self, visit: Visit) -> None:
        """Comes back to what ran out, and now and then to the wish list."""
        for item in self._restock:
            self._view(visit, item)
        self._restock.clear()
        if self._wishlist and self._rng.random() < 0.25:
            self._view(visit, self._wishlist[int(self._rng.integers(len(self._wishlist)))])

    def _checkout(self, visit: Visit) -> None:
        rng = self._rng
        for item in [item for item in self._cart if rng.random() < 0.1]:
            quantity = self._cart.pop(item)
            properties = product_event(self._goods, item, quantity=quantity, cart_id=self._cart_id)
            visit.track("Product Removed", properties)
        if not self._cart or rng.random() >= CHECKOUT_PROBABILITY:
            return
        visit.go_to("/checkout", "Checkout")
        self._log_in(visit)
        order_id = f"o-{self._prefix}-{self._n_orders + 1}"
        coupon = "WELCOME10" if self._n_orders == 0 and rng.random() < 0.3 else None
        properties = order_properties(
            self._goods, self._cart, order_id, coupon=coupon, discount_percent=10 if coupon else 0
        )
        visit.track("Checkout Started", properties)
        visit.wait(float(rng.uniform(30, 240)))
        if rng.random() < COMPLETION_PROBABILITY:
            visit.track("Order Completed", properties)
            self._follow_up(visit.at_ms, order_id, dict(self._cart))
            self._cart.clear()
            self._n_orders += 1

    def _follow_up(self, at_ms: int, order_id: str, bought: dict[int, int]) -> None:
        """Plans what an order leads to: reviews, refunds, and running out of what is used up."""
        rng = self._rng
        for item in bought:
            self._owned.add(item)
            self._orders[item] = (order_id, bought)
            if item in self._wishlist:
                self._wishlist.remove(item)
            disappointed = self._utility[item] + float(rng.normal()) < -2.0
            if rng.random() < (0.3 if disappointed else 0.02):
                self._plan(at_ms + int(rng.uniform(3, 12) * DAY_MS), "refund", item)
            elif rng.random() < 0.22:
                self._plan(at_ms + int(rng.uniform(3, 10) * DAY_MS), "review", item)
            if self._goods.records[item]["attributes"]["consumable"]:
                self._plan(at_ms + int(rng.uniform(18, 35) * DAY_MS), "restock", item)

    def _run_out(self, _at_ms: int, item: int) -> None:
        self._restock.append(item)

    def _review(self, at_ms: int, item: int) -> Visit:
        visit = self._enter(at_ms)
        satisfaction = 3.9 + 0.45 * self._utility[item] + 0.6 * self._goods.quality[item] + self._rng.normal(0, 0.6)
        rating = int(np.clip(math.floor(satisfaction + 0.5), 1, 5))
        record = self._goods.records[item]
        visit.go_to(f"/p/{record['id']}", record["title"])
        visit.track(
            "Product Reviewed",
            {
                "product_id": record["id"],
                "review_id": f"r-{self._prefix}-{item}",
                "review_body": _REVIEWS[rating],
                "rating": rating,
            },
        )
        return visit

    def _refund(self, at_ms: int, item: int) -> Visit:
        visit = self._enter(at_ms)
        order_id, bought = self._orders[item]
        visit.go_to("/account/orders", "My orders")
        visit.track("Order Refunded", order_properties(self._goods, bought, order_id, only=[item]))
        self._owned.discard(item)
        return visit

    def _read_newsletter(self, at_ms: int, _subject: int) -> Visit | None:
        """The weekly e-mail: often ignored, sometimes opened, now and then the start of a visit."""
        if not self._subscribed or not self._logged_in or self._rng.random() > 0.4:
            return None
        campaign = {"source": "newsletter", "medium": "email", "name": "weekly"}
        visit = self._enter(at_ms, campaign=campaign)
        self._log_in(visit)  # the link in the e-mail knows whose it is
        mail = {
            "email_id": f"weekly-{at_ms // (7 * DAY_MS)}",
            "email_subject": "New this week",
            "campaign_name": "weekly",
        }
        visit.track("Email Opened", mail)
        draw = float(self._rng.random())
        if draw < 0.02:
            self._subscribed = False
            visit.track("Unsubscribed", {**mail, "list_id": "weekly"})
        elif draw < 0.3:
            visit.wait(float(self._rng.uniform(5, 60)))
            visit.track("Email Link Clicked", {**mail, "link_id": "new", "link_url": f"{SHOP_URL}/"})
            visit.page("Home")
            self._look(visit, self._shelf(visit.at_ms, None, 8, 0.5))
            self._checkout(visit)
        return visit
