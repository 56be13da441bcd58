"""/api/decide and /api/search: a decision within its time budget, else the fallback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from bespeak.engine import DecideRequest, listed_items
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
        filter: a rule that every item must pass.
        decision_id: repeats an earlier draw.
    """

    placement: Annotated[str, Meta(min_length=1, max_length=100)]
    user_id: PersonId | None = None
    anonymous_id: PersonId | None = None
    profile_id: PersonId | None = None
    count: Annotated[int, Meta(ge=1, le=100)] | None = None
    context: dict[str, Any] | None = None
    items: Annotated[list[Id | NumberId | ListedItem], Meta(min_length=1, max_length=1000)] | None = None
    item: PersonId | None = None
    query: Annotated[str, Meta(max_length=500, pattern=NO_NUL)] | None = None
    filter: Rule | None = None
    exclude: Annotated[list[Id | NumberId], Meta(max_length=10000)] | None = None
    market: Annotated[str, Meta(max_length=100, pattern=NO_NUL)] | None = None
    explain: bool | None = None
    decision_id: Annotated[str, Meta(max_length=100, pattern=NO_NUL)] | None = None
    write_key: Key | None = None


class SearchBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The body of POST /api/search: the placement `search` with a query."""

    query: Annotated[str, Meta(min_length=1, max_length=500, pattern=NO_NUL)]
    user_id: PersonId | None = None
    anonymous_id: PersonId | None = None
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
        ids = readable_ids(caller, _text(wanted.user_id), _text(wanted.anonymous_id))
        as_decision = DecideBody(
            placement="search",
            query=wanted.query,
            count=wanted.count,
            context=wanted.context,
            filter=wanted.filter,
        )
        return await self._answer(caller, ids, self._request(as_decision, caller, headers, client), "")

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
            market=wanted.market or "",
            explain=bool(wanted.explain),
        ).checked()

    async def _answer(self, caller: Caller, ids: list[IdKey], request: DecideRequest, decision_id: str) -> bytes:
        started = time.perf_counter()
        engine = self._site.engine
        slate = await self.within_budget(
            lambda: engine.decide_request(request, ids, source=caller.source(), decision_id=decision_id),
            lambda note: engine.fallback(request, note),
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


def _text(value: str | int | None) -> str:
    return "" if value is None else str(value)
