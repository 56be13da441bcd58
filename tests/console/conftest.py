"""A console over a small shop, asked without a network: the pages, not the server, are under test here."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from bespeak.console.app import login_of
from bespeak.console.shop_settings import shop_settings
from bespeak.console.storefront import demo_routes
from bespeak.engine.engine import Engine
from bespeak.simulate.proof import Trial
from server_fixtures import Project, make_project

GRANTED = ["essential", "personalize", "measure", "improve"]


class Browser:
    """Asks an application and keeps its cookies; follows no redirect."""

    def __init__(self, app: Starlette) -> None:
        self._app = app
        self._cookies = httpx.Cookies()

    def request(self, method: str, address: str, **options: Any) -> httpx.Response:
        """Returns the answer."""
        return asyncio.run(self._ask(method, address, options))

    def get(self, address: str, **options: Any) -> httpx.Response:
        """Returns the answer to GET."""
        return self.request("GET", address, **options)

    def post(self, address: str, **options: Any) -> httpx.Response:
        """Returns the answer to POST."""
        return self.request("POST", address, **options)

    async def _ask(self, method: str, address: str, options: dict[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop.test", cookies=self._cookies) as client:
            answer = await client.request(method, address, **options)
            self._cookies = client.cookies
        return answer


@dataclass(frozen=True)
class Shop:
    """An open project with the console and the storefront over it."""

    project: Project
    engine: Engine
    app: Starlette

    def visitor(self) -> Browser:
        """A browser of somebody who is not signed in."""
        return Browser(self.app)

    def signed_in(self) -> Browser:
        """A browser of somebody who is."""
        client = self.visitor()
        token = login_of(self.engine).make_once()
        assert client.get("/console/login", params={"once": token}).status_code == 303
        return client


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    web = {"kind": "browser", "key": "wk_test", "consent": GRANTED}
    nobody = {"placement": "home", "coverage": 0.0, "variants": {"usual": {}, "calm": {"settings": {"diversity": 0.5}}}}
    duel = {"placement": "home", "kind": "interleave", "coverage": 0.0, "variants": {"one": {}, "two": {}}}
    settings = {
        **shop_settings(),
        "sources": {"web": web},
        "segments": {"buyers": "orders_90d >= 1"},
        "experiments": {"calmer": nobody, "duel": duel},
    }
    root = tmp_path_factory.mktemp("console") / "shop"
    project = make_project(root, n_people=30, n_items=60, history=True, settings=settings)
    with Engine.open(root) as engine:
        engine.track([{"type": "track", "event": "Nobody did this"}])  # a reject
        crowd = Trial(n_people=40, n_items=48, n_days=8, from_day=4)
        routes = demo_routes(engine, world=project.world, token_key=project.keys.token_private_key, crowd=crowd)
        yield Shop(project, engine, Starlette(routes=routes))


@pytest.fixture
def inside(shop: Shop) -> Browser:
    """Somebody who is signed in."""
    return shop.signed_in()


@pytest.fixture
def outside(shop: Shop) -> Browser:
    """Somebody who is not signed in."""
    return shop.visitor()


@pytest.fixture
def csrf(inside: Browser) -> str:
    """What the forms of `inside` carry."""
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', inside.get("/console/models").text)
    assert found
    return found[1]
