"""Decisions, model versions, configuration versions, settings, cursors, jobs and the audit log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from bespeak.signals.decisions import Decision, Exposure
from bespeak.storage.base import Session, Transaction
from bespeak.storage.tables.rows import as_bytes, as_int

ModelState = Literal["current", "old", "failed"]


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One trained set of models: its folder in the blob store and a JSON header."""

    version: int
    name: str
    state: str
    created_ms: int
    blob_key: str
    header: bytes


class ConfigVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the active configuration."""

    version: int
    created_ms: int
    author: str
    digest: str
    body: str


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One job: who holds its lease until when, its fencing token and when it is due again."""

    name: str
    state: str = "idle"
    owner: str = ""
    lease_until_ms: int = 0
    fence: int = 0
    due_ms: int = 0
    started_ms: int = 0
    finished_ms: int = 0
    cursor: str = ""
    note: str = ""


_decision_encoder = msgspec.msgpack.Encoder()
_decision_decoder = msgspec.msgpack.Decoder(Decision)
_JOB_COLUMNS = Job.__struct_fields__
_SELECT_JOBS = f"SELECT {', '.join(_JOB_COLUMNS)} FROM jobs"  # noqa: S608 - the names are constants


# -- decisions ---------------------------------------------------------------------------------------------------------
def add_decisions(tx: Transaction, decisions: Sequence[Decision]) -> None:
    """Appends decision records; a decision id that is there already is kept as it is."""
    tx.insert(
        "decisions",
        ("decision_id", "time_ms", "person_id", "placement", "mode", "policy", "body"),
        [
            (d.decision_id, d.time_ms, d.person, d.placement, d.mode, d.policy, _decision_encoder.encode(d))
            for d in decisions
        ],
        on_conflict="ignore",
    )


def decision(session: Session, decision_id: str) -> Decision | None:
    """Returns one decision record, or None."""
    row = session.row("SELECT body FROM decisions WHERE decision_id = ?", (decision_id,))
    return _decision_decoder.decode(as_bytes(row[0])) if row else None


def decisions(session: Session, after_ms: int, limit: int) -> list[Decision]:
    """Returns the newest decisions made after a time, the newest first."""
    rows = session.rows("SELECT body FROM decisions WHERE time_ms > ? ORDER BY time_ms DESC LIMIT ?", (after_ms, limit))
    return [_decision_decoder.decode(as_bytes(r[0])) for r in rows]


def decisions_of(session: Session, people: Iterable[int]) -> list[Decision]:
    """Returns every decision made for these persons, the oldest first."""
    rows = session.lookup("decisions", ("time_ms", "decision_id", "body"), ("person_id",), [(p,) for p in people])
    return [_decision_decoder.decode(as_bytes(r[2])) for r in sorted(rows, key=lambda r: (as_int(r[0]), str(r[1])))]


def decisions_for(session: Session, placement: str, people: Iterable[int], after_ms: int) -> list[Decision]:
    """Returns the decisions of a placement that were made for these persons after a time, in no order."""
    found: list[Decision] = []
    for part in _parts(people):
        rows = session.rows(
            f"SELECT body FROM decisions WHERE person_id IN ({_marks(part)}) AND placement = ? AND time_ms > ?",  # noqa: S608
            (*part, placement, after_ms),
        )
        found += [_decision_decoder.decode(as_bytes(row[0])) for row in rows]
    return found


def decisions_named(session: Session, ids: Iterable[str]) -> list[Decision]:
    """Returns the decisions with these ids, in no order; ids that nothing is known of are left out."""
    rows = session.lookup("decisions", ("body",), ("decision_id",), [(i,) for i in ids])
    return [_decision_decoder.decode(as_bytes(row[0])) for row in rows]


