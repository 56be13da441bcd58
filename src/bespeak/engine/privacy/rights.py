"""Export and erasure of one person, through every holder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from bespeak.engine.clock import iso
from bespeak.engine.core import Core
from bespeak.engine.folding.live import live_profiles
from bespeak.engine.folding.observe import Observer
from bespeak.engine.learning.fold import LearningHolder, learn
from bespeak.engine.learning.lessons import lessons_of
from bespeak.engine.logged.lake_feed import LakeHolder
from bespeak.engine.privacy.holders import table_holders
from bespeak.engine.training.checkpoints import drop_checkpoints
from bespeak.engine.training.stored_sets import ModelHolder
from bespeak.errors import InvalidInput
from bespeak.privacy.pseudonyms import pseudonym
from bespeak.privacy.subjects import Holder
from bespeak.signals.ids import ANONYMOUS_ID, USER_ID, IdKey
from bespeak.signals.subjects import ReceiptLine, Subject
from bespeak.storage.base import Session, Transaction
from bespeak.storage.tables import log, people, records
from bespeak.storage.tables.rows import as_int


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
        """Returns everything that is held of a person, by holder; empty lists for somebody unknown.

        The profiles of an account's household are other people's and not in it.
        """
        with self._core.people_write() as tx:
            subject = self._subject(tx, self._keys(user_id))
            body = {holder.name: holder.export(subject) for holder in self._holders(tx, subject)}
            self._audit(tx, "export", user_id)
        return {"generated": iso(self._core.clock.now_ms()), **body}

    def erase(self, user_id: str) -> Receipt:
        """Erases a person everywhere; when it returns, nothing of theirs is left in the project.

        Devices that claimed to be the person are erased with them, and so are the household profiles under an account,
        which nobody could reach without it. The ledger remembers keyed hashes of the ids, so that a restored backup
        does not bring the person back.
        """
        return self.erase_keys(self._keys(user_id), user_id)

    def erase_keys(self, keys: Sequence[IdKey], asked_for: str) -> Receipt:
        """Erases whoever the given identifiers lead to."""
        return self._erase(keys, asked_for, self._core.clock.now_ms())

    def _erase(self, keys: Sequence[IdKey], asked_for: str, asked_ms: int) -> Receipt:
        core = self._core
        core.drain()
        with core.people_write() as tx:
            subject = self._locked(tx, keys)
            core.ledger.add({*subject.ids, *keys}, asked_ms)
            lines = [holder.erase(subject) for holder in self._holders(tx, subject)]
            self._audit(tx, "erase", asked_for)
        # What is learned of variants is made anew without the person.
        learn(core.store, core.world, core.runtime.observer, core.now_ms())
        drop_checkpoints(core.blobs)
        core.sweep_blobs()
        core.store.scrub()
        return Receipt(pseudonym=self._pseudonym(asked_for), time=iso(core.clock.now_ms()), lines=lines)

    def reapply_ledger(self) -> int:
        """Erases again whoever a restored backup brought back; returns how many people.

        Whoever came back after the erasure stays, so the ledger keeps the time at which the person asked.
        """
        core = self._core
        with core.store.read() as session:
            rows = session.rows("SELECT id_kind, id_value, first_ms FROM links")
            rows += session.rows("SELECT id_kind, id_value, first_ms FROM claims")
        first: dict[IdKey, int] = {}
        for kind, value, time_ms in rows:
            key = IdKey(str(kind), str(value))
            first[key] = min(as_int(time_ms), first.get(key, as_int(time_ms)))
        n = 0
        for key, erased_ms in core.ledger.erased_among(first, core.ledger.hashes()).items():
            if first[key] <= erased_ms and self._is_held(key):
                self._erase([key], key.value, erased_ms)
                n += 1
        return n

    def _is_held(self, key: IdKey) -> bool:
        with self._core.store.read() as session:
            return bool(people.resolve(session, [key]).links or people.claimants(session, [key]))

    def _holders(self, tx: Transaction, subject: Subject) -> list[Holder]:
        observer = self._core.runtime.observer
        return [
            ModelHolder(tx, self._core.blobs),
            LearningHolder(tx, lessons_of(self._core.world)),
            LakeHolder(tx, self._core.lake),
            *table_holders(tx, observer, _traits(tx, subject, observer)),
        ]

    def _locked(self, tx: Transaction, keys: Sequence[IdKey]) -> Subject:
        """Returns whom to erase, held so that no other writer adds to them until the transaction ends."""
        subject = self._subject(tx, keys, has_household=True)
        while True:
            tx.lock_keys(
                [*(f"id:{key.kind}:{key.value}" for key in subject.ids), *(f"person:{p}" for p in subject.people)]
            )
            again = self._subject(tx, keys, has_household=True)
            if again == subject:
                return subject
            subject = again

    @staticmethod
    def _subject(session: Session, keys: Sequence[IdKey], *, has_household: bool = False) -> Subject:
        """Returns the person and the devices that claimed to be them, merged members included.

        An id that one of their devices only claimed is theirs where it leads to nobody else.
        """
        roots = set(people.resolve(session, keys).links.values())
        ids = {*keys, *people.ids_of(session, roots)}
        if has_household:
            household = people.household_ids(session, ids)
            roots |= set(people.resolve(session, household).links.values())
            ids |= {*household, *people.ids_of(session, roots)}
        everyone = roots | set(people.claimants(session, ids))
        ids |= set(people.ids_of(session, everyone))
        claimed = {key for keys_of in people.claims_of(session, everyone).values() for key in keys_of}
        elsewhere = {key for key, root in people.resolve(session, claimed).links.items() if root not in everyone}
        for person, keys_of in people.claimants(session, claimed).items():
            if person not in everyone:
                elsewhere.update(keys_of)
        ids |= claimed - elsewhere
        members = {member for root in everyone for member in people.members(session, root)}
        return Subject(people=tuple(sorted(members)), ids=tuple(sorted(ids)))

    @staticmethod
    def _keys(user_id: str) -> list[IdKey]:
        if not user_id:
            raise InvalidInput("No person is named.", hint="Give the user id or the anonymous id.")
        return [IdKey(USER_ID, user_id), IdKey(ANONYMOUS_ID, user_id)]

    def _audit(self, tx: Transaction, action: str, asked_for: str) -> None:
        records.add_audit(tx, self._core.clock.now_ms(), "privacy", action, self._pseudonym(asked_for))

    def _pseudonym(self, value: str) -> str:
        return pseudonym(self._core.message_secret, value).hex()


def _traits(session: Session, subject: Subject, observer: Observer) -> set[str]:
    """Returns the text traits of a person, from the profile and from every event, household ids included."""
    found: set[str] = set()
    for profile in live_profiles(session, people.profiles(session, subject.people).values(), observer).values():
        found.update(str(trait.value) for trait in profile.traits.values() if isinstance(trait.value, str))
    for entry in log.entries_of(session, subject.people):
        if entry.body.event is not None:
            found.update(value for value in entry.body.event.traits.values() if isinstance(value, str))
    return found
