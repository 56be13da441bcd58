"""Where an engine runs that a world's people visit: in this process, or behind an address."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from itertools import cycle
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from bespeak.engine import Engine
from bespeak.engine.clock import VirtualClock
from bespeak.errors import InvalidInput, StoreUnavailable
from bespeak.simulate.events import PLACEMENT, Event

BATCH = 500
_N_CONNECTIONS = 4
_TIMEOUT_SECONDS = 60.0
_JOBS_SECONDS = 1_800.0
"""How long a server may take for the jobs of one day, training included."""
_LOOK_SECONDS = 0.05

T = TypeVar("T")


@dataclass(frozen=True)
class Decided:
    """A slate as the engine gave it: item ids and propensities in the order shown."""

    decision_id: str
    item_ids: Sequence[str]
    propensities: Sequence[float]


class Site(Protocol):
    """Where an engine runs."""

    def decide(self, at_ms: int, ids: Mapping[str, str], context: Mapping[str, Any], count: int) -> Decided:
        """Asks for one slate.

        Args:
            at_ms: the visit's time.
            ids: `userId`, and `profileId` under it, if the site knows them, and `anonymousId`.
            context: device, locale, timezone.
            count: positions to fill.
        """
        ...

    def send(self, events: Sequence[Event], until_ms: int) -> None:
        """Delivers the events of a day, which ended at `until_ms`."""
        ...

    def train(self) -> None:
        """Trains on what has come in, where the site can be told to."""
        ...


class InProcess:
    """An engine opened in this process, with a virtual clock: months pass in minutes.

    Args:
        engine: opened with `clock`.
        clock: moved with the world's time.
        source: the project's source that events count for.
    """

    def __init__(self, engine: Engine, clock: VirtualClock, source: str = "backend") -> None:
        self._engine = engine
        self._clock = clock
        self._source = source

    def decide(self, at_ms: int, ids: Mapping[str, str], context: Mapping[str, Any], count: int) -> Decided:
        """Decides at the visit's time."""
        self._move_to(at_ms)
        slate = self._engine.decide(
            PLACEMENT,
            user_id=ids.get("userId", ""),
            anonymous_id=ids.get("anonymousId", ""),
            profile_id=ids.get("profileId", ""),
            count=count,
            context=context,
        )
        return Decided(slate.decision.decision_id, slate.item_ids, [item.propensity for item in slate])

    def send(self, events: Sequence[Event], until_ms: int) -> None:
        """Takes the events in through the write path; returns when they are durable and folded."""
        self._move_to(until_ms)
        for batch in _batches(events):
            tracked = self._engine.track(batch, source=self._source)
            if tracked.rejected:
                raise InvalidInput(f"The engine refused {len(tracked.rejected)} events: {tracked.rejected[0][1]}.")

    def train(self) -> None:
        """Trains now."""
        self._engine.train(as_of_ms=self._clock.now_ms())

    def _move_to(self, at_ms: int) -> None:
        if at_ms > self._clock.now_ms():
            self._clock.set(at_ms)


class OverHttp:
    """A server, spoken to as a site's backend does, over a few connections in turn, so that all its workers are met.

    Its clock is its own: decisions are made at the server's now. See `VirtualServer`.

    Args:
        url: the server's address.
        key: a secret key.
    """

    def __init__(self, url: str, key: str) -> None:
        try:
            parts, port = urlsplit(url), urlsplit(url).port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidInput("That is no address of a server.", hint="Write it like http://127.0.0.1:8787.")
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connections = [kind(parts.hostname, port, timeout=_TIMEOUT_SECONDS) for _ in range(_N_CONNECTIONS)]
        self._turns = cycle(self._connections)
        token = base64.b64encode(f"{key}:".encode()).decode()
        self._headers = {"authorization": f"Basic {token}", "content-type": "application/json"}

    def put_items(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Writes the catalogue."""
        for batch in _batches(items):
            self._ask("PUT", "/api/items", {"items": batch})

    def decide(self, at_ms: int, ids: Mapping[str, str], context: Mapping[str, Any], count: int) -> Decided:
        """Asks `POST /api/decide`."""
        body = {"placement": PLACEMENT, "count": count, "context": dict(context), **ids}
        answer = self._ask("POST", "/api/decide", body)
        items = answer["items"]
        return Decided(answer["decisionId"], [i["id"] for i in items], [float(i["propensity"]) for i in items])

    def send(self, events: Sequence[Event], until_ms: int) -> None:
        """Sends batches to `POST /v1/batch`."""
        for batch in _batches(events):
            self._ask("POST", "/v1/batch", {"batch": batch})

    def train(self) -> None:
        """Nothing: a server trains by its own jobs."""

    def close(self) -> None:
        """Closes the connections."""
        for connection in self._connections:
            connection.close()

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        connection = next(self._turns)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), self._headers)
            response = connection.getresponse()
            text = response.read()
        except (OSError, HTTPException) as error:
            connection.close()
            raise StoreUnavailable(f"The server did not answer ({type(error).__name__}).") from error
        if response.status != 200:
            raise _Refused(path, response.status, text[:200].decode(errors="replace"))
        try:
            return json.loads(text)
        except ValueError:
            raise InvalidInput(f"The server answered {path} with no JSON.", hint="Is it Bespeak's?") from None


class _Refused(InvalidInput):
    """An answer of a server that is no success."""

    def __init__(self, path: str, status: int, text: str) -> None:
        super().__init__(f"The server answered {path} with status {status}: {text}")
        self.status = status


class VirtualServer(OverHttp):
    """A server with a virtual clock, which is moved with the world's time: months pass in minutes.

    At the end of a day, time stands still until its jobs are done.

    Args:
        url, key: as of `OverHttp`.

    Raises:
        InvalidInput: the server lives in real time.
    """

    def __init__(self, url: str, key: str) -> None:
        super().__init__(url, key)
        try:
            self.now_ms = int(self._ask("GET", "/api/clock")["nowMs"])
        except _Refused as refused:
            self.close()
            if refused.status != 404:
                raise
            raise InvalidInput(
                "This server lives in real time.", hint="Start one for the simulation: bespeak serve --virtual-clock"
            ) from None

    def decide(self, at_ms: int, ids: Mapping[str, str], context: Mapping[str, Any], count: int) -> Decided:
        """Asks at the visit's time."""
        self.move_to(at_ms)
        return super().decide(at_ms, ids, context, count)

    def send(self, events: Sequence[Event], until_ms: int) -> None:
        """Sends the events at the end of their day, and waits for the jobs that are due then."""
        self.move_to(until_ms)
        super().send(events, until_ms)
        deadline = time.monotonic() + _JOBS_SECONDS
        while jobs := self._ask("GET", "/api/clock")["jobs"]:
            if time.monotonic() > deadline:
                raise StoreUnavailable(f"The server's jobs do not end: {', '.join(jobs)}.", hint="See its log.")
            time.sleep(_LOOK_SECONDS)

    def move_to(self, at_ms: int) -> None:
        """Moves the server's clock; an earlier time than it has leaves it."""
        if at_ms > self.now_ms:
            self._ask("PUT", "/api/clock", {"nowMs": at_ms})
            self.now_ms = at_ms


def _batches(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    for first in range(0, len(rows), BATCH):
        yield rows[first : first + BATCH]
