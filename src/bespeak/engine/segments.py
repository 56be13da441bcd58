"""Segments, as the engine offers them: how large they are, who is in one, and the moves that no event causes."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import msgspec

from bespeak.engine.clock import iso
from bespeak.engine.core import Core
from bespeak.engine.folding.live import live_profiles
from bespeak.engine.folding.membership import update_members
from bespeak.profiles.record import PREDICTION
from bespeak.signals.ids import ANONYMOUS_ID
from bespeak.storage.base import Transaction
from bespeak.storage.tables import memberships, people, records
from bespeak.storage.tables.rows import as_int

_PEOPLE_AT_ONCE = 500
_DECIDED_WITH = "segments"


class SegmentSize(msgspec.Struct, frozen=True, kw_only=True):
    """A segment of the active configuration."""

    name: str
    rule: str
    n_members: int


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One member: a user id where there is one, else a device's anonymous id, and since when."""

    id: str
    since: str


def segment_overview(core: Core) -> list[SegmentSize]:
    """Returns the project's segments in the order in which they are decided."""
    with core.store.read() as session:
        sizes = memberships.segment_sizes(session)
    return [SegmentSize(name=s.name, rule=s.text, n_members=sizes.get(s.name, 0)) for s in core.config.segments]


def segment_members(core: Core, name: str, limit: int) -> list[Member]:
    """Returns who is in a segment, in person order; empty for a segment that nobody is in."""
    with core.store.read() as session:
        rows = session.rows(
            "SELECT person_id, since_ms FROM segment_members WHERE segment = ? AND is_member = 1"
            " ORDER BY person_id LIMIT ?",
            (name, limit),
        )
        persons = [as_int(row[0]) for row in rows]
        users = people.user_ids(session, persons)
        devices = people.user_ids(session, persons, ANONYMOUS_ID)
    return [
        Member(id=users.get(person) or devices.get(person, ""), since=iso(as_int(row[1])))
        for person, row in zip(persons, rows, strict=True)
    ]


def settle_segments(core: Core) -> int:
    """Moves people whose membership a changed definition or time alone changes; returns how many moves."""
    return _redefine(core) + _flip_due(core)


def _flip_due(core: Core) -> int:
    now_ms = core.clock.now_ms()
    n_moves = 0
    while True:
        with core.people_write() as tx:
            due = memberships.due_members(tx, now_ms, _PEOPLE_AT_ONCE)
            if not due:
                return n_moves
            n_moves += _decide_anew(core, tx, due, now_ms)
            memberships.settle_members(tx, due, now_ms)


def _redefine(core: Core) -> int:
    """Decides every segment for everybody when the definitions are not those that were last decided with."""
    segments = core.config.segments
    wanted = sha256(msgspec.json.encode([(segment.name, segment.text) for segment in segments])).digest()
    if any(column.startswith(PREDICTION) for segment in segments for column in segment.rule.columns):
        trained = core.runtime.keeper.models_version  # another training foretells other things
        wanted = sha256(wanted + trained.to_bytes(8, "big")).digest()
    now_ms = core.clock.now_ms()
    with core.people_write() as tx:
        if records.setting(tx, _DECIDED_WITH) == wanted:
            return 0
        n_moves = memberships.drop_segments(tx, {segment.name for segment in segments}, now_ms)
    after = 0
    while segments:
        with core.people_write() as tx:
            batch = [row.person_id for row in people.profile_batch(tx, after, _PEOPLE_AT_ONCE)]
            if not batch:
                break
            n_moves += _decide_anew(core, tx, batch, now_ms)
            after = batch[-1]
    with core.people_write() as tx:
        records.put_setting(tx, _DECIDED_WITH, wanted)
    return n_moves


def _decide_anew(core: Core, tx: Transaction, persons: Sequence[int], now_ms: int) -> int:
    tx.lock_keys(f"person:{person}" for person in persons)
    observer = core.runtime.observer
    profiles = live_profiles(tx, people.profiles(tx, persons).values(), observer)
    return update_members(tx, core.config.segments, profiles, observer, now_ms=now_ms, log_id=0)
