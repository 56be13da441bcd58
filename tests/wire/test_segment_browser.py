"""The unmodified browser client of Segment in a real Chromium, on a page of another origin, against a real server."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request

from browser_fixtures import site_of
from node_fixtures import HOW_TO, PACKAGES
from server_fixtures import Project, Server, basic

pytestmark = pytest.mark.outside

CLIENT = PACKAGES / "@segment" / "analytics-next" / "dist" / "umd"
PAGE = (
    """<!doctype html><html lang="de"><title>Shop A</title><script src="/umd/index.js"></script><h1>Shop</h1></html>"""
)
YES = {"context": {"consent": {"categoryPreferences": {"personalize": True, "measure": True}}}}
LOAD = """async ([writeKey, cdnURL]) => {
  const [analytics] = await AnalyticsNext.AnalyticsBrowser.load({ writeKey, cdnURL })
  window.analytics = analytics
  return analytics.user().anonymousId()
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A shop's page with the client, at an origin that is not the server's."""
    assert CLIENT.is_dir(), HOW_TO
    folder = tmp_path_factory.mktemp("site")
    (folder / "index.html").write_text(PAGE, encoding="utf-8")
    shutil.copytree(CLIENT, folder / "umd")
    with site_of(folder) as address:
        yield address


class Visitor:
    """A visitor's browser on the shop's page, with the client loaded from our settings."""

    def __init__(self, context: BrowserContext, site: str, server: Server) -> None:
        self.page: Page = context.new_page()
        self.requests: list[Request] = []
        self.problems: list[str] = []
        self.page.on("request", self._note)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("requestfailed", lambda request: self.problems.append(request.url))
        self.page.goto(site + "?utm_source=nl&utm_medium=email&utm_campaign=spring")
        key = server.project.keys.write_key
        self.anonymous_id = str(self.page.evaluate(LOAD, [key, server.url]))
        self._url = server.url

    def _note(self, request: Request) -> None:
        self.requests.append(request)

    def call(self, method: str, *args: Any) -> None:
        """Calls the client and returns when it has delivered."""
        self.page.evaluate("([method, args]) => analytics[method](...args)", [method, list(args)])

    def posts(self) -> list[Request]:
        """The deliveries to our server."""
        return [one for one in self.requests if one.method == "POST" and one.url.startswith(self._url)]


@pytest.fixture
def visit(chromium: Browser, site: str, server: Server) -> Iterator[Callable[[], Visitor]]:
    """Opens the page as somebody new; nothing may go wrong in the page."""
    contexts: list[BrowserContext] = []
    visitors: list[Visitor] = []

    def visitor() -> Visitor:
        contexts.append(chromium.new_context(locale="de-DE"))
        visitors.append(Visitor(contexts[-1], site, server))
        return visitors[-1]

    yield visitor
    for context in contexts:
        context.close()
    assert not [problem for one in visitors for problem in one.problems]


def profile(server: Server, any_id: str) -> dict[str, Any]:
    answer = server.secret().get(f"/api/profiles/{any_id}")
    return dict(answer.json()) if answer.status_code == 200 else {}


def settle(is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_done():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def answered(server: Server, route: str, status: int) -> int:
    text = server.client().get("/metrics").text
    pattern = rf'^bespeak_requests_total\{{route="{re.escape(route)}",status="{status}"\}} ([\d.]+)$'
    found = re.search(pattern, text, re.MULTILINE)
    return int(float(found[1])) if found else 0


def test_our_settings_alone_direct_the_client_to_us(visit, server: Server, project: Project):
    before = server.counts().get("accepted", 0)
    one = visit()
    one.call("track", "Product Viewed", {"product_id": "p0001"}, YES)
    settle(lambda: server.counts()["accepted"] == before + 1)
    [delivery] = one.posts()
    assert delivery.url == f"{server.url}/v1/t"
    assert delivery.headers["content-type"].startswith("text/plain")
    assert delivery.headers["authorization"] == basic(project.keys.write_key)
    assert {
        request.url.split("?")[0].rsplit("/", 1)[0] for request in one.requests if "segment" in request.url
    } == set()


def test_a_page_of_another_origin_may_call_us(visit, server: Server):
    before = answered(server, "/v1/p", 204), answered(server, "/v1/p", 200)
    one = visit()
    one.call("page", "Shop", "Lamp", {}, YES)
    settle(lambda: answered(server, "/v1/p", 200) == before[1] + 1)
    assert answered(server, "/v1/p", 204) == before[0] + 1, "the browser asks before it sends a key"
    response = one.posts()[0].response()
    assert response is not None
    assert response.status == 200
    assert response.headers["access-control-allow-origin"] == one.page.evaluate("location.origin")
    assert response.json() == {"success": True, "accepted": 1, "duplicate": 0, "rejected": 0}


def test_six_types_arrive_as_single_events(visit, server: Server):
    before = server.counts().get("accepted", 0)
    one = visit()
    one.call("page", "Shop", "Lamp", {}, YES)
    one.call("track", "Product Viewed", {"product_id": "p0002"}, YES)
    one.call("screen", "Shop", "Lamp", {}, YES)
    one.call("identify", "browser-user", {"age": 33}, YES)
    one.call("group", "acme", {"plan": "pro"}, YES)
    one.call("alias", "browser-user", "browser-user-before", YES)
    settle(lambda: server.counts()["accepted"] == before + 6)
    assert sorted(post.url.rsplit("/", 1)[1] for post in one.posts()) == ["a", "g", "i", "p", "s", "t"]
    device = profile(server, one.anonymous_id)
    assert [step["item"] for step in device["recent"]] == ["p0002"]
    assert device["events"] == 6
    # the browser only claims to be this user: nothing is theirs before a token or the backend says so
    assert profile(server, "browser-user") == {}


def test_context_of_the_page_is_read(visit, server: Server):
    one = visit()
    one.call("page", None, None, {}, YES)
    settle(lambda: bool(profile(server, one.anonymous_id).get("sessions")))
    found = profile(server, one.anonymous_id)
    assert [device["device"].split()[:2] for device in found["devices"]] == [["desktop", "Linux"]]
    assert "127.0.0.1" not in json.dumps(found["places"])
    sent = json.loads(one.posts()[0].post_data or "{}")
    assert sent["context"]["campaign"] == {"source": "nl", "medium": "email", "name": "spring"}
    assert [session["referrer"] for session in found["sessions"]] == ["email"]


def test_without_consent_an_event_is_acknowledged_and_makes_nobody(visit, server: Server):
    before = server.counts().get("accepted", 0)
    one = visit()
    one.call("page")
    one.call("track", "Product Viewed", {"product_id": "p0003"})
    settle(lambda: server.counts()["accepted"] == before + 2)
    assert profile(server, one.anonymous_id) == {}


def test_three_views_in_the_browser_move_its_next_decision(visit, server: Server, project: Project):
    one = visit()
    seen = project.items_of("audio")[:3]
    decide = """([url, key, id]) => fetch(url + '/api/decide', {method: 'POST', headers: {authorization: key},
        body: JSON.stringify({placement: 'home', anonymousId: id, count: 10, explain: true})}).then(r => r.json())"""
    asked = [server.url, basic(project.keys.write_key), one.anonymous_id]
    before = one.page.evaluate(decide, asked)
    for item_id in seen:
        one.call("track", "Product Viewed", {"product_id": item_id}, YES)
    settle(lambda: len(profile(server, one.anonymous_id).get("recent", [])) == 3)
    after = one.page.evaluate(decide, asked)
    assert (before["mode"], after["mode"]) == ("anonymous", "profiled"), "a device with a history has a profile"
    assert "you viewed 3 items in audio" in {r["text"] for item in after["items"] for r in item["reasons"]}
    in_audio = [sum(i["properties"]["attributes"]["category"] == "audio" for i in s["items"]) for s in (before, after)]
    assert in_audio[1] > in_audio[0]
    assert not {item["id"] for item in after["items"]} & set(seen)


def test_a_token_confirms_what_the_browser_claims(visit, server: Server, project: Project):
    one = visit()
    one.call("track", "Product Viewed", {"product_id": "p0010"}, YES)
    context = {"context": {**YES["context"], "personToken": project.token("browser-owner")}}
    one.call("identify", "browser-owner", {"age": 44}, context)
    settle(lambda: bool(profile(server, "browser-owner").get("recent")))
    assert [step["item"] for step in profile(server, "browser-owner")["recent"]] == ["p0010"]
