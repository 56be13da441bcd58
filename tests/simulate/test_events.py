"""What the worlds send keeps its promises: repeatable, ordered, well formed, and never more than was granted."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any

import msgspec
import numpy as np
import pytest

from bespeak.errors import InvalidInput
from bespeak.intake.segment import SourceInfo, decode_batch
from bespeak.signals.catalogue import SignalCatalogue
from bespeak.signals.events import EVENT_TYPES
from bespeak.signals.items import Item
from bespeak.signals.purposes import BUILT_IN
from bespeak.simulate import WORLDS, Consent, ShopWorld
from bespeak.simulate.events import iso_time
from bespeak.simulate.world import World

END_MS = 1_750_000_000_000


@pytest.fixture(scope="module", params=sorted(WORLDS))
def world(request: pytest.FixtureRequest) -> World:
    return WORLDS[request.param](11, n_people=250, n_items=180, days=60, end_ms=END_MS)


@pytest.fixture(scope="module")
def events(world: World) -> list[dict[str, Any]]:
    return list(world.events())


@pytest.fixture(scope="module")
def people_of(world: World) -> dict[str, list[int]]:
    return world.identities.truth(world.n_days)


@pytest.mark.parametrize("name", WORLDS)
def test_the_same_seed_makes_the_same_world_and_another_seed_another(name: str) -> None:
    one, two, other = (WORLDS[name](seed, n_people=12, n_items=60, days=30, end_ms=END_MS) for seed in (3, 3, 4))
    assert one.items() == two.items() != other.items()
    sent = json.dumps(list(one.events()))
    assert sent == json.dumps(list(two.events())) != json.dumps(list(other.events()))


@pytest.mark.parametrize("name", WORLDS)
def test_a_person_keeps_their_events_when_the_world_grows(name: str) -> None:
    small, large = (WORLDS[name](3, n_people=n, n_items=60, days=30, end_ms=END_MS) for n in (6, 16))

    def of_the_first_six(world: World) -> list[dict[str, Any]]:
        return [event for event in world.events() if int(event["messageId"].split("-")[1]) <= 6]

    assert of_the_first_six(small) == of_the_first_six(large)
    assert len(of_the_first_six(small)) > 50


def test_events_are_in_time_order_and_inside_the_worlds_time(world: World, events: list[dict[str, Any]]) -> None:
    times = [event["timestamp"] for event in events]
    assert times == sorted(times)
    assert iso_time(world.start_ms) <= times[0]
    assert times[-1] < iso_time(world.end_ms)


def test_events_are_segment_shaped_and_survive_json(events: list[dict[str, Any]]) -> None:
    assert json.loads(json.dumps(events)) == events
    assert len({event["messageId"] for event in events}) == len(events)
    for event in events:
        assert event["type"] in EVENT_TYPES
        assert event.get("anonymousId") or event["userId"]
        assert event["type"] != "track" or event["event"]
        assert event["type"] != "identify" or (event["userId"] and event["traits"]["email"])
        assert event.get("event") == "Email Delivered" or {"userAgent", "page"} <= set(event["context"])


def test_the_segment_codec_accepts_every_event_and_each_says_something(events: list[dict[str, Any]]) -> None:
    catalogue = SignalCatalogue.built_in()
    for start in range(0, len(events), 500):
        body = json.dumps({"batch": events[start : start + 500]}).encode()
        decoded = decode_batch(body, route="batch", received_ms=END_MS, source=SourceInfo(name="demo"))
        assert decoded.rejected == []
        for event in decoded.events:
            assert catalogue.signals_of(event), event.name
            assert not event.context.is_bot


def test_every_kind_of_act_happens(world: World, events: list[dict[str, Any]]) -> None:
    names = Counter(event.get("event", event["type"]) for event in events)
    assert set(names) >= {
        "page", "identify", "Recommendation Viewed", "Products Searched", "Product List Viewed", "Product Clicked",
        "Product Reviewed", "Email Delivered", "Email Opened", "Email Link Clicked", "Newsletter Subscribed",
        "Survey Answered", "Segment Consent Preference Updated",
    }  # fmt: skip
    if world.name == "shop":
        assert names["Product Viewed"] > names["Product Added"] > names["Checkout Started"] > names["Order Completed"]
        assert min(names[n] for n in ("Product Removed", "Product Added to Wishlist", "Order Refunded")) > 0
    else:
        assert names["Video Content Started"] > names["Video Content Completed"] > names["Product Reviewed"]
        assert min(names[n] for n in ("Video Playback Exited", "Video Playback Resumed", "Subscription Cancelled")) > 0


def test_item_records_are_catalogue_items(world: World) -> None:
    items = [msgspec.convert(record, Item) for record in world.items()]
    assert len({item.id for item in items}) == len(items) == 180
    assert all(item.title and item.description for item in items)
    first = next(iter(world.stock.facets))
    assert len(Counter(item.attributes[first] for item in items)) == 12


def test_variants_of_one_product_share_all_but_the_colour() -> None:
    items = [msgspec.convert(record, Item) for record in ShopWorld(11, 1, 180, 9, end_ms=END_MS).items()]
    variants = defaultdict(set)
    for item in items:
        variants[item.group].add((item.attributes["brand"], item.attributes["type"], item.markets["default"].price))
    assert len(variants) < len(items)
    assert all(len(shared) == 1 for shared in variants.values())


def test_changing_the_records_leaves_the_world_alone(world: World) -> None:
    world.items()[0]["attributes"].clear()
    assert world.items()[0]["attributes"]


def test_nothing_is_seen_before_its_launch(world: World, events: list[dict[str, Any]]) -> None:
    launch = {record["id"]: iso_time(record["publishedAt"]) for record in world.items()}
    seen = [
        (launch[item], event["timestamp"])
        for event in events
        if (item := event.get("properties", {}).get("product_id") or event.get("properties", {}).get("asset_id"))
    ]
    assert all(launched <= at for launched, at in seen)
    assert any(launched > iso_time(world.start_ms) for launched, _ in seen)


def test_orders_add_up_in_the_catalogues_prices() -> None:
    world = ShopWorld(11, n_people=250, n_items=180, days=60, end_ms=END_MS)
    price = {record["id"]: record["markets"]["default"]["price"] for record in world.items()}
    orders = [event["properties"] for event in world.events() if event.get("event") == "Order Completed"]
    assert len({order["order_id"] for order in orders}) == len(orders) > 100
    assert {"coupon" in order for order in orders} == {True, False}
    for order in orders:
        subtotal = sum(price[product["product_id"]] * product["quantity"] for product in order["products"])
        assert round(order["subtotal"] * 100) == subtotal
        assert round(order["revenue"] * 100) == subtotal - round(order["discount"] * 100)
        assert round(order["total"] * 100) == round(order["revenue"] * 100) + round(order["shipping"] * 100)


def test_who_is_behind_an_id_is_known(
    world: World, events: list[dict[str, Any]], people_of: dict[str, list[int]]
) -> None:
    devices, users = defaultdict(set), defaultdict(set)
    for event in events:
        person = int(event["messageId"].split("-")[1]) - 1
        if "anonymousId" in event:
            assert person in people_of[event["anonymousId"]]
            devices[person].add(event["anonymousId"])
            if "userId" in event:
                users[event["anonymousId"]].add((event["userId"], event["context"].get("profileId")))
        if "userId" in event:
            assert event["userId"] == world.people_truth.user_id(person)
            assert event["context"].get("profileId") == world.people_truth.profile_id(person)
    assert sum(len(ids) > 1 for ids in devices.values()) > 40  # several devices, or forgotten cookies
    assert sum(len(of_device) > 1 for of_device in users.values()) > 0  # a household's device has seen both log in
    assert all(len(people_of[device]) > 1 for device, of_device in users.items() if len(of_device) > 1)


def test_only_a_log_in_makes_a_device_known(events: list[dict[str, Any]], people_of: dict[str, list[int]]) -> None:
    known: set[str] = set()
    for event in events:
        device = event.get("anonymousId", "")
        if not device or len(people_of[device]) > 1:
            continue  # people log out of a device that they share
        if event["type"] == "identify":
            known.add(device)
        assert ("userId" in event) == (device in known)
    assert len(known) > 50


def test_no_event_carries_more_than_was_granted(world: World, events: list[dict[str, Any]]) -> None:
    people = world.people()
    first_day = world.start_ms // 86_400_000
    n_withdrawn = 0
    for event in events:
        person = people[int(event["messageId"].split("-")[1]) - 1]
        day = int(np.datetime64(event["timestamp"][:10], "D").astype(int)) - first_day
        started = int(event["messageId"].split("-")[2])
        assert day - started in (0, 1)  # a visit may reach over midnight
        consent = list(Consent)[int(world.people_truth.consent_on(started)[person.index])]
        sent = event["context"].get("consent")
        assert (sent and sent["categoryPreferences"]) == consent.preferences
        if world.people_truth.withdraw_day[person.index] <= started:
            n_withdrawn += 1
            assert sent is not None
            assert not any(yes for purpose, yes in sent["categoryPreferences"].items() if purpose != "essential")
    assert n_withdrawn > 0
    assert set(Consent.ALL.preferences or {}) == set(BUILT_IN)


def test_a_withdrawal_is_said_on_the_next_visit(world: World, events: list[dict[str, Any]]) -> None:
    said: dict[str, dict[str, bool]] = {}
    for event in events:
        if "anonymousId" not in event:
            continue
        key = event["messageId"].split("-")[1] + event["anonymousId"]
        preferences = event["context"].get("consent", {}).get("categoryPreferences")
        if event.get("event") == "Segment Consent Preference Updated":
            said[key] = preferences
        assert preferences == said.get(key)


def test_tastes_show_in_what_people_look_at(world: World, events: list[dict[str, Any]]) -> None:
    facet = next(iter(world.stock.facets))
    kind = {record["id"]: record["attributes"][facet] for record in world.items()}
    looks: dict[int, list[str]] = defaultdict(list)
    for event in events:
        properties = event.get("properties", {})
        item = properties.get("product_id") or properties.get("asset_id")
        if item and event["event"] in ("Product Viewed", "Video Content Started"):
            looks[int(event["messageId"].split("-")[1]) - 1].append(kind[item])
    everybody = Counter(name for names in looks.values() for name in names)
    base = {name: count / everybody.total() for name, count in everybody.items()}
    top = {person.index: person.top_category for person in world.people()}
    excess = np.array(
        [np.mean([n == top[i] for n in names]) - base[top[i]] for i, names in looks.items() if len(names) >= 10]
    )
    assert excess.mean() > 0.15
    assert excess.mean() / (excess.std(ddof=1) / np.sqrt(len(excess))) > 6


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"n_people": 0}, {"n_items": 0}, {"days": 0}, {"end_ms": 5}])
@pytest.mark.parametrize("name", WORLDS)
def test_arguments_out_of_range_are_refused(name: str, wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidInput):
        WORLDS[name](**{"seed": 1, "n_people": 1, "n_items": 1, "days": 1, "end_ms": END_MS, **wrong})


@pytest.mark.parametrize("n_items", [1, 3])
@pytest.mark.parametrize("name", WORLDS)
def test_a_tiny_world_lives(name: str, n_items: int) -> None:
    world = WORLDS[name](1, n_people=1, n_items=n_items, days=1, end_ms=END_MS)
    assert list(world.events()) == list(world.events())
