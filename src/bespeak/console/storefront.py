"""The simulated shop as a web site: real pages, the real browser script, live rows, and a reason on each card.

The demo's process holds the private token key, as a site's own backend would, so that a simulated person can be chosen
and the browser proves it with a person token. Routes stand under `/demo`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from bespeak.console.answers import HEADERS, data, html
from bespeak.console.app import console_routes, static_folder
from bespeak.console.guard import Endpoint, form_of
from bespeak.console.proof import Crowd, figures
from bespeak.console.rendering import Pages
from bespeak.console.shop_settings import HERO, PAGE
from bespeak.engine.deciding.slates import Slate
from bespeak.engine.engine import Engine
from bespeak.engine.views.queries import Queries
from bespeak.errors import BespeakError
from bespeak.simulate import Consent, Person, ShopWorld, artwork
from bespeak.simulate.offer.goods import event_properties
from bespeak.simulate.proof import Trial, recorded
from bespeak.web.tokens import sign

ROOT = "/demo"
COOKIE = "bespeak_demo_person"
TOKEN_SECONDS = 1800
N_PEOPLE = 6
N_ROW = 8
N_GRID = 24
FEW_EVENTS = 20
MAX_QUERY = 100
NETWORK_MS = 2_800
"""What the script waits for an answer beyond the server's own time budget."""
CROWD = Trial(n_people=1_000, n_days=40, from_day=15)
"""About 5,000 visits."""

View = Callable[["Storefront", Request], Response]


