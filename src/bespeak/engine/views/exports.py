"""The log, profiles and decisions -> Parquet or JSONL files, streamed in bounded memory.

A file is written beside its name and moved there when it is complete, so a stopped export leaves no half file. JSONL
holds the shapes of the API (an event as the Segment spec has it); Parquet holds the same with its main fields as
columns and the nested rest as JSON text.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from bespeak.engine.clock import iso
from bespeak.engine.core import Core
from bespeak.engine.folding.live import live_profiles
from bespeak.engine.logged.granted import Grants
from bespeak.engine.people_view import granted_purposes, profile_view
from bespeak.errors import InvalidInput
from bespeak.intake.segment import encode_event
from bespeak.profiles.readable import readable
from bespeak.profiles.stored import consent_of
from bespeak.signals.events import Context
from bespeak.signals.ids import SEPARATOR
from bespeak.signals.purposes import SHARE
from bespeak.storage.base import Session
from bespeak.storage.tables import log, memberships, people, records

ExportWhat = Literal["events", "profiles", "decisions"]
BATCH = 2_000

_TEXT, _TIME = pa.string(), pa.timestamp("ms", tz="UTC")
SCHEMAS: dict[str, pa.Schema] = {
    "events": pa.schema(
        [
            ("message_id", _TEXT), ("person", pa.int64()), ("user_id", _TEXT), ("anonymous_id", _TEXT), ("type", _TEXT),
            ("event", _TEXT), ("time", _TIME), ("received", _TIME), ("source", _TEXT), ("purposes", pa.list_(_TEXT)),
            ("is_bot", pa.bool_()), ("properties", _TEXT), ("traits", _TEXT), ("context", _TEXT),
        ]
    ),
    "profiles": pa.schema(
        [
            ("person", pa.int64()), ("user_ids", pa.list_(_TEXT)), ("anonymous_ids", pa.list_(_TEXT)),
            ("purposes", pa.list_(_TEXT)), ("segments", pa.list_(_TEXT)), ("n_events", pa.int64()), ("stage", _TEXT),
            ("first_seen", _TIME), ("last_seen", _TIME), ("profile", _TEXT),
        ]
    ),
    "decisions": pa.schema(
        [
            ("decision_id", _TEXT), ("person", pa.int64()), ("time", _TIME), ("placement", _TEXT), ("mode", _TEXT),
            ("policy", _TEXT), ("item_ids", pa.list_(_TEXT)), ("scores", pa.list_(pa.float64())),
            ("propensities", pa.list_(pa.float64())), ("n_candidates", pa.int64()), ("record", _TEXT),
        ]
    ),
}  # fmt: skip
"""Columns of the Parquet files."""

Progress = Callable[[float], None]
Pair = tuple[dict[str, Any], dict[str, Any]]
"""One record twice: as JSONL has it, and as a row of the Parquet file."""


def export(
    core: Core, what: ExportWhat, target: Path, *, is_shareable: bool = False, progress: Progress | None = None
) -> int:
    """Writes a file and returns the number of its records.

    Args:
        core: the open project.
        what: events, profiles or decisions.
        target: ends in `.parquet`, or in `.jsonl`; replaced when it is there.
        is_shareable: only what the purpose `share` held for and holds now: what may be passed on to others.
        progress: told the share that is done.

    Raises:
        InvalidInput: another suffix, or a place that cannot be written.
    """
    if target.suffix not in (".parquet", ".jsonl"):
        raise InvalidInput(f"{target.name} names no format.", hint="End it in .parquet or .jsonl.")
    batches = _BATCHES[what](core, is_shareable, progress or (lambda _share: None))
    write = _parquet if target.suffix == ".parquet" else _jsonl
    with whole_file(target) as part:
        return write(part, what, batches)


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Gives a path to write to; what was written stands at `target` when the block ends, and nothing when it fails.

    Raises:
        InvalidInput: it cannot be written there.
    """
    part = target.with_name(target.name + ".part")
    try:
        yield part
        os.replace(part, target)
    except OSError as error:
        raise InvalidInput(f"{target} cannot be written: {error.strerror or error}.") from None
    finally:
        part.unlink(missing_ok=True)


def _jsonl(path: Path, what: str, batches: Iterator[list[Pair]]) -> int:
    del what
    encode = msgspec.json.Encoder(enc_hook=str).encode
    n_records = 0
    with path.open("wb") as file:
        for batch in batches:
            file.write(b"".join(encode(record) + b"\n" for record, _ in batch))
            n_records += len(batch)
    return n_records


def _parquet(path: Path, what: str, batches: Iterator[list[Pair]]) -> int:
    n_records = 0
    with pq.ParquetWriter(path, SCHEMAS[what], compression="zstd") as writer:
        for batch in batches:
            if batch:
                writer.write_table(pa.Table.from_pylist([row for _, row in batch], schema=SCHEMAS[what]))
                n_records += len(batch)
    return n_records


