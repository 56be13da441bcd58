"""The Segment family's tracking API, as a raw ASGI handler: /v1/batch, /v1/t, … and what their clients also ask for.

Success is exactly 200 with a JSON object: some clients take any other 2xx as a failure and send again. The answer comes
after the commit.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from bespeak.engine import Reject, WriteRequest
from bespeak.errors import NotAllowed
from bespeak.intake.segment import ROUTES, Decoded, decode_batch, inflate, peek_write_key
from bespeak.intake.wire import SourceInfo
from bespeak.serve.metrics import ACCEPTED, CLOCKS_OFF, DUPLICATE, REJECTED, TRACK_SECONDS
from bespeak.serve.replies import Failure, Send, send_json
from bespeak.serve.requests import Receive, cors, read_body
from bespeak.signals.events import Event
from bespeak.web.access import Access, key_of
from bespeak.web.site import Site

PREFIX = "/v1/"
TELEMETRY = "m"
CLOCK_OFF_MS = 3_600_000
MAX_TOLD_REJECTS = 10


class RejectedEvent(msgspec.Struct, frozen=True):
    """Why an event of the request cannot be taken in: its place from 0, the typed reason, a sentence without values."""

    index: int
    reason: str
    detail: str


class TrackReply(msgspec.Struct, frozen=True):
    """The answer to tracked events: `sent = accepted + duplicate + rejected`.

    Attributes:
        rejects: the first events that could not be read, where there are any.
    """

    success: bool
    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    rejects: list[RejectedEvent] | msgspec.UnsetType = msgspec.UNSET


def tracking_route(path: str) -> str | None:
    """Returns the tracking route that a path names (`batch`, `t`, …), or None."""
    if not path.startswith(PREFIX):
        return None
    route = path[len(PREFIX) :].rstrip("/")
    return route if route in ROUTES or route == TELEMETRY else None


async def track(site: Site, scope: Mapping[str, Any], receive: Receive, send: Send, route: str) -> int:
    """Handles one tracking request; returns the status that was sent."""
    headers: dict[str, str] = scope["bespeak.headers"]
    if scope["method"] != "POST":
        raise Failure(405, "method_not_allowed", "Tracking takes POST.")
    started = time.perf_counter()
    settings = site.engine.core.config.settings.serve
    body = await read_body(receive, headers, settings.max_body_bytes)
    if route == TELEMETRY:
        await send_json(send, 200, b'{"success":true}', cors(headers))
        return 200
    body = inflate(body, headers.get("content-encoding"), max_bytes=settings.max_body_bytes)
    access = _source_of(site, headers, body)
    reply = await _write(site, access, route, body, scope)
    TRACK_SECONDS.observe(time.perf_counter() - started)
    await send_json(send, 200, msgspec.json.encode(reply), cors(headers))
    return 200


async def _write(site: Site, access: Access, route: str, body: bytes, scope: Mapping[str, Any]) -> TrackReply:
    core = site.engine.core
    headers: dict[str, str] = scope["bespeak.headers"]
    is_visitor = access.kind == "browser"  # a backend's connection tells nothing of the visitor; its context does
    client = scope.get("client") if is_visitor else None
    now_ms = site.now_ms()
    decoded = decode_batch(
        body,
        route=route,
        received_ms=now_ms,
        source=SourceInfo(name=access.name, kind="browser" if is_visitor else "server"),
        header_gpc=headers.get("sec-gpc") == "1",
        ip=client[0] if client else None,
        user_agent=headers.get("user-agent") if is_visitor else None,
        places=core.runtime.places,
        declared_keys=core.config.settings.context.declared,
        max_bytes=max(len(body), 1),
    )
    request = WriteRequest(
        events=_vouched(site, access, decoded),
        rejects=[
            Reject(received_ms=now_ms, source=access.name, reason=r.reason, detail=r.detail, body=r.raw)
            for r in decoded.rejected
        ],
        n_bytes=len(body),
    )
    written = await asyncio.wrap_future(core.submit(request))
    ACCEPTED.inc(written.n_accepted)
    if written.n_duplicate:
        DUPLICATE.inc(written.n_duplicate)
    if written.n_rejected:
        REJECTED.inc(written.n_rejected)
    n_off = sum(e.sent_ms is not None and abs(now_ms - e.sent_ms) > CLOCK_OFF_MS for e in decoded.events)
    if n_off:
        CLOCKS_OFF.inc(n_off)
    told = [RejectedEvent(r.index, r.reason, r.detail) for r in decoded.rejected[:MAX_TOLD_REJECTS]]
    counts = (written.n_accepted, written.n_duplicate, written.n_rejected)
    return TrackReply(True, *counts, rejects=told or msgspec.UNSET)


def _source_of(site: Site, headers: Mapping[str, str], body: bytes) -> Access:
    """Returns the source whose key the request carries, in the header, the body, or both alike."""
    key, body_key = key_of(headers), peek_write_key(body)
    if key and body_key and key != body_key:
        raise NotAllowed("The key in the header and the writeKey in the body differ.", hint="Send one of them.")
    access = site.keys.of(key or body_key)
    if access.kind != "secret":
        return access
    servers = [n for n, source in site.engine.core.config.settings.sources.items() if source.kind == "server"]
    if not servers:
        raise NotAllowed("This project has no server source.", hint="Add one, or use a source's write key.")
    return Access("server", servers[0])


def _vouched(site: Site, access: Access, decoded: Decoded) -> list[Event]:
    """Returns the events; those whose user id a token proves, or whose source links claims, are vouched for."""
    source = site.engine.core.config.settings.sources[access.name]
    if source.kind != "browser" or not (decoded.tokens or source.links == "claimed"):
        return decoded.events
    if source.links == "claimed":
        return [msgspec.structs.replace(event, is_vouched=True) for event in decoded.events]
    events = list(decoded.events)
    for index, token in decoded.tokens.items():
        try:
            proven = site.tokens.user_id(token, site.now_ms())
        except NotAllowed:
            continue
        if events[index].user_id == proven:
            events[index] = msgspec.structs.replace(events[index], is_vouched=True)
    return events


def client_settings(site: Site, key: str, host: str, scheme: str) -> dict[str, Any]:
    """Returns what the browser client asks for at /v1/projects/{key}/settings: it redirects all traffic to us."""
    site.keys.of(key)
    return {
        "integrations": {
            "Segment.io": {
                "apiKey": key,
                "apiHost": f"{host}/v1",
                "protocol": scheme,
                "unbundledIntegrations": [],
                "addBundledMetadata": True,
                "maybeBundledConfigIds": {},
            }
        },
        "plan": {
            "track": {"__default": {"enabled": True, "integrations": {}}},
            "identify": {"__default": {"enabled": True}},
            "group": {"__default": {"enabled": True}},
        },
        "edgeFunction": {},
        "analyticsNextEnabled": True,
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
    }
