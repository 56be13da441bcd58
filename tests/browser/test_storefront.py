"""The demo's shop in a real browser, with the real script and the real server."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, Route, expect

pytestmark = pytest.mark.outside

FIRST_ROW = ".rows .row:first-child"


def open_shop(page: Page, shop) -> None:
    page.goto(shop.url + "/demo/")
    expect(page.locator(f"{FIRST_ROW} [data-item-id]").first).to_be_visible()


def mix_of(page: Page) -> dict[str, int]:
    """Category -> cards in the first row."""
    said = page.locator(f"{FIRST_ROW} [data-mix]").inner_text()
    return {name: int(n) for name, n in re.findall(r"(\w+) (\d+)", said)}


def row_of(page: Page) -> list[str]:
    """Ids in the first row."""
    return [str(card.get_attribute("data-item-id")) for card in page.locator(f"{FIRST_ROW} [data-item-id]").all()]


def test_three_clicks_move_the_row_without_a_reload(page, shop):
    open_shop(page, shop)
    page.evaluate("window.isTheSamePage = true")
    category = list(mix_of(page))[-1]
    before = mix_of(page)[category]
    for _ in range(3):
        ids = row_of(page)
        wanted = {item["id"] for item in shop.project.world.items() if item["attributes"]["category"] == category}
        chosen = next(item_id for item_id in ids if item_id in wanted)
        page.locator(f'{FIRST_ROW} [data-item-id="{chosen}"] a').click()
        # Seen items leave the row: its absence tells that the row has moved.
        expect(page.locator(f'{FIRST_ROW} [data-item-id="{chosen}"]')).to_have_count(0)
        expect(page.locator("#peek")).to_be_visible()
    assert mix_of(page)[category] > before
    expect(page.locator(f"{FIRST_ROW} .why").first).to_contain_text("you ")
    assert page.evaluate("window.isTheSamePage"), "the page was loaded anew"


def test_rows_are_filled_only_once_the_pages_own_script_listens(desktop, shop):
    """The counts of a row are written by a listener: a fill that came before it would leave them empty."""
    early: list[int] = []

    def answer(route: Route) -> None:
        desktop.wait_for_timeout(1_500)
        early.append(desktop.locator("[data-item-id]").count())
        route.continue_()

    desktop.route("**/storefront.js", answer)
    open_shop(desktop, shop)
    assert early == [0]
    assert mix_of(desktop)


def test_every_card_of_every_row_says_why_and_no_product_stands_twice(page, shop):
    open_shop(page, shop)
    reasons = page.locator(".item:visible .why").all_inner_texts()
    ids = page.eval_on_selector_all("[data-item-id]", "cards => cards.map((card) => card.dataset.itemId)")
    assert page.locator(".rows .row").count() >= 3
    assert len(reasons) >= 16
    assert all(reasons)
    assert len(ids) == len(set(ids))


def test_a_look_adds_a_row_about_it_and_the_rows_that_stay_keep_their_elements(desktop, shop):
    open_shop(desktop, shop)
    desktop.evaluate("document.querySelector('.rows .row').isTheSame = true")
    title = desktop.locator(f"{FIRST_ROW} .title").first.inner_text()
    desktop.locator(f"{FIRST_ROW} .item a").first.click()
    expect(desktop.get_by_role("heading", name=f"Because you looked at {title}")).to_be_visible()
    expect(desktop.locator("#said")).to_contain_text("New:")
    assert desktop.evaluate("document.querySelector('.rows .row').isTheSame")


def test_pictures_follow_what_was_looked_at(desktop, shop):
    open_shop(desktop, shop)
    for place in (0, 1, 2):
        with desktop.expect_response(lambda reply: reply.url.endswith("/api/page") and reply.status == 200):
            desktop.locator(f"{FIRST_ROW} .item a").nth(place).click()
    expect(desktop.locator('.rows img[src*="?tag="]').first).to_be_visible()


def test_the_banner_is_decided_and_says_why(page, shop):
    def answer(route: Route) -> None:
        # On a busy machine a decision takes longer than a visitor is kept waiting for, and the default would stay.
        sent = route.fetch()
        assert "reveal 0s 1s" in sent.text()
        route.fulfill(response=sent, body=sent.text().replace("reveal 0s 1s", "reveal 0s 30s"))

    page.route("**/storefront.css*", answer)
    open_shop(page, shop)
    expect(page.locator("#hero[data-variant=welcome]")).to_contain_text("Why this banner: events < 3")


def test_what_was_seen_in_a_row_of_the_page_names_the_decision_of_that_row(desktop, shop):
    rows: dict[str, str] = {}
    desktop.on("response", lambda reply: rows.update(
        {row["decisionId"]: row["placement"] for row in reply.json()["rows"]} if reply.url.endswith("/api/page") else {}
    ))  # fmt: skip
    with desktop.expect_request(lambda one: "Recommendation Viewed" in (one.post_data or "")) as told:
        desktop.goto(shop.url + "/demo/")
    seen = json.loads(told.value.post_data)["properties"]
    assert rows[seen["decision_id"]] == seen["placement"]


def test_the_page_says_that_it_grants_consent_by_itself(page, shop):
    open_shop(page, shop)
    expect(page.get_by_text("Consent is granted here by the page itself")).to_be_visible()


def test_no_page_scrolls_sideways(page, shop):
    for path in ("/", "/p/p0001", "/c/audio", "/search?q=radio"):
        page.goto(shop.url + "/demo" + path)
        expect(page.locator("[data-item-id]").first).to_be_attached()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_a_chosen_person_sees_rows_of_their_own(page, shop):
    open_shop(page, shop)
    nobody = row_of(page)
    page.get_by_label("You are").select_option(index=1)
    expect(page.get_by_role("heading", name=re.compile("Good to see you"))).to_be_visible()
    expect(page.locator(f"{FIRST_ROW} .why").filter(has_text="you ").first).to_be_visible()
    assert row_of(page) != nobody
    page.get_by_label("You are").select_option(index=0)
    expect(page.get_by_role("heading", name=re.compile("whoever you are"))).to_be_visible()


def test_cart_and_order_reach_the_log(desktop, shop):
    open_shop(desktop, shop)
    desktop.goto(shop.url + "/demo/p/p0001")
    with desktop.expect_response(lambda reply: "Product Added" in (reply.request.post_data or "")) as added:
        desktop.get_by_role("button", name="Add to cart").click()
    assert added.value.status == 200
    desktop.locator(".cart summary").click()
    with desktop.expect_response(lambda reply: "Order Completed" in (reply.request.post_data or "")) as ordered:
        desktop.get_by_role("button", name="Place order").click()
    assert ordered.value.status == 200
    expect(desktop.locator("[data-cart-count]")).to_have_text("0")


def test_what_is_not_for_me_never_comes_back(desktop, shop):
    open_shop(desktop, shop)
    card = desktop.locator(f"{FIRST_ROW} [data-item-id]").first
    item_id = card.get_attribute("data-item-id")
    card.locator("a").click()
    desktop.get_by_role("button", name="Not for me").click()
    expect(desktop.locator(f'[data-item-id="{item_id}"]')).to_have_count(0)
    desktop.reload()
    expect(desktop.locator(f"{FIRST_ROW} [data-item-id]").first).to_be_visible()
    expect(desktop.locator(f'[data-item-id="{item_id}"]')).to_have_count(0)


def test_search_finds_by_words(page, shop):
    item = shop.project.world.items()[0]
    page.goto(shop.url + "/demo/")
    page.get_by_label("Search the shop").fill(item["title"].rpartition(" ")[2])
    page.get_by_label("Search the shop").press("Enter")
    expect(page.get_by_role("heading", name=re.compile("Results for"))).to_be_visible()
    expect(page.locator("[data-item-id] .title").first).to_contain_text(item["title"].rpartition(" ")[2])


def test_a_product_is_looked_at_and_closed_with_the_keyboard(desktop, shop):
    open_shop(desktop, shop)
    desktop.keyboard.press("Tab")
    expect(desktop.get_by_role("link", name="Skip to content")).to_be_focused()
    desktop.locator(f"{FIRST_ROW} [data-item-id] a").first.focus()
    desktop.keyboard.press("Enter")
    expect(desktop.locator("#peek")).to_be_focused()
    desktop.keyboard.press("Tab")
    expect(desktop.get_by_role("button", name="Add to cart")).to_be_focused()
    desktop.keyboard.press("Escape")
    expect(desktop.locator("#peek")).to_be_hidden()
    expect(desktop.locator(f"{FIRST_ROW} h2")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(desktop, shop, hard_to_read, scheme):
    desktop.emulate_media(color_scheme=scheme)
    for path in ("/", "/p/p0001", "/c/audio", "/search?q=radio"):
        desktop.goto(shop.url + "/demo" + path)
        expect(desktop.locator("[data-item-id]").first).to_be_attached()
        assert not hard_to_read(desktop), path
