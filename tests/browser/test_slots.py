"""Slots that the browser script fills, on a page of another origin: variants, what was seen, failures, the device."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from browser_fixtures import site_of

pytestmark = pytest.mark.outside

STYLE = """<style>
[data-reserve]:not([data-filled]) { visibility: hidden; animation: reveal 0s {reveal}s forwards }
@keyframes reveal { to { visibility: visible } }
.tall { height: 1500px } .slot { height: 200px }
</style>"""
HERO = """<div id="hero" class="slot big" data-bespeak-slot="greeting">
  <a data-attr="title:tip"><b data-field="title">Welcome</b></a>
  <template data-variant="phone"><a data-attr="title:tip"><i data-field="title"></i></a></template>
</div>"""


class Site:
    """A page of a site, and what its script sent."""

    def __init__(self, page: Page, server: str, folder: Path, address: str) -> None:
        self.page, self.server = page, server
        self._folder, self._address = folder, address
        self.requests: list[Request] = []
        page.on("request", self._note)

    def _note(self, request: Request) -> None:
        self.requests.append(request)

    def open(
        self,
        body: str,
        *,
        until: Literal["load", "domcontentloaded"] = "load",
        reveal: int = 20,
        timeout: int = 10_000,
        head: str = "",
    ) -> Page:
        """Opens a page that holds the script and a body; tests share their cores, so an answer may take its time.

        Args:
            reveal: seconds after which the page shows what is reserved.
            timeout: milliseconds that the script waits for an answer.
            head: what stands before the script.
        """
        tag = f'<script async src="{self.server}/bespeak.js" data-key="wk_shop" data-timeout="{timeout}"></script>'
        style = STYLE.replace("{reveal}", str(reveal))
        html = f"<!doctype html><html lang=en><title>Shop</title>{head}{style}{tag}<body>{body}</body></html>"
        (self._folder / "index.html").write_text(html, encoding="utf-8")
        self.page.goto(self._address, wait_until=until)
        return self.page

    def events(self, name: str) -> list[dict[str, Any]]:
        """The properties of the events of a name that were sent."""
        posts = [
            json.loads(r.post_data or "{}") for r in self.requests if r.url.endswith("/v1/t") and r.method == "POST"
        ]
        return [post["properties"] for post in posts if post.get("event") == name]

    def settle(self, is_done: Callable[[], object]) -> None:
        """Waits until something happened."""
        deadline = time.monotonic() + 30
        while not is_done():
            assert time.monotonic() < deadline, "it did not happen"
            self.page.wait_for_timeout(50)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("site")


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Serves what lies in the folder, at an origin that is not the shop's."""
    with site_of(folder) as served:
        yield served


@pytest.fixture
def site(chromium: Browser, shop: Any, folder: Path, address: str) -> Iterator[Callable[..., Site]]:
    """Opens browsers: `site(user_agent=…)`; nothing may go wrong in their pages."""
    contexts, problems = [], []

    def opened(**options: Any) -> Site:
        contexts.append(chromium.new_context(**options))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        return Site(page, shop.url, folder, address)

    yield opened
    for context in contexts:
        context.close()
    assert not problems


PHONE = {
    "user_agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605 Mobile/15E148 Safari/604"
}
TABLET = {"user_agent": "Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Version/17.0 Safari/604.1"}


def test_a_variant_with_a_template_of_its_own_replaces_the_content(site):
    page = site(**PHONE).open(HERO)
    expect(page.locator("#hero[data-variant=phone] i")).to_have_text("<b>Hi</b>")
    link = page.locator("#hero a")
    expect(link).to_have_attribute("title", "on a phone")
    expect(link).to_have_attribute("href", "https://example.com/app")
    expect(page.locator("#hero")).to_have_class("slot big small")


def test_a_variant_without_a_template_fills_its_values_into_the_content(site):
    page = site().open(HERO)
    expect(page.locator("#hero[data-variant=plain] b")).to_have_text("Hello")
    assert page.locator("#hero a").get_attribute("title") is None
    expect(page.locator("#hero")).to_have_class("slot big")


def test_a_plain_value_is_the_field_value(site):
    page = site().open('<p data-bespeak-slot="motto">Shop: <b data-field="value">things</b></p>')
    expect(page.locator("[data-variant=short]")).to_have_text("Shop: Things.")


def test_data_never_becomes_an_address_that_runs(site):
    page = site(**TABLET).open(HERO)
    expect(page.locator("#hero[data-variant=evil] b")).to_have_text("Hi")
    assert page.locator("#hero a").get_attribute("href") is None


