"""The ASGI application: the hot routes raw, everything else through Starlette."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute
from starlette.routing import Route as StarletteRoute

from bespeak.engine.clock import SharedClock
from bespeak.errors import BespeakError
from bespeak.serve import ofrep
from bespeak.serve.deciding import Decider
from bespeak.serve.flags import FlagRoutes
from bespeak.serve.metrics import CATALOGUE_ITEMS, LAKE_LAG, MODEL_AGE, REFOLDED, REQUESTS, WAITING, exposition
from bespeak.serve.openapi import document
from bespeak.serve.reading import Call
from bespeak.serve.replies import Failure, Send, error_body, error_headers, send_json, status_of
from bespeak.serve.requests import Receive, cors, headers_of, preflight, read_body
from bespeak.serve.routes import CLOCK_ROUTES, ROUTES, Route
from bespeak.serve.script import browser_script
from bespeak.serve.tracking import client_settings, track, tracking_route
from bespeak.web.site import Site

log = logging.getLogger("bespeak.serve")

_API_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Bespeak API</title>
<h1>Bespeak API</h1><p>The document: <a href="/api/openapi.json">/api/openapi.json</a> (OpenAPI 3.1).</p><ul>{rows}</ul>
"""


class App:
    """One worker's application.

    Args:
        site: the open project.
        version: of the package, for the API document.
        extra: further routes (console, demo storefront).
        is_stopping: whether the server is about to stop, so that what stays open must end.
    """

    def __init__(
        self,
        site: Site,
        *,
        version: str,
        extra: Sequence[BaseRoute] = (),
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._site = site
        self._version = version
        is_virtual = isinstance(site.engine.core.clock, SharedClock)
        self._routes = (*ROUTES, *CLOCK_ROUTES) if is_virtual else ROUTES
        self._decider = Decider(site)
        self._flags = FlagRoutes(site, self._decider, is_stopping)
        self._hot = {
            "/api/decide": self._decider.decide,
            "/api/page": self._decider.page,
            "/api/search": self._decider.search,
        }
        self._starlette = Starlette(
            routes=[*self._plain_routes(), *extra],
            exception_handlers={BespeakError: _failed, HTTPException: _not_served, Exception: _broken},
        )

    def close(self) -> None:
        """Ends the decision threads."""
        self._decider.close()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Handles one connection."""
        if scope["type"] != "http":
            await self._starlette(scope, receive, send)  # type: ignore[arg-type]
            return
        headers = headers_of(scope)
        scope["bespeak.headers"] = headers
        path: str = scope["path"]
        is_answered = False

        async def noting(message: Mapping[str, Any]) -> None:
            nonlocal is_answered
            is_answered = True
            await send(message)

        try:
            status = await self._dispatch(scope, receive, noting, path, headers)
        except BespeakError as error:
            status = status_of(error)
            request_id = _request_id(scope)
            extra = [*cors(headers), *error_headers(error), (b"x-request-id", request_id.encode("latin-1", "replace"))]
            if path.startswith(ofrep.BASE):
                status, body = ofrep.failure_of(error, path)
            else:
                body = error_body(error)
            await send_json(send, status, body, extra)
            if status >= 500:
                log.warning("request %s failed: %s", request_id, error.code)
        except Exception:
            status = 500
            request_id = _request_id(scope)
            log.exception("request %s failed", request_id)
            if not is_answered:
                await send_json(send, 500, error_body(_our_fault(request_id)), cors(headers))
        REQUESTS.labels(_label(path), str(status)).inc()

    async def _dispatch(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send, path: str, headers: Mapping[str, str]
    ) -> int:
        if scope["method"] == "OPTIONS":
            await send_json(send, 204, b"", preflight(headers))
            return 204
        route = tracking_route(path)
        if route is not None:
            return await track(self._site, scope, receive, send, route)
        if path in self._hot:
            if scope["method"] != "POST":
                raise Failure(405, "method_not_allowed", f"{path} takes POST.")
            body = await read_body(receive, headers, self._site.engine.core.config.settings.serve.max_body_bytes)
            answer = await self._hot[path](headers, scope.get("client"), body)
            await send_json(send, 200, answer, cors(headers))
            return 200
        if self._flags.has(path):
            return await self._flags.answer(scope, receive, send, path, headers)
        return await self._rest(scope, receive, send)

    async def _rest(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> int:
        status = 200

        async def noting(message: Mapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        await self._starlette(scope, receive, noting)  # type: ignore[arg-type]
        return status

    # -- everything else -----------------------------------------------------------------------------------------------
    def _plain_routes(self) -> list[BaseRoute]:
        table: list[BaseRoute] = [
            # Ids may hold a slash, so that a parameter, which is always last, takes the rest of the path.
            StarletteRoute(route.path.replace("}", ":path}"), self._endpoint(route), methods=[route.method])
            for route in self._routes
            if route.handler is not None
        ]
        return [
            *table,
            StarletteRoute("/metrics", self._metrics),
            StarletteRoute("/api/openapi.json", self._openapi),
            StarletteRoute("/api", self._api_page),
            StarletteRoute("/bespeak.js", self._browser_script),
            StarletteRoute("/v1/projects/{key}/settings", self._client_settings),
            StarletteRoute("/", self._root),
        ]

    def _endpoint(self, route: Route) -> Any:
        handler = route.handler
        assert handler is not None

        async def endpoint(request: Request) -> Response:
            headers = request.scope["bespeak.headers"]
            body = b""
            if route.request is not None:
                max_bytes = self._site.engine.core.config.settings.serve.max_body_bytes
                body = await read_body(request.receive, headers, max_bytes)
            call = Call(self._site, headers, request.path_params, dict(request.query_params), body)
            value = await run_in_threadpool(handler, call)
            return Response(msgspec.json.encode(value), media_type="application/json", headers=_plain(cors(headers)))

        return endpoint

    async def _metrics(self, request: Request) -> Response:
        del request
        core = self._site.engine.core
        WAITING.set(core.n_waiting())
        CATALOGUE_ITEMS.set(self._site.engine.items.count())
        lag, age_seconds = await run_in_threadpool(self._site.engine.lags)
        LAKE_LAG.set(lag)
        MODEL_AGE.set(age_seconds)
        REFOLDED.set(await run_in_threadpool(self._site.engine.up_to_date))
        text, kind = exposition()
        return Response(text, media_type=kind)

    async def _openapi(self, request: Request) -> Response:
        del request
        config = self._site.engine.core.config
        rows, pages = sorted(config.placements), sorted(config.pages)
        placements = sorted([*rows, *config.variants])
        body = document(
            self._routes,
            version=self._version,
            placements=placements,
            rows=rows,
            pages=pages,
            markets=self._site.engine.core.world.catalogue.markets,
        )
        return Response(msgspec.json.encode(body), media_type="application/json")

    async def _api_page(self, request: Request) -> Response:
        del request
        rows = "".join(f"<li><code>{r.method} {r.path}</code> {r.summary} ({r.who})</li>" for r in self._routes)
        return HTMLResponse(_API_PAGE.format(rows=rows))

    async def _browser_script(self, request: Request) -> Response:
        headers = {"cache-control": "public, max-age=300", **_plain(cors(request.scope["bespeak.headers"]))}
        headers["vary"] = "Origin, Accept-Encoding"
        script = browser_script()
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(script.plain, media_type="text/javascript", headers=headers)
        headers["content-encoding"] = "gzip"
        return Response(script.zipped, media_type="text/javascript", headers=headers)

    async def _client_settings(self, request: Request) -> Response:
        host = request.headers.get("host", "localhost")
        body = client_settings(self._site, request.path_params["key"], host, request.url.scheme)
        headers = _plain(cors(request.scope["bespeak.headers"]))
        return Response(msgspec.json.encode(body), media_type="application/json", headers=headers)

    async def _root(self, request: Request) -> Response:
        del request
        return PlainTextResponse("Bespeak is running. API: /api  Console: /console\n")


async def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, BespeakError)
    headers = _plain([*cors(request.scope["bespeak.headers"]), *error_headers(error)])
    return Response(error_body(error), status_of(error), headers, "application/json")


async def _broken(request: Request, error: Exception) -> Response:
    """Answers before the framework would, in its own shape; the error itself goes on to `App`, which logs it."""
    del error
    failure = _our_fault(_request_id(request.scope))
    return Response(error_body(failure), 500, _plain(cors(request.scope["bespeak.headers"])), "application/json")


def _request_id(scope: MutableMapping[str, Any]) -> str:
    """Returns the id that the caller gave a request, else one that is made when it is first asked for.

    Only failures ask. Drawing one lets go of the interpreter: beside a writing thread each request waited for it.
    """
    held: str | None = scope.get("bespeak.request_id")
    if held is None:
        given = scope["bespeak.headers"].get("x-request-id", "")[:64]
        held = scope["bespeak.request_id"] = given or secrets.token_hex(8)
    return held


def _our_fault(request_id: str) -> Failure:
    return Failure(500, "internal_error", "Something went wrong on our side.", hint=f"Request {request_id}.")


async def _not_served(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    codes = {
        404: ("not_found", "There is no such route."),
        405: ("method_not_allowed", "This route takes another method."),
    }
    code, message = codes.get(error.status_code, ("refused", str(error.detail)))
    failure = Failure(error.status_code, code, message, hint="The routes are listed at /api.")
    return Response(
        error_body(failure),
        error.status_code,
        {**_plain(cors(request.scope["bespeak.headers"])), **(error.headers or {})},
        "application/json",
    )


def _plain(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}


def _label(path: str) -> str:
    """Returns the first parts of a path: a label must not grow with ids."""
    parts = path.split("/")
    return "/".join(parts[:3])[:40] if len(parts) > 2 and parts[1] in ("api", "v1", "health") else f"/{parts[1]}"[:20]
