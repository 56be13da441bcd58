"""/api/decide, /api/page and /api/search: a decision within its time budget, else the fallback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from bespeak.engine import DecideRequest, PageRequest, listed_items, page_request, rows_request
from bespeak.errors import BespeakError, InvalidInput
from bespeak.intake.context import read_context
from bespeak.serve.metrics import DECIDE_SECONDS, DECISIONS
from bespeak.serve.requests import Caller, caller_of, decoded, readable_ids
from bespeak.serve.shapes import ID_TEXT, NO_NUL, Id, Key, NumberId, Rule
from bespeak.signals.events import Context
from bespeak.signals.ids import IdKey, clean_id
from bespeak.web.site import Site

T = TypeVar("T")

N_THREADS = 4
MAX_IN_FLIGHT = 64

PersonId = Annotated[str, Meta(max_length=255, pattern=ID_TEXT)] | NumberId


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place on earth, in degrees."""

    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]


class ListedItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An item of the caller's own list, with the caller's relevance if there is one."""

    id: Id | NumberId
    relevance: float | None = None


class DecideBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The body of POST /api/decide.

    Attributes:
        items: rank these instead of finding candidates.
        query: personalized search for this text.
        item: the item the placement is about.
        value: the value of a facet the placement is about.
        filter: a rule that every item must pass.
        market: whose prices and availability hold, one that an item has; else the placement's.
        decision_id: repeats an earlier draw.
        near: items count more the nearer they are.
    """

    placement: Annotated[str, Meta(min_length=1, max_length=100)]
    user_id: PersonId | None = None
    anonymous_id: PersonId | None = None
    profile_id: PersonId | None = None
    count: Annotated[int, Meta(ge=1, le=100)] | None = None
    context: dict[str, Any] | None = None
    items: Annotated[list[Id | NumberId | ListedItem], Meta(min_length=1, max_length=1000)] | None = None
    item: PersonId | None = None
    value: Annotated[str, Meta(max_length=255, pattern=NO_NUL)] | None = None
    query: Annotated[str, Meta(max_length=500, pattern=NO_NUL)] | None = None
    filter: Rule | None = None
    exclude: Annotated[list[Id | NumberId], Meta(max_length=10000)] | None = None
    market: Annotated[str, Meta(max_length=100, pattern=NO_NUL)] | None = None
    explain: bool | None = None
    near: Place | None = None
    decision_id: Annotated[str, Meta(max_length=100, pattern=NO_NUL)] | None = None
    write_key: Key | None = None


class RowBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One placement of a page that the caller puts together; what it leaves out holds as the page says it."""

    placement: Annotated[str, Meta(min_length=1, max_length=100)]
    count: Annotated[int, Meta(ge=1, le=100)] | None = None
    items: Annotated[list[Id | NumberId | ListedItem], Meta(min_length=1, max_length=1000)] | None = None
    item: PersonId | None = None
    value: Annotated[str, Meta(max_length=255, pattern=NO_NUL)] | None = None
    filter: Rule | None = None
    exclude: Annotated[list[Id | NumberId], Meta(max_length=5000)] | None = None


class PageBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The body of POST /api/page: a `page` of the project, or `placements` that are all answered, in this order.

    Attributes:
        filter, exclude, market: hold for every row.
        caps: attribute -> how many items of the whole page may share a value of it; in place of the page's own.
        one_per_group: whether the whole page shows one item of a group; in place of the page's own setting.
        page_id: repeats an earlier page's draws.
    """

    page: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    placements: Annotated[list[RowBody], Meta(min_length=1, max_length=30)] | None = None
    user_id: PersonId | None = None
    anonymous_id: PersonId | None = None
    profile_id: PersonId | None = None
    context: dict[str, Any] | None = None
    filter: Rule | None = None
    exclude: Annotated[list[Id | NumberId], Meta(max_length=5000)] | None = None
    caps: dict[str, Annotated[int, Meta(ge=1)]] | None = None
    one_per_group: bool | None = None
    market: Annotated[str, Meta(max_length=100, pattern=NO_NUL)] | None = None
    explain: bool | None = None
    near: Place | None = None
    page_id: Annotated[str, Meta(max_length=80, pattern=NO_NUL)] | None = None
    write_key: Key | None = None


class SearchBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The body of POST /api/search: the placement `search` with a query.

    Attributes:
        items: what the site's own search engine found, to be ranked.
    """

    query: Annotated[str, Meta(min_length=1, max_length=500, pattern=NO_NUL)]
    user_id: PersonId | None = None
    anonymous_id: PersonId | None = None
    profile_id: PersonId | None = None
    items: Annotated[list[Id | NumberId | ListedItem], Meta(min_length=1, max_length=1000)] | None = None
    exclude: Annotated[list[Id | NumberId], Meta(max_length=10000)] | None = None
    market: Annotated[str, Meta(max_length=100, pattern=NO_NUL)] | None = None
    explain: bool | None = None
    near: Place | None = None
    count: Annotated[int, Meta(ge=1, le=100)] | None = None
    context: dict[str, Any] | None = None
    filter: Rule | None = None
    write_key: Key | None = None


class Decider:
    """Answers decisions on a few threads; what takes too long or fails by our fault gets the fallback."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._threads = ThreadPoolExecutor(N_THREADS, thread_name_prefix="decide")
        self._in_flight = 0

    def close(self) -> None:
        """Ends the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def decide(self, headers: Mapping[str, str], client: Any, body: bytes) -> bytes:
        """Returns the JSON answer of POST /api/decide."""
        wanted: DecideBody = decoded(body, DecideBody)
        caller = caller_of(self._site, headers, wanted.write_key or "")
        ids = readable_ids(caller, _text(wanted.user_id), _text(wanted.anonymous_id), _text(wanted.profile_id))
        return await self._answer(caller, ids, self._request(wanted, caller, headers, client), wanted.decision_id or "")

    async def search(self, headers: Mapping[str, str], client: Any, body: bytes) -> bytes:
        """Returns the JSON answer of POST /api/search."""
        wanted: SearchBody = decoded(body, SearchBody)
        caller = caller_of(self._site, headers, wanted.write_key or "")
        ids = readable_ids(caller, _text(wanted.user_id), _text(wanted.anonymous_id), _text(wanted.profile_id))
        as_decision = DecideBody(
            placement="search",
            query=wanted.query,
            items=wanted.items,
            exclude=wanted.exclude,
            market=wanted.market,
            explain=wanted.explain,
            near=wanted.near,
            count=wanted.count,
            context=wanted.context,
            filter=wanted.filter,
        )
        return await self._answer(caller, ids, self._request(as_decision, caller, headers, client), "")

    async def page(self, headers: Mapping[str, str], client: Any, body: bytes) -> bytes:
        """Returns the JSON answer of POST /api/page."""
        wanted: PageBody = decoded(body, PageBody)
        caller = caller_of(self._site, headers, wanted.write_key or "")
        ids = readable_ids(caller, _text(wanted.user_id), _text(wanted.anonymous_id), _text(wanted.profile_id))
        request = self._page_request(wanted, caller, headers, client)
        pages, started = self._site.engine.pages, time.perf_counter()
        answer = await self.within_budget(
            lambda: pages.decide(request, ids, source=caller.source(), page_id=wanted.page_id or ""),
            lambda note: pages.fallback(request, note, page_id=wanted.page_id or ""),
        )
        DECIDE_SECONDS.observe(time.perf_counter() - started)
        for slate in answer:
            DECISIONS.labels(slate.decision.placement, slate.decision.mode).inc()
        return msgspec.json.encode(answer.to_json())

    def _page_request(self, wanted: PageBody, caller: Caller, headers: Mapping[str, str], client: Any) -> PageRequest:
        if (wanted.page is None) == (wanted.placements is None):
            raise InvalidInput(
                "Either `page` or `placements` is needed, and not both.", hint="Name a page of the file."
            )
        bodies = [RowBody(placement="")] if wanted.placements is None else wanted.placements
        rows = [
            self._request(
                DecideBody(
                    placement=row.placement,
                    count=row.count,
                    context=wanted.context,
                    items=row.items,
                    item=row.item,
                    value=row.value,
                    filter=both_rules(wanted.filter, row.filter),
                    exclude=[*(wanted.exclude or ()), *(row.exclude or ())],
                    market=wanted.market,
                    explain=wanted.explain,
                    near=wanted.near,
                ),
                caller,
                headers,
                client,
            )
            for row in bodies
        ]
        self._site.engine.pages.check_caps(wanted.caps or {})
        if wanted.page is None:
            return rows_request(rows, wanted.caps or {}, one_per_group=wanted.one_per_group is not False)
        page = self._site.engine.core.world.page(wanted.page)
        if wanted.caps is not None:
            page = msgspec.structs.replace(page, caps=wanted.caps)
        if wanted.one_per_group is not None:
            page = msgspec.structs.replace(page, one_per_group=wanted.one_per_group)
        return page_request(page, rows[0])

    def context(self, raw: dict[str, Any], caller: Caller, headers: Mapping[str, str], client: Any) -> Context:
        """Returns the circumstances of a request: what its body says, and what a visitor's connection tells."""
        core = self._site.engine.core
        # A site's backend is not the visitor: what is known of theirs stands in the body's context.
        is_visitor = caller.access is None or caller.access.kind == "browser"
        return read_context(
            raw,
            time_ms=core.now_ms(),
            address=client[0] if client and is_visitor else None,
            user_agent=headers.get("user-agent") if is_visitor else None,
            places=core.runtime.places,
            is_gpc=headers.get("sec-gpc") == "1",
            declared_keys=core.config.settings.context.declared,
        )

    async def within_budget(self, work: Callable[[], T], otherwise: Callable[[str], T]) -> T:
        """Returns what `work` does on a thread, or `otherwise` with a note: late, overloaded or failed by our fault.

        Raises:
            InvalidInput: the request is wrong.
        """
        if self._in_flight >= MAX_IN_FLIGHT:
            return otherwise("too many decisions at once")
        self._in_flight += 1
        call = asyncio.get_running_loop().run_in_executor(self._threads, work)
        call.add_done_callback(self._landed)
        try:
            budget = self._site.engine.core.config.settings.serve.decide_budget_ms / 1000
            return await asyncio.wait_for(asyncio.shield(call), budget)
        except TimeoutError:
            return otherwise("the time budget was used up")
        except InvalidInput:
            raise
        except BespeakError as error:
            return otherwise(f"our fault: {error.code}")

    def _request(self, wanted: DecideBody, caller: Caller, headers: Mapping[str, str], client: Any) -> DecideRequest:
        items = None
        if wanted.items is not None:
            items = listed_items([i if not isinstance(i, ListedItem) else _listed(i) for i in wanted.items])
        return DecideRequest(
            placement=wanted.placement,
            count=wanted.count,
            items=items,
            query=wanted.query or "",
            filter=wanted.filter or "",
            exclude=tuple(clean_id(entry, "exclude") for entry in wanted.exclude or ()),
            context=self.context(wanted.context or {}, caller, headers, client),
            item=clean_id(wanted.item, "item"),
            value=wanted.value or "",
            market=wanted.market or "",
            explain=bool(wanted.explain),
            near=None if wanted.near is None else (wanted.near.latitude, wanted.near.longitude),
        ).checked()

    async def _answer(self, caller: Caller, ids: list[IdKey], request: DecideRequest, decision_id: str) -> bytes:
        decisions, started = self._site.engine.decisions, time.perf_counter()
        slate = await self.within_budget(
            lambda: decisions.decide(request, ids, source=caller.source(), decision_id=decision_id),
            lambda note: decisions.fallback(request, note),
        )
        DECIDE_SECONDS.observe(time.perf_counter() - started)
        DECISIONS.labels(request.placement, slate.decision.mode).inc()
        return msgspec.json.encode(slate.to_json())

    def _landed(self, call: asyncio.Future[Any]) -> None:
        self._in_flight -= 1
        if not call.cancelled():
            call.exception()


def _listed(item: ListedItem) -> dict[str, Any]:
    return {"id": clean_id(item.id, "items.id"), "relevance": item.relevance}


def both_rules(first: str | None, second: str | None) -> str | None:
    """A rule that holds where both do.

    Example:
        >>> both_rules("price < 9 OR sale", "kind = 'film'")
        "(price < 9 OR sale) AND (kind = 'film')"
    """
    return f"({first}) AND ({second})" if first and second else first or second


def _text(value: str | int | None) -> str:
    return "" if value is None else str(value)
