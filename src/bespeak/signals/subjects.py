"""The values of the subjects protocol: whom a privacy request is about, and what each holder did."""

from __future__ import annotations

import msgspec

from bespeak.signals.ids import SEPARATOR, IdKey


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """The person a privacy request is about.

    Attributes:
        people: every surrogate id of the person, merged ones included, ascending.
        ids: every identifier linked to or claimed by them.
    """

    people: tuple[int, ...]
    ids: tuple[IdKey, ...]

    def id_values(self) -> frozenset[str]:
        """Returns the plain values of all identifiers, household ids split into their parts."""
        return frozenset(part for key in self.ids for part in key.value.split(SEPARATOR))


class ReceiptLine(msgspec.Struct, frozen=True, kw_only=True):
    """What one holder did: how many records it held, removed and rewrote."""

    holder: str
    n_held: int
    n_removed: int = 0
    n_rewritten: int = 0
    note: str = ""
