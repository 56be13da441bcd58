"""Persons, their identifiers and their profiles.

A person is a surrogate id. Merging joins one person into another: the absorbed person keeps its row and its log entries
and points to the root; links and claims move to the root.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from bespeak.signals.ids import ANONYMOUS_ID, DEVICE_PROFILE_ID, PROFILE_ID, SEPARATOR, USER_ID, IdKey
from bespeak.storage.base import Row, Session, Transaction
from bespeak.storage.tables import records
from bespeak.storage.tables.rows import as_bytes, as_int


class ProfileRow(msgspec.Struct, frozen=True):
    """One stored profile: `version` counts its writes, so two versions of one person differ; `body` is encoded."""

    person_id: int
    version: int
    updated_ms: int
    body: bytes


class ConsentChange(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded change of one purpose, with its time and proof (message id and source)."""

    person_id: int
    purpose: str
    is_granted: bool
    time_ms: int
    received_ms: int
    message_id: str
    source: str
    proof: str = ""


_OWNED_ID = ("person_id", "id_kind", "id_value")
_CONSENT_COLUMNS = ("consent_id", *ConsentChange.__struct_fields__)
_EDITION = "people"
_HOUSEHOLD_KINDS = {USER_ID: PROFILE_ID, ANONYMOUS_ID: DEVICE_PROFILE_ID}
"""Kind of an id -> kind of the household profiles whose ids begin with it."""


class Resolved(msgspec.Struct, frozen=True):
    """Where ids lead: id -> root person, and which of them several people share."""

    links: dict[IdKey, int]
    shared: set[IdKey]


def resolve(session: Session, ids: Iterable[IdKey]) -> Resolved:
    """Returns where those of the ids that are linked lead."""
    keys = [(key.kind, key.value) for key in ids]
    columns = ("id_kind", "id_value", "person_id", "is_shared")
    rows = session.lookup("links", columns, ("id_kind", "id_value"), keys)
    links = {IdKey(str(kind), str(value)): as_int(person) for kind, value, person, _ in rows}
    return Resolved(links, {IdKey(str(kind), str(value)) for kind, value, _, is_shared in rows if is_shared})


def profile_of(session: Session, key: IdKey) -> tuple[int, bytes | None] | None:
    """Returns the person an id is linked to and their encoded profile (None when nothing was folded), or None."""
    row = session.row(
        "SELECT l.person_id, p.body FROM links l LEFT JOIN profiles p ON p.person_id = l.person_id"
        " WHERE l.id_kind = ? AND l.id_value = ?",
        (key.kind, key.value),
    )
    if row is None:
        return None
    return as_int(row[0]), row[1] if isinstance(row[1], bytes) else None


def profiles(session: Session, people: Iterable[int]) -> dict[int, ProfileRow]:
    """Returns person -> stored profile for those that have one."""
    rows = session.lookup(
        "profiles", ("person_id", "version", "updated_ms", "body"), ("person_id",), [(p,) for p in people]
    )
    return {as_int(r[0]): ProfileRow(as_int(r[0]), as_int(r[1]), as_int(r[2]), as_bytes(r[3])) for r in rows}


def profile_versions(session: Session, people: Iterable[int]) -> dict[int, int]:
    """Returns person -> version of the stored profile for those that have one, without reading the profiles."""
    rows = session.lookup("profiles", ("person_id", "version"), ("person_id",), [(p,) for p in people])
    return {as_int(person): as_int(version) for person, version in rows}


def profile_batch(session: Session, after: int, limit: int) -> list[ProfileRow]:
    """Returns stored profiles in person order, after a person: how to walk through all of them."""
    rows = session.rows(
        "SELECT person_id, version, updated_ms, body FROM profiles WHERE person_id > ? ORDER BY person_id LIMIT ?",
        (after, limit),
    )
    return [ProfileRow(as_int(r[0]), as_int(r[1]), as_int(r[2]), as_bytes(r[3])) for r in rows]


def put_profiles(tx: Transaction, rows: Sequence[ProfileRow]) -> None:
    """Writes profiles, replacing what was there."""
    tx.insert(
        "profiles",
        ("person_id", "version", "updated_ms", "body"),
        [(r.person_id, r.version, r.updated_ms, r.body) for r in rows],
        on_conflict="replace",
    )


