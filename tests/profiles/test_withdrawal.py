from __future__ import annotations

import pytest

from bespeak.profiles.codec import encode
from bespeak.profiles.fold import fold
from bespeak.profiles.merge import merge
from bespeak.profiles.profile import Profile
from bespeak.signals.events import Context

SHOP = {"p1": {"category": ["audio"], "price": 3.0}}


@pytest.fixture
def known(settings, saw):
    profile = Profile()
    context = Context(device="mobile", country="DE")
    for time_ms, signal_class in ((1, "view"), (2, "cart"), (3, "purchase"), (4, "exposure")):
        fold(profile, saw(time_ms, signal_class, "p1", facets=SHOP, context=context, traits={"plan": "pro"}), settings)
    return profile


def test_withdrawing_the_profile_leaves_consent_and_other_purposes(known, settings, saw):
    fold(known, saw(10, is_profiled=False, consent={"personalize": False}), settings)
    assert list(known.items) == ["exposure"]
    assert known.affinities == {"category": {"exposure": {"audio": known.items["exposure"]["p1"]}}}
    assert (known.traits, known.places, known.sessions, known.devices, known.cart) == ({}, {}, [], {}, {})
    assert (known.orders.n, known.recent, list(known.counts)) == (0, [], ["exposure"])
    assert not known.consent["personalize"].is_granted
    assert b"pro" not in encode(known)


def test_withdrawing_one_purpose_leaves_the_rest(known, settings, saw):
    fold(known, saw(10, consent={"measure": False}), settings)
    assert sorted(known.items) == ["cart", "purchase", "view"]
    assert known.traits["plan"].value == "pro"
    assert known.orders.n == 1


def test_signals_from_before_a_withdrawal_never_count_again(settings, saw):
    profile = Profile()
    fold(profile, saw(10, consent={"personalize": False}), settings)
    fold(profile, saw(20, consent={"personalize": True}), settings)
    fold(profile, saw(9, "view", "late", traits={"a": 1}), settings)
    fold(profile, saw(21, "view", "new"), settings)
    assert list(profile.items["view"]) == ["new"]
    assert profile.traits == {}


def test_the_latest_word_stands_in_any_order(settings, saw):
    words = [saw(1, consent={"share": True}), saw(5, consent={"share": False}), saw(9, consent={"share": True})]
    for order in (words, words[::-1]):
        profile = Profile()
        for word in order:
            fold(profile, word, settings)
        assert (profile.consent["share"].is_granted, profile.consent["share"].time_ms) == (True, 9)
        assert profile.withdrawn == {"share": 5}


def test_a_withdrawal_on_one_device_leaves_the_merged_profile_too(known, settings, saw):
    device = Profile()
    fold(device, saw(50, is_profiled=False, consent={"personalize": False}), settings)
    merge(known, device, settings)
    assert "view" not in known.items
    assert known.traits == {}


@pytest.mark.parametrize("swap", [False, True])
def test_a_later_grant_keeps_its_own_data_when_an_older_withdrawal_is_merged(known, settings, saw, swap):
    fold(known, saw(60, consent={"personalize": True}), settings)
    device = Profile()
    fold(device, saw(50, is_profiled=False, consent={"personalize": False}), settings)
    into, other = (device, known) if swap else (known, device)
    merge(into, other, settings)
    assert "p1" in into.items["view"]
    assert into.consent["personalize"].is_granted
    assert into.withdrawn == {"personalize": 50}
