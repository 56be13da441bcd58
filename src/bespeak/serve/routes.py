"""The route table: method, path, who may call, request and reply. It drives dispatch and the API document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from bespeak.intake.segment import MAX_BATCH_EVENTS
from bespeak.serve import offering, reading, virtual
from bespeak.serve.deciding import DecideBody, PageBody, SearchBody
from bespeak.serve.foreign import DecisionsBody, Logged, log_decision
from bespeak.serve.growthbook import EvalBody, FeaturesReply
from bespeak.serve.offering import CodesBody, IssueBody, Issued
from bespeak.serve.ofrep import BulkReply, Evaluated, EvaluationBody, NotEvaluated
from bespeak.serve.reading import Call, Changed, DeleteBody, Health, ItemPage, ItemsBody, PatchBody
from bespeak.serve.replies import ErrorBody
from bespeak.serve.shapes import Key
from bespeak.serve.tracking import TrackReply
from bespeak.serve.virtual import ClockBody, ClockReply

Who = Literal[
    "anybody", "write key", "secret key", "any key or person token", "person or secret key", "write key in the address"
]


class TrackBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A batch of Segment-shaped events."""

    batch: Annotated[list[dict[str, Any]], Meta(max_length=MAX_BATCH_EVENTS)]
    sent_at: str | None = None
    context: dict[str, Any] | None = None
    write_key: Key | None = None


class SlateItem(msgspec.Struct, frozen=True, kw_only=True):
    """One position of a slate."""

    id: str
    position: int
    score: float
    propensity: float
    properties: dict[str, Any]
    reasons: list[dict[str, Any]]
    value: Annotated[Any, Meta(description="of a variant: what was declared for it")] = None
    creative: dict[str, Any] | None = None
    paid: Annotated[bool, Meta(description="somebody pays for it to be shown")] = False


