"""The unmodified OpenFeature web SDK with its OFREP provider in a real Chromium, on a page of another origin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from bespeak.measure.assignment import bucket
from browser_fixtures import site_of
from node_fixtures import HOW_TO, PACKAGES
from server_fixtures import Project, Server

pytestmark = pytest.mark.outside

CORE = "/packages/@openfeature"
PAGE = f"""<!doctype html><html lang="en"><title>Shop</title><h1>Shop</h1>
<script type="importmap">{{"imports": {{
  "@openfeature/web-sdk": "{CORE}/web-sdk/dist/esm/index.js",
  "@openfeature/core": "{CORE}/core/dist/esm/index.js",
  "@openfeature/ofrep-core": "{CORE}/ofrep-web-provider/node_modules/@openfeature/ofrep-core/index.esm.js",
  "@openfeature/ofrep-web-provider": "{CORE}/ofrep-web-provider/index.esm.js"
}}}}</script>
<script type="module">
  import {{ OpenFeature, ProviderEvents }} from "@openfeature/web-sdk"
  import {{ OFREPWebProvider }} from "@openfeature/ofrep-web-provider"
  window.changed = []
  OpenFeature.addHandler(ProviderEvents.ConfigurationChanged, (e) => window.changed.push(e.flagsChanged))
  window.connect = async (baseUrl, headers, context, options = {{}}) => {{
    await OpenFeature.setContext(context)
    await OpenFeature.setProviderAndWait(new OFREPWebProvider({{ baseUrl, headers, ...options }}))
    window.client = OpenFeature.getClient()
  }}
  window.setContext = (context) => OpenFeature.setContext(context)
  window.isReady = true
</script></html>
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A shop's page that loads the client, at an origin that is not the server's."""
    assert (PACKAGES / "@openfeature").is_dir(), HOW_TO
    folder = tmp_path_factory.mktemp("site")
    (folder / "index.html").write_text(PAGE, encoding="utf-8")
    (folder / "packages").symlink_to(PACKAGES)
    with site_of(folder) as address:
        yield address


@pytest.fixture
def page(chromium: Browser, site: str) -> Iterator[Page]:
    """The page with the client loaded; nothing may go wrong in it."""
    context = chromium.new_context()
    made = context.new_page()
    problems: list[str] = []
    made.on("pageerror", lambda error: problems.append(str(error)))
    made.goto(site)
    made.wait_for_function("window.isReady", timeout=30_000)
    yield made
    context.close()
    assert not problems


def connect(page: Page, server: Server, context: dict[str, Any], *headers: tuple[str, str], **options: Any) -> None:
    given = [["Authorization", "Bearer wk_flags"], *map(list, headers)]
    page.evaluate("args => connect(...args)", [server.url, given, context, options])


def details(page: Page, kind: str, key: str, otherwise: Any) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(
        "([kind, ...args]) => client[`get${kind}Details`](...args)", [kind, key, otherwise]
    )
    return found


def value(page: Page, kind: str, key: str, otherwise: Any) -> Any:
    return details(page, kind, key, otherwise)["value"]


def view(server: Server, user_id: str, n_times: int) -> None:
    event = {"type": "track", "event": "Product Viewed", "userId": user_id, "properties": {"product_id": "p0001"}}
    server.client(server.project.keys.server_key).post(
        "/v1/batch", json={"batch": [event] * n_times}
    ).raise_for_status()


def test_all_flags_come_at_once_and_each_resolves(page: Page, server: Server):
    connect(page, server, {"targetingKey": "web-1", "plan": "pro"})
    assert value(page, "Object", "constant", {}) == {"title": "Hello", "n": 2}
    assert value(page, "Number", "ratio", 0) == 1
    found = details(page, "String", "banner", "?")
    assert (found["value"], found["variant"], found["reason"]) == ("Hello, pro", "pro", "TARGETING_MATCH")
    assert value(page, "Boolean", "checkout", True) is (bucket("1:checkout:split", "web-1") < 0.5)
    assert details(page, "Boolean", "nowhere", False)["errorCode"] == "FLAG_NOT_FOUND"
    assert details(page, "Boolean", "limit", False)["errorCode"] == "TYPE_MISMATCH"


def test_another_context_gives_other_answers_though_the_client_sends_its_old_tag(page: Page, server: Server):
    asked: list[tuple[str | None, int]] = []
    page.on("response", lambda r: asked.append((r.request.headers.get("if-none-match"), r.status))
            if r.request.method == "POST" and "/ofrep/" in r.url else None)  # fmt: skip
    connect(page, server, {"targetingKey": "web-2"}, cacheMode="disabled")
    assert value(page, "String", "banner", "?") == "Hello"
    page.evaluate("setContext({ targetingKey: 'web-2', device: 'mobile' })")
    assert value(page, "String", "banner", "?") == "Hi"
    page.evaluate("setContext({ targetingKey: 'web-2', device: 'mobile' })")
    (_, first), (second_tag, second), (third_tag, third) = asked
    assert (first, second, third) == (200, 200, 304)
    assert second_tag
    assert third_tag
    assert second_tag != third_tag


def test_a_person_is_read_with_a_token_and_told_when_their_state_changed(page: Page, server: Server, project: Project):
    view(server, "web-3", 1)
    connect(page, server, {"targetingKey": "web-3"}, ("X-Person-Token", project.token("web-3")), cacheMode="disabled")
    assert value(page, "Boolean", "loyal", True) is False
    view(server, "web-3", 2)
    page.wait_for_function("window.changed.flat().includes('loyal')", timeout=30_000)
    assert value(page, "Boolean", "loyal", False) is True


def test_a_wrong_key_is_fatal_for_the_provider(page: Page, server: Server):
    code = page.evaluate(
        "url => connect(url, [['Authorization', 'Bearer wk_wrong']], {}).catch((error) => error.code)", server.url
    )
    assert code == "PROVIDER_FATAL"
