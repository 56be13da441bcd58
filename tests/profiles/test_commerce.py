from __future__ import annotations

import dataclasses
import itertools

import msgspec
import pytest

from bespeak.profiles.codec import decode, encode
from bespeak.profiles.commerce import in_cart
from bespeak.profiles.fold import fold
from bespeak.profiles.merge import merge
from bespeak.profiles.profile import Orders, Profile
from bespeak.signals.signal import Signal

DAY = 86_400_000


def _folded(observations, settings):
    profile = Profile()
    for observation in observations:
        fold(profile, observation, settings)
    return profile


def test_an_order_of_two_products_is_one_order_and_empties_their_lines(settings, saw):
    bought = tuple(Signal("order_completed", "purchase", 1.0, item, 500, "EUR") for item in ("p1", "p2"))
    profile = _folded(
        [saw(1, "cart", "p1", quantity=2), saw(2, "cart", "p3"), saw(3 * DAY, signals=bought)],
        settings,
    )
    assert profile.orders.n == 1
    assert profile.orders.money == {"EUR": 1000}
    assert profile.orders.days == {3: 1}
    assert profile.orders.money_days == {3: {"EUR": 1000}}
    assert list(in_cart(profile)) == ["p3"]


def test_refunds_are_kept_apart_whatever_their_sign(settings, saw):
    profile = _folded(
        [
            saw(1, "purchase", "p1", value=1000),
            saw(2, "refund", "p1", value=300),
            saw(3, "refund", "p1", value=-200),
        ],
        settings,
    )
    assert (profile.orders.money, profile.orders.refunded, profile.orders.n_refunds) == ({"EUR": 1000}, {"EUR": 500}, 2)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_cart_is_the_same_in_any_order_of_arrival(settings, saw, order):
    said = [
        saw(1, "cart", "bought"),
        saw(2, "purchase", "bought"),
        saw(3, "cart", "removed"),
        saw(4, "remove", "removed", signal="product_removed"),
    ]
    profile = _folded([*(said[position] for position in order), saw(3, "cart", "kept", quantity=3)], settings)
    assert {item: line.quantity for item, line in in_cart(profile).items()} == {"kept": 3.0}


@pytest.mark.parametrize("is_late", [False, True])
def test_seeing_the_whole_cart_settles_what_is_in_it(settings, saw, is_late):
    seen = saw(5, signals=(Signal("cart_viewed", "cart_view", 1.0, "p2"),))
    rest = [saw(1, "cart", "p1"), saw(2, "cart", "p2"), saw(6, "cart", "p3")]
    profile = _folded([*rest, seen] if is_late else [seen, *rest], settings)
    assert sorted(in_cart(profile)) == ["p2", "p3"]


def test_removing_from_a_wishlist_leaves_the_cart_alone(settings, saw):
    profile = _folded([saw(1, "cart", "p1"), saw(2, "remove", "p1", signal="wishlist_removed")], settings)
    assert list(in_cart(profile)) == ["p1"]


def test_events_with_one_order_id_are_one_order_whoever_tells_first(settings, saw):
    told = [
        saw(3, "purchase", "p1", value=1000, order_id="o1"),
        saw(5, "purchase", "p1", value=900, order_id="o1"),
        saw(2 * DAY, "purchase", "p1", value=50, order_id="o2"),
        saw(3 * DAY, "refund", "p1", value=300, order_id="o1"),
        saw(4 * DAY, "purchase", "p2", value=7),
        saw(4 * DAY, "purchase", "p2", value=7),
    ]
    for order in itertools.permutations(told):
        orders = _folded(order, settings).orders
        assert (orders.n, orders.money, orders.n_refunds, orders.refunded) == (4, {"EUR": 1064}, 1, {"EUR": 300})
        assert (orders.days, orders.first_ms, orders.last_ms) == ({0: 1, 2: 1, 4: 2}, 3, 4 * DAY)
        assert orders.money_days == {0: {"EUR": 1000}, 2: {"EUR": 50}, 4: {"EUR": 14}}


def test_an_order_that_two_devices_told_of_is_one_when_they_turn_out_to_be_one_person(settings, saw):
    browser = _folded(
        [saw(3, "purchase", "p1", value=1000, order_id="o1"), saw(9, "purchase", order_id="o2")], settings
    )
    server = _folded([saw(1, "purchase", "p1", value=900, order_id="o1")], settings)
    for into, other in ((browser, server), (server, browser)):
        joined = decode(encode(into))
        merge(joined, other, settings)
        assert (joined.orders.n, joined.orders.money, joined.orders.days) == (2, {"EUR": 900}, {0: 2})
        assert (joined.orders.first_ms, joined.orders.last_ms) == (1, 9)


def test_only_the_latest_order_ids_are_remembered(settings, saw):
    few = dataclasses.replace(settings, limits=dataclasses.replace(settings.limits, n_orders=2))
    profile = _folded([saw(n, "purchase", value=1, order_id=f"o{n}") for n in range(5)], few)
    assert list(profile.orders.known) == ["o3", "o4"]
    again = [saw(9, "purchase", value=1, order_id="o4"), saw(9, "purchase", value=1, order_id="o1")]
    for observation in again:
        fold(profile, observation, few)
    assert profile.orders.n == 6


def test_orders_of_before_ids_were_remembered_are_read(settings, saw):
    profile = _folded([saw(3, "purchase", "p1", value=1000)], settings)
    raw = msgspec.to_builtins(profile.orders)[:-1]
    assert msgspec.convert(raw, Orders) == profile.orders
