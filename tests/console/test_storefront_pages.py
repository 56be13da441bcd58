"""The demo shop's pages without a browser: they stand on their own before the script fills them."""

from __future__ import annotations

import json
import re

import pytest

from bespeak.web.tokens import PersonTokens


def chosen_from(shop) -> list[str]:
    text = shop.visitor().get("/demo/").text
    return [value for value in re.findall(r'<option value="([^"]*)"', text) if value]


def test_the_first_page_shows_rows_of_different_products_with_reasons_before_any_script_runs(outside):
    text = outside.get("/demo/").text
    shown = re.findall(r'<article class="item"><a href="/demo/p/(p\d+)"', text)
    assert len(shown) == len(set(shown)) >= 16
    assert [heading for heading in re.findall(r"<h2[^>]*>([^<]+)</h2>", text) if heading][1] == "Picked for you"
    assert not [why for why in re.findall(r'<p class="why">([^<]*)</p>', text) if not why]


def test_the_banner_is_a_decision_and_stands_there_before_any_script_runs(shop, outside):
    text = outside.get("/demo/").text
    variants = shop.engine.core.world.variant_placement("hero").settings.variants
    assert variants["welcome"]["title"] in text
    assert f'href="{variants["welcome"]["url"]}"' in text


def test_a_picture_carries_a_tag_of_its_product_and_no_other_word(shop, outside):
    record = shop.project.world.items()[0]
    [tag, *_] = record["attributes"]["tags"]
    assert f">{tag}</text>" in outside.get(f"/demo/art/{record['id']}.svg", params={"tag": tag}).text
    assert "<text" not in outside.get(f"/demo/art/{record['id']}.svg", params={"tag": "<b>free"}).text


@pytest.mark.parametrize("path", ["/", "/p/p0001", "/c/audio", "/search?q=radio", "/search", "/p/nothing"])
def test_every_page_allows_only_its_own_scripts(outside, path):
    answer = outside.get("/demo" + path)
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=|javascript:", answer.text)


def test_a_search_text_never_becomes_markup(outside):
    text = outside.get("/demo/search", params={"q": "<script>alert(1)</script>\"'"}).text
    assert "<script>alert" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize("path", ["/p/nothing", "/c/nothing", "/c/' OR 1=1", "/art/nothing.svg", "/peek/nothing"])
def test_what_does_not_exist_is_not_found(outside, path):
    assert outside.get("/demo" + path).status_code == 404


def test_the_picture_of_a_product_is_an_image_that_runs_nothing(outside):
    answer = outside.get("/demo/art/p0001.svg")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert answer.headers["content-security-policy"] == "default-src 'none'"
    assert answer.text.startswith("<svg ")


def test_the_page_of_a_product_carries_what_is_tracked_about_it(shop, outside):
    record = next(item for item in shop.project.world.items() if item["id"] == "p0001")
    found = re.search(r'class="product" data-product="([^"]*)"', outside.get("/demo/p/p0001").text)
    told = json.loads(found[1].replace("&#34;", '"').replace("&#39;", "'").replace("&amp;", "&"))
    assert told["product_id"] == "p0001"
    assert told["name"] == record["title"]
    assert told["price"] * 100 == pytest.approx(record["markets"]["default"]["price"])


def test_a_chosen_person_gets_a_token_that_proves_them(shop, outside):
    user = chosen_from(shop)[0]
    assert outside.post("/demo/person", data={"user": user}).headers["location"] == "/demo/"
    told = outside.get("/demo/token").json()
    tokens = PersonTokens(shop.engine.core.config.settings.tokens.public_key)
    assert told["user"] == user
    assert tokens.user_id(told["token"], shop.engine.core.clock.now_ms()) == user


def test_whoever_is_chosen_finds_the_cart_that_they_left(shop, outside):
    user = chosen_from(shop)[-1]
    line = {"product_id": "p0007", "quantity": 1}
    shop.engine.track([{"type": "track", "event": "Product Added", "userId": user, "properties": line}])
    assert 'data-cart="[]"' in outside.get("/demo/").text
    outside.post("/demo/person", data={"user": user})
    found = re.search(r'data-cart="([^"]*)"', outside.get("/demo/").text)
    assert "p0007" in [line["product_id"] for line in json.loads(found[1].replace("&#34;", '"').replace("&#39;", "'"))]


@pytest.mark.parametrize("user", ["", "nobody", "u999999"])
def test_nobody_else_can_be_chosen(outside, user):
    outside.post("/demo/person", data={"user": user})
    assert outside.get("/demo/token").json() == {"user": "", "token": ""}


def test_another_site_cannot_choose_a_person(shop, outside):
    outside.post("/demo/person", data={"user": chosen_from(shop)[0]}, headers={"sec-fetch-site": "cross-site"})
    assert outside.get("/demo/token").json()["user"] == ""


def test_everybody_to_choose_from_allows_personalization(shop):
    people = {person.user_id: person for person in shop.project.world.people()}
    chosen = chosen_from(shop)
    assert chosen
    assert all(people[user].consent.preferences["personalize"] for user in chosen)
    assert len({people[user].top_category for user in chosen}) == len(chosen)


def test_opening_a_page_makes_no_person_and_no_decision(shop, outside):
    shop.engine.core.drain()
    before = shop.engine.core.store
    with before.read() as session:
        held = session.row("SELECT count(*) FROM persons"), session.row("SELECT count(*) FROM decisions")
    for path in ("/", "/p/p0001", "/c/audio", "/search?q=radio"):
        assert outside.get("/demo" + path).status_code == 200
    shop.engine.core.drain()
    with before.read() as session:
        assert held == (session.row("SELECT count(*) FROM persons"), session.row("SELECT count(*) FROM decisions"))
