"""The signal catalogue: the dictionary it ships, what events say, and what a project may change."""

from __future__ import annotations

from typing import Any

import pytest

from bespeak.errors import ConfigError, UnknownName
from bespeak.signals.catalogue import Shown, SignalCatalogue
from bespeak.signals.events import Event
from bespeak.signals.signal import Signal
from bespeak.signals.specs import ROLES

CATALOGUE = SignalCatalogue.built_in()

# Event names as the Segment specification prints them, by the area that wire-protocols lists.
SEGMENT_DICTIONARY = {
    "browsing": "Products Searched,Product List Viewed,Product List Filtered",
    "promotion": "Promotion Viewed,Promotion Clicked",
    "ordering": "Product Clicked,Product Viewed,Product Added,Product Removed,Cart Viewed,Checkout Started,"
    "Checkout Step Viewed,Checkout Step Completed,Payment Info Entered,Order Updated,Order Completed,Order Refunded,"
    "Order Cancelled",
    "coupon": "Coupon Entered,Coupon Applied,Coupon Denied,Coupon Removed",
    "wishlist": "Product Added to Wishlist,Product Removed from Wishlist,Wishlist Product Added to Cart,Product Shared,"
    "Cart Shared,Product Reviewed",
    "video": "Video Playback Started,Video Playback Paused,Video Playback Interrupted,Video Playback Buffer Started,"
    "Video Playback Buffer Completed,Video Playback Seek Started,Video Playback Seek Completed,Video Playback Resumed,"
    "Video Playback Completed,Video Playback Exited,Video Content Started,Video Content Playing,"
    "Video Content Completed,Video Ad Started,Video Ad Playing,Video Ad Completed",
    "email": "Email Delivered,Email Opened,Email Link Clicked,Email Bounced,Email Marked as Spam,Unsubscribed",
    "push": "Push Notification Received,Push Notification Tapped,Push Notification Bounced,Application Installed,"
    "Application Opened,Application Updated,Application Backgrounded,Application Foregrounded,"
    "Application Uninstalled,Application Crashed,Install Attributed,Deep Link Opened,Deep Link Clicked",
    "b2b": "Account Created,Account Deleted,Signed Up,Signed In,Signed Out,Invite Sent,Account Added User,"
    "Account Removed User,Trial Started,Trial Ended",
    "experiment": "Experiment Viewed",
    "consent": "Segment Consent Preference Updated",
}
NAMES = [name for names in SEGMENT_DICTIONARY.values() for name in names.split(",")]


def track(name: str, /, **properties: Any) -> Event:
    return Event(message_id="m", type="track", time_ms=0, received_ms=0, name=name, properties=properties)


def identify(**traits: Any) -> Event:
    return Event(message_id="m", type="identify", time_ms=1_700_000_000_000, received_ms=0, user_id="u", traits=traits)


def only(event: Event) -> Signal:
    found = CATALOGUE.signals_of(event)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize("name", NAMES)
def test_every_event_of_the_segment_dictionary_gives_a_named_signal(name: str) -> None:
    found = CATALOGUE.signals_of(track(name, position=30, total_length=60))
    assert found
    assert all(signal.signal_class != "custom" for signal in found)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Product Viewed", "view"),
        ("Time on Page", "read"),
        ("Scroll Depth", "read"),
        ("Form Submitted", "form"),
        ("Feature Used", "feature"),
        ("Navigation Path", "visit"),
        ("Survey Answered", "survey"),
        ("Liked", "like"),
        ("Thumbs Down", "dislike"),
        ("Hidden", "hide"),
        ("Shared", "share"),
        ("Commented", "comment"),
        ("Followed", "follow"),
        ("Newsletter Subscribed", "subscription"),
        ("Subscription Cancelled", "unsubscribe"),
        ("Loyalty Tier Changed", "loyalty"),
        ("Product Returned", "refund"),
        ("Payment Method Added", "payment"),
        ("Video Rewatched", "watch"),
        ("Content Abandoned", "abandon"),
        ("Recommendation Viewed", "exposure"),
    ],
)
def test_signals_beyond_segment_have_their_class(name: str, expected: str) -> None:
    assert [signal.signal_class for signal in CATALOGUE.signals_of(track(name))] == [expected]


