"""The event log: append, follow, replay; message ids, rejects and typed counts.

A log row is an *entry*: an event with what was known when it came in, or a merge of two persons. Replaying the entries
of a person's component in log order gives the live profile, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from bespeak.errors import StoreError
from bespeak.signals.events import Event
from bespeak.signals.ids import IdKey
from bespeak.storage.base import Row, Session, Transaction
from bespeak.storage.tables.rows import as_int

EntryKind = Literal["event", "merge"]
DAY_MS = 86_400_000
_COLUMNS = (
    "log_id", "person_id", "kind", "time_ms", "received_ms", "name", "purposes", "is_bot", "fold_version", "source",
    "message_key", "body",
)  # fmt: skip
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM events"  # noqa: S608 - the names are constants


class EntryBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a log row carries beyond its columns.

    Attributes:
        event: the event, without what its purposes do not allow; None for a merge.
        facets: item id -> attributes of the items it is about, as they were known at intake.
        ids: the identifiers that belong to the person; an id that was only claimed is not among them.
        consent: purpose -> granted, when the event changed the person's consent.
        absorbed: the person that a merge joined into the row's person.
    """

    event: Event | None = None
    facets: dict[str, dict[str, list[str] | float]] = {}
    ids: tuple[IdKey, ...] = ()
    consent: dict[str, bool] | None = None
    absorbed: int | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One log row. `log_id` is its position; `purposes` are those that held when it came in."""

    log_id: int
    person_id: int
    kind: EntryKind
    time_ms: int
    received_ms: int
    name: str
    purposes: int
    is_bot: bool
    fold_version: int
    source: str
    message_key: bytes | None
    body: EntryBody


class Reject(msgspec.Struct, frozen=True, kw_only=True):
    """An event that could not be taken in, with a typed reason; `body` lives seven days.

    `once` names a line of a file among the message keys, so that reading the file again does not keep it twice.
    """

    received_ms: int
    source: str
    reason: str
    detail: str
    line_number: int = 0
    body: bytes | None = None
    once: bytes | None = None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(EntryBody)


def append(tx: Transaction, entries: Sequence[Entry]) -> None:
    """Appends entries whose positions were drawn with `tx.reserve("events", n)`."""
    encode = _encoder.encode
    tx.insert(
        "events",
        _COLUMNS,
        [
            (
                e.log_id, e.person_id, e.kind, e.time_ms, e.received_ms, e.name, e.purposes, int(e.is_bot),
                e.fold_version, e.source, e.message_key, encode(e.body),
            )
            for e in entries
        ],
    )  # fmt: skip


def follow(session: Session, after: int, limit: int) -> list[Entry]:
    """Returns the next entries after a position, in log order, up to where the log is settled."""
    ceiling = session.log_ceiling()
    rows = session.rows(f"{_SELECT} WHERE log_id > ? AND log_id <= ? ORDER BY log_id LIMIT ?", (after, ceiling, limit))
    return [_entry(row) for row in rows]


def entries_of(session: Session, people: Iterable[int]) -> Iterator[Entry]:
    """Yields every entry of these persons in log order."""
    members = sorted(set(people))
    if not members:
        return
    marks = ", ".join("?" * len(members))
    for row in session.rows(f"{_SELECT} WHERE person_id IN ({marks}) ORDER BY log_id", members):
        yield _entry(row)


def entries_between(session: Session, people: Iterable[int], first_ms: int, last_ms: int) -> Iterator[Entry]:
    """Yields the entries of these persons whose time lies in a span (both ends included), by person and log order."""
    members = sorted(set(people))
    for start in range(0, len(members), 500):
        part = members[start : start + 500]
        marks = ", ".join("?" * len(part))
        sql = f"{_SELECT} WHERE person_id IN ({marks}) AND time_ms >= ? AND time_ms <= ? ORDER BY person_id, log_id"
        for row in session.rows(sql, (*part, first_ms, last_ms)):
            yield _entry(row)


def positions_of(session: Session, people: Iterable[int]) -> list[int]:
    """Returns the positions of every entry of these persons, ascending: a long log can then be read in parts."""
    members = sorted(set(people))
    if not members:
        return []
    marks = ", ".join("?" * len(members))
    rows = session.rows(f"SELECT log_id FROM events WHERE person_id IN ({marks})", members)  # noqa: S608
    return sorted(as_int(row[0]) for row in rows)


def entries_behind(session: Session, positions: Mapping[int, int]) -> dict[int, list[Entry]]:
    """Returns person -> their entries behind a position of their own, in log order; who has none is left out."""
    rows = session.lookup_after("events", _COLUMNS, "person_id", "log_id", positions.items())
    found: dict[int, list[Entry]] = {}
    for row in sorted(rows, key=lambda row: as_int(row[0])):
        found.setdefault(as_int(row[1]), []).append(_entry(row))
    return found


def positions_behind(session: Session, positions: Mapping[int, int]) -> dict[int, list[int]]:
    """Returns person -> the positions of their entries behind one of their own, ascending; without reading them."""
    rows = session.lookup_after("events", ("person_id", "log_id"), "person_id", "log_id", positions.items())
    found: dict[int, list[int]] = {}
    for person, position in sorted(rows):
        found.setdefault(as_int(person), []).append(as_int(position))
    return found


def written_behind(session: Session, position: int, limit: int) -> list[tuple[int, int, str]]:
    """Returns (position, person, kind) of the entries behind a position, ascending; without reading them."""
    rows = session.rows(
        "SELECT log_id, person_id, kind FROM events WHERE log_id > ? ORDER BY log_id LIMIT ?", (position, limit)
    )
    return [(as_int(row[0]), as_int(row[1]), str(row[2])) for row in rows]


def entries_at(session: Session, positions: Iterable[int]) -> list[Entry]:
    """Returns the entries at these positions in log order."""
    rows = session.lookup("events", _COLUMNS, ("log_id",), [(position,) for position in positions])
    return [_entry(row) for row in sorted(rows, key=lambda row: as_int(row[0]))]


def latest(session: Session, limit: int, after: int = 0) -> list[Entry]:
    """Returns the newest entries after a position, the newest first."""
    rows = session.rows(f"{_SELECT} WHERE log_id > ? ORDER BY log_id DESC LIMIT ?", (after, limit))
    return [_entry(row) for row in rows]


def latest_of(session: Session, people: Iterable[int], limit: int) -> list[Entry]:
    """Returns the newest events of these persons, the newest first; merges are left out."""
    members = sorted(set(people))
    if not members:
        return []
    marks = ", ".join("?" * len(members))
    sql = f"{_SELECT} WHERE person_id IN ({marks}) AND kind = 'event' ORDER BY log_id DESC LIMIT ?"
    return [_entry(row) for row in session.rows(sql, (*members, limit))]


def rewrite(tx: Transaction, log_id: int, body: EntryBody) -> None:
    """Replaces the body of one entry: a refold knows more of its items."""
    tx.run("UPDATE events SET body = ? WHERE log_id = ?", (_encoder.encode(body), log_id))


def new_messages(tx: Transaction, keys: Sequence[bytes], received_ms: int) -> list[bool]:
    """Remembers message keys; tells for each whether it was new. The first of equal keys is the new one."""
    day = received_ms // DAY_MS
    return tx.insert_new("message_ids", ("message_key", "day"), [(key, day) for key in keys])


def add_rejects(tx: Transaction, rejects: Sequence[Reject]) -> None:
    """Keeps rejected events with their reasons; one with `once` only if it is not there yet."""
    known = [reject for reject in rejects if reject.once is not None]
    if known:
        is_new = new_messages(tx, [reject.once or b"" for reject in known], known[0].received_ms)
        held = {id(reject) for reject, new in zip(known, is_new, strict=True) if not new}
        rejects = [reject for reject in rejects if id(reject) not in held]
    if not rejects:
        return
    ids = tx.reserve("rejected", len(rejects))
    tx.insert(
        "rejected",
        ("reject_id", "received_ms", "source", "reason", "detail", "line_number", "body"),
        [
            (i, r.received_ms, r.source, r.reason, r.detail, r.line_number, r.body)
            for i, r in zip(ids, rejects, strict=True)
        ],
    )


def rejects(session: Session, limit: int, after: int = 0) -> list[tuple[int, Reject]]:
    """Returns the newest rejects with their ids, the newest first."""
    rows = session.rows(
        "SELECT reject_id, received_ms, source, reason, detail, line_number, body FROM rejected"
        " WHERE reject_id > ? ORDER BY reject_id DESC LIMIT ?",
        (after, limit),
    )
    return [(as_int(row[0]), _reject(row)) for row in rows]


def reject_counts(session: Session) -> dict[str, int]:
    """Returns reason -> number of kept rejects."""
    return {str(r[0]): as_int(r[1]) for r in session.rows("SELECT reason, count(*) FROM rejected GROUP BY reason")}


def add_gated(tx: Transaction, counts: Mapping[tuple[int, str, str, str], int]) -> None:
    """Adds to the typed counts of events that no granted purpose may use: (day, source, name, reason) -> n."""
    tx.insert(
        "gated_counts",
        ("day", "source", "name", "reason", "n"),
        [(*key, n) for key, n in sorted(counts.items())],
        on_conflict="add",
    )


def drop_gated(tx: Transaction, before_day: int) -> int:
    """Deletes the typed counts of days before `before_day` and returns how many rows went."""
    return tx.run("DELETE FROM gated_counts WHERE day < ?", (before_day,))


def gated_total(session: Session) -> int:
    """Returns how many events were counted and dropped because no granted purpose may use them."""
    row = session.row("SELECT coalesce(sum(n), 0) FROM gated_counts")
    return int(str(row[0])) if row else 0


def count(session: Session) -> int:
    """Returns the number of events in the log, merges not counted."""
    row = session.row("SELECT count(*) FROM events WHERE kind = 'event'")
    return as_int(row[0]) if row else 0


def newest_time(session: Session, after: int) -> tuple[int, int | None]:
    """Returns the last log position and the latest time at which somebody did something behind a position.

    Asking again from the position returned reads only what is new; (`after`, None) says that nothing is. Identify
    events do not count, see `time_range`.
    """
    row = session.row(
        "SELECT max(log_id), max(CASE WHEN kind = 'event' AND name <> 'identify' THEN time_ms END) FROM events"
        " WHERE log_id > ?",
        (after,),
    )
    if row is None or row[0] is None:
        return after, None
    return as_int(row[0]), None if row[1] is None else as_int(row[1])


def time_range(session: Session) -> tuple[int, int] | None:
    """Returns the earliest and latest time at which somebody did something, or None when nobody did.

    Identify events do not count: a file of users without a time column stands at the moment of its import, which would
    make old data look new.
    """
    row = session.row("SELECT min(time_ms), max(time_ms) FROM events WHERE kind = 'event' AND name <> 'identify'")
    if row is None or row[0] is None:
        return None
    return as_int(row[0]), as_int(row[1])


def _entry(row: Row) -> Entry:
    try:
        body = _decoder.decode(row[11])  # type: ignore[arg-type]
    except msgspec.DecodeError as error:
        raise StoreError(
            f"Log row {row[0]!r} cannot be read: {error}.", hint="Restore a backup, or report this."
        ) from None
    return Entry(
        log_id=as_int(row[0]),
        person_id=as_int(row[1]),
        kind="merge" if row[2] == "merge" else "event",
        time_ms=as_int(row[3]),
        received_ms=as_int(row[4]),
        name=str(row[5]),
        purposes=as_int(row[6]),
        is_bot=bool(row[7]),
        fold_version=as_int(row[8]),
        source=str(row[9]),
        message_key=row[10] if isinstance(row[10], bytes) else None,
        body=body,
    )


def _reject(row: Row) -> Reject:
    return Reject(
        received_ms=as_int(row[1]),
        source=str(row[2]),
        reason=str(row[3]),
        detail=str(row[4]),
        line_number=as_int(row[5]),
        body=row[6] if isinstance(row[6], bytes) else None,
    )