class Storefront:
    """The shop's pages.

    Args:
        engine: the project that holds the world's items and people.
        world: the simulated shop.
        token_key: private half of the project's token key; without it nobody can be chosen.
        crowd: what is played when visitors are sent.
    """

    def __init__(self, engine: Engine, world: ShopWorld, token_key: str, crowd: Trial) -> None:
        self.engine = engine
        self.queries = Queries(engine.core)
        self.records = {record["id"]: record for record in world.items()}
        self.categories = sorted({record["attributes"]["category"] for record in self.records.values()})
        self._world = world
        self._token_key = token_key
        self._people: dict[str, Person] | None = None
        self.crowd = Crowd(crowd)
        self._pages = Pages()

    @property
    def people(self) -> dict[str, Person]:
        """People to choose from, by user id: they allow personalization, are well known, and like different things."""
        if not self._token_key:
            return {}
        if self._people is None:
            chosen: dict[str, Person] = {}
            liked: set[str] = set()
            for person in self._world.people():
                allows = person.consent in (Consent.ALL, Consent.OURS)
                if len(chosen) == N_PEOPLE or not allows or not person.user_id or person.top_category in liked:
                    continue
                profile = self.engine.profiles.get(person.user_id)
                if profile is not None and profile.n_events >= FEW_EVENTS:
                    chosen[person.user_id] = person
                    liked.add(person.top_category)
            self._people = chosen
        return self._people

    def token(self, user_id: str) -> str:
        """Returns a person token, as a site's backend makes one after a log-in; "" for somebody not to choose from."""
        if user_id not in self.people:
            return ""
        return sign(self._token_key, user_id, now_ms=self.engine.core.clock.now_ms(), seconds=TOKEN_SECONDS)

    def cart(self, user_id: str) -> str:
        """Returns what somebody chosen left in their cart, as the page's script tracks products: a JSON list."""
        known = self.engine.profiles.readable(user_id) if user_id else None
        lines = [event_properties(self.records[item]) for item in (known or {}).get("cart", ()) if item in self.records]
        return msgspec.json.encode(lines).decode()

    def row(self, request: Request, placement: str, **options: Any) -> Slate | None:
        """Returns what stands in a row before the script has filled it: what somebody unknown would see."""
        try:
            return self.queries.preview(placement, None, context=_context(request), **options)
        except BespeakError:
            return None  # a shop without a row is better than no shop

    def rows(self, request: Request) -> Sequence[Slate]:
        """Returns the first page's rows before the script has filled them."""
        try:
            return self.queries.preview_page(PAGE, None, context=_context(request))
        except BespeakError:
            return ()

    def page(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        """Returns a page with what stands around every one of them."""
        user = request.cookies.get(COOKIE, "")
        person = self.people.get(user)
        settings = self.engine.core.config.settings
        sources = settings.sources.values()
        return html(
            self._pages.render(
                template,
                {
                    "root": ROOT,
                    "write_key": next((source.key for source in sources if source.kind == "browser"), ""),
                    "patience_ms": settings.serve.decide_budget_ms + NETWORK_MS,
                    "people": self.people,
                    "person": person,
                    "user": user if person else "",
                    "token": self.token(user),
                    "cart": self.cart(user if person else ""),
                    "categories": self.categories,
                    "q": "",
                    "category": "",
                    **values,
                },
            ),
            status,
        )


def home(shop: Storefront, request: Request) -> Response:
    """The first page: rows that follow what is clicked."""
    hero = shop.row(request, HERO)
    banner = hero.variant.value if hero is not None and hero.variant is not None else None
    return shop.page(
        request,
        "demo/home.html",
        title="Home",
        banner=banner if isinstance(banner, dict) else None,
        hero=HERO,
        front=PAGE,
        rows=shop.rows(request),
    )


def product(shop: Storefront, request: Request) -> Response:
    """One product with what is similar."""
    record = shop.records.get(request.path_params["item_id"])
    if record is None:
        return shop.page(request, "demo/missing.html", 404, title="Not here")
    similar = {
        "slot": "similar",
        "count": N_ROW,
        "title": "Similar things",
        "slate": shop.row(request, "similar", count=N_ROW, item=record["id"]),
    }
    return shop.page(
        request, "demo/product.html", title=record["title"], record=record, tracked=tracked(record), rows=[similar]
    )


def peek(shop: Storefront, request: Request) -> Response:
    """One product as a part of a page, for a look without leaving it."""
    record = shop.records.get(request.path_params["item_id"])
    if record is None:
        return Response(status_code=404, headers=HEADERS)
    return shop.page(request, "demo/parts/peek.html", record=record, tracked=tracked(record))


def search(shop: Storefront, request: Request) -> Response:
    """Personalized search."""
    q = request.query_params.get("q", "").strip()[:MAX_QUERY]
    slate = shop.row(request, "search", count=N_GRID, query=q) if q else None
    return shop.page(
        request, "demo/search.html", title=f"Search: {q}" if q else "Search", q=q, slate=slate, count=N_GRID
    )


def category(shop: Storefront, request: Request) -> Response:
    """One department, in the visitor's own order."""
    name = request.path_params["category"]
    if name not in shop.categories:
        return shop.page(request, "demo/missing.html", 404, title="Not here")
    rule = f"category = '{name}'"
    slate = shop.row(request, "home", count=N_GRID, filter=rule)
    return shop.page(
        request, "demo/category.html", title=name.capitalize(), category=name, rule=rule, slate=slate, count=N_GRID
    )


def art(shop: Storefront, request: Request) -> Response:
    """The picture of a product."""
    record = shop.records.get(request.path_params["item_id"])
    if record is None:
        return Response(status_code=404, headers=HEADERS)
    headers = {**HEADERS, "cache-control": "public, max-age=86400", "content-security-policy": "default-src 'none'"}
    return Response(artwork(record, request.query_params.get("tag", "")), media_type="image/svg+xml", headers=headers)


def fresh_token(shop: Storefront, request: Request) -> Response:
    """A new token for whoever is chosen, before the old one expires."""
    user = request.cookies.get(COOKIE, "")
    token = shop.token(user)
    return data({"user": user if token else "", "token": token})


def proof(shop: Storefront, request: Request) -> Response:
    """Whether personalization helps: as recorded, and as a crowd of visitors shows it now."""
    return shop.page(request, "demo/proof.html", title="Does it help?", recorded=figures(recorded()), **_crowd(shop))


def crowd_state(shop: Storefront, request: Request) -> Response:
    """How the crowd does, as a part of the page."""
    return shop.page(request, "demo/parts/crowd.html", **_crowd(shop))


def _crowd(shop: Storefront) -> dict[str, Any]:
    progress = shop.crowd.progress()
    return {"progress": progress, "crowd": figures(progress)}


def _context(request: Request) -> dict[str, str]:
    language = request.headers.get("accept-language", "").partition(",")[0].partition(";")[0]
    return {"locale": language} if language else {}


def tracked(record: dict[str, Any]) -> str:
    """Returns what the page's script sends about a product, as JSON."""
    return msgspec.json.encode(event_properties(record)).decode()


def demo_routes(engine: Engine, *, world: ShopWorld, token_key: str = "", crowd: Trial = CROWD) -> list[BaseRoute]:
    """Returns the console's and the demo shop's routes: what the demo's server adds to the API."""
    return [*console_routes(engine), *storefront_routes(engine, world, token_key=token_key, crowd=crowd)]


def storefront_routes(
    engine: Engine, world: ShopWorld, *, token_key: str = "", crowd: Trial = CROWD
) -> list[BaseRoute]:
    """Returns the demo shop's routes.

    Args:
        engine: the project that holds the world's items and people.
        world: the simulated shop.
        token_key: private half of the project's token key, to sign in as simulated people.
        crowd: what is played when visitors are sent.
    """
    shop = Storefront(engine, world, token_key, crowd)
    pages: tuple[tuple[str, View], ...] = (
        ("/", home),
        ("/p/{item_id}", product),
        ("/peek/{item_id}", peek),
        ("/c/{category}", category),
        ("/search", search),
        ("/art/{item_id}.svg", art),
        ("/token", fresh_token),
        ("/proof", proof),
        ("/proof/crowd", crowd_state),
    )
    routes: list[BaseRoute] = [Mount("/static", StaticFiles(directory=static_folder()), name="demo-static")]
    routes += [Route(path, _in_thread(shop, view), methods=["GET"]) for path, view in pages]
    routes.append(Route("/person", _choose(shop), methods=["POST"]))
    routes.append(Route("/proof", _send(shop), methods=["POST"]))
    return [Route(ROOT, _to_root, methods=["GET"]), Mount(ROOT, routes=routes, name="demo")]


def _in_thread(shop: Storefront, view: View) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(view, shop, request)

    return endpoint


def _choose(shop: Storefront) -> Endpoint:
    """Becomes a simulated person, or nobody."""

    async def endpoint(request: Request) -> Response:
        answer = RedirectResponse(f"{ROOT}/", 303, headers=HEADERS)
        try:
            user = (await form_of(request)).get("user", "")
        except BespeakError:
            return answer
        if user in await run_in_threadpool(lambda: shop.people):
            answer.set_cookie(COOKIE, user, path=ROOT, httponly=True, samesite="lax")
        else:
            answer.delete_cookie(COOKIE, path=ROOT, httponly=True, samesite="lax")
        return answer

    return endpoint


def _send(shop: Storefront) -> Endpoint:
    """Sends a crowd of visitors, unless one is under way."""

    async def endpoint(request: Request) -> Response:
        try:
            await form_of(request)
        except BespeakError:
            return RedirectResponse(f"{ROOT}/", 303, headers=HEADERS)
        shop.crowd.start(shop.engine.core.clock.now_ms())
        return RedirectResponse(f"{ROOT}/proof", 303, headers=HEADERS)

    return endpoint


async def _to_root(request: Request) -> Response:
    del request
    return RedirectResponse(f"{ROOT}/", 307)