def test_what_people_turn_away_from_weighs_negative() -> None:
    negative = {name for name, found in CATALOGUE.classes.items() if found.prior_weight < 0}
    assert negative == {"dislike", "remove", "refund", "hide", "abandon", "unsubscribe", "unfollow"}


def test_inferred_signals_are_marked() -> None:
    inferred = {row["signal"] for row in CATALOGUE.describe() if row["origin"] == "inferred"}
    assert inferred == {"video_abandoned", "left_early", "product_used_to_rate"}


def test_case_does_not_matter_in_event_names() -> None:
    for name in ("product viewed", "PRODUCT VIEWED", "Product Viewed"):
        assert only(track(name, product_id="p")).name == "product_viewed"


def test_an_unknown_event_counts_without_weight_only_where_it_names_an_item() -> None:
    assert CATALOGUE.signals_of(track("Lamp Dimmed")) == []
    signal = only(track("Lamp Dimmed", item_id="p1"))
    assert (signal.signal_class, signal.item_id) == ("custom", "p1")
    assert CATALOGUE.classes["custom"].prior_weight == 0


def test_an_item_id_falls_back_to_the_sku_and_numbers_become_text() -> None:
    assert only(track("Product Viewed", product_id=7)).item_id == "7"
    assert only(track("Product Viewed", sku="S")).item_id == "S"
    assert only(track("Product Viewed", product_id="", sku="S")).item_id == "S"


@pytest.mark.parametrize("bad", [["a"], {"id": 1}, True, "x" * 300, "a\x00b", None])
def test_what_cannot_be_an_item_id_is_no_item(bad: Any) -> None:
    assert only(track("Product Viewed", product_id=bad)).item_id == ""


def test_an_order_gives_one_signal_per_product_whose_values_add_up_to_its_revenue() -> None:
    products = [{"product_id": "a", "price": 10, "quantity": 2}, {"sku": "b", "price": 10}, {"price": 99}, 1.5]
    found = CATALOGUE.signals_of(track("Order Completed", revenue="25.00", currency="eur", products=products))
    assert [(s.item_id, s.strength, s.quantity, s.currency) for s in found] == [
        ("a", 2.0, 2.0, "EUR"),
        ("b", 1.0, 1.0, "EUR"),
    ]
    assert [s.value_minor for s in found] == [1667, 833]


def test_an_order_without_a_total_is_worth_its_lines_and_one_without_products_its_total() -> None:
    lines = CATALOGUE.signals_of(track("Order Completed", products=[{"product_id": "a", "price": 3, "quantity": 2}]))
    assert lines[0].value_minor == 600
    assert only(track("Order Completed", total=12.5, currency="JPY")).value_minor == 12


def test_the_strength_of_a_bulk_order_is_capped_and_its_quantity_is_not() -> None:
    signal = only(track("Order Completed", products=[{"product_id": "a", "quantity": 500}]))
    assert (signal.strength, signal.quantity) == (10.0, 500.0)


@pytest.mark.parametrize(("rating", "strength"), [(1, -1.0), (3, 0.0), (5, 1.0), ("4", 0.5), (99, 1.0)])
def test_a_rating_is_centred_on_its_scale_beside_the_use_it_tells_of(rating: Any, strength: float) -> None:
    found = {s.signal_class: s.strength for s in CATALOGUE.signals_of(track("Rated", product_id="p", rating=rating))}
    assert found == {"review": 1.0, "rating": strength}


@pytest.mark.parametrize("rating", [None, "good", ""])
def test_a_review_without_a_number_is_a_use_and_no_rating(rating: Any) -> None:
    assert only(track("Rated", product_id="p", rating=rating)).signal_class == "review"


def test_the_watched_fraction_is_the_strength_and_leaving_early_is_negative() -> None:
    half = only(track("Video Playback Exited", content_asset_ids=["v"], position=30, total_length=60))
    assert (half.signal_class, half.strength, half.item_id) == ("watch", 0.5, "v")
    early = only(track("Video Playback Exited", content_asset_ids=["v"], position=3, total_length=60))
    assert (early.signal_class, early.item_id) == ("abandon", "v")
    unknown = only(track("Video Playback Exited", content_asset_ids=["v"]))
    assert (unknown.signal_class, unknown.strength) == ("watch", 0.0)


