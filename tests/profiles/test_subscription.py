"""What a profile knows of a subscription."""

from __future__ import annotations

import itertools

import pytest

from bespeak.profiles.codec import decode, encode
from bespeak.profiles.fold import fold
from bespeak.profiles.merge import merge
from bespeak.profiles.observation import Observation
from bespeak.profiles.profile import Profile
from bespeak.profiles.readable import readable
from bespeak.profiles.settings import DAY_MS, FoldSettings, Limits
from bespeak.profiles.subscription import Subscription
from bespeak.profiles.view import ProfileView
from bespeak.profiles.withdrawal import withdraw
from bespeak.signals.catalogue import SignalCatalogue
from bespeak.signals.signal import Signal

SETTINGS = FoldSettings(classes=SignalCatalogue.built_in().classes, limits=Limits(n_subscription=5))
STARTED, CANCELLED = ("subscription_started", "subscription"), ("subscription_cancelled", "unsubscribe")


def told(day: int, signal: tuple[str, str] = STARTED, price: int = 0, currency: str = "EUR") -> Observation:
    name, signal_class = signal
    said = Signal(name, signal_class, 1.0, "", value_minor=price, currency=currency if price else "")
    return Observation(time_ms=day * DAY_MS, received_ms=day, message_id=f"m{day}", signals=(said,))


def profile_of(*observations: Observation) -> Profile:
    profile = Profile()
    for observation in observations:
        fold(profile, observation, SETTINGS)
    return profile


def held(profile: Profile, day: int, gap_days: int | None = None) -> Subscription | None:
    view = ProfileView(profile, SETTINGS, day * DAY_MS, purposes={"personalize"})
    return view.subscription(None if gap_days is None else gap_days * DAY_MS)


def test_words_say_the_same_in_any_order_of_arrival():
    words = [told(1, price=999), told(31), told(61, CANCELLED), told(90, price=1299)]
    for order in itertools.permutations(words):
        assert held(profile_of(*order), 100) == Subscription(90 * DAY_MS, 90 * DAY_MS, 1, None, 1299, "EUR")
    ended = held(profile_of(*words[:3]), 100)
    assert (ended.start_ms, ended.n_words, ended.end_ms, ended.value_minor) == (DAY_MS, 2, 61 * DAY_MS, 999)


def test_without_a_renewal_in_time_it_has_ended_where_that_is_asked():
    profile = profile_of(told(0), told(30))
    assert held(profile, 200).end_ms is None
    assert held(profile, 74, 45).end_ms is None
    assert held(profile, 76, 45).end_ms == 75 * DAY_MS
    assert held(profile_of(told(0), told(30), told(90)), 100, 45).start_ms == 90 * DAY_MS


def test_an_end_alone_and_a_newsletter_are_no_subscription():
    assert held(profile_of(told(3, CANCELLED)), 9) is None
    assert held(profile_of(told(3, ("newsletter_subscribed", "subscription"))), 9) is None
    left = profile_of(told(1), told(3, ("newsletter_unsubscribed", "unsubscribe")))
    assert held(left, 9).end_ms is None


def test_the_oldest_words_go_first_and_profiles_join():
    profile = profile_of(*(told(30 * n) for n in range(4)))
    merge(profile, profile_of(told(130, CANCELLED), told(10), told(140)), SETTINGS)
    assert [word.time_ms // DAY_MS for word in profile.subscription] == [30, 60, 90, 130, 140]
    assert held(profile, 150).start_ms == 140 * DAY_MS
    assert decode(encode(profile)) == profile


def test_a_withdrawn_purpose_takes_it_and_a_view_without_the_purpose_does_not_show_it():
    profile = profile_of(told(1), told(40))
    assert ProfileView(profile, SETTINGS, 50 * DAY_MS, purposes={"measure"}).subscription() is None
    shown = readable(ProfileView(profile, SETTINGS, 50 * DAY_MS, purposes={"personalize"}))
    assert shown["subscription"] == {"since": "1970-01-02T00:00:00.000Z", "lastRenewed": "1970-02-10T00:00:00.000Z"}
    withdraw(profile, "personalize", 60 * DAY_MS, SETTINGS)
    assert profile.subscription == []


@pytest.mark.parametrize("price", [0, -5])
def test_a_price_that_nobody_said_is_none(price):
    assert held(profile_of(told(1, price=price)), 2).value_minor == 0
