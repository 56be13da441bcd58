"""Feeds the lake from the log, and erases people from it.

The feeder follows the log by cursor: files, the rows that list them and the cursor commit together, so a kill loses and
repeats nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from bespeak.engine.core import Core
from bespeak.engine.folding.observe import Observer
from bespeak.signals.subjects import ReceiptLine, Subject
from bespeak.storage.base import Transaction
from bespeak.storage.lake import Lake
from bespeak.storage.lake.datasets import SIGNALS
from bespeak.storage.tables import log, records
from bespeak.storage.tables.log import Entry

CURSOR = "lake"
BATCH = 50_000


def feed(core: Core, progress: Callable[[int], None] | None = None) -> int:
    """Brings the lake up to the settled end of the log; returns the position it reached."""
    while True:
        with core.store.write() as tx:
            # Held from before the log is read: neither a second feeder nor an erasure comes in between.
            core.lake.lock(tx)
            after = records.cursor(tx, CURSOR)
            entries = log.follow(tx, after, BATCH)
            if not entries:
                return after
            table = signal_table(entries, core.runtime.observer)
            if table.num_rows:
                core.lake.append(tx, "signals", table, entries[0].log_id, entries[-1].log_id)
            records.put_cursor(tx, CURSOR, entries[-1].log_id)
        if progress is not None:
            progress(len(entries))


def signal_table(entries: Sequence[Entry], observer: Observer) -> pa.Table:
    """Returns one row per signal of the entries."""
    columns: dict[str, list[Any]] = {name: [] for name in SIGNALS.names}
    for entry in entries:
        event = entry.body.event
        if event is None:
            continue
        decision_id = observer.signals.decision_of(event)
        for signal in observer.allowed(event, entry.purposes):
            columns["log_id"].append(entry.log_id)
            columns["person_id"].append(entry.person_id)
            columns["time_ms"].append(entry.time_ms)
            columns["received_ms"].append(entry.received_ms)
            columns["name"].append(entry.name)
            columns["signal"].append(signal.name)
            columns["signal_class"].append(signal.signal_class)
            columns["strength"].append(signal.strength)
            columns["item_id"].append(signal.item_id or None)
            columns["purposes"].append(entry.purposes)
            columns["is_bot"].append(entry.is_bot)
            columns["value_minor"].append(signal.value_minor)
            columns["currency"].append(signal.currency or None)
            columns["decision_id"].append(decision_id or None)
            columns["amount"].append(observer.signals.amount_of(signal.name, event))
    return pa.table(columns, schema=SIGNALS)


class LakeHolder:
    """The lake as a holder of personal data."""

    name = "lake"

    def __init__(self, tx: Transaction, lake: Lake) -> None:
        self._tx = tx
        self._lake = lake

    def holds(self, subject: Subject) -> int:
        """Returns how many rows of the person the live files hold."""
        return self._lake.holds(self._tx, subject.people)

    def export(self, subject: Subject) -> list[dict[str, Any]]:
        """Returns nothing beyond the events: the lake is derived from them."""
        n = self.holds(subject)
        return [{"rows": n, "note": "derived from the events above"}] if n else []

    def erase(self, subject: Subject) -> ReceiptLine:
        """Rewrites the files that hold the person; the old files go when the transaction has committed."""
        self._lake.lock(self._tx)  # before counting: a feeder that has read the person's events may be about to commit
        n_held = self.holds(subject)
        n_files = self._lake.erase(self._tx, subject.people) if n_held else 0
        return ReceiptLine(holder=self.name, n_held=n_held, n_removed=n_held, n_rewritten=n_files)
