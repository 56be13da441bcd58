"""What the pages show, and that nothing anybody sends can become markup."""

from __future__ import annotations

import re

import pytest

from bespeak.console.app import PAGES

GETS = [path for method, path, _ in PAGES if method == "GET"]


def person_of(shop) -> tuple[str, int]:
    """The user with the most events, and their number."""
    people = [(profile.n_events, person, profile) for person, profile in shop.engine.profiles.all()]
    for _, person, profile in sorted(people, key=lambda entry: -entry[0]):
        for user_id in profile.identities.get("user_id", ()):
            return user_id, person
    raise AssertionError("nobody has a user id")


@pytest.mark.parametrize("path", [p for p in GETS if "{" not in p and p != "/events/rows"])
def test_every_page_allows_only_its_own_scripts_and_is_kept_by_no_cache(inside, path):
    answer = inside.get("/console" + path)
    assert answer.status_code == 200
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    # What the policy would block must not be there in the first place.
    assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=|javascript:", answer.text)


def test_what_is_sent_never_becomes_markup(shop, inside):
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    event = {
        "type": "track",
        "event": evil,
        "anonymousId": "evil<b>",
        "properties": {"name": evil, "product_id": "p0001"},
    }
    trait = {"type": "identify", "anonymousId": "evil<b>", "traits": {"name": evil, "city": evil}}
    bad = {"type": "track", "event": evil, "timestamp": evil}
    assert len(shop.engine.track([event, trait, bad], source="web").rejected) == 1
    number = shop.engine.profiles.find("evil<b>")
    for path in (
        "/events",
        "/rejects",
        "/people",
        f"/people/{number}",
        f"/try?number={number}",
        f"/events?name={evil}",
    ):
        text = inside.get("/console" + path).text
        assert "<script>alert" not in text, path
        assert "<img src=x" not in text, path
    assert "&lt;script&gt;" in inside.get("/console/events").text


def test_events_can_be_filtered_by_source_type_and_name(shop, inside):
    event = {"type": "track", "event": "Needle Found", "anonymousId": "a-needle"}
    shop.engine.track([event], source="web")
    assert "Needle Found" in inside.get("/console/events?source=web&kind=track&name=needle").text
    for query in ("source=backend&name=needle", "kind=page&name=needle", "name=haystack"):
        assert "Needle Found" not in inside.get(f"/console/events?{query}").text


def test_the_table_is_sent_again_only_when_something_came_in(shop, inside):
    def rows(seen: str):
        return inside.get("/console/events/rows", params={"seen": seen}, headers={"hx-request": "true"})

    newest = re.search(r'"seen": "(\d+)"', rows("0").text)[1]
    assert rows(newest).status_code == 204
    shop.engine.track([{"type": "track", "event": "One More", "userId": "u1"}])
    assert "One More" in rows(newest).text


def test_rejects_show_reason_detail_and_what_was_sent(inside):
    text = inside.get("/console/rejects?reason=missing_id").text
    assert "needs a userId or an anonymousId" in text
    assert "Nobody did this" in text
    assert "Nobody did this" not in inside.get("/console/rejects?reason=other").text


def test_a_person_is_found_by_an_id_that_stands_in_no_address(shop, inside, csrf):
    user_id, number = person_of(shop)
    answer = inside.post("/console/people", data={"csrf": csrf, "id": user_id})
    assert answer.headers["location"] == f"/console/people/{number}"
    page = inside.get(answer.headers["location"])
    assert user_id in page.text
    for heading in ("Likes and dislikes", "Traits", "Consent", "Ids and devices", "Cart", "Visits", "Latest events"):
        assert heading in page.text


def test_nobody_is_found_by_an_unknown_id(inside, csrf):
    answer = inside.post("/console/people", data={"csrf": csrf, "id": "nobody-at-all"})
    assert answer.status_code == 404
    assert "Nobody is known by this id" in answer.text


@pytest.mark.parametrize("path", ["/people/999999", "/events/999999"])
def test_what_does_not_exist_is_not_found(inside, path):
    assert inside.get("/console" + path).status_code == 404


def test_a_placement_is_tried_with_every_term_and_leaves_no_record(shop, inside, csrf):
    user_id, _ = person_of(shop)
    shop.engine.core.drain()
    before = inside.get("/console/").text
    form = {"csrf": csrf, "placement": "home", "person": user_id, "count": "3"}
    answer = inside.post("/console/try", data=form, headers={"hx-request": "true"})
    assert answer.text.count('class="card pick"') == 3
    assert "add up to" in answer.text
    assert "<html" not in answer.text
    shop.engine.core.drain()
    decisions = r"<dt>Decisions</dt><dd>([\d,]+)"
    assert re.search(decisions, inside.get("/console/").text)[1] == re.search(decisions, before)[1]


