from __future__ import annotations

import json

import pytest

from bespeak.profiles.fold import fold
from bespeak.profiles.profile import Profile
from bespeak.profiles.readable import readable
from bespeak.profiles.stage import StageRules
from bespeak.profiles.view import ProfileView
from bespeak.signals.events import Context

DAY = 86_400_000
ALL = ("personalize", "measure")
SHOP = {
    "p1": {"category": ["audio"], "price": 100.0},
    "p2": {"category": ["tv"], "price": 300.0},
}


@pytest.fixture
def known(settings, saw):
    profile = Profile()
    for day, name, item in (
        (0, "view", "p1"),
        (30, "view", "p1"),
        (30, "cart", "p1"),
        (30, "hide", "p2"),
        (30, "exposure", "p2"),
    ):
        fold(profile, saw(day * DAY, name, item, facets=SHOP, traits={"plan": "pro"}), settings)
    return profile


def view_of(profile, settings, now_ms, purposes=ALL, **more):
    return ProfileView(profile, settings, now_ms, purposes=purposes, **more)


def test_affinity_is_the_weighted_sum_of_faded_classes(known, settings):
    view = view_of(known, settings, 60 * DAY)
    # views: 2^-2 + 2^-1, weight 1; cart: 2^-1, weight 3
    assert view.affinity("category", "audio") == pytest.approx(0.75 + 3 * 0.5)
    assert view.affinity("category", "tv") == pytest.approx(-3 * 2 ** (-30 / 180))
    assert view.affinity("category", "unknown") == 0.0


def test_learned_weights_act_when_read(known, settings):
    view = view_of(known, settings, 60 * DAY, weights={"cart": 0.0, "hide": 1.0})
    assert view.affinity("category", "audio") == pytest.approx(0.75)
    assert view.affinity("category", "tv") > 0


def test_shares_are_of_what_is_liked_and_add_to_one(known, settings):
    affinities = view_of(known, settings, 60 * DAY).affinities("category")
    assert affinities["audio"].share == 1.0
    assert affinities["tv"].share == 0.0
    assert affinities["audio"].counts == {"view": 2, "cart": 1}
    assert affinities["audio"].last_ms == 30 * DAY


def test_a_class_without_its_purpose_does_not_exist(known, settings):
    without = view_of(known, settings, 60 * DAY, purposes=("measure",))
    assert without.affinity("category", "audio") == 0.0
    assert without.items() == {"p2": {"exposure": known.items["exposure"]["p2"]}}
    assert (without.recent(), without.cart(), without.count("view"), without.sessions()) == ([], {}, 0, [])
    assert (without.trait("plan"), without.traits(), without.session()) == (None, {}, None)
    assert "audio" not in json.dumps(readable(without))
    assert "pro" not in json.dumps(readable(without))


def test_evidence_counts_what_was_done_with_its_verb(known, settings):
    parts = view_of(known, settings, 60 * DAY).evidence("category", "audio")
    assert [(part.verb, part.count) for part in parts] == [("added to your cart", 1), ("viewed", 2)]
    assert sum(part.strength for part in parts) == pytest.approx(2.25)


def test_a_typical_number_leaves_out_what_is_disliked(known, settings):
    typical = view_of(known, settings, 60 * DAY).numeric("price")
    assert typical is not None
    assert (typical.mean, typical.spread, typical.count) == (pytest.approx(100.0), pytest.approx(0.0, abs=1e-5), 3)


def test_seen_items_are_asked_by_class_and_time(known, settings):
    view = view_of(known, settings, 60 * DAY)
    assert view.seen_items(["view", "hide"]) == {"p1", "p2"}
    assert view.seen_items(["view"], since_ms=31 * DAY) == set()
    assert view.seen_items(["nonsense"]) == set()


def test_history_stands_at_the_latest_signal_of_each_item_and_a_pause_changes_nothing(known, settings):
    now, later = (view_of(known, settings, day * DAY).history() for day in (30, 3000))
    assert now == later
    items, weights, times = now
    assert (items, times) == (["p1", "p2"], [30 * DAY, 30 * DAY])
    assert weights == [pytest.approx(0.5 + 1 + 3), pytest.approx(-3)]


