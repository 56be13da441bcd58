from __future__ import annotations

import itertools

import pytest

from bespeak.profiles.commerce import in_cart
from bespeak.profiles.fold import fold
from bespeak.profiles.profile import Profile
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