def test_a_declined_channel_is_negative_and_an_accepted_one_is_a_preference() -> None:
    assert (
        only(track("Communication Preference Updated", channel="sms", subscribed=False)).signal_class == "unsubscribe"
    )
    assert only(track("Communication Preference Updated", channel="sms", subscribed=True)).signal_class == "preference"


def test_no_event_names_more_items_than_the_limit() -> None:
    found = CATALOGUE.signals_of(track("Product List Viewed", products=[{"product_id": i} for i in range(1_000)]))
    assert len(found) == 200


def test_an_event_carries_facets_about_its_items() -> None:
    event = track("Product Viewed", product_id="p", category="audio", price=9.9, brand="", name="Lamp", currency="EUR")
    assert CATALOGUE.event_facets(event) == {"p": {"category": ["audio"], "price": 9.9, "title": ["Lamp"]}}


def test_each_product_of_a_list_keeps_its_own_facets() -> None:
    products = [{"product_id": "a", "category": "x"}, {"product_id": "b", "category": ["y", "z", 1]}]
    assert CATALOGUE.event_facets(track("Cart Viewed", products=products)) == {
        "a": {"category": ["x"]},
        "b": {"category": ["y", "z"]},
    }


def test_a_search_says_something_about_no_item() -> None:
    assert CATALOGUE.event_facets(track("Products Searched", query="red lamp")) == {"": {"query": ["red lamp"]}}


def test_traits_become_bands_and_words_and_the_rest_stays() -> None:
    event = identify(
        age=24,
        gender="F",
        address={"city": "Bonn", "country": "DE", "street": "Secret 1", "postalCode": 53111},
        locale="de-DE",
        title="Nurse",
        income=60_000,
        email="a@x.test",
        plan="pro",
    )
    assert CATALOGUE.traits_of(event) == {
        "age_band": "18-24",
        "gender": "female",
        "city": "Bonn",
        "country": "DE",
        "postal_code": "53111",
        "language": "de",
        "profession": "Nurse",
        "income_band": "50k-75k",
        "email": "a@x.test",
        "plan": "pro",
    }


def test_a_null_trait_unsets_it() -> None:
    assert CATALOGUE.traits_of(identify(plan=None, gender=None)) == {"plan": None, "gender": None}


def test_an_identify_gives_one_demographic_signal_per_typed_trait() -> None:
    found = CATALOGUE.signals_of(identify(age=24, gender="m", plan="pro"))
    assert {(s.name, s.signal_class) for s in found} == {
        ("trait_age_band", "demographic"),
        ("trait_gender", "demographic"),
    }


def test_the_traits_of_a_group_are_not_the_persons() -> None:
    event = Event(
        message_id="m", type="group", time_ms=0, received_ms=0, group_id="g", traits={"name": "ACME", "age": 5}
    )
    assert CATALOGUE.traits_of(event) == {}


def test_survey_answers_on_declared_scales_are_traits() -> None:
    assert CATALOGUE.traits_of(track("Survey Answered", scale="interests", answer=["jazz"])) == {"interests": ["jazz"]}
    assert CATALOGUE.traits_of(track("Survey Answered", satisfaction=4, shoe_size=43)) == {"satisfaction": 4}
    assert CATALOGUE.traits_of(track("Survey Answered", scale="income", answer="high")) == {}


def test_roles_say_what_an_event_does() -> None:
    roles = {
        "Product Added": "cart_add",
        "Product Removed": "cart_remove",
        "Cart Viewed": "cart_set",
        "Order Completed": "order",
        "Order Refunded": "refund",
        "Recommendation Viewed": "exposure",
        "Experiment Viewed": "experiment",
        "Segment Consent Preference Updated": "consent",
        "Products Searched": "search",
        "Product Viewed": "",
        "Nobody Knows": "",
    }
    assert {name: CATALOGUE.role_of(track(name)) for name in roles} == roles
    assert set(roles.values()) <= set(ROLES)