def test_what_stood_in_view_for_a_second_is_reported_once_and_a_click_with_it(site):
    one = site()
    page = one.open(f'<div class="slot">top</div>{HERO}<div class="tall"></div><div id=low class=slot '
                    'data-bespeak-slot="motto"><button data-field="value">-</button></div>')  # fmt: skip
    expect(page.locator("#low[data-variant=short]")).to_be_attached()
    one.settle(lambda: one.events("Variant Viewed"))
    [seen] = one.events("Variant Viewed")
    assert (seen["placement"], seen["variant"]) == ("greeting", "plain")
    assert len(seen["decision_id"]) == 32
    # in the page itself, so that no stall between two commands makes a glance of 300 ms a second long
    page.evaluate("() => { low.scrollIntoView(); setTimeout(() => scrollTo(0, 0), 300) }")
    page.wait_for_timeout(2000)
    assert len(one.events("Variant Viewed")) == 1, "it was seen for less than a second"
    page.locator("#low").scroll_into_view_if_needed()
    one.settle(lambda: len(one.events("Variant Viewed")) == 2)
    page.locator("#low button").click()
    one.settle(lambda: one.events("Variant Clicked"))
    [click], viewed = one.events("Variant Clicked"), one.events("Variant Viewed")[1]
    assert click == viewed == {**click, "placement": "motto", "variant": "short"}
    page.mouse.click(5, 5)
    assert len(one.events("Variant Clicked")) == 1


def test_cards_are_reported_as_items(site):
    one = site()
    page = one.open('<div data-bespeak-slot="home" data-count="2"></div>')
    expect(page.locator("[data-item-id]")).to_have_count(2)
    one.settle(lambda: one.events("Recommendation Viewed"))
    [seen] = one.events("Recommendation Viewed")
    assert [item["position"] for item in seen["items"]] == [1, 2]


FRONT = """<div id="rows" data-bespeak-page="front" data-live><section>Our best</section>
  <template><section data-attr="aria-label:heading"><h2 data-field="heading"></h2>
  <div data-bespeak-row><template><article><b data-field="title"></b></article></template></div></section></template>
</div>"""


def test_a_page_fills_its_rows_and_each_is_reported_under_its_own_decision(site):
    one = site()
    page = one.open(FRONT)
    expect(page.locator("#rows[data-filled] section h2").first).to_have_text("Picked for you")
    assert page.locator("#rows > template").count() == 0
    assert page.get_by_text("Our best").count() == 0
    headings = page.locator("#rows h2").all_inner_texts()
    labels = page.eval_on_selector_all("#rows section", "rows => rows.map((row) => row.ariaLabel)")
    assert labels == headings
    ids = page.eval_on_selector_all("[data-item-id]", "cards => cards.map((card) => card.dataset.itemId)")
    assert len(ids) == len(set(ids)) > 8
    one.settle(lambda: one.events("Recommendation Viewed"))
    shown = page.locator("#rows section").first.locator("[data-item-id]")
    assert one.events("Recommendation Viewed")[0]["decision_id"] == shown.first.get_attribute("data-decision-id")


@pytest.mark.parametrize("failure", ["refused", "an unknown page", "no row"])
def test_a_page_that_cannot_be_filled_keeps_its_content(failure, site):
    one = site()
    if failure == "refused":
        one.page.route("**/api/page", lambda route: route.fulfill(status=503, body="{}"))
    if failure == "no row":
        one.page.route("**/api/page", lambda route: route.fulfill(body='{"pageId":"p","rows":[],"leftOut":[]}'))
    page = one.open(FRONT.replace('"front"', '"nowhere"') if failure == "an unknown page" else FRONT)
    expect(page.locator("#rows[data-filled]")).to_contain_text("Our best")
    assert page.locator("[data-item-id]").count() == 0


def test_a_page_that_is_filled_again_keeps_the_rows_that_stay_and_asks_once(site):
    one = site()
    page = one.open(FRONT)
    expect(page.locator("#rows[data-filled] [data-item-id]").first).to_be_visible()
    page.evaluate("document.querySelectorAll('#rows section').forEach((row) => { row.isHeld = true })")
    page.evaluate("bespeak.consent({ personalize: true, measure: true })")
    one.settle(lambda: len([r for r in one.requests if r.url.endswith("/api/page")]) == 2)
    page.wait_for_timeout(300)
    expect(page.locator("#rows h2").first).to_have_text("Picked for you")
    assert page.evaluate("document.querySelector('#rows section').isHeld")
    assert not [r for r in one.requests if r.url.endswith("/api/decide")], "rows come with their page"


@pytest.mark.parametrize("failure", ["refused", "no network", "slow", "no JSON", "an unknown placement"])
def test_whatever_fails_leaves_the_content(failure, site):
    one = site()
    answers: dict[str, Callable[[Route], None]] = {
        "refused": lambda route: route.fulfill(status=503, body='{"code":"x","message":"y"}'),
        "no network": lambda route: route.abort(),
        "slow": lambda route: None,
        "no JSON": lambda route: route.fulfill(body="<html>"),
        "an unknown placement": lambda route: route.continue_(),
    }
    one.page.route("**/api/decide", answers[failure])
    body = HERO.replace('"greeting"', '"nowhere"') if failure == "an unknown placement" else HERO
    page = one.open(body, timeout=800 if failure == "slow" else 10_000)
    expect(page.locator("[data-filled]")).to_be_attached()
    expect(page.locator("[data-filled] b")).to_have_text("Welcome")
    expect(page.locator("[data-filled]")).to_be_visible()
    assert page.locator("[data-variant][data-filled]").count() == 0
    assert not one.events("Variant Viewed")