def decision_page(session: Session, after: str, limit: int) -> list[Decision]:
    """Returns decisions in id order, after an id: how to walk through all of them."""
    rows = session.rows("SELECT body FROM decisions WHERE decision_id > ? ORDER BY decision_id LIMIT ?", (after, limit))
    return [_decision_decoder.decode(as_bytes(r[0])) for r in rows]


def placement_page(session: Session, placement: str, before: tuple[int, str] | None, limit: int) -> list[Decision]:
    """Returns decisions of a placement, the latest first, before a (time, id): how to walk back through them."""
    time_ms, decision_id = (1 << 62, "") if before is None else before
    rows = session.rows(
        "SELECT body FROM decisions WHERE placement = ? AND (time_ms < ? OR (time_ms = ? AND decision_id < ?)) "
        "ORDER BY time_ms DESC, decision_id DESC LIMIT ?",
        (placement, time_ms, time_ms, decision_id, limit),
    )
    return [_decision_decoder.decode(as_bytes(r[0])) for r in rows]


def decisions_at(session: Session, placement: str, after: tuple[int, str], until_ms: int, limit: int) -> list[Decision]:
    """Returns the next decisions of a placement after (time, id), up to a time (included), in the order of both."""
    time_ms, decision_id = after
    rows = session.rows(
        "SELECT body FROM decisions WHERE placement = ? AND time_ms >= ? AND time_ms <= ?"
        " AND (time_ms > ? OR decision_id > ?) ORDER BY time_ms, decision_id LIMIT ?",
        (placement, time_ms, until_ms, time_ms, decision_id, limit),
    )
    return [_decision_decoder.decode(as_bytes(r[0])) for r in rows]


def seen_by(session: Session, decision_ids: Iterable[str]) -> dict[str, int]:
    """Returns decision -> a person who saw it, of those that anybody saw."""
    rows = session.lookup("exposures", ("decision_id", "person_id"), ("decision_id",), [(d,) for d in decision_ids])
    return {str(r[0]): as_int(r[1]) for r in sorted(rows, key=lambda r: (str(r[0]), as_int(r[1])))}


def add_exposures(tx: Transaction, exposures: Sequence[Exposure]) -> None:
    """Records which items of a decision were seen; the first time counts."""
    tx.insert(
        "exposures",
        ("decision_id", "item_id", "position", "time_ms", "person_id"),
        [(e.decision_id, e.item_id, e.position, e.time_ms, e.person) for e in exposures],
        on_conflict="ignore",
    )


def exposed(session: Session, decision_ids: Iterable[str]) -> dict[str, set[str]]:
    """Returns decision id -> the items that were seen; decisions without an exposure are left out."""
    found: dict[str, set[str]] = {}
    for decision_id, item_id in session.lookup(
        "exposures", ("decision_id", "item_id"), ("decision_id",), [(i,) for i in decision_ids]
    ):
        found.setdefault(str(decision_id), set()).add(str(item_id))
    return found


def decisions_seen(session: Session, people: Iterable[int], after_ms: int) -> set[str]:
    """Returns the decisions of which these persons saw anything after a time."""
    found: set[str] = set()
    for part in _parts(people):
        rows = session.rows(
            f"SELECT DISTINCT decision_id FROM exposures WHERE person_id IN ({_marks(part)}) AND time_ms > ?",  # noqa: S608
            (*part, after_ms),
        )
        found.update(str(row[0]) for row in rows)
    return found


def exposures_of(session: Session, people: Iterable[int]) -> list[Exposure]:
    """Returns everything that these persons saw, the earliest first."""
    columns = ("decision_id", "item_id", "position", "time_ms", "person_id")
    rows = session.lookup("exposures", columns, ("person_id",), [(p,) for p in people])
    found = [
        Exposure(
            decision_id=str(r[0]), item_id=str(r[1]), position=as_int(r[2]), time_ms=as_int(r[3]), person=as_int(r[4])
        )
        for r in rows
    ]
    return sorted(found, key=lambda e: (e.time_ms, e.decision_id, e.position))