def test_daily_windows_include_today_and_say_when_they_fall(known, settings):
    view = view_of(known, settings, 36 * DAY + 5)
    assert view.count_until("view", 7) == (1, 37 * DAY)
    assert view.count("view") == 2
    assert view_of(known, settings, 37 * DAY).count_until("view", 7) == (0, None)


def test_a_visit_goes_on_until_the_gap(known, settings):
    assert view_of(known, settings, 30 * DAY + 60_000).session() is known.sessions[-1]
    assert view_of(known, settings, 31 * DAY).session() is None


def _stage(settings, observations, now_ms):
    profile = Profile()
    for observation in observations:
        fold(profile, observation, settings)
    return view_of(profile, settings, now_ms, stage_rules=StageRules()).stage_until()


def test_the_stage_follows_the_journey_and_says_when_it_may_change(settings, saw):
    assert _stage(settings, [], 0) == ("new", None)
    assert _stage(settings, [saw(0, "view", "p1")], 5) == ("new", 60 * DAY)
    assert _stage(settings, [saw(0, "view", "p1"), saw(DAY, "view", "p2")], DAY) == ("browsing", 61 * DAY)
    twice = [saw(0, "view", "p1"), saw(DAY, "view", "p1")]
    assert _stage(settings, twice, DAY) == ("considering", 14 * DAY)
    assert _stage(settings, twice, 14 * DAY) == ("browsing", 61 * DAY)
    five = [saw(n, "view", f"p{n}") for n in range(5)]
    assert _stage(settings, five, 9) == ("considering", 14 * DAY)
    assert _stage(settings, five[1:], 9)[0] == "browsing"
    cart = [saw(0, "cart", "p1")]
    assert _stage(settings, cart, 1) == ("cart", 14 * DAY)
    assert _stage(settings, cart, 14 * DAY)[0] == "new"
    order = [saw(0, "purchase", "p1")]
    assert _stage(settings, order, 1) == ("customer", 60 * DAY)
    assert _stage(settings, order * 1 + [saw(n, "purchase", "p1") for n in (1, 2)], 3)[0] == "loyal"
    assert _stage(settings, order, 60 * DAY) == ("lapsed", None)


def test_rfm_counts_orders_and_takes_refunds_off_the_money(settings, saw):
    profile = Profile()
    for observation in (saw(0, "purchase", "p1", value=1000), saw(DAY, "refund", "p1", value=400)):
        fold(profile, observation, settings)
    rfm = view_of(profile, settings, 2 * DAY).rfm()
    assert (rfm.recency_days, rfm.n_orders, rfm.n_refunds, rfm.money) == (2.0, 1, 1, {"EUR": 600})
    assert view_of(profile, settings, 2 * DAY, purposes=("measure",)).rfm().n_orders == 0


def test_a_readable_profile_is_plain_json_with_evidence(known, settings, saw):
    fold(known, saw(30 * DAY, type="page", context=Context(page={"path": "/a"}, country="DE", device="tv")), settings)
    fold(known, saw(30 * DAY, "purchase", "p1", value=500, consent={"personalize": True}), settings)
    told = json.loads(json.dumps(readable(view_of(known, settings, 31 * DAY))))
    assert told["traits"]["plan"]["value"] == "pro"
    assert told["affinities"]["category"][0]["value"] == "audio"
    assert told["affinities"]["category"][0]["evidence"][0].keys() >= {"verb", "count", "last", "strength"}
    assert told["orders"] == {"count": 1, "refunds": 0, "daysSinceLast": 1.0, "moneyMinor": {"EUR": 500}}
    assert told["sessions"][0]["entry"] == "/a"
    assert told["stage"] == "customer"
    assert told["lastSeen"] == "1970-01-31T00:00:00.000Z"
    assert told["consent"]["personalize"]["granted"] is True


def test_nobody_reads_as_nothing(settings):
    assert readable(view_of(Profile(), settings, 0)) == {"events": 0, "consent": {}}