def test_a_reserved_slot_shows_nothing_until_it_is_filled(site):
    one = site()
    states: list[str] = []

    def answer(route: Route) -> None:
        states.append(one.page.evaluate("getComputedStyle(hero).visibility"))
        route.continue_()

    one.page.route("**/api/decide", answer)
    page = one.open(HERO.replace("<div", "<div data-reserve", 1))
    expect(page.locator("#hero[data-variant=plain] b")).to_be_visible()
    assert states == ["hidden"]


def test_a_reserved_slot_that_is_on_view_already_keeps_its_content(site):
    one = site()
    one.page.route("**/bespeak.js", lambda route: (one.page.wait_for_timeout(1200), route.continue_()))
    page = one.open(HERO.replace("<div", "<div data-reserve", 1), reveal=1)
    expect(page.locator("#hero[data-filled] b")).to_have_text("Welcome")
    assert page.locator("#hero").get_attribute("data-variant") is None


def test_nothing_is_written_to_the_device_before_consent(site):
    one = site()
    page = one.open(HERO)
    expect(page.locator("#hero[data-variant=plain]")).to_be_attached()
    held = "() => [localStorage.length, sessionStorage.length, document.cookie]"
    assert page.evaluate(held) == [0, 0, ""]
    asked = [json.loads(r.post_data or "{}") for r in one.requests if r.url.endswith("/api/decide")]
    assert asked
    assert not any("anonymousId" in body or "userId" in body for body in asked)
    page.evaluate("bespeak.consent({ personalize: true })")
    assert page.evaluate("localStorage.length") == 2
    page.evaluate("bespeak.consent(false)")
    assert page.evaluate(held) == [0, 0, ""]


@pytest.mark.parametrize("way", ["another tab", "the page before"])
def test_a_withdrawal_on_another_page_of_the_site_holds_at_once(way, site):
    one = site()
    page = one.open(HERO)
    expect(page.locator("#hero[data-variant=plain]")).to_be_attached()
    page.evaluate("bespeak.consent({ personalize: true, measure: true })")
    page.evaluate("bespeak.identify('ann')")
    one.settle(lambda: [r for r in one.requests if r.url.endswith("/v1/i")])
    held = page.evaluate("localStorage.bespeak_id")
    if way == "another tab":
        other = page.context.new_page()
        other.goto(page.url)
        other.wait_for_function("window.bespeak && bespeak.track")
        other.evaluate("bespeak.consent(false)")
    else:  # it left, and comes back from the browser's cache of pages
        page.evaluate("localStorage.clear(); dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    page.wait_for_timeout(200)
    page.evaluate("bespeak.track('Product Viewed', { product_id: 'p0001' })")
    one.settle(lambda: one.events("Product Viewed"))
    sent = [json.loads(r.post_data or "{}") for r in one.requests if "Product Viewed" in (r.post_data or "")]
    granted = {
        name for post in sent for name, is_so in post["context"]["consent"]["categoryPreferences"].items() if is_so
    }
    assert granted == {"essential"}
    assert all(post["anonymousId"] != held and "userId" not in post for post in sent)
    assert page.evaluate("localStorage.length") == 0


def test_a_page_that_is_prerendered_sends_nothing_until_it_is_seen(site):
    one = site()
    one.page.add_init_script(
        "document.isAhead = true; Object.defineProperty(document, 'prerendering', { get: () => document.isAhead })"
    )
    page = one.open(HERO)
    expect(page.locator("#hero[data-variant=plain]")).to_be_attached()
    page.evaluate("() => { bespeak.track('Product Viewed', { product_id: 'p0001' }) }")
    page.wait_for_timeout(300)
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
    assert not one.events("Product Viewed")
    page.evaluate("document.isAhead = false; document.dispatchEvent(new Event('prerenderingchange'))")
    one.settle(lambda: one.events("Product Viewed"))


def test_a_slot_that_was_taken_out_asks_no_more(site):
    one = site()
    page = one.open(HERO.replace("<div", "<div data-live", 1))
    expect(page.locator("#hero[data-variant=plain]")).to_be_attached()
    page.evaluate("hero.remove()")
    page.evaluate("bespeak.track('Product Viewed', { product_id: 'p0001' })")
    page.wait_for_timeout(300)
    assert len([r for r in one.requests if r.url.endswith("/api/decide")]) == 1


def test_a_strict_content_security_policy_is_enough(site):
    one = site()
    refused: list[str] = []
    one.page.on("console", lambda message: refused.append(message.text) if "script-src" in message.text else None)
    policy = f"default-src 'none'; script-src {one.server}; connect-src {one.server}"
    page = one.open(HERO, head=f'<meta http-equiv="Content-Security-Policy" content="{policy}">')
    expect(page.locator("#hero[data-variant=plain] b")).to_have_text("Hello")
    assert not refused


def test_the_script_does_not_hold_up_the_page(site):
    one = site()
    one.page.route("**/bespeak.js", lambda route: (one.page.wait_for_timeout(1500), route.continue_()))
    page = one.open("<h1>Shop</h1>", until="domcontentloaded")
    assert page.evaluate("document.querySelector('h1').textContent + typeof window.bespeak") == "Shopundefined"
