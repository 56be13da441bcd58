"""The one thread that writes: it gathers waiting requests into a batch and commits each batch in one transaction.

A batch is gathered once its transaction is open, so that what comes in while another process writes is in it.

The acknowledgement (the future's result) follows the commit, so what was acknowledged survives a killed process. The
queue is bounded in events and in bytes; a full queue refuses with `Overloaded`, decisions before events. A batch that
fails is split until the event that fails stands alone: it is quarantined, its neighbours commit.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial

import msgspec

from bespeak.errors import BespeakError, InvalidInput, Overloaded, StoreError, StoreUnavailable
from bespeak.signals.decisions import Decision
from bespeak.signals.events import Event
from bespeak.storage.tables.log import Reject

MAX_BATCH_EVENTS = 2_000
LINGER_SECONDS = 0.001


class WriteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What one caller wants written. It commits as a whole, unless an event of it fails and is quarantined."""

    events: Sequence[Event] = ()
    rejects: Sequence[Reject] = ()
    decisions: Sequence[Decision] = ()
    n_bytes: int = 0

    def size(self) -> int:
        """Returns how many records it brings."""
        return len(self.events) + len(self.rejects) + len(self.decisions)


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request: `sent = accepted + duplicate + rejected`; `gated` of the accepted left only a count."""

    n_accepted: int = 0
    n_duplicate: int = 0
    n_rejected: int = 0
    n_gated: int = 0
    last_log_id: int = 0

    def __add__(self, other: Written) -> Written:
        return Written(
            n_accepted=self.n_accepted + other.n_accepted,
            n_duplicate=self.n_duplicate + other.n_duplicate,
            n_rejected=self.n_rejected + other.n_rejected,
            n_gated=self.n_gated + other.n_gated,
            last_log_id=max(self.last_log_id, other.last_log_id),
        )


Gather = Callable[[], Sequence[WriteRequest]]
Commit = Callable[[Gather], list[Written]]
_Waiting = list[tuple[WriteRequest, Future[Written]]]


class Writer:
    """A thread behind a bounded queue.

    Args:
        commit: asks once, in one transaction, for the requests to write, and returns what became of each.
        max_events, max_bytes: bounds of the queue.
    """

    def __init__(self, commit: Commit, *, max_events: int = 100_000, max_bytes: int = 256 * 1024 * 1024) -> None:
        self._commit = commit
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._waiting: deque[tuple[WriteRequest, Future[Written]]] = deque()
        self._n_events = 0
        self._n_bytes = 0
        self._is_closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="bespeak-writer", daemon=True)
        self._thread.start()

    def submit(self, request: WriteRequest, *, is_droppable: bool = False) -> Future[Written]:
        """Queues a request and returns the future of its acknowledgement.

        Raises:
            Overloaded: the queue is full; droppable requests are refused when it is half full.
            StoreUnavailable: the writer was closed.
        """
        future: Future[Written] = Future()
        # What was queued is written even if nobody waits any more: a cancelled future could take no result.
        future.set_running_or_notify_cancel()
        with self._changed:
            if self._is_closing:
                raise StoreUnavailable("The writer is closed.", hint="Open the engine again.")
            share = 0.5 if is_droppable else 1.0
            if self._n_events and (
                self._n_events + request.size() > self._max_events * share
                or self._n_bytes + request.n_bytes > self._max_bytes * share
            ):
                raise Overloaded("Too many events are waiting to be written.", retry_after_seconds=2)
            self._n_events += request.size()
            self._n_bytes += request.n_bytes
            self._waiting.append((request, future))
            self._changed.notify()
        return future

    def n_waiting(self) -> int:
        """Returns how many records wait: the lag of the fold."""
        return self._n_events

    def close(self) -> None:
        """Writes what waits and stops the thread."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while self._wait():
            batch: _Waiting = []

            def gather(batch: _Waiting = batch) -> list[WriteRequest]:
                batch += self._take()
                return _requests_in(batch)

            self._write(batch, gather)

    def _wait(self) -> bool:
        """Returns True when something waits, False when nothing will any more."""
        with self._changed:
            while not self._waiting and not self._is_closing:
                self._changed.wait()
            if len(self._waiting) == 1 and not self._is_closing:
                self._changed.wait(LINGER_SECONDS)
            return bool(self._waiting)

    def _take(self) -> _Waiting:
        with self._changed:
            batch: _Waiting = []
            n_events = n_bytes = 0
            while self._waiting and (not batch or n_events + self._waiting[0][0].size() <= MAX_BATCH_EVENTS):
                request, future = self._waiting.popleft()
                n_events += request.size()
                n_bytes += request.n_bytes
                batch.append((request, future))
            self._n_events -= n_events
            self._n_bytes -= n_bytes
        return batch

    def _write(self, batch: _Waiting, gather: Gather) -> None:
        """Commits a batch, which `gather` may have yet to fill, and tells everybody who waits for it."""
        try:
            results = self._commit(gather)
        except StoreUnavailable as error:
            for _, future in batch or self._take():
                future.set_exception(error)
        except Exception as error:  # noqa: BLE001 - whatever the fold raises must not take its neighbours along
            self._split(batch or self._take(), error)
        else:
            for (_, future), result in zip(batch, results, strict=True):
                future.set_result(result)

    def _split(self, batch: _Waiting, error: Exception) -> None:
        if len(batch) > 1:
            middle = len(batch) // 2
            for part in (batch[:middle], batch[middle:]):
                self._write(part, partial(_requests_in, part))
            return
        request, future = batch[0]
        try:
            future.set_result(self._quarantine(request, error))
        except BespeakError as raised:
            future.set_exception(raised)
        except Exception as raised:  # noqa: BLE001 - the caller is told; the thread lives on
            future.set_exception(StoreError(f"Writing failed: {type(raised).__name__}.", hint="See the server's log."))

    def _quarantine(self, request: WriteRequest, error: Exception) -> Written:
        """Commits a failing request event by event, halving; an event that fails alone becomes a reject."""
        if len(request.events) > 1:
            middle = len(request.events) // 2
            first = msgspec.structs.replace(request, events=request.events[:middle])
            second = WriteRequest(events=request.events[middle:])
            return self._retry(first) + self._retry(second)
        if not request.events:
            raise error
        event = request.events[0]
        reason = error.code if isinstance(error, InvalidInput) else "fold_failed"
        reject = Reject(
            received_ms=event.received_ms,
            source=event.source,
            reason=reason,
            detail=f"{type(error).__name__} while folding a {event.type} event.",
            body=msgspec.json.encode(event),
        )
        kept = msgspec.structs.replace(request, events=(), rejects=(*request.rejects, reject))
        return self._commit(lambda: [kept])[0]

    def _retry(self, request: WriteRequest) -> Written:
        try:
            return self._commit(lambda: [request])[0]
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - halve further
            return self._quarantine(request, error)


def _requests_in(batch: _Waiting) -> list[WriteRequest]:
    return [request for request, _ in batch]