def shown_since(session: Session, root: int, since_ms: int, limit: int) -> dict[str, tuple[int, ...]]:
    """Returns item -> when a person, and whoever was joined into them, saw it since a time, ascending.

    Args:
        root: the person.
        since_ms: the time.
        limit: only the latest so many exposures are read.
    """
    rows = session.rows(
        "SELECT item_id, time_ms FROM exposures WHERE time_ms >= ? AND person_id IN "
        "(SELECT person_id FROM persons WHERE root_id = ?) ORDER BY time_ms DESC LIMIT ?",
        (since_ms, root, limit),
    )
    found: dict[str, list[int]] = {}
    for item_id, time_ms in reversed(rows):
        found.setdefault(str(item_id), []).append(as_int(time_ms))
    return {item_id: tuple(times_ms) for item_id, times_ms in found.items()}


# -- models ------------------------------------------------------------------------------------------------------------
def add_model(tx: Transaction, name: str, created_ms: int, blob_key: str, header: bytes) -> int:
    """Records a new version and makes it the current one of its name; returns the version."""
    version = tx.reserve("models", 1)[0]
    tx.run("UPDATE models SET state = 'old' WHERE name = ? AND state = 'current'", (name,))
    columns = ("version", "name", "state", "created_ms", "blob_key", "header")
    tx.insert("models", columns, [(version, name, "current", created_ms, blob_key, header)])
    bump(tx, "models")
    return version


def models(session: Session, name: str | None = None, state: ModelState | None = None) -> list[ModelVersion]:
    """Returns model versions, the newest first."""
    rows = session.rows("SELECT version, name, state, created_ms, blob_key, header FROM models ORDER BY version DESC")
    found = [
        ModelVersion(
            version=as_int(r[0]), name=str(r[1]), state=str(r[2]), created_ms=as_int(r[3]), blob_key=str(r[4]),
            header=as_bytes(r[5]),
        )
        for r in rows
    ]  # fmt: skip
    return [m for m in found if name in (None, m.name) and state in (None, m.state)]


def drop_model(tx: Transaction, version: int) -> None:
    """Forgets one version; its blobs are the caller's to delete."""
    tx.run("DELETE FROM models WHERE version = ?", (version,))


# -- configuration, settings, versions, cursors ------------------------------------------------------------------------
def add_config(tx: Transaction, created_ms: int, author: str, digest: str, body: str) -> int:
    """Records a new active configuration and returns its version."""
    version = tx.reserve("config_versions", 1)[0]
    columns = ("version", "created_ms", "author", "digest", "body")
    tx.insert("config_versions", columns, [(version, created_ms, author, digest, body)])
    bump(tx, "config")
    return version


def current_config(session: Session) -> ConfigVersion | None:
    """Returns the active configuration, or None in a fresh store."""
    row = session.row(
        "SELECT version, created_ms, author, digest, body FROM config_versions ORDER BY version DESC LIMIT 1"
    )
    if row is None:
        return None
    return ConfigVersion(
        version=as_int(row[0]), created_ms=as_int(row[1]), author=str(row[2]), digest=str(row[3]), body=str(row[4])
    )


def bump(tx: Transaction, name: str) -> int:
    """Raises a version counter by one and returns it; nodes poll these counters to notice changes."""
    tx.insert("versions", ("name", "version"), [(name, 1)], on_conflict="add")
    return version(tx, name)


def version(session: Session, name: str) -> int:
    """Returns one version counter, 0 if it was never raised."""
    row = session.row("SELECT version FROM versions WHERE name = ?", (name,))
    return 0 if row is None else as_int(row[0])


def versions(session: Session) -> dict[str, int]:
    """Returns every version counter."""
    return {str(r[0]): as_int(r[1]) for r in session.rows("SELECT name, version FROM versions")}


def setting(session: Session, name: str) -> bytes | None:
    """Returns one stored setting, or None."""
    row = session.row("SELECT value FROM settings WHERE name = ?", (name,))
    return as_bytes(row[0]) if row else None