def _events(core: Core, is_shareable: bool, progress: Progress) -> Iterator[list[Pair]]:
    purposes = core.config.purposes
    after = 0
    with core.store.read() as session:
        ceiling = session.log_ceiling()
        grants = Grants.read(session, *((SHARE,) if is_shareable else ()))
    while True:
        with core.store.read() as session:
            entries = log.follow(session, after, BATCH)
        entries = [entry for entry in entries if entry.log_id <= ceiling]
        if not entries:
            return
        after = entries[-1].log_id
        found: list[Pair] = []
        for entry in entries:
            event = entry.body.event
            person = grants.root_of(entry.person_id)
            if event is None or (is_shareable and (not entry.purposes & purposes.share or person in grants.refusing)):
                continue
            body = encode_event(event)
            names = list(purposes.names(entry.purposes))
            record = {
                **body,
                "receivedAt": iso(entry.received_ms),
                "source": entry.source,
                "person": person,
                "purposes": names,
            }
            row = {
                "message_id": event.message_id,
                "person": person,
                "user_id": event.user_id or None,
                "anonymous_id": event.anonymous_id or None,
                "type": event.type,
                "event": event.name or None,
                "time": entry.time_ms,
                "received": entry.received_ms,
                "source": entry.source,
                "purposes": names,
                "is_bot": entry.is_bot,
                "properties": _json(event.properties),
                "traits": _json(event.traits),
                "context": _json(body.get("context", {})),
            }
            found.append((record, row))
        yield found
        progress(after / max(ceiling, 1))


def _profiles(core: Core, is_shareable: bool, progress: Progress) -> Iterator[list[Pair]]:
    runtime = core.runtime
    purposes = runtime.config.purposes
    now_ms = core.now_ms()
    after = n_done = 0
    with core.store.read() as session:
        n_all = people.count(session)
    while True:
        with core.store.read() as session:
            rows = people.profile_batch(session, after, 500)
            profiles = live_profiles(session, rows, runtime.observer)
            persons = [row.person_id for row in rows]
            links = people.links_of(session, persons)
            members = memberships.members_of(session, persons)
        if not rows:
            return
        after = rows[-1].person_id
        found: list[Pair] = []
        for person, profile in profiles.items():
            granted = granted_purposes(runtime, profile, Context())
            word = profile.consent.get("share")
            if is_shareable and not (word is not None and word.is_granted):
                continue
            view = profile_view(runtime, profile, granted, now_ms)
            known = readable(view)
            keys = links.get(person, [])
            held = members.get(person, {})
            segments = sorted(name for name, (is_member, _, _) in held.items() if is_member)
            ids = [{"kind": key.kind, "value": key.value.replace(SEPARATOR, " / ")} for key in keys]
            names = list(purposes.names(granted))
            record = {"person": person, "ids": ids, "purposes": names, "segments": segments, **known}
            row = {
                "person": person,
                "user_ids": [key["value"] for key in ids if key["kind"] == "user_id"],
                "anonymous_ids": [key["value"] for key in ids if key["kind"] == "anonymous_id"],
                "purposes": names,
                "segments": segments,
                "n_events": profile.n_events,
                "stage": known.get("stage"),
                "first_seen": profile.first_ms if profile.n_events and view.is_profiled else None,
                "last_seen": profile.last_ms if profile.n_events and view.is_profiled else None,
                "profile": _json(known),
            }
            found.append((record, row))
        yield found
        n_done += len(rows)
        progress(n_done / max(n_all, 1))


def _decisions(core: Core, is_shareable: bool, progress: Progress) -> Iterator[list[Pair]]:
    after = ""
    n_done = 0
    with core.store.read() as session:
        row = session.row("SELECT count(*) FROM decisions")
    n_all = int(str(row[0])) if row else 0
    while True:
        with core.store.read() as session:
            batch = records.decision_page(session, after, 500)
            about = {decision.person for decision in batch if decision.person is not None}
            agreeing = _agreeing(session, about) if is_shareable else about
        if not batch:
            return
        after = batch[-1].decision_id
        found: list[Pair] = []
        for decision in batch:
            if decision.person is not None and decision.person not in agreeing:
                continue
            record: dict[str, Any] = {**msgspec.to_builtins(decision), "time": iso(decision.time_ms)}
            found.append(
                (
                    record,
                    {
                        "decision_id": decision.decision_id,
                        "person": decision.person,
                        "time": decision.time_ms,
                        "placement": decision.placement,
                        "mode": decision.mode,
                        "policy": decision.policy,
                        "item_ids": [shown.item_id for shown in decision.items],
                        "scores": [shown.score for shown in decision.items],
                        "propensities": [shown.propensity for shown in decision.items],
                        "n_candidates": decision.n_candidates,
                        "record": _json(record),
                    },
                )
            )
        yield found
        n_done += len(batch)
        progress(n_done / max(n_all, 1))


_BATCHES: dict[str, Callable[[Core, bool, Progress], Iterator[list[Pair]]]] = {
    "events": _events,
    "profiles": _profiles,
    "decisions": _decisions,
}


def _agreeing(session: Session, persons: set[int]) -> set[int]:
    """Returns those who said yes to `share`: what a decision was made with may come from any source."""
    rows = people.profiles(session, persons)
    words = {person: consent_of(row.body).get("share") for person, row in rows.items()}
    return {person for person, word in words.items() if word is not None and word.is_granted}


def _json(value: Any) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()