def edition(session: Session) -> int:
    """Returns a number that rises with every change of people or their links that the log does not tell of."""
    return records.version(session, _EDITION)


def raise_edition(tx: Transaction) -> None:
    """Makes every writer look again at what it keeps of people. Last in a transaction: others wait for the row."""
    records.bump(tx, _EDITION)


def create(tx: Transaction, n: int, now_ms: int) -> list[int]:
    """Makes `n` new persons and returns their ids."""
    ids = tx.reserve("persons", n)
    tx.insert("persons", ("person_id", "root_id", "created_ms"), [(i, i, now_ms) for i in ids])
    return ids


class NewLink(msgspec.Struct, frozen=True):
    """Where an id leads from now on, and which source said so."""

    person: int
    is_shared: bool
    source: str


def link(tx: Transaction, links: Mapping[IdKey, NewLink], now_ms: int) -> None:
    """Links ids to persons, moving those that were linked elsewhere."""
    tx.insert(
        "links",
        ("id_kind", "id_value", "person_id", "is_shared", "source", "first_ms", "last_ms"),
        [(k.kind, k.value, to.person, int(to.is_shared), to.source, now_ms, now_ms) for k, to in sorted(links.items())],
        on_conflict="replace",
    )


def claim(tx: Transaction, claims: Iterable[tuple[IdKey, int, str]], now_ms: int) -> None:
    """Records that a device claimed an id without proof: (id, person, source)."""
    tx.insert(
        "claims",
        ("id_kind", "id_value", "person_id", "source", "first_ms"),
        [(key.kind, key.value, person, source, now_ms) for key, person, source in sorted(set(claims))],
        on_conflict="ignore",
    )


def merge(tx: Transaction, root: int, absorbed: int) -> None:
    """Joins one person into another in every table that says whose a row is, but for the log."""
    tx.run("UPDATE persons SET root_id = ? WHERE root_id = ?", (root, absorbed))
    tx.run("UPDATE links SET person_id = ? WHERE person_id = ?", (root, absorbed))
    kept = tx.rows("SELECT id_kind, id_value, source, first_ms FROM claims WHERE person_id = ?", (absorbed,))
    tx.run("DELETE FROM claims WHERE person_id = ?", (absorbed,))
    columns = ("id_kind", "id_value", "person_id", "source", "first_ms")
    tx.insert("claims", columns, [(r[0], r[1], root, r[2], r[3]) for r in kept], on_conflict="ignore")
    tx.run("UPDATE consents SET person_id = ? WHERE person_id = ?", (root, absorbed))
    tx.run("DELETE FROM segment_members WHERE person_id = ?", (absorbed,))
    tx.run("DELETE FROM profiles WHERE person_id = ?", (absorbed,))


def members(session: Session, root: int) -> tuple[int, ...]:
    """Returns every person that was joined into a root, itself included, ascending."""
    rows = session.rows("SELECT person_id FROM persons WHERE root_id = ? ORDER BY person_id", (root,))
    return tuple(as_int(r[0]) for r in rows)


def roots_of(session: Session, people: Iterable[int]) -> dict[int, int]:
    """Returns person -> root of these persons, as far as they are there."""
    rows = session.lookup("persons", ("person_id", "root_id"), ("person_id",), [(p,) for p in people])
    return {as_int(a): as_int(b) for a, b in rows}


def members_of(session: Session, roots: Iterable[int]) -> dict[int, int]:
    """Returns person -> root of everybody who was joined into these, themselves included."""
    rows = session.lookup("persons", ("person_id", "root_id"), ("root_id",), [(r,) for r in roots])
    return {as_int(a): as_int(b) for a, b in rows}


def are_roots(session: Session, people: Collection[int]) -> bool:
    """Tells whether all of these are there, and none was joined into another."""
    wanted = set(people)
    if not wanted:
        return True
    found = session.lookup("persons", ("person_id", "root_id"), ("person_id",), [(person,) for person in wanted])
    return len(found) == len(wanted) and all(person == root for person, root in found)


def roots(session: Session) -> dict[int, int]:
    """Returns absorbed person -> root for every person that is not its own root."""
    rows = session.rows("SELECT person_id, root_id FROM persons WHERE person_id <> root_id")
    return {as_int(a): as_int(b) for a, b in rows}


