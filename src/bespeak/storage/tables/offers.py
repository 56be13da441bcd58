"""Codes of offers: each is issued once, to one person, who gets the same code when they ask again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from bespeak.storage.base import Session, Transaction
from bespeak.storage.tables.rows import as_int

_COLUMNS = ("item_id", "code", "person_id", "issued_ms")


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """The codes of one offer: how many there are, and how many of them were issued."""

    item_id: str
    n_codes: int
    n_issued: int


class IssuedCode(msgspec.Struct, frozen=True, kw_only=True):
    """A code that somebody holds."""

    item_id: str
    code: str
    issued_ms: int


def add_codes(tx: Transaction, item_id: str, codes: Sequence[str]) -> int:
    """Adds codes to an offer's pool and returns how many were new; one that is there already stays what it is."""
    tx.lock_keys([f"offer:{item_id}"])
    before = pool(tx, item_id).n_codes
    rows = [(item_id, code, None, None) for code in dict.fromkeys(codes)]
    tx.insert("offer_codes", _COLUMNS, rows, on_conflict="ignore")
    return pool(tx, item_id).n_codes - before


def issue(tx: Transaction, item_id: str, person: int, now_ms: int) -> IssuedCode | None:
    """Gives a person a code of an offer, the one they hold if they hold any; None where none is left.

    Two transactions never give out one code: the pool is held until this one ends.
    """
    tx.lock_keys([f"offer:{item_id}"])
    held = code_of(tx, item_id, person)
    if held is not None:
        return held
    row = tx.row(
        "SELECT code FROM offer_codes WHERE item_id = ? AND issued_ms IS NULL ORDER BY code LIMIT 1", (item_id,)
    )
    if row is None:
        return None
    tx.run(
        "UPDATE offer_codes SET person_id = ?, issued_ms = ? WHERE item_id = ? AND code = ?",
        (person, now_ms, item_id, str(row[0])),
    )
    return IssuedCode(item_id=item_id, code=str(row[0]), issued_ms=now_ms)


def code_of(session: Session, item_id: str, person: int) -> IssuedCode | None:
    """Returns the code of an offer that a person holds, the earliest, or None."""
    held = [code for code in codes_of(session, [person]) if code.item_id == item_id]
    return held[0] if held else None


def codes_of(session: Session, people: Iterable[int]) -> list[IssuedCode]:
    """Returns the codes that these persons hold, the earliest first."""
    rows = session.lookup("offer_codes", _COLUMNS, ("person_id",), [(person,) for person in people])
    found = [IssuedCode(item_id=str(r[0]), code=str(r[1]), issued_ms=as_int(r[3])) for r in rows]
    return sorted(found, key=lambda code: (code.issued_ms, code.item_id, code.code))


def pool(session: Session, item_id: str) -> Pool:
    """Returns one offer's pool."""
    row = session.row("SELECT count(*), count(issued_ms) FROM offer_codes WHERE item_id = ?", (item_id,))
    assert row is not None
    return Pool(item_id=item_id, n_codes=as_int(row[0]), n_issued=as_int(row[1]))


def n_issued(session: Session, item_id: str) -> int:
    """Returns how many codes of an offer were issued."""
    row = session.row("SELECT count(*) FROM offer_codes WHERE item_id = ? AND issued_ms IS NOT NULL", (item_id,))
    assert row is not None
    return as_int(row[0])


def has_code_left(session: Session, item_id: str) -> bool:
    """Returns whether a code of an offer can still be issued; as fast for a hundred thousand codes as for ten."""
    row = session.row("SELECT 1 FROM offer_codes WHERE item_id = ? AND issued_ms IS NULL LIMIT 1", (item_id,))
    return row is not None


def pools(session: Session) -> list[Pool]:
    """Returns the pools of all offers that have codes, by item."""
    rows = session.rows("SELECT item_id, count(*), count(issued_ms) FROM offer_codes GROUP BY item_id ORDER BY item_id")
    return [Pool(item_id=str(r[0]), n_codes=as_int(r[1]), n_issued=as_int(r[2])) for r in rows]


def merge(tx: Transaction, root: int, absorbed: int) -> None:
    """Gives the root the codes of a person who was joined into it."""
    tx.run("UPDATE offer_codes SET person_id = ? WHERE person_id = ?", (root, absorbed))


def forget(tx: Transaction, people: Iterable[int]) -> int:
    """Forgets who holds which code; the codes stay issued, so that nobody else gets them. Returns how many."""
    return sum(tx.run("UPDATE offer_codes SET person_id = NULL WHERE person_id = ?", (person,)) for person in people)
