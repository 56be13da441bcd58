"""Segments, as the engine offers them: how large they are, and who is in one."""

from __future__ import annotations

import msgspec

from bespeak.engine.clock import iso
from bespeak.engine.core import Core
from bespeak.signals.ids import ANONYMOUS_ID
from bespeak.storage import people, records
from bespeak.storage.rows import as_int


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
        sizes = records.segment_sizes(session)
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
