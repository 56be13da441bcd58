"""Queries on the catalogue's tables: items, their counters, and the catalogue version.

Every write draws the next catalogue version first. That row stays locked until the transaction commits, so versions
become visible in order and a reader who follows `since(version)` misses nothing. A deleted item leaves a row without a
body, so that a late event about it does not bring it back as a stub. Merging a patch is the catalogue's business
(`catalogue.changes`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from bespeak.errors import StoreError
from bespeak.signals.items import Item
from bespeak.storage.base import Session, Transaction, Value

VERSION_NAME = "catalogue"
_COLUMNS = ("item_id", "version", "updated_ms", "is_stub", "is_deleted", "body")
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Item)

Facets = Mapping[str, Sequence[str] | float]


class ItemChanges(msgspec.Struct, frozen=True):
    """What changed after a version.

    Attributes:
        version: the catalogue version that these changes lead to.
        items: written or rewritten items, in the order of their versions, then ids.
        deleted: ids that are gone.
    """

    version: int
    items: tuple[Item, ...] = ()
    deleted: tuple[str, ...] = ()


def version(session: Session) -> int:
    """Returns the catalogue version, 0 before the first write."""
    found = session.row("SELECT version FROM versions WHERE name = ?", (VERSION_NAME,))
    return 0 if found is None else _integer(found[0])


def put_items(tx: Transaction, items: Sequence[Item], now_ms: int) -> int:
    """Writes whole items over what stands there and returns the catalogue version; of equal ids the last one counts."""
    if not items:
        return version(tx)
    new_version = _next_version(tx)
    last = {item.id: item for item in items}
    rows = [_row(last[item_id], new_version, now_ms) for item_id in sorted(last)]
    tx.insert("items", _COLUMNS, rows, on_conflict="replace")
    return new_version


def delete(tx: Transaction, item_ids: Collection[str], now_ms: int) -> int:
    """Deletes items and returns how many were there; ids that are unknown or already deleted change nothing."""
    wanted = sorted(set(item_ids))
    held = tx.lookup("items", ("item_id", "is_deleted"), ("item_id",), [(item_id,) for item_id in wanted])
    alive = sorted(str(row[0]) for row in held if not row[1])
    if not alive:
        return 0
    new_version = _next_version(tx)
    tx.insert(
        "items", _COLUMNS, [(item_id, new_version, now_ms, 0, 1, b"") for item_id in alive], on_conflict="replace"
    )
    return len(alive)


def stubs(tx: Transaction, seen: Mapping[str, tuple[int, Facets]]) -> int:
    """Adds items that are known only from events: item id -> (first seen, the attributes that its events carried).

    Ids that the catalogue knows, deleted ones included, are left alone; when all are known this is one lookup.

    Returns:
        How many stubs were added.
    """
    if not seen:
        return 0
    known = {row[0] for row in tx.lookup("items", ("item_id",), ("item_id",), [(item_id,) for item_id in seen])}
    missing = sorted(item_id for item_id in seen if item_id not in known)
    if not missing:
        return 0
    new_version = _next_version(tx)
    rows = [_row(stub(item_id, *seen[item_id]), new_version, seen[item_id][0]) for item_id in missing]
    return sum(tx.insert_new("items", _COLUMNS, rows))


def stub(item_id: str, first_ms: int, facets: Facets) -> Item:
    """Returns the item that events alone describe.

    Example:
        >>> stub("p1", 5, {"title": ["Lamp"], "category": ["light"], "price": 9.5}).attributes
        {'category': 'light', 'price': 9.5}
    """
    attributes: dict[str, str | float | bool | list[str]] = {}
    title = ""
    for name, value in facets.items():
        if isinstance(value, int | float):
            attributes[name] = float(value)
        elif name == "title":
            title = value if isinstance(value, str) else " ".join(value)
        elif isinstance(value, str):
            attributes[name] = value
        elif len(value) == 1:
            attributes[name] = value[0]
        elif value:
            attributes[name] = list(value)
    return Item(id=item_id, title=title, attributes=attributes, is_stub=True, first_seen_at=first_ms)


def get_items(session: Session, item_ids: Collection[str]) -> dict[str, Item]:
    """Returns the items that exist, by id."""
    rows = session.lookup(
        "items", ("item_id", "is_deleted", "body"), ("item_id",), [(item_id,) for item_id in dict.fromkeys(item_ids)]
    )
    return {str(row[0]): _decode(row[2]) for row in rows if not row[1]}


def page(session: Session, after: str, limit: int) -> list[Item]:
    """Returns up to `limit` items with ids greater than `after`, ascending: how an API walks the catalogue."""
    rows = session.rows(
        "SELECT body FROM items WHERE item_id > ? AND is_deleted = 0 ORDER BY item_id LIMIT ?", (after, limit)
    )
    return [_decode(row[0]) for row in rows]


def load_all(session: Session) -> ItemChanges:
    """Returns the whole catalogue, items ascending by id, nothing as deleted."""
    rows = session.rows("SELECT body FROM items WHERE is_deleted = 0 ORDER BY item_id")
    return ItemChanges(version(session), tuple(_decode(row[0]) for row in rows))


def since(session: Session, known_version: int) -> ItemChanges:
    """Returns what changed after `known_version`."""
    current = version(session)
    if current == known_version:
        return ItemChanges(current)
    rows = session.rows(
        "SELECT item_id, is_deleted, body FROM items WHERE version > ? ORDER BY version, item_id", (known_version,)
    )
    return ItemChanges(
        current,
        tuple(_decode(row[2]) for row in rows if not row[1]),
        tuple(str(row[0]) for row in rows if row[1]),
    )


def changed_ids(session: Session, known_version: int) -> list[str]:
    """Returns the ids of the items that were written after `known_version` and are not deleted."""
    rows = session.rows("SELECT item_id FROM items WHERE version > ? AND is_deleted = 0", (known_version,))
    return [str(row[0]) for row in rows]


def add_counts(tx: Transaction, counts: Mapping[tuple[str, str, int], float], *, today: int) -> None:
    """Adds to the counters: (item id, signal class, day since 1970) -> how much. Negative numbers take back.

    Yesterday's and today's change all the time. Whoever keeps older ones learns of a change by the day's version.
    """
    if not counts:
        return
    settled = sorted({day_version(day) for _, _, day in counts if day < today - 1})
    if settled:
        tx.insert("versions", ("name", "version"), [(name, 1) for name in settled], on_conflict="add")
    rows = [(*key, float(counts[key])) for key in sorted(counts)]
    tx.insert("item_counters", ("item_id", "signal_class", "day", "n"), rows, on_conflict="add")


def day_version(day: int) -> str:
    """Returns the name of the version that changes with the counters of a day; days 64 apart share one."""
    return f"counts:{day % 64}"


def counts(session: Session, since_day: int, until_day: int | None = None) -> list[tuple[str, str, int, float]]:
    """Returns (item id, signal class, day, count) of all days from `since_day` on, up to `until_day`, in no order."""
    sql, params = "SELECT item_id, signal_class, day, n FROM item_counters WHERE day >= ?", [since_day]
    if until_day is not None:
        sql, params = f"{sql} AND day <= ?", [since_day, until_day]
    return [(str(item), str(name), _integer(day), _number(n)) for item, name, day, n in session.rows(sql, params)]


def drop_counts(tx: Transaction, before_day: int) -> int:
    """Deletes the counters of days before `before_day` and returns how many rows went."""
    return tx.run("DELETE FROM item_counters WHERE day < ?", (before_day,))


def _next_version(tx: Transaction) -> int:
    tx.insert("versions", ("name", "version"), [(VERSION_NAME, 1)], on_conflict="add")
    return version(tx)


def _row(item: Item, new_version: int, now_ms: int) -> tuple[Value, ...]:
    return (item.id, new_version, now_ms, int(item.is_stub), 0, _encoder.encode(item))


def _decode(body: Value) -> Item:
    if not isinstance(body, bytes):
        raise StoreError("An item's row holds no bytes.", hint="Run `bespeak doctor`.")
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError as error:
        raise StoreError("An item's row cannot be decoded.", hint="Run `bespeak doctor`.") from error


def _integer(value: Value) -> int:
    if not isinstance(value, int):
        raise StoreError("A catalogue row holds something else where a whole number belongs.")
    return value


def _number(value: Value) -> float:
    if not isinstance(value, int | float):
        raise StoreError("A catalogue row holds something else where a number belongs.")
    return float(value)