def test_an_exposure_names_its_decision_items_and_positions() -> None:
    event = track("Recommendation Viewed", decisionId="d1", items=["a", {"item_id": "b", "position": 9}, {"id": 3}])
    assert CATALOGUE.exposures_of(event) == [Shown("d1", "a", 1), Shown("d1", "b", 9), Shown("d1", "3", 3)]
    listed = [{"product_id": "a"}, {"product_id": "b"}]  # as every list of the e-commerce specification
    event = track("Recommendation Viewed", decision_id="d1", products=listed)
    assert CATALOGUE.exposures_of(event) == [Shown("d1", "a", 1), Shown("d1", "b", 2)]
    assert CATALOGUE.exposures_of(track("Recommendation Viewed", items=["a"])) == []
    assert CATALOGUE.exposures_of(track("Product Viewed", decisionId="d1", product_id="a")) == []
    assert CATALOGUE.decision_of(track("Product Viewed", decision_id="d1")) == "d1"


def test_every_entry_is_consistent() -> None:
    rows = CATALOGUE.describe()
    assert len({row["signal"] for row in rows}) == len(rows)
    for row in rows:
        assert row["class"] in CATALOGUE.classes
        assert row["purpose"] in {"personalize", "measure", "essential"}
    assert all(found.verb for found in CATALOGUE.classes.values())


def test_every_declared_word_names_an_event_of_the_catalogue() -> None:
    for word, name in CATALOGUE.words.items():
        found = CATALOGUE.signals_of(track(name, product_id="p"))
        assert found, word
        assert all(signal.signal_class != "custom" for signal in found), word


def test_a_project_changes_a_class_and_adds_a_signal() -> None:
    changed = CATALOGUE.with_overrides(
        {
            "classes": {"view": {"half_life_days": 5}, "dim": {"half_life_days": 2, "prior_weight": 0.4}},
            "events": {"dimmed": {"events": ["Lamp Dimmed"], "class": "dim", "items": ["lamp.id"], "strength": 0.5}},
        }
    )
    assert changed.classes["view"].half_life_days == 5
    assert changed.classes["view"].prior_weight == CATALOGUE.classes["view"].prior_weight
    assert changed.signals_of(track("lamp dimmed", lamp={"id": 9})) == [Signal("dimmed", "dim", 0.5, "9")]
    assert CATALOGUE.classes["view"].half_life_days == 30


def test_a_project_can_switch_a_signal_off() -> None:
    changed = CATALOGUE.with_overrides({"events": {"product_viewed": {"enabled": False}}})
    found = changed.signals_of(track("Product Viewed", product_id="p"))
    assert [signal.signal_class for signal in found] == ["custom"]


@pytest.mark.parametrize(
    ("overrides", "key", "allowed"),
    [
        ({"event": {}}, "signals", "events"),
        ({"classes": []}, "signals.classes", "table"),
        ({"classes": {"view": {"half_life": 3}}}, "signals.classes.view", "half_life_days"),
        ({"classes": {"view": {"half_life_days": 0}}}, "signals.classes.view", "above 0"),
        ({"classes": {"view": {"half_life_days": "soon"}}}, "signals.classes.view.half_life_days", "a number"),
        ({"events": {"x": {"events": ["X"], "class": "vieww"}}}, "signals.events.x.class", "'view'"),
        ({"events": {"x": {"class": "view"}}}, "signals.events.x", "events"),
        ({"events": {"x": {"events": [], "class": "view"}}}, "signals.events.x.events", "event name"),
        ({"events": {"x": {"events": ["X"], "class": "view", "items": "nope"}}}, "signals.events.x.items", "product"),
        ({"events": {"product_viewed": {"strength": {}}}}, "signals.events.product_viewed.strength", "fraction"),
        ({"events": {"product_viewed": {"items": ["a[]b"]}}}, "signals.events.product_viewed.items", "list[].key"),
        ({"events": {"product_viewed": 5}}, "signals.events.product_viewed", "Fields"),
        ({"events": {"product_viewed": {"role": "boss"}}}, "signals.events.product_viewed.role", "role"),
        ({"words": {"buy": 1}}, "signals.words.buy", "name of an event"),
    ],
)
def test_a_wrong_override_names_its_key_and_what_is_allowed(overrides: Any, key: str, allowed: str) -> None:
    with pytest.raises(ConfigError) as caught:
        CATALOGUE.with_overrides(overrides)
    assert caught.value.key == key
    assert allowed in str(caught.value)


def test_an_unknown_class_is_named_with_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'view'"):
        CATALOGUE.signal_class("views")
