"""Export and erasure of one person, through every holder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from bespeak.engine.clock import iso
from bespeak.engine.core import Core
from bespeak.engine.holders import table_holders
from bespeak.engine.lake_feed import LakeHolder
from bespeak.engine.trained import ModelHolder
from bespeak.errors import InvalidInput
from bespeak.privacy.pseudonyms import pseudonym
from bespeak.privacy.subjects import Holder
from bespeak.profiles.codec import decode
from bespeak.signals.ids import ANONYMOUS_ID, USER_ID, IdKey
from bespeak.signals.subjects import ReceiptLine, Subject
from bespeak.storage import log, people, records
from bespeak.storage.base import Session, Transaction


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """Proof of an erasure: what each holder held and removed.

    Attributes:
        pseudonym: keyed hash of the identifier that was asked for; the receipt names nobody.
    """

    pseudonym: str
    time: str
    lines: list[ReceiptLine]

    def n_removed(self) -> int:
        """Returns how many records were removed or rewritten in all."""
        return sum(line.n_removed + line.n_rewritten for line in self.lines)


class Privacy:
    """Requests of people about their own data."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def export(self, user_id: str) -> dict[str, Any]:
        """Returns everything that is held of a person, by holder; empty lists for somebody unknown."""
        with self._core.people_write() as tx:
            subject = self._subject(tx, self._keys(user_id))
            body = {holder.name: holder.export(subject) for holder in self._holders(tx, subject)}
            self._audit(tx, "export", user_id)
        return {"generated": iso(self._core.clock.now_ms()), **body}

    def erase(self, user_id: str) -> Receipt:
        """Erases a person everywhere; when it returns, nothing of theirs is left in the project.

        Devices that claimed to be the person are erased with them. The ledger remembers keyed hashes of the ids, so
        that a restored backup does not bring the person back.
        """
        return self.erase_keys(self._keys(user_id), user_id)

    def erase_keys(self, keys: Sequence[IdKey], asked_for: str) -> Receipt:
        """Erases whoever the given identifiers lead to."""
        core = self._core
        now_ms = core.clock.now_ms()
        core.drain()
        with core.people_write() as tx:
            subject = self._subject(tx, keys)
            core.ledger.add({*subject.ids, *keys}, now_ms)
            lines = [holder.erase(subject) for holder in self._holders(tx, subject)]
            self._audit(tx, "erase", asked_for)
        core.sweep_blobs()
        core.store.scrub()
        return Receipt(pseudonym=self._pseudonym(asked_for), time=iso(now_ms), lines=lines)

    def reapply_ledger(self) -> int:
        """Erases again whoever a restored backup brought back; returns how many people."""
        core = self._core
        erased = core.ledger.hashes()
        n = 0
        with core.store.read() as session:
            rows = session.rows("SELECT id_kind, id_value, first_ms FROM links")
            rows += session.rows("SELECT id_kind, id_value, first_ms FROM claims")
        first = {IdKey(str(kind), str(value)): int(str(time)) for kind, value, time in rows}
        for key, erased_ms in core.ledger.erased_among(first, erased).items():
            if first[key] <= erased_ms:
                self.erase_keys([key], key.value)
                n += 1
        return n

    def _holders(self, tx: Transaction, subject: Subject) -> list[Holder]:
        needles = {*subject.id_values(), *_traits(tx, subject)}
        return [
            ModelHolder(tx, self._core.blobs),
            LakeHolder(tx, self._core.lake),
            *table_holders(tx, self._core.runtime.observer, needles),
        ]

    def _subject(self, session: Session, keys: Sequence[IdKey]) -> Subject:
        """Returns the person and the devices that claimed to be them, merged members included."""
        roots = set(people.resolve(session, keys).links.values())
        ids = {*keys, *people.ids_of(session, roots)}
        claimants = set(people.claimants(session, ids)) - roots
        everyone = {member for root in roots | claimants for member in people.members(session, root)}
        ids |= {key for keys_of in people.links_of(session, roots | claimants).values() for key in keys_of}
        ids |= {key for keys_of in people.claims_of(session, roots).values() for key in keys_of}
        return Subject(people=tuple(sorted(everyone)), ids=tuple(sorted(ids)))

    @staticmethod
    def _keys(user_id: str) -> list[IdKey]:
        if not user_id:
            raise InvalidInput("No person is named.", hint="Give the user id or the anonymous id.")
        return [IdKey(USER_ID, user_id), IdKey(ANONYMOUS_ID, user_id)]

    def _audit(self, tx: Transaction, action: str, asked_for: str) -> None:
        records.add_audit(tx, self._core.clock.now_ms(), "privacy", action, self._pseudonym(asked_for))

    def _pseudonym(self, value: str) -> str:
        return pseudonym(self._core.message_secret, value).hex()


def _traits(session: Session, subject: Subject) -> set[str]:
    """Returns the text traits of a person, from the profile and from every event, household ids included."""
    found: set[str] = set()
    for row in people.profiles(session, subject.people).values():
        found.update(str(trait.value) for trait in decode(row.body).traits.values() if isinstance(trait.value, str))
    for entry in log.entries_of(session, subject.people):
        if entry.body.event is not None:
            found.update(value for value in entry.body.event.traits.values() if isinstance(value, str))
    return found