def links_of(session: Session, people: Iterable[int]) -> dict[int, list[IdKey]]:
    """Returns person -> the ids linked to them, sorted."""
    return _by_person(session.lookup("links", _OWNED_ID, ("person_id",), [(p,) for p in people]))


def claims_of(session: Session, people: Iterable[int]) -> dict[int, list[IdKey]]:
    """Returns person -> the ids their devices claimed without proof, sorted."""
    return _by_person(session.lookup("claims", _OWNED_ID, ("person_id",), [(p,) for p in people]))


def ids_of(session: Session, people: Iterable[int]) -> list[IdKey]:
    """Returns the ids linked to these persons, sorted."""
    return sorted(key for keys in links_of(session, people).values() for key in keys)


def household_ids(session: Session, keys: Iterable[IdKey]) -> set[IdKey]:
    """Returns the ids of household profiles, linked or claimed, under these user ids and devices."""
    found: set[IdKey] = set()
    for key in keys:
        kind = _HOUSEHOLD_KINDS.get(key.kind)
        if kind is None:
            continue
        start = f"{key.value}{SEPARATOR}"
        for table in ("links", "claims"):
            rows = session.rows(
                f"SELECT id_value FROM {table} WHERE id_kind = ? AND substr(id_value, 1, ?) = ?",  # noqa: S608
                (kind, len(start), start),
            )
            found.update(IdKey(kind, str(row[0])) for row in rows)
    return found


def user_ids(session: Session, people: Iterable[int], kind: str = "user_id") -> dict[int, str]:
    """Returns person -> one id of the given kind (the smallest), for those that have one."""
    return {
        person: min(key.value for key in keys if key.kind == kind)
        for person, keys in links_of(session, people).items()
        if any(key.kind == kind for key in keys)
    }


def claimants(session: Session, keys: Iterable[IdKey]) -> dict[int, list[IdKey]]:
    """Returns person -> ids they claimed without proof, among the given ids, sorted."""
    wanted = [(key.kind, key.value) for key in keys]
    return _by_person(session.lookup("claims", _OWNED_ID, ("id_kind", "id_value"), wanted))


def add_consents(tx: Transaction, changes: Sequence[ConsentChange]) -> None:
    """Appends to the record of who consented to what, when and by which message."""
    if not changes:
        return
    ids = tx.reserve("consents", len(changes))
    tx.insert(
        "consents",
        _CONSENT_COLUMNS,
        [
            (i, c.person_id, c.purpose, int(c.is_granted), c.time_ms, c.received_ms, c.message_id, c.source, c.proof)
            for i, c in zip(ids, changes, strict=True)
        ],
    )


def consents_of(session: Session, people: Iterable[int]) -> list[ConsentChange]:
    """Returns the recorded changes of these persons, the oldest first."""
    rows = sorted(
        session.lookup("consents", _CONSENT_COLUMNS, ("person_id",), [(p,) for p in people]), key=lambda r: as_int(r[0])
    )
    return [
        ConsentChange(
            person_id=as_int(r[1]),
            purpose=str(r[2]),
            is_granted=bool(r[3]),
            time_ms=as_int(r[4]),
            received_ms=as_int(r[5]),
            message_id=str(r[6]),
            source=str(r[7]),
            proof=str(r[8]),
        )
        for r in rows
    ]


def refusing(session: Session, purpose: str) -> set[int]:
    """Returns the persons whose latest recorded word on a purpose is no."""
    rows = session.rows(
        "SELECT person_id, is_granted FROM consents WHERE purpose = ? ORDER BY time_ms, received_ms, message_id",
        (purpose,),
    )
    latest = {as_int(person): bool(is_granted) for person, is_granted in rows}
    return {person for person, is_granted in latest.items() if not is_granted}


def count(session: Session) -> int:
    """Returns the number of persons, merged ones counted once."""
    row = session.row("SELECT count(*) FROM persons WHERE person_id = root_id")
    return as_int(row[0]) if row else 0


def _by_person(rows: Iterable[Row]) -> dict[int, list[IdKey]]:
    """Gathers rows of `_OWNED_ID`: person -> ids, sorted."""
    found: dict[int, list[IdKey]] = {}
    for person, kind, value in rows:
        found.setdefault(as_int(person), []).append(IdKey(str(kind), str(value)))
    return {person: sorted(keys) for person, keys in found.items()}
