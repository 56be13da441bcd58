from __future__ import annotations

import math

import pytest

from bespeak.profiles.codec import encode
from bespeak.profiles.decay import Decayed
from bespeak.profiles.fold import fold
from bespeak.profiles.profile import Profile, Step
from bespeak.signals.events import Context
from bespeak.signals.ids import IdKey

DAY = 86_400_000
AUDIO = {"p1": {"category": ["audio"], "brand": ["Teufel"], "price": 199.0, "colour": ["red"]}}


def test_a_view_reaches_item_facets_numbers_counts_and_sequence(settings, saw):
    profile = Profile()
    fold(profile, saw(5 * DAY, "view", "p1", facets=AUDIO), settings)
    assert profile.items == {"view": {"p1": Decayed(1.0, 5 * DAY)}}
    assert profile.affinities == {
        "category": {"view": {"audio": Decayed(1.0, 5 * DAY)}},
        "brand": {"view": {"Teufel": Decayed(1.0, 5 * DAY)}},
    }
    assert profile.numbers["price"]["view"].mean() == 199.0
    assert profile.counts == {"view": {5: 1}}
    assert profile.recent == [Step(5 * DAY, "p1", "view", 1.0)]
    assert (profile.n_events, profile.first_ms, profile.last_ms, profile.fold_version) == (1, 5 * DAY, 5 * DAY, 1)


def test_strength_is_kept_undiluted_by_weights_and_negative_ones_too(settings, saw):
    profile = Profile()
    fold(profile, saw(0, "purchase", "p1", strength=3.0), settings)
    fold(profile, saw(0, "hide", "p1", strength=-0.5), settings)
    assert profile.items["purchase"]["p1"].value == 3.0
    assert profile.items["hide"]["p1"].value == -0.5


def test_a_signal_without_an_item_takes_the_facets_of_the_event(settings, saw):
    profile = Profile()
    fold(profile, saw(0, "view", facets={"": {"category": ["tv"]}}), settings)
    assert profile.affinities["category"]["view"]["tv"].count == 1
    assert not profile.items
    assert not profile.recent


def test_a_number_or_a_text_where_values_are_kept_becomes_one_text(settings, saw):
    profile = Profile()
    fold(profile, saw(0, "view", "p1", facets={"p1": {"category": 1995.0, "brand": "Ä", "price": ["1"]}}), settings)
    assert list(profile.affinities["category"]["view"]) == ["1995"]
    assert list(profile.affinities["brand"]["view"]) == ["Ä"]
    assert profile.numbers == {}


def test_a_bot_changes_nothing(settings, saw):
    profile = Profile()
    fold(profile, saw(0, "view", "p1", is_bot=True, traits={"a": 1}, consent={"personalize": False}), settings)
    assert encode(profile) == encode(Profile())


def test_without_the_purpose_of_the_profile_only_consent_and_signals_count(settings, saw):
    profile = Profile()
    context = Context(device="mobile", country="DE")
    fold(profile, saw(7, "exposure", "p1", is_profiled=False, traits={"a": 1}, context=context), settings)
    assert "p1" in profile.items["exposure"]
    assert (profile.traits, profile.places, profile.devices, profile.sessions) == ({}, {}, {}, [])
    fold(profile, saw(8, is_profiled=False, consent={"share": False}), settings)
    assert profile.n_events == 1
    assert profile.consent["share"].time_ms == 8


def test_unknown_classes_and_numbers_that_are_none_are_left_out(settings, saw):
    profile = Profile()
    fold(profile, saw(0, "nonsense", "p1"), settings)
    fold(profile, saw(0, "view", "p2", strength=math.nan), settings)
    fold(profile, saw(0, "view", "p3", strength=math.inf), settings)
    assert list(profile.items) == ["view"]
    assert list(profile.items["view"]) == ["p3"]
    assert profile.items["view"]["p3"].value == 1e12


def test_what_was_merely_on_a_page_does_not_crowd_the_sequence(settings, saw):
    profile = Profile()
    fold(profile, saw(0, "exposure", "p1"), settings)
    assert profile.recent == []
    assert "p1" in profile.items["exposure"]


def test_the_last_writer_of_a_trait_wins_in_any_order_of_arrival(settings, saw):
    writes = [
        saw(2, traits={"plan": "late", "only": 1}, received_ms=5, message_id="a", source="crm"),
        saw(2, traits={"plan": "latest"}, received_ms=5, message_id="b", source="web"),
        saw(1, traits={"plan": "early", "gone": "x"}, received_ms=9, message_id="c"),
        saw(3, traits={"gone": None}),
    ]
    for order in (writes, writes[::-1]):
        profile = Profile()
        for write in order:
            fold(profile, write, settings)
        assert (profile.traits["plan"].value, profile.traits["plan"].source) == ("latest", "web")
        assert profile.traits["only"].value == 1
        assert profile.traits["gone"].value is None


def test_values_that_storage_would_change_are_changed_at_once(settings, saw):
    profile = Profile()
    fold(profile, saw(0, "view", "p1", strength=2, traits={"big": 2**80, "pair": (1, {2: "x"})}), settings)
    assert type(profile.items["view"]["p1"].value) is float
    assert profile.traits["big"].value == float(2**80)
    assert profile.traits["pair"].value == [1, {"2": "x"}]


def test_places_and_devices_come_from_the_context_and_declared_keys_never_do(settings, saw):
    profile = Profile()
    context = Context(
        device="mobile", os="iOS", browser="Safari", country="DE", language="de", declared={"mood": "sad"}
    )
    fold(profile, saw(1, context=context), settings)
    fold(profile, saw(2, context=Context(device="desktop", country="")), settings)
    assert profile.places["country"].value == "DE"
    assert list(profile.devices) == ["mobile iOS Safari", "desktop"]
    assert b"mood" not in encode(profile)
    assert b"sad" not in encode(profile)


def test_identities_remember_when_they_were_last_used(settings, saw):
    profile = Profile()
    fold(profile, saw(9, ids=(IdKey("user_id", "u1"), IdKey("anonymous_id", "a1"))), settings)
    fold(profile, saw(4, ids=(IdKey("user_id", "u1"),)), settings)
    assert profile.identities == {"user_id": {"u1": 9}, "anonymous_id": {"a1": 9}}


def test_old_state_keeps_its_fold_version_until_it_is_refolded(settings, saw):
    profile = Profile(fold_version=7)
    fold(profile, saw(0, "view", "p1"), settings)
    assert profile.fold_version == 7


@pytest.mark.parametrize("first", [True, False])
def test_daily_counts_reach_back_the_same_days_in_any_order(settings, saw, first):
    old, new = saw(0, "view", "p1"), saw(400 * DAY, "view", "p1")
    profile = Profile()
    for observation in (old, new) if first else (new, old):
        fold(profile, observation, settings)
    assert profile.counts == {"view": {400: 1}}
    assert profile.items["view"]["p1"].count == 2
