"""Event streams that tell clients to ask again: the configuration changed, or what is known of the visitor did.

A stream says only that something changed, never what. Its address carries a ticket, because browsers send no headers
with an `EventSource`: the visitor's ids, encrypted with a secret of the project, good until the end of the next day.
Every worker looks once a second for all its streams together: at the configuration, and, if the log grew, at the people
that its streams are for.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from starlette.concurrency import run_in_threadpool

from bespeak.errors import Overloaded, StoreUnavailable
from bespeak.serve.replies import Failure, Headers, Send
from bespeak.signals.ids import IdKey
from bespeak.web.site import Site

Receive = Callable[[], Awaitable[Mapping[str, Any]]]

MAX_STREAMS = 2_000
LOOK_SECONDS = 1.0
COMMENT_SECONDS = 15.0
DAY_MS = 86_400_000
_SECRET = "streams"  # noqa: S105 - the name of a secret
_ALIVE = b": still here\n\n"


class Ticket(msgspec.Struct, frozen=True, array_like=True):
    """What an address says: whose state to watch, and until when it is good."""

    ids: list[IdKey]
    expires_ms: int


class Stream:
    """One open stream: what it was last told of, and a bell that rings when that changed."""

    def __init__(self, ids: tuple[IdKey, ...]) -> None:
        self.ids = ids
        self.state = b""
        self.bell = asyncio.Event()


class Streams:
    """The open streams of one worker.

    Args:
        site: the open project.
        is_stopping: whether the server is about to stop, so that streams must end.
    """

    def __init__(self, site: Site, is_stopping: Callable[[], bool] = lambda: False) -> None:
        self._site = site
        self._is_stopping = is_stopping
        self._cipher = AESSIV(site.secret(_SECRET))
        self._open: set[Stream] = set()
        self._watcher: asyncio.Task[None] | None = None

    def address(self, path: str, ids: Sequence[IdKey]) -> str:
        """Returns the address of the stream for a visitor: the same one all day."""
        expires_ms = (self._site.now_ms() // DAY_MS + 2) * DAY_MS
        sealed = self._cipher.encrypt(msgspec.msgpack.encode(Ticket(list(ids), expires_ms)), [path.encode()])
        return f"{path}?ticket={base64.urlsafe_b64encode(sealed).decode().rstrip('=')}"

    def opened(self, path: str, text: str) -> tuple[IdKey, ...]:
        """Returns whose state a ticket lets watch.

        Raises:
            Failure: 403 for a ticket that is not ours, is for another path, or has run out.
        """
        refused = Failure(403, "ticket_refused", "The stream's ticket is wrong or has run out.", hint="Evaluate again.")
        try:
            sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            ticket = msgspec.msgpack.decode(self._cipher.decrypt(sealed, [path.encode()]), type=Ticket)
        except (InvalidTag, binascii.Error, ValueError, msgspec.DecodeError):
            raise refused from None
        if ticket.expires_ms <= self._site.now_ms():
            raise refused
        return tuple(ticket.ids)

    async def serve(
        self, receive: Receive, send: Send, ids: tuple[IdKey, ...], headers: Headers, message: Callable[[bytes], bytes]
    ) -> None:
        """Sends `message(state)` whenever the state of a visitor or the configuration changed, until either side ends.

        Raises:
            Overloaded: this worker has as many streams as it takes.
            StoreUnavailable: the store cannot be read.
        """
        if len(self._open) >= MAX_STREAMS:
            raise Overloaded("Too many event streams are open.", retry_after_seconds=30)
        stream = Stream(ids)
        self._open.add(stream)
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            stream.state = await run_in_threadpool(self._state, ids)
            await self._tell(stream, gone, send, headers, message)
        finally:
            self._open.discard(stream)
            gone.cancel()

    async def _tell(
        self,
        stream: Stream,
        gone: asyncio.Future[None],
        send: Send,
        headers: Headers,
        message: Callable[[bytes], bytes],
    ) -> None:
        start = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store"), *headers]
        await send({"type": "http.response.start", "status": 200, "headers": start})
        await send({"type": "http.response.body", "body": _ALIVE, "more_body": True})
        while not gone.done() and not self._is_stopping():
            if self._watcher is None or self._watcher.done():
                self._watcher = asyncio.ensure_future(self._watch())
            rung = asyncio.ensure_future(stream.bell.wait())
            both: set[asyncio.Future[Any]] = {rung, gone}
            await asyncio.wait(both, timeout=COMMENT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            rung.cancel()
            if gone.done() or self._is_stopping():
                break
            body = message(stream.state) if stream.bell.is_set() else _ALIVE
            stream.bell.clear()
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    def _state(self, ids: Sequence[IdKey]) -> bytes:
        flags = self._site.engine.flags
        return flags.configuration() + (flags.state_of(ids) if ids else b"")

    async def _watch(self) -> None:
        """Rings the bells of streams whose state changed, as long as there are streams."""
        seen: tuple[bytes, int] | None = None
        while self._open:
            if self._is_stopping():
                for stream in self._open:
                    stream.bell.set()
                return
            try:
                seen = await self._look(seen)
            except StoreUnavailable:
                seen = None
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self, seen: tuple[bytes, int] | None) -> tuple[bytes, int] | None:
        flags = self._site.engine.flags
        now = flags.configuration(), await run_in_threadpool(flags.log_position)
        watched = list(self._open)
        if now == seen or not all(stream.state for stream in watched):
            return seen  # who has only just come is looked at next time
        states = await run_in_threadpool(lambda: {ids: self._state(ids) for ids in {one.ids for one in watched}})
        for stream in watched:
            if stream.state != states[stream.ids]:
                stream.state = states[stream.ids]
                stream.bell.set()
        return now


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
