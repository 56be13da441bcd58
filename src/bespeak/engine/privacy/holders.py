"""Who holds personal data: one holder per place, each able to say so, export it and erase it.

Every table of `storage.schema` with a subject is covered by exactly one holder here (a test checks it); what lies
outside the tables (lake, models) has its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import msgspec

from bespeak.engine.clock import iso
from bespeak.engine.folding.live import live_profiles
from bespeak.engine.folding.observe import Observer
from bespeak.intake.segment import encode_event
from bespeak.signals.ids import SEPARATOR, IdKey
from bespeak.signals.subjects import ReceiptLine, Subject
from bespeak.storage.base import Session, Transaction
from bespeak.storage.tables import assignments, log, memberships, offers, people, records
from bespeak.storage.tables import items as item_rows
from bespeak.storage.tables.log import DAY_MS
from bespeak.storage.tables.rows import as_bytes, as_int

MIN_NEEDLE_CHARACTERS = 4
_BETWEEN_CELLS = re.compile(r'[,;|"\t\r\n]+')


class TableHolder:
    """Tables whose rows carry a person id.

    Args:
        name: shown on receipts.
        tables: the tables.
        tx: the transaction to work in.
        describe: reads the person's rows as plain values.
    """

    def __init__(
        self,
        name: str,
        tables: tuple[str, ...],
        tx: Transaction,
        describe: Callable[[Session, Subject], list[dict[str, Any]]],
    ) -> None:
        self.name = name
        self.tables = tables
        self._tx = tx
        self._describe = describe

    def holds(self, subject: Subject) -> int:
        """Returns how many rows of the person the tables hold."""
        return sum(
            len(self._tx.lookup(table, ("person_id",), ("person_id",), [(p,) for p in subject.people]))
            for table in self.tables
        )

    def export(self, subject: Subject) -> list[dict[str, Any]]:
        """Returns the rows as plain values."""
        return self._describe(self._tx, subject)

    def erase(self, subject: Subject) -> ReceiptLine:
        """Deletes the rows."""
        n_held = self.holds(subject)
        for table in self.tables:
            for person in subject.people:
                self._tx.run(f"DELETE FROM {table} WHERE person_id = ?", (person,))  # noqa: S608 - names of our own
        return ReceiptLine(holder=self.name, n_held=n_held, n_removed=n_held)


class LogHolder(TableHolder):
    """The event log. An erased event also leaves the counters that it was counted in."""

    def __init__(self, tx: Transaction, observer: Observer) -> None:
        super().__init__("events", ("events",), tx, _events)
        self._observer = observer

    def erase(self, subject: Subject) -> ReceiptLine:
        """Takes the person's events out of the item counters and deletes them."""
        taken: Counter[tuple[str, str, int]] = Counter()
        for entry in log.entries_of(self._tx, subject.people):
            event = entry.body.event
            if event is None or entry.is_bot:
                continue
            for signal in self._observer.allowed(event, entry.purposes):
                if signal.item_id:
                    taken[(signal.item_id, signal.signal_class, event.time_ms // DAY_MS)] += 1
        latest = max((day for _, _, day in taken), default=0)
        # As if it were days ago: every server reads all of these days anew.
        item_rows.add_counts(self._tx, {key: -float(n) for key, n in taken.items()}, today=latest + 2)
        return super().erase(subject)


class IdHolder:
    """Links and claims: identifiers in clear."""

    name = "ids"
    tables = ("links", "claims")

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def _held(self, subject: Subject) -> list[tuple[str, IdKey]]:
        """Returns (table, identifier) of every row that names the person, also where another device claimed them."""
        columns = ("id_kind", "id_value")
        held = set()
        for table in self.tables:
            rows = self._tx.lookup(table, ("person_id", *columns), ("person_id",), [(p,) for p in subject.people])
            rows += self._tx.lookup(table, ("person_id", *columns), columns, [(k.kind, k.value) for k in subject.ids])
            held |= {(table, as_int(row[0]), IdKey(str(row[1]), str(row[2]))) for row in rows}
        return [(table, key) for table, _, key in sorted(held)]

    def holds(self, subject: Subject) -> int:
        """Returns how many identifiers are linked to or claimed by or for the person."""
        return len(self._held(subject))

    def export(self, subject: Subject) -> list[dict[str, Any]]:
        """Returns the identifiers."""
        keys = sorted({key for _, key in self._held(subject)})
        return [{"kind": key.kind, "value": key.value.replace(SEPARATOR, " / ")} for key in keys]

    def erase(self, subject: Subject) -> ReceiptLine:
        """Deletes the identifiers, also where other devices claimed them."""
        n_held = self.holds(subject)
        for table in self.tables:
            for person in subject.people:
                self._tx.run(f"DELETE FROM {table} WHERE person_id = ?", (person,))  # noqa: S608 - names of our own
            for key in subject.ids:
                self._tx.run(
                    f"DELETE FROM {table} WHERE id_kind = ? AND id_value = ?",  # noqa: S608 - names of our own
                    (key.kind, key.value),
                )
        return ReceiptLine(holder=self.name, n_held=n_held, n_removed=n_held)


class OfferHolder(TableHolder):
    """Codes of offers. A code that was issued stays so, without its holder: nobody else may get it."""

    def __init__(self, tx: Transaction) -> None:
        super().__init__("offers", ("offer_codes",), tx, _offer_codes)

    def erase(self, subject: Subject) -> ReceiptLine:
        """Forgets that the person holds the codes."""
        n_held = self.holds(subject)
        offers.forget(self._tx, subject.people)
        return ReceiptLine(holder=self.name, n_held=n_held, n_removed=n_held)


class RejectHolder:
    """Raw bodies of rejected events: nobody's by key, so they are searched.

    What an export returns must be the person's: bodies that name one of their ids. An erasure takes more rather than
    less: whatever holds an id or a word of theirs anywhere, since the bodies live a few days only.

    Args:
        words: texts that tell of the person besides their ids: traits.
    """

    name = "rejected"
    tables = ("rejected",)

    def __init__(self, tx: Transaction, words: Iterable[str]) -> None:
        self._tx = tx
        self._words = set(words)

    def _bodies(self) -> Iterator[tuple[int, bytes]]:
        for reject_id, body in self._tx.rows("SELECT reject_id, body FROM rejected WHERE body IS NOT NULL"):
            yield as_int(reject_id), as_bytes(body)

    def _naming(self, subject: Subject) -> dict[int, bytes]:
        ids = {key.value for key in subject.ids if SEPARATOR not in key.value}
        return {reject_id: body for reject_id, body in self._bodies() if not ids.isdisjoint(values_in(body))}

    def _telling_of(self, subject: Subject) -> dict[int, bytes]:
        words = {w for w in self._words | subject.id_values() if len(w) >= MIN_NEEDLE_CHARACTERS}
        needles = {form for word in words for form in (word.encode(), msgspec.json.encode(word)[1:-1])}
        found = {i: body for i, body in self._bodies() if any(needle in body for needle in needles)}
        return found | self._naming(subject)

    def holds(self, subject: Subject) -> int:
        """Returns how many bodies hold an id or a word of the person."""
        return len(self._telling_of(subject))

    def export(self, subject: Subject) -> list[dict[str, Any]]:
        """Returns the bodies that name the person."""
        return [{"body": body.decode("utf-8", "replace")} for body in self._naming(subject).values()]

    def erase(self, subject: Subject) -> ReceiptLine:
        """Empties the bodies; the reason and the count stay."""
        found = self._telling_of(subject)
        for reject_id in found:
            self._tx.run("UPDATE rejected SET body = NULL WHERE reject_id = ?", (reject_id,))
        return ReceiptLine(holder=self.name, n_held=len(found), n_removed=len(found))


def values_in(body: bytes) -> set[str]:
    """Returns every whole value of a body: of JSON its texts and whole numbers, of anything else its cells.

    Example:
        >>> sorted(values_in(b'{"userId": 7, "traits": {"plan": "a b"}}')), sorted(values_in(b'7;"x",a b'))
        (['7', 'a b'], ['7', 'a b', 'x'])
    """
    found: set[str] = set()
    try:
        waiting = [msgspec.json.decode(body)]
    except msgspec.DecodeError:
        return set(_BETWEEN_CELLS.split(body.decode("utf-8", "replace"))) - {""}
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, str):
            found.add(value)
        elif isinstance(value, float) and value.is_integer():
            found.add(str(int(value)))
        elif isinstance(value, int) and not isinstance(value, bool):
            found.add(str(value))
    return found


def table_holders(tx: Transaction, observer: Observer, words: Iterable[str]) -> list[Any]:
    """Returns the holders of the store's tables, in the order in which they can be erased.

    Args:
        words: texts that tell of the person besides their ids: traits.
    """
    return [
        LogHolder(tx, observer),
        TableHolder("profile", ("profiles", "profile_baselines"), tx, partial(_profiles, observer)),
        TableHolder("consents", ("consents",), tx, _consents),
        TableHolder("segments", ("segment_members", "segment_moves"), tx, _segments),
        TableHolder("decisions", ("decisions", "exposures"), tx, _decisions),
        TableHolder("experiments", ("assignments",), tx, _assignments),
        OfferHolder(tx),
        RejectHolder(tx, words),
        IdHolder(tx),
        TableHolder("persons", ("persons",), tx, lambda _session, _subject: []),
    ]


def _events(session: Session, subject: Subject) -> list[dict[str, Any]]:
    return [
        {**encode_event(entry.body.event), "receivedAt": iso(entry.received_ms), "source": entry.source}
        for entry in log.entries_of(session, subject.people)
        if entry.body.event is not None
    ]


def _profiles(observer: Observer, session: Session, subject: Subject) -> list[dict[str, Any]]:
    profiles = live_profiles(session, people.profiles(session, subject.people).values(), observer).values()
    return [
        {name: msgspec.to_builtins(getattr(profile, name)) for name in profile.__struct_fields__}
        for profile in profiles
    ]


def _consents(session: Session, subject: Subject) -> list[dict[str, Any]]:
    return [
        {
            "purpose": change.purpose,
            "granted": change.is_granted,
            "time": iso(change.time_ms),
            "source": change.source,
            "proof": change.proof,
            "messageId": change.message_id,
        }
        for change in people.consents_of(session, subject.people)
    ]


def _segments(session: Session, subject: Subject) -> list[dict[str, Any]]:
    found = memberships.members_of(session, subject.people)
    return [
        *(
            {"segment": name, "member": is_member, "since": iso(since)}
            for held in found.values()
            for name, (is_member, since, _) in sorted(held.items())
        ),
        *(
            {"segment": move.segment, "moved": "in" if move.is_member else "out", "time": iso(move.time_ms)}
            for move in memberships.moves_of(session, subject.people)
        ),
    ]


def _assignments(session: Session, subject: Subject) -> list[dict[str, Any]]:
    return [
        {"experiment": found.experiment, "variant": found.variant, "since": iso(found.first_ms)}
        for found in assignments.assignments_of(session, subject.people)
    ]


def _offer_codes(session: Session, subject: Subject) -> list[dict[str, Any]]:
    return [
        {"offer": held.item_id, "code": held.code, "issued": iso(held.issued_ms)}
        for held in offers.codes_of(session, subject.people)
    ]


def _decisions(session: Session, subject: Subject) -> list[dict[str, Any]]:
    return [
        *(msgspec.to_builtins(decision) for decision in records.decisions_of(session, subject.people)),
        *(
            {
                "seen": shown.item_id,
                "position": shown.position,
                "decision": shown.decision_id,
                "time": iso(shown.time_ms),
            }
            for shown in records.exposures_of(session, subject.people)
        ),
    ]
