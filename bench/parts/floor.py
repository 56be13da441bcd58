"""The floor of ingest: the same rows in such transactions, without HTTP, decoding and fold."""

from __future__ import annotations

import random
import time
from pathlib import Path

from bespeak.engine import Engine
from bespeak.privacy.pseudonyms import pseudonym
from bespeak.storage.open import open_store
from bespeak.storage.tables import log, people
from bespeak.storage.tables.log import Entry, EntryBody
from bespeak.storage.tables.people import ProfileRow


def profile_bytes(folder: Path) -> int:
    """Returns the mean size of a project's stored profiles, so that the floor writes rows as large."""
    with Engine.open(folder) as engine, engine.core.store.read() as session:
        row = session.row("SELECT avg(length(body)) FROM profiles")
    return int(float(row[0])) if row and row[0] else 0


def floor(url: str, seconds: float, *, per_transaction: int, n_people: int, n_bytes: int) -> float:
    """Returns durable events per second: unique key, event row and the profile rows of whom the events are of."""
    store = open_store(url, migrate=True)
    profile = random.Random(0).randbytes(n_bytes)
    filler = {"pad": ["x" * 20] * 3}
    rng = random.Random(1)
    number, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        keys = [pseudonym(b"k" * 32, f"m{number + n}") for n in range(per_transaction)]
        people_now = {rng.randrange(n_people) for _ in range(per_transaction)}
        with store.write() as tx:
            log.new_messages(tx, keys, 0)
            people.profiles(tx, people_now)
            entries = [_entry(i, key, filler) for i, key in zip(tx.reserve("events", len(keys)), keys, strict=True)]
            log.append(tx, entries)
            people.put_profiles(tx, [ProfileRow(p, 1, 0, profile) for p in people_now])
        number += per_transaction
    rate = number / (time.perf_counter() - started)
    store.close()
    return rate


def _entry(log_id: int, key: bytes, filler: dict[str, list[str]]) -> Entry:
    return Entry(
        log_id=log_id,
        person_id=1,
        kind="event",
        time_ms=0,
        received_ms=0,
        name="Product Viewed",
        purposes=15,
        is_bot=False,
        fold_version=1,
        source="backend",
        message_key=key,
        body=EntryBody(facets={"p1": filler}),
    )
