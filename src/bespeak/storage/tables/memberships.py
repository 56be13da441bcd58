"""Who is in which segment now, since when, when that can flip, and every move in and out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import msgspec

from bespeak.storage.base import Session, Transaction
from bespeak.storage.tables.rows import as_int


class SegmentMove(msgspec.Struct, frozen=True, kw_only=True):
    """A person came into a segment or left it."""

    person: int
    segment: str
    is_member: bool
    time_ms: int


def members_of(session: Session, people: Iterable[int]) -> dict[int, dict[str, tuple[bool, int, int | None]]]:
    """Returns person -> segment -> (is member, since, flips at)."""
    columns = ("person_id", "segment", "is_member", "since_ms", "flips_at_ms")
    found: dict[int, dict[str, tuple[bool, int, int | None]]] = {}
    for person, segment, is_member, since, flips in session.lookup(
        "segment_members", columns, ("person_id",), [(p,) for p in people]
    ):
        flip = None if flips is None else as_int(flips)
        found.setdefault(as_int(person), {})[str(segment)] = (bool(is_member), as_int(since), flip)
    return found


def put_members(tx: Transaction, rows: Sequence[tuple[str, int, int, bool, int | None]]) -> None:
    """Writes membership: (segment, person, since, is member, flips at)."""
    columns = ("segment", "person_id", "since_ms", "is_member", "flips_at_ms")
    tx.insert("segment_members", columns, [(s, p, t, int(m), f) for s, p, t, m, f in rows], on_conflict="replace")


def add_moves(tx: Transaction, moves: Sequence[tuple[int, str, bool, int, int]]) -> None:
    """Appends segment moves: (person, segment, is member, time, log position)."""
    if not moves:
        return
    ids = tx.reserve("segment_moves", len(moves))
    columns = ("move_id", "person_id", "segment", "is_member", "time_ms", "log_id")
    rows = [(i, p, s, int(m), t, at) for i, (p, s, m, t, at) in zip(ids, moves, strict=True)]
    tx.insert("segment_moves", columns, rows)


def moves_of(session: Session, people: Iterable[int]) -> list[SegmentMove]:
    """Returns every move of these persons into and out of segments, the earliest first."""
    columns = ("move_id", "person_id", "segment", "is_member", "time_ms")
    rows = session.lookup("segment_moves", columns, ("person_id",), [(p,) for p in people])
    return [
        SegmentMove(person=as_int(r[1]), segment=str(r[2]), is_member=bool(r[3]), time_ms=as_int(r[4]))
        for r in sorted(rows, key=lambda r: as_int(r[0]))
    ]


def moves_into(session: Session, segment: str) -> list[tuple[int, int, bool]]:
    """Returns every move into and out of one segment, (person, time, is member), the earliest first."""
    rows = session.rows(
        "SELECT person_id, time_ms, is_member FROM segment_moves WHERE segment = ? ORDER BY time_ms, move_id",
        (segment,),
    )
    return [(as_int(row[0]), as_int(row[1]), bool(row[2])) for row in rows]


def drop_moves(tx: Transaction, before_ms: int) -> int:
    """Deletes the moves before a time and returns how many; they lie in the order of time, so few rows are read."""
    row = tx.row("SELECT move_id FROM segment_moves WHERE time_ms >= ? ORDER BY move_id LIMIT 1", (before_ms,))
    if row is None:
        return tx.run("DELETE FROM segment_moves WHERE time_ms < ?", (before_ms,))
    return tx.run("DELETE FROM segment_moves WHERE move_id < ?", (as_int(row[0]),))


def due_members(session: Session, now_ms: int, limit: int) -> list[int]:
    """Returns persons with a segment that can flip by now without an event."""
    rows = session.rows(
        "SELECT DISTINCT person_id FROM segment_members WHERE flips_at_ms <= ? ORDER BY person_id LIMIT ?",
        (now_ms, limit),
    )
    return [as_int(r[0]) for r in rows]


def settle_members(tx: Transaction, people: Iterable[int], now_ms: int) -> None:
    """Clears due times that have passed and were looked at, so that nobody is looked at for ever."""
    for person in people:
        tx.run(
            "UPDATE segment_members SET flips_at_ms = NULL WHERE person_id = ? AND flips_at_ms <= ?", (person, now_ms)
        )


def drop_segments(tx: Transaction, kept: Collection[str], now_ms: int) -> int:
    """Moves everybody out of the segments that are not among `kept` and forgets these; returns how many moved."""
    names = {str(r[0]) for r in tx.rows("SELECT DISTINCT segment FROM segment_members")}
    n_moves = 0
    for name in sorted(names - set(kept)):
        rows = tx.rows("SELECT person_id FROM segment_members WHERE segment = ? AND is_member = 1", (name,))
        add_moves(tx, [(as_int(r[0]), name, False, now_ms, 0) for r in rows])
        tx.run("DELETE FROM segment_members WHERE segment = ?", (name,))
        n_moves += len(rows)
    return n_moves


def segment_sizes(session: Session) -> dict[str, int]:
    """Returns segment -> number of members."""
    rows = session.rows("SELECT segment, count(*) FROM segment_members WHERE is_member = 1 GROUP BY segment")
    return {str(r[0]): as_int(r[1]) for r in rows}
