"""The simulated shop keeps its promises: repeatable, ordered, well formed, and with tastes that show."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any

import msgspec
import numpy as np
import pytest

from bespeak.errors import InvalidInput, UnknownName
from bespeak.intake.segment import SourceInfo, decode_batch
from bespeak.signals.catalogue import SignalCatalogue
from bespeak.signals.events import EVENT_TYPES
from bespeak.signals.items import Item
from bespeak.signals.purposes import BUILT_IN
from bespeak.simulate import Consent, ShopWorld
from bespeak.simulate.envelope import iso_time

END_MS = 1_750_000_000_000


@pytest.fixture(scope="module")
def world() -> ShopWorld:
    return ShopWorld(11, n_people=250, n_items=180, days=60, end_ms=END_MS)


@pytest.fixture(scope="module")
def events(world: ShopWorld) -> list[dict[str, Any]]:
    return list(world.events())


def viewed_by_person(world: ShopWorld, events: list[dict[str, Any]]) -> dict[int, list[str]]:
    person_of = {device.anonymous_id: person.index for person in world.people() for device in person.devices}
    views: dict[int, list[str]] = defaultdict(list)
    for event in events:
        if event.get("event") == "Product Viewed":
            views[person_of[event["anonymousId"]]].append(event["properties"]["product_id"])
    return views


def test_the_same_seed_makes_the_same_world() -> None:
    one, two = (ShopWorld(3, n_people=12, n_items=60, days=30, end_ms=END_MS) for _ in range(2))
    assert one.items() == two.items()
    assert json.dumps(list(one.events())) == json.dumps(list(two.events()))


def test_another_seed_makes_another_world() -> None:
    one, two = (ShopWorld(seed, n_people=12, n_items=60, days=30, end_ms=END_MS) for seed in (3, 4))
    assert one.items() != two.items()
    assert list(one.events()) != list(two.events())


def test_a_person_keeps_their_events_when_the_world_grows() -> None:
    small, large = (ShopWorld(3, n_people=n, n_items=60, days=30, end_ms=END_MS) for n in (5, 15))
    ids = {device.anonymous_id for person in small.people() for device in person.devices}
    assert list(small.events()) == [event for event in large.events() if event["anonymousId"] in ids]


def test_events_are_in_time_order_and_inside_the_history(world: ShopWorld, events: list[dict[str, Any]]) -> None:
    times = [event["timestamp"] for event in events]
    assert times == sorted(times)
    assert iso_time(world.start_ms) <= times[0]
    assert times[-1] < iso_time(world.end_ms)


def test_events_are_segment_shaped_and_survive_json(events: list[dict[str, Any]]) -> None:
    assert json.loads(json.dumps(events)) == events
    assert len({event["messageId"] for event in events}) == len(events)
    for event in events:
        assert event["type"] in EVENT_TYPES
        assert event["anonymousId"]
        assert event["type"] != "track" or event["event"]
        assert event["type"] != "identify" or (event["userId"] and event["traits"]["email"])
        assert {"userAgent", "locale", "timezone", "page"} <= set(event["context"])


def test_the_segment_codec_accepts_every_event_and_each_says_something(
    world: ShopWorld, events: list[dict[str, Any]]
) -> None:
    closed_loop = world.visit(world.people()[0], world.goods.ids[:6], END_MS - 60_000, decision_id="d1")
    sent = events + closed_loop
    catalogue = SignalCatalogue.built_in()
    for start in range(0, len(sent), 500):
        body = json.dumps({"batch": sent[start : start + 500]}).encode()
        decoded = decode_batch(body, route="batch", received_ms=END_MS, source=SourceInfo(name="demo"))
        assert decoded.rejected == []
        for event in decoded.events:
            assert catalogue.signals_of(event)
            assert not event.context.is_bot


def test_every_kind_of_act_happens(events: list[dict[str, Any]]) -> None:
    names = Counter(event.get("event", event["type"]) for event in events)
    assert set(names) >= {
        "page", "identify", "Products Searched", "Product List Viewed", "Product Viewed", "Product Added",
        "Product Removed", "Product Added to Wishlist", "Checkout Started", "Order Completed", "Order Refunded",
        "Product Reviewed", "Email Opened", "Email Link Clicked", "Newsletter Subscribed", "Survey Answered",
        "Segment Consent Preference Updated",
    }  # fmt: skip
    assert names["Product Viewed"] > names["Product Added"] > names["Checkout Started"] > names["Order Completed"]


def test_item_records_are_catalogue_items(world: ShopWorld) -> None:
    items = [msgspec.convert(record, Item) for record in world.items()]
    assert len({item.id for item in items}) == len(items) == 180
    assert all(item.markets["default"].price for item in items)
    assert {len(value) > 0 for item in items for value in (item.title, item.description)} == {True}
    of_category = Counter(item.attributes["category"] for item in items)
    assert len(of_category) == 12
    variants = defaultdict(set)
    for item in items:
        variants[item.group].add((item.attributes["brand"], item.attributes["type"], item.markets["default"].price))
    assert len(variants) < len(items)
    assert all(len(shared) == 1 for shared in variants.values())


def test_changing_the_records_leaves_the_world_alone(world: ShopWorld) -> None:
    world.items()[0]["attributes"]["category"] = "changed"
    assert world.items()[0]["attributes"]["category"] != "changed"


def test_nothing_is_viewed_before_its_launch(world: ShopWorld, events: list[dict[str, Any]]) -> None:
    launch = {record["id"]: iso_time(record["publishedAt"]) for record in world.items()}
    views = [event for event in events if event.get("event") == "Product Viewed"]
    assert all(launch[event["properties"]["product_id"]] <= event["timestamp"] for event in views)
    assert any(launch[event["properties"]["product_id"]] > iso_time(world.start_ms) for event in views)


def test_event_prices_are_the_catalogues_in_major_units(world: ShopWorld, events: list[dict[str, Any]]) -> None:
    price = {record["id"]: record["markets"]["default"]["price"] for record in world.items()}
    orders = [event["properties"] for event in events if event.get("event") == "Order Completed"]
    for order in orders:
        subtotal = sum(price[product["product_id"]] * product["quantity"] for product in order["products"])
        assert round(order["subtotal"] * 100) == subtotal
        assert round(order["revenue"] * 100) == subtotal - round(order["discount"] * 100)
        assert round(order["total"] * 100) == round(order["revenue"] * 100) + round(order["shipping"] * 100)


def test_people_are_anonymous_until_they_log_in(world: ShopWorld, events: list[dict[str, Any]]) -> None:
    known: set[str] = set()
    n_anonymous_first = 0
    for event in events:
        device = event["anonymousId"]
        if event["type"] == "identify":
            n_anonymous_first += device not in known
            known.add(device)
        assert ("userId" in event) == (device in known)
    assert n_anonymous_first > 50
    without_account = [person for person in world.people() if person.user_id is None]
    assert 0.15 < len(without_account) / len(world.people()) < 0.45


def test_some_people_use_several_devices(events: list[dict[str, Any]]) -> None:
    devices = defaultdict(set)
    for event in events:
        if "userId" in event:
            devices[event["userId"]].add(event["anonymousId"])
    assert sum(len(ids) > 1 for ids in devices.values()) > 20


def test_the_consent_mix_is_in_the_events(world: ShopWorld, events: list[dict[str, Any]]) -> None:
    person_of = {device.anonymous_id: person for person in world.people() for device in person.devices}
    for event in events:
        person = person_of[event["anonymousId"]]
        sent = event["context"].get("consent")
        assert (sent and sent["categoryPreferences"]) == person.consent.preferences
    shares = Counter(person.consent for person in world.people())
    assert set(shares) == set(Consent)
    assert (shares[Consent.ALL] + shares[Consent.OURS]) / len(world.people()) > 0.55
    assert set(Consent.ALL.preferences or {}) == set(BUILT_IN)


def test_tastes_show_in_what_people_view(world: ShopWorld, events: list[dict[str, Any]]) -> None:
    category = {record["id"]: record["attributes"]["category"] for record in world.items()}
    people = world.people()
    views = viewed_by_person(world, events)
    everybody = Counter(category[item] for items in views.values() for item in items)
    base = {name: count / sum(everybody.values()) for name, count in everybody.items()}
    excess = np.array(
        [
            np.mean([category[item] == people[index].top_category for item in items]) - base[people[index].top_category]
            for index, items in views.items()
            if len(items) >= 10
        ]
    )
    # The mean excess share of the favourite department, and how many standard errors it is above zero.
    assert excess.mean() > 0.15
    assert excess.mean() / (excess.std(ddof=1) / np.sqrt(len(excess))) > 6


def test_the_past_of_a_person_predicts_their_next_views_better_than_popularity(
    world: ShopWorld, events: list[dict[str, Any]]
) -> None:
    category = {record["id"]: record["attributes"]["category"] for record in world.items()}
    halves = {
        index: (items[: len(items) // 2], set(items[len(items) // 2 :]))
        for index, items in viewed_by_person(world, events).items()
        if len(items) >= 10
    }
    popularity = Counter(item for past, _ in halves.values() for item in past)
    gains = []
    for past, future in halves.values():
        liked = Counter(category[item] for item in past)
        personal = sorted(popularity, key=lambda item: -popularity[item] * (0.5 + liked[category[item]]))
        popular = [item for item, _ in popularity.most_common(10)]
        gains.append(len(future & set(personal[:10])) - len(future & set(popular)))
    assert np.mean(gains) / (np.std(gains, ddof=1) / np.sqrt(len(gains))) > 4


def test_demographics_lean_as_the_categories_declare() -> None:
    people = ShopWorld(5, n_people=1500, n_items=12, days=1, end_ms=END_MS).people()
    beauty, garden = 11, 10
    women, men = ([p.taste[beauty] for p in people if p.gender == gender] for gender in ("female", "male"))
    assert np.mean(women) - np.mean(men) > 0.3
    old, young = ([p.taste[garden] for p in people if low <= p.age < high] for low, high in ((55, 99), (18, 35)))
    assert np.mean(old) - np.mean(young) > 0.3


def test_a_click_follows_the_exact_probability(world: ShopWorld) -> None:
    person = world.people()[0]
    best = [world.items()[int(i)]["id"] for i in np.argsort(-world.preference(person))[:5]]
    truth = world.click_probability(person, best)
    n = 1500
    clicks = np.zeros(5)
    for trial in range(n):
        for event in world.visit(person, best, END_MS + trial):
            if event.get("event") == "Product Clicked":
                clicks[event["properties"]["position"] - 1] += 1
    z = (clicks - n * truth) / np.sqrt(n * truth * (1 - truth))
    assert np.abs(z).max() < 4


def test_a_slate_of_loved_items_gets_more_clicks_than_popular_ones(world: ShopWorld) -> None:
    ids = world.goods.ids
    popular = [ids[int(i)] for i in np.argsort(-world.goods.popularity)[:8]]
    ratios = []
    for person in world.people()[:100]:
        loved = [ids[int(i)] for i in np.argsort(-world.preference(person))[:8]]
        ratios.append((world.click_probability(person, loved).sum(), world.click_probability(person, popular).sum()))
    loved_clicks, popular_clicks = np.mean(ratios, axis=0)
    assert loved_clicks > 2 * popular_clicks


def test_two_slates_at_one_time_share_their_luck(world: ShopWorld) -> None:
    person = world.people()[1]
    ids = world.goods.ids
    slate = [ids[int(i)] for i in np.argsort(-world.preference(person))[:6]]

    def clicked(order: list[str], at_ms: int) -> set[str]:
        events = world.visit(person, order, at_ms)
        return {e["properties"]["product_id"] for e in events if e.get("event") == "Product Clicked"}

    n_differences = 0
    for trial in range(200):
        first, moved = clicked(slate, END_MS + trial), clicked([slate[-1], *slate[:-1]], END_MS + trial)
        # What moved up can only gain, what moved down can only lose.
        assert moved - first <= {slate[-1]}
        assert slate[-1] in moved or slate[-1] not in first
        n_differences += first != moved
    assert n_differences > 0


def test_a_visit_reports_the_exposure_and_names_the_decision(world: ShopWorld) -> None:
    person = next(person for person in world.people() if person.user_id is not None)
    slate = list(world.goods.ids[:4])
    seen = world.visit(person, slate, END_MS, decision_id="d1", placement="home")
    exposure = seen[0]
    assert exposure["event"] == "Recommendation Viewed"
    assert exposure["userId"] == person.user_id
    assert exposure["properties"]["decision_id"] == "d1"
    assert [item["item_id"] for item in exposure["properties"]["items"]] == slate
    other = world.visit(person, slate, END_MS, decision_id="d2", placement="home")
    assert {e["messageId"] for e in seen}.isdisjoint(e["messageId"] for e in other)


def test_an_item_that_does_not_exist_is_refused_by_name(world: ShopWorld) -> None:
    with pytest.raises(UnknownName, match="p9999"):
        world.visit(world.people()[0], ["p9999"], END_MS)


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"n_people": 0}, {"n_items": 0}, {"days": 0}, {"end_ms": 5}])
def test_arguments_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidInput):
        ShopWorld(**{"seed": 1, "n_people": 1, "n_items": 1, "days": 1, "end_ms": END_MS, **wrong})