def test_the_terms_of_a_tried_slate_add_up_to_its_scores(shop, inside, csrf):
    user_id, _ = person_of(shop)
    form = {"csrf": csrf, "placement": "home", "person": user_id, "count": "5"}
    text = inside.post("/console/try", data=form).text
    scores = re.findall(r'<p class="score"><strong>([^<]+)', text)
    sums = re.findall(r"add up to <strong>([^<]+)", text)
    assert len(scores) == 5
    assert scores == sums


def test_a_whole_page_is_tried_with_its_rows_and_those_that_are_not_there(shop, inside, csrf):
    shop.engine.core.drain()
    user, _ = person_of(shop)
    before = shop.engine.core.store
    with before.read() as session:
        held = session.row("SELECT count(*) FROM decisions")
    text = inside.post("/console/try", data={"csrf": csrf, "placement": "page:front", "person": user}).text
    assert '<option value="page:front" selected>' in text
    assert "Picked for you" in text
    assert "Without complements: the cart is empty." in text or "Goes with your cart" in text
    shown = re.findall(r'<span class="faint id">(p\d+)</span>', text)
    assert len(shown) == len(set(shown)) > 8
    shop.engine.core.drain()
    with before.read() as session:
        assert held == session.row("SELECT count(*) FROM decisions")


@pytest.mark.parametrize("field", ["count", "item", "query", "missed"])
def test_what_means_nothing_for_a_whole_page_is_refused(inside, csrf, field):
    text = inside.post("/console/try", data={"csrf": csrf, "placement": "page:front", field: "3"}).text
    assert f"`{field}` means nothing for a whole page." in text


def test_a_variant_is_tried_with_its_value_and_why(inside, csrf):
    text = inside.post("/console/try", data={"csrf": csrf, "placement": "hero"}).text
    assert "a line whose rule holds – events &lt; 3" in text
    assert "A shop that follows you" in text


def test_of_somebody_who_refused_the_profile_says_so(shop, inside):
    event = {"type": "track", "event": "Product Viewed", "userId": "refuses", "properties": {"product_id": "p0001"}}
    consent = {"context": {"consent": {"categoryPreferences": {"personalize": False, "measure": True}}}}
    shop.engine.track([{**event, **consent}])
    person = shop.engine.profiles.find("refuses")
    assert "They did not allow personalization" in inside.get(f"/console/people/{person}").text


def test_an_item_that_is_missed_says_why(inside, csrf):
    form = {"csrf": csrf, "placement": "home", "missed": "no-such-item"}
    text = inside.post("/console/try", data=form).text
    assert "Not shown: the catalogue has no such item." in text
    assert 'value="no-such-item"' in text


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [("filter", "pric < 5", "pric"), ("count", "many", "whole number"), ("declared", "mood", "key=value")],
)
def test_a_wrong_try_says_what_is_wrong(inside, field, value, said, csrf):
    form = {"csrf": csrf, "placement": "home", field: value}
    answer = inside.post("/console/try", data=form, headers={"hx-request": "true"})
    assert 'role="alert"' in answer.text
    assert said in answer.text


def test_an_unknown_placement_names_those_there_are(inside, csrf):
    form = {"csrf": csrf, "placement": "hom"}
    answer = inside.post("/console/try", data=form, headers={"hx-request": "true"})
    assert "Did you mean &#39;home&#39;" in answer.text


def test_offers_are_listed_with_what_is_left_of_their_codes(shop, inside):
    assert "There are no offers" in inside.get("/console/offers").text
    offer = {"kind": "offer", "attributes": {"cost": 5, "budget": 9.5}}
    shop.engine.items.put([{"id": "spring", "title": "5 off", **offer}, {"id": "autumn", "expiresAt": 1, **offer}])
    try:
        shop.engine.offers.add_codes("spring", ["A-1", "A-2", "A-3"])
        assert "open" in inside.get("/console/offers").text
        shop.engine.offers.issue("spring", user_id=person_of(shop)[0])
        text = re.sub(r"<[^>]+>|\s+", " ", inside.get("/console/offers").text)
        assert re.search(r"5 off +spring +used up +3 +1 +5 +9\.50 +never", text)
        assert re.search(r"autumn +expired +none +0 +– +9\.50 +1970-01-01", text)
    finally:
        shop.engine.items.delete(["spring", "autumn"])


def test_the_pulse_counts_live_imported_and_rejected_events(shop, inside):
    shop.engine.track([{"type": "track", "event": "Beat", "anonymousId": "a-beat"}], source="web")
    pulse = inside.get("/console/pulse.json").json()
    assert len(pulse["minutes"]) == len(pulse["live"]) == 60
    assert sum(pulse["live"]) >= 1
    assert sum(pulse["imported"]) > 100
    assert sum(pulse["rejected"]) >= 1
