"""What came in per minute. Watching the log costs what is new in it, not its length."""

from __future__ import annotations

import threading
from collections import Counter

import msgspec

from bespeak.engine.core import Core
from bespeak.storage.base import Session
from bespeak.storage.tables.rows import as_int

MINUTE_MS = 60_000
PULSE_MINUTES = 60


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """What came in, per minute of receipt; the last entry is the minute that still runs.

    Attributes:
        minutes_ms: begin of each minute, ascending, without gaps.
        live: events of browser and server sources.
        imported: events of files.
        rejected: rejects.
    """

    minutes_ms: list[int]
    live: list[int]
    imported: list[int]
    rejected: list[int]


class PulseMeter:
    """Counts what comes in. Keep one instance: it remembers how far it has counted."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._lock = threading.Lock()
        self._events_to = -1
        self._rejects_to = -1
        self._live: Counter[int] = Counter()
        self._imported: Counter[int] = Counter()
        self._rejected: Counter[int] = Counter()

    def read(self, n_minutes: int = PULSE_MINUTES) -> Pulse:
        """Returns what came in per minute over the last minutes, at most `PULSE_MINUTES`.

        Each call reads only what came in since the call before.
        """
        now_ms = self._core.clock.now_ms()
        this_minute = now_ms // MINUTE_MS
        first = this_minute - min(n_minutes, PULSE_MINUTES) + 1
        imports = {name for name, s in self._core.config.settings.sources.items() if s.kind == "import"}
        with self._lock:
            with self._core.store.read() as session:
                self._count_new(session, imports, (this_minute - PULSE_MINUTES + 1) * MINUTE_MS)
            for counts in (self._live, self._imported, self._rejected):
                for minute in [m for m in counts if m <= this_minute - PULSE_MINUTES]:
                    del counts[minute]
            minutes = range(first, this_minute + 1)
            return Pulse(
                minutes_ms=[minute * MINUTE_MS for minute in minutes],
                live=[self._live[minute] for minute in minutes],
                imported=[self._imported[minute] for minute in minutes],
                rejected=[self._rejected[minute] for minute in minutes],
            )

    def _count_new(self, session: Session, imports: set[str], since_ms: int) -> None:
        ceiling = session.log_ceiling()
        if self._events_to < 0:
            self._events_to = _position_before(session, since_ms)
        rows = session.rows(
            "SELECT received_ms / 60000, source, count(*) FROM events"
            " WHERE log_id > ? AND log_id <= ? AND kind = 'event' GROUP BY received_ms / 60000, source",
            (self._events_to, ceiling),
        )
        self._events_to = max(self._events_to, ceiling)
        for minute, source, n in rows:
            (self._imported if source in imports else self._live)[as_int(minute)] += as_int(n)
        rejects = session.rows(
            "SELECT received_ms / 60000, count(*), max(reject_id) FROM rejected"
            " WHERE reject_id > ? AND received_ms >= ? GROUP BY received_ms / 60000",
            (self._rejects_to, since_ms),
        )
        for minute, n, last in rejects:
            self._rejected[as_int(minute)] += as_int(n)
            self._rejects_to = max(self._rejects_to, as_int(last))


def _position_before(session: Session, since_ms: int) -> int:
    """Returns a log position before everything received since; positions and receipts ascend together, near enough."""
    low, high = 0, _newest(session)
    while low < high:
        middle = (low + high) // 2
        row = session.row("SELECT received_ms FROM events WHERE log_id > ? ORDER BY log_id LIMIT 1", (middle,))
        if row is not None and as_int(row[0]) < since_ms:
            low = middle + 1
        else:
            high = middle
    return low


def _newest(session: Session) -> int:
    row = session.row("SELECT coalesce(max(log_id), 0) FROM events")
    return as_int(row[0]) if row else 0