def put_setting(tx: Transaction, name: str, value: bytes) -> None:
    """Stores a setting."""
    tx.insert("settings", ("name", "value"), [(name, value)], on_conflict="replace")


def setting_names(session: Session, prefix: str) -> list[str]:
    """Returns the names of settings that begin so, sorted; `prefix` holds no `%` or `_`."""
    rows = session.rows("SELECT name FROM settings WHERE name LIKE ?", (f"{prefix}%",))
    return sorted(str(row[0]) for row in rows)


def drop_settings(tx: Transaction, names: Sequence[str]) -> None:
    """Removes settings."""
    for name in names:
        tx.run("DELETE FROM settings WHERE name = ?", (name,))


def cursor(session: Session, name: str) -> int:
    """Returns how far a reader has come, 0 at first."""
    row = session.row("SELECT position FROM cursors WHERE name = ?", (name,))
    return as_int(row[0]) if row else 0


def put_cursor(tx: Transaction, name: str, position: int) -> None:
    """Remembers how far a reader has come."""
    tx.insert("cursors", ("name", "position"), [(name, position)], on_conflict="replace")


def import_position(session: Session, key: bytes) -> tuple[int, bool]:
    """Returns how many rows of a file were imported and whether it was finished."""
    row = session.row("SELECT n_rows, is_done FROM imports WHERE import_key = ?", (key,))
    return (as_int(row[0]), bool(row[1])) if row else (0, False)


def put_import(tx: Transaction, key: bytes, n_rows: int, is_done: bool, now_ms: int) -> None:
    """Remembers how far the import of a file has come."""
    columns = ("import_key", "n_rows", "is_done", "updated_ms")
    tx.insert("imports", columns, [(key, n_rows, int(is_done), now_ms)], on_conflict="replace")


# -- jobs --------------------------------------------------------------------------------------------------------------
def job(session: Session, name: str) -> Job:
    """Returns a job's row; a job that never ran is idle and due at once."""
    row = session.row(f"{_SELECT_JOBS} WHERE name = ?", (name,))
    return Job(name=name) if row is None else msgspec.convert(dict(zip(_JOB_COLUMNS, row, strict=True)), Job)


def put_job(tx: Transaction, job: Job) -> None:
    """Writes a job's row."""
    row = [msgspec.structs.asdict(job)[c] for c in _JOB_COLUMNS]
    tx.insert("jobs", _JOB_COLUMNS, [row], on_conflict="replace")


def jobs(session: Session) -> list[Job]:
    """Returns every job that ever ran."""
    rows = session.rows(f"{_SELECT_JOBS} ORDER BY name")
    return [msgspec.convert(dict(zip(_JOB_COLUMNS, row, strict=True)), Job) for row in rows]


# -- audit -------------------------------------------------------------------------------------------------------------
def add_audit(tx: Transaction, time_ms: int, actor: str, action: str, detail: str) -> None:
    """Appends to the audit log. `detail` names no person: a keyed pseudonym at most."""
    row = (tx.reserve("audit", 1)[0], time_ms, actor, action, detail)
    tx.insert("audit", ("audit_id", "time_ms", "actor", "action", "detail"), [row])


def audit(session: Session, limit: int) -> list[tuple[int, str, str, str]]:
    """Returns the newest audit entries: (time, actor, action, detail)."""
    rows = session.rows("SELECT time_ms, actor, action, detail FROM audit ORDER BY audit_id DESC LIMIT ?", (limit,))
    return [(as_int(r[0]), str(r[1]), str(r[2]), str(r[3])) for r in rows]


def _parts(people: Iterable[int]) -> Iterator[list[int]]:
    """Persons, as many at once as a statement takes."""
    ordered = sorted(set(people))
    for start in range(0, len(ordered), 500):
        yield ordered[start : start + 500]


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
