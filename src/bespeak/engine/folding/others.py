"""What other processes wrote about people since this one last looked.

A store with one writer at a time hands out positions of the log in the order of its commits. So what lies behind the
last position that this process knows was written by others, and names whom it is about. What changes people without an
entry in the log (a refold, an erasure, an id that moves to somebody else) raises `people.edition`: then anything may
have changed.
"""

from __future__ import annotations

import msgspec

from bespeak.storage.base import Transaction
from bespeak.storage.tables import log, people

MAX_FOLLOWED = 20_000
"""Entries of others that are followed one by one; behind more of them anything may have changed."""


class News(msgspec.Struct, frozen=True):
    """What others wrote.

    Attributes:
        positions: person -> where their new entries stand in the log, ascending.
        absorbed: who was joined into somebody else.
    """

    positions: dict[int, list[int]]
    absorbed: frozenset[int]


class Others:
    """Follows the log for one writer."""

    def __init__(self) -> None:
        self._position: int | None = None
        self._edition = 0

    def since(self, tx: Transaction) -> News | None:
        """Returns what others wrote since the last call, what `wrote` told of left out; None: anything may be new."""
        edition = people.edition(tx)
        rows = []
        is_followed = self._position is not None and edition == self._edition
        if self._position is not None and is_followed:
            rows = log.written_behind(tx, self._position, MAX_FOLLOWED + 1)
        self._edition = edition
        if not is_followed or len(rows) > MAX_FOLLOWED:
            self._position = tx.log_ceiling()
            return None
        if rows:
            self._position = rows[-1][0]
        positions: dict[int, list[int]] = {}
        for log_id, person, _ in rows:
            positions.setdefault(person, []).append(log_id)
        merges = log.entries_at(tx, [log_id for log_id, _, kind in rows if kind == "merge"])
        return News(positions, frozenset(entry.body.absorbed for entry in merges if entry.body.absorbed is not None))

    def wrote(self, position: int) -> None:
        """Notes the last entry that this process wrote itself."""
        self._position = position