class SlateReply(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer to a decision."""

    decision_id: str
    placement: str
    mode: Literal["profiled", "anonymous", "non_profiled", "fallback"]
    policy: str
    items: list[SlateItem]
    heading: str | None = None
    about: dict[str, str] | None = None
    experiment: dict[str, str] | None = None
    notes: list[str] | None = None


class PageRow(SlateReply, frozen=True, kw_only=True, rename="camel"):
    """One row of a page, from the top: the answer to a decision of its own."""

    row: int


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of a placement that are not shown for one reason, with what each would have been about."""

    placement: str
    why: str
    about: list[dict[str, str]] | None = None


class PageReply(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer to a page."""

    page_id: str
    rows: list[PageRow]
    left_out: list[LeftOut]
    page: str | None = None


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One route.

    Attributes:
        handler: a plain function for everything that is not hot; None for the hot routes, which `app` handles.
        reply: type of the 200 answer; None for free-form JSON.
        errors: type of the body of errors.
        has_tag: whether `If-None-Match` with the answer's ETag is answered by 304.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    who: Who
    summary: str
    request: type[Any] | None = None
    reply: type[Any] | None = None
    handler: Callable[[Call], Any] | None = None
    query: tuple[str, ...] = ()
    errors: type[Any] = ErrorBody
    has_tag: bool = False


ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/v1/batch",
        who="write key",
        summary="Track a batch of events; /v1/t, /v1/p, /v1/i, /v1/s, /v1/g and /v1/a take one event",
        request=TrackBody,
        reply=TrackReply,
    ),
    Route(
        method="POST",
        path="/api/decide",
        who="any key or person token",
        summary="Decide what a person sees at a placement",
        request=DecideBody,
        reply=SlateReply,
    ),
    Route(
        method="POST",
        path="/api/page",
        who="any key or person token",
        summary="Decide a whole page: many placements, one answer, no item twice",
        request=PageBody,
        reply=PageReply,
    ),
    Route(
        method="POST",
        path="/api/search",
        who="any key or person token",
        summary="Search, ranked for the person",
        request=SearchBody,
        reply=SlateReply,
    ),
    Route(
        method="POST",
        path="/ofrep/v1/evaluate/flags/{key}",
        who="any key or person token",
        summary="OpenFeature: evaluate one flag (a placement with variants) at the moment of its use",
        request=EvaluationBody,
        reply=Evaluated,
        errors=NotEvaluated,
    ),
    Route(
        method="POST",
        path="/ofrep/v1/evaluate/flags",
        who="any key or person token",
        summary="OpenFeature: evaluate all flags ahead",
        request=EvaluationBody,
        reply=BulkReply,
        errors=NotEvaluated,
        has_tag=True,
    ),
    Route(
        method="GET",
        path="/api/features/{client_key}",
        who="write key in the address",
        summary="GrowthBook: the flags that an SDK evaluates by itself",
        reply=FeaturesReply,
        has_tag=True,
    ),
    Route(
        method="POST",
        path="/api/eval/{client_key}",
        who="write key in the address",
        summary="GrowthBook: all flags, evaluated for one visitor",
        request=EvalBody,
        reply=FeaturesReply,
    ),
    Route(
        method="PUT",
        path="/api/items",
        who="secret key",
        summary="Write whole items",
        request=ItemsBody,
        reply=Changed,
        handler=reading.put_items,
    ),
    Route(
        method="PATCH",
        path="/api/items",
        who="secret key",
        summary="Change fields of items",
        request=PatchBody,
        reply=Changed,
        handler=reading.patch_items,
    ),
    Route(
        method="DELETE",
        path="/api/items",
        who="secret key",
        summary="Delete items",
        request=DeleteBody,
        reply=Changed,
        handler=reading.delete_items,
    ),
    Route(
        method="GET",
        path="/api/items",
        who="secret key",
        summary="List items in id order",
        reply=ItemPage,
        handler=reading.list_items,
        query=("after", "limit"),
    ),
    Route(
        method="GET",
        path="/api/items/{item_id}",
        who="secret key",
        summary="One item",
        handler=reading.get_item,
    ),
    Route(
        method="GET",
        path="/api/profiles/{user_id}",
        who="person or secret key",
        summary="What is known of a person",
        handler=reading.get_profile,
    ),
    Route(
        method="POST",
        path="/api/decisions",
        who="secret key",
        summary="Log a slate that another system showed",
        request=DecisionsBody,
        reply=Logged,
        handler=log_decision,
    ),
    Route(
        method="GET",
        path="/api/decisions/{decision_id}",
        who="person or secret key",
        summary="The full record of a decision and its reasons",
        handler=reading.get_decision,
    ),
    Route(
        method="POST",
        path="/api/offers/{item_id}/codes",
        who="secret key",
        summary="Add codes to an offer's pool",
        request=CodesBody,
        reply=Changed,
        handler=offering.add_codes,
    ),
    Route(
        method="POST",
        path="/api/offers/{item_id}/issue",
        who="person or secret key",
        summary="Give somebody a code of an offer",
        request=IssueBody,
        reply=Issued,
        handler=offering.issue,
    ),
    Route(
        method="GET",
        path="/health/live",
        who="anybody",
        summary="The process runs",
        reply=Health,
        handler=reading.live,
    ),
    Route(
        method="GET",
        path="/health/ready",
        who="anybody",
        summary="The store answers",
        reply=Health,
        handler=reading.ready,
    ),
)

CLOCK_ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/api/clock",
        who="secret key",
        summary="Where a virtual clock stands, and which jobs have still to run at that time",
        reply=ClockReply,
        handler=virtual.read_clock,
    ),
    Route(
        method="PUT",
        path="/api/clock",
        who="secret key",
        summary="Move a virtual clock forward, for all workers and the job process",
        request=ClockBody,
        reply=ClockReply,
        handler=virtual.set_clock,
    ),
)
"""Beside the others where the server was started with `--virtual-clock`."""
