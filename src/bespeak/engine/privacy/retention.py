"""Retention: what is older than the project keeps goes, and what was derived from it goes with it.

Days count from receipt. A profile may stay longer than the log, so what the log's oldest part made of it first becomes
a baseline: a rebuild is the baseline and the rest of the log.
"""

from __future__ import annotations

from bespeak.engine.core import Core
from bespeak.engine.folding.baselines import baselines
from bespeak.engine.folding.live import live_profiles
from bespeak.engine.worlds.keeper import COUNTER_DAYS
from bespeak.profiles.codec import encode
from bespeak.profiles.stored import position_of, stored
from bespeak.storage.base import Transaction
from bespeak.storage.tables import items as item_rows
from bespeak.storage.tables import log, memberships, people
from bespeak.storage.tables.log import DAY_MS
from bespeak.storage.tables.people import ProfileRow

_PEOPLE_AT_ONCE = 200


def sweep_retention(core: Core) -> str:
    """Removes what is out of date and returns what was done, in words."""
    now_ms = core.clock.now_ms()
    keeps = core.config.settings.retention
    done: list[str] = []
    with core.store.write() as tx:
        before_ms = now_ms - keeps.rejects_days * DAY_MS
        n = tx.run("UPDATE rejected SET body = NULL WHERE body IS NOT NULL AND received_ms < ?", (before_ms,))
        done.append(f"{n} bodies of rejects")
        n = tx.run("DELETE FROM message_ids WHERE day < ?", ((now_ms - keeps.message_ids_days * DAY_MS) // DAY_MS,))
        done.append(f"{n} message ids")
        n = log.drop_gated(tx, now_ms // DAY_MS - keeps.gated_days)
        done.append(f"{n} counts of gated events")
        item_rows.drop_counts(tx, now_ms // DAY_MS - COUNTER_DAYS)
        if keeps.decisions_days:
            before_ms = now_ms - keeps.decisions_days * DAY_MS
            n = tx.run("DELETE FROM decisions WHERE time_ms < ?", (before_ms,))
            tx.run("DELETE FROM exposures WHERE time_ms < ?", (before_ms,))
            done.append(f"{n} decisions")
        if keeps.log_days:
            n = memberships.drop_moves(tx, now_ms - keeps.log_days * DAY_MS)
            done.append(f"{n} segment moves")
    if keeps.log_days:
        done.append(f"{_sweep_log(core, now_ms - keeps.log_days * DAY_MS)} events")
    return "removed " + ", ".join(done)


def _sweep_log(core: Core, before_ms: int) -> int:
    """Turns the log's part received before a time into baselines, and removes it; also from the lake."""
    with core.store.read() as session:
        row = session.row("SELECT min(log_id) FROM events WHERE received_ms >= ?", (before_ms,))
        first_kept = row[0] if row is not None and row[0] is not None else session.log_ceiling() + 1
        assert isinstance(first_kept, int)
        rows = session.rows("SELECT DISTINCT person_id FROM events WHERE log_id < ?", (first_kept,))
        absorbed = people.roots(session)
    roots = sorted({absorbed.get(person, person) for (person,) in rows if isinstance(person, int)})
    n_events = 0
    for start in range(0, len(roots), _PEOPLE_AT_ONCE):
        with core.people_write() as tx:
            for root in roots[start : start + _PEOPLE_AT_ONCE]:
                tx.lock_keys([f"person:{root}"])
                members = people.members(tx, root)
                entries = [entry for entry in log.entries_of(tx, members) if entry.log_id < first_kept]
                held = baselines(tx, members)
                states = dict(core.runtime.observer.replay(entries, held))
                for person in members:
                    tx.run("DELETE FROM profile_baselines WHERE person_id = ?", (person,))
                tx.insert(
                    "profile_baselines",
                    ("person_id", "log_id", "body"),
                    [(person, first_kept - 1, encode(profile)) for person, profile in states.items()],
                )
                _fold_waiting(core, tx, members)
                for person in members:
                    n_events += tx.run("DELETE FROM events WHERE person_id = ? AND log_id < ?", (person, first_kept))
    if n_events:
        with core.store.write() as tx:
            core.lake.drop_log(tx, first_kept)
        core.sweep_blobs()
    return n_events


def _fold_waiting(core: Core, tx: Transaction, members: tuple[int, ...]) -> None:
    """Folds the events that wait for profiles in the log, before they go from it."""
    rows = people.profiles(tx, members)
    waiting = log.positions_behind(tx, {person: position_of(row.body) for person, row in rows.items()})
    profiles = live_profiles(tx, [rows[person] for person in waiting], core.runtime.observer)
    now_ms = core.clock.now_ms()
    people.put_profiles(
        tx,
        [
            ProfileRow(person, rows[person].version + 1, now_ms, stored(profile, waiting[person][-1]))
            for person, profile in profiles.items()
        ],
    )
