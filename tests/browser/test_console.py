"""The console in a real browser: by keyboard, on a phone, without an error."""

from __future__ import annotations

import itertools
import re

import httpx
import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.outside

PAGES = (
    "/", "/events", "/rejects", "/people", "/people/1", "/try", "/try?placement=page:front", "/try?placement=hero",
    "/models", "/experiments", "/experiments/calmer", "/offers",
)  # fmt: skip


def sign_in(page: Page, shop) -> None:
    page.goto(shop.url + "/console/")
    page.get_by_label("Secret key").fill(shop.project.keys.secret_key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def send(shop, event: str, who: str = "a-live") -> None:
    body = {"type": "track", "event": event, "anonymousId": who, "properties": {"product_id": "p0001"}}
    assert httpx.post(shop.url + "/v1/track", json=body, auth=("wk_shop", ""), trust_env=False).status_code == 200


def test_every_page_fits_and_has_one_title_and_names_for_what_can_be_used(page, shop):
    sign_in(page, shop)
    for path in PAGES:
        page.goto(shop.url + "/console" + path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        expect(page.locator("h1")).to_have_count(1)
        unnamed = page.evaluate(
            "() => [...document.querySelectorAll('input:not([type=hidden]), select')].filter((e) => !e.labels.length)"
            ".map((e) => e.name)"
        )
        assert not unnamed, path
        levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3, h4')].map((e) => Number(e.tagName[1]))")
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels)), path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(desktop, shop, hard_to_read, scheme):
    desktop.emulate_media(color_scheme=scheme)
    sign_in(desktop, shop)
    for path in PAGES:
        desktop.goto(shop.url + "/console" + path)
        assert not hard_to_read(desktop), path


def test_a_walk_with_the_keyboard_alone(desktop, shop):
    desktop.goto(shop.url + "/console/")
    desktop.keyboard.type(shop.project.keys.secret_key)
    desktop.keyboard.press("Enter")
    expect(desktop.get_by_role("heading", name="Overview")).to_be_visible()
    desktop.keyboard.press("Tab")
    skip = desktop.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    desktop.keyboard.press("Enter")
    expect(desktop.locator("#main")).to_be_focused()
    desktop.goto(shop.url + "/console/people")
    user = desktop.get_by_role("link", name=re.compile(r"^u\d+$")).first.inner_text()
    desktop.keyboard.type(user)
    desktop.keyboard.press("Enter")
    expect(desktop.get_by_role("heading", name=user)).to_be_visible()
    for _ in range(40):
        desktop.keyboard.press("Tab")
        name = desktop.evaluate("document.activeElement.textContent.trim()")
        assert desktop.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", name
        if name.startswith("Try a placement for"):
            break
    desktop.keyboard.press("Enter")
    expect(desktop.get_by_label("Person")).to_have_value(user)
    expect(desktop.locator(".pick").first).to_be_visible()


def test_an_event_appears_by_itself_and_waits_while_updates_are_off(page, shop):
    sign_in(page, shop)
    page.goto(shop.url + "/console/events")
    size = page.viewport_size["width"]
    here, later = f"Came By Itself {size}", f"Came While Off {size}"
    send(shop, here)
    expect(page.get_by_role("link", name=here)).to_be_visible()
    page.get_by_label("Update every second").uncheck()
    send(shop, later)
    page.wait_for_timeout(2500)
    expect(page.get_by_role("link", name=later)).to_have_count(0)
    page.get_by_label("Update every second").check()
    expect(page.get_by_role("link", name=later)).to_be_visible()


def test_the_filter_narrows_what_is_shown(desktop, shop):
    sign_in(desktop, shop)
    send(shop, "Needle Found")
    desktop.goto(shop.url + "/console/events")
    desktop.get_by_label("Name contains").fill("needle")
    expect(desktop.locator("#rows tbody tr")).to_have_count(1)
    desktop.get_by_label("Source").select_option("backend")
    expect(desktop.get_by_text("Nothing among the newest")).to_be_visible()


def test_events_per_minute_are_plotted(page, shop):
    sign_in(page, shop)
    expect(page.locator(".pulse canvas")).to_be_visible()


def test_rejects_are_listed_with_their_reason(page, shop):
    sign_in(page, shop)
    page.goto(shop.url + "/console/rejects")
    expect(page.get_by_text("needs a userId or an anonymousId").first).to_be_visible()


def test_a_placement_is_tried_again_when_the_form_changes(desktop, shop):
    sign_in(desktop, shop)
    desktop.goto(shop.url + "/console/try")
    expect(desktop.locator(".pick")).to_have_count(10)
    desktop.get_by_label("Count").fill("3")
    desktop.get_by_label("Filter").fill("category = 'audio'")
    desktop.get_by_role("button", name="Decide").click()
    expect(desktop.locator(".pick")).to_have_count(3)
    expect(desktop.locator(".pick").first).to_contain_text("audio")
    desktop.get_by_label("Filter").fill("category ==")
    desktop.get_by_role("button", name="Decide").click()
    expect(desktop.get_by_role("alert")).to_be_visible()


def test_a_training_shows_its_progress_and_the_new_version(desktop, shop):
    sign_in(desktop, shop)
    desktop.goto(shop.url + "/console/models")
    newest = int(re.search(r"v(\d+)", desktop.locator("[aria-labelledby=versions] tbody th").first.inner_text())[1])
    desktop.get_by_role("button", name="Train now").click()
    expect(desktop.locator("progress")).to_be_visible()
    expect(desktop.get_by_role("link", name=f"v{newest + 1}")).to_be_visible(timeout=120_000)
    expect(desktop.locator(".interval.chosen").first).to_be_visible()
