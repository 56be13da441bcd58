"""Where the routes of OFREP and of GrowthBook's SDKs lead, and their event streams."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from bespeak.serve import growthbook, ofrep
from bespeak.serve.deciding import Decider
from bespeak.serve.growthbook import GrowthBook
from bespeak.serve.ofrep import Ofrep
from bespeak.serve.replies import Answer, Failure, Send, send_json
from bespeak.serve.requests import Receive, cors, read_body
from bespeak.serve.streams import Streams
from bespeak.web.site import Site

_ROOTS = (ofrep.BASE, ofrep.EVENTS, growthbook.FEATURES, growthbook.EVALUATE, growthbook.EVENTS)
_BROWSER = "Mozilla/"
_GET = frozenset({ofrep.EVENTS, growthbook.FEATURES, growthbook.EVENTS})


class FlagRoutes:
    """Answers the clients of feature flags.

    Args:
        site: the open project.
        decider: the threads and the time budget of decisions.
        is_stopping: whether the server is about to stop.
    """

    def __init__(self, site: Site, decider: Decider, is_stopping: Callable[[], bool]) -> None:
        self._site = site
        self._streams = Streams(site, is_stopping)
        self._ofrep = Ofrep(site, decider, self._streams)
        self._growthbook = GrowthBook(site, decider)

    def has(self, path: str) -> bool:
        """Whether a path is one of these routes."""
        return _root_of(path) is not None

    async def answer(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send, path: str, headers: Mapping[str, str]
    ) -> int:
        """Answers a request and returns the status.

        Raises:
            BespeakError: the request is wrong or not allowed; nothing was sent.
        """
        root = _root_of(path)
        assert root is not None
        name = path[len(root) + 1 :]
        method = "GET" if root in _GET else "POST"
        if scope["method"] != method:
            raise Failure(405, "method_not_allowed", f"{root} takes {method}.")
        if root == ofrep.EVENTS:
            ticket = parse_qs(scope["query_string"].decode("latin-1")).get("ticket", [""])[0]
            ids = self._streams.opened(root, ticket)
            await self._streams.serve(receive, send, ids, cors(headers), ofrep.refetch)
            return 200
        if root == growthbook.EVENTS:
            self._growthbook.public_caller(name, {})
            await self._streams.serve(receive, send, (), cors(headers), growthbook.updated)
            return 200
        if root == growthbook.FEATURES:
            found = self._growthbook.features(name, headers)
        else:
            max_bytes = self._site.engine.core.config.settings.serve.max_body_bytes
            found = await self._posted(root, name, headers, scope, await read_body(receive, headers, max_bytes))
        await send_json(send, found.status, found.body, [*cors(headers), *found.headers])
        return found.status

    async def _posted(
        self, root: str, name: str, headers: Mapping[str, str], scope: Mapping[str, Any], body: bytes
    ) -> Answer:
        client = scope.get("client")
        if not headers.get("user-agent", "").startswith(_BROWSER):  # an SDK on the site's backend, not the visitor
            client, headers = None, {name: value for name, value in headers.items() if name != "user-agent"}
        if root == growthbook.EVALUATE:
            return await self._growthbook.evaluate(name, headers, client, body)
        if name:
            return await self._ofrep.evaluate(name, headers, client, body)
        return await self._ofrep.evaluate_all(headers, client, body)


def _root_of(path: str) -> str | None:
    """Returns the route that a path belongs to: those with a name behind them need one, but for bulk evaluation."""
    for root in _ROOTS:
        if path.startswith(f"{root}/") and len(path) > len(root) + 1 and root != ofrep.EVENTS:
            return root
    return path if path in (ofrep.BASE, ofrep.EVENTS) else None
