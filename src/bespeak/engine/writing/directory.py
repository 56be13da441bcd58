"""Who is who within one batch: resolves ids, plans links and merges event by event, and writes them.

Events of one batch see the links that earlier events of it made. On a store with concurrent writers the ids of the
batch are locked first, then the persons they lead to, each in sorted order; only then are log positions drawn, so that
per person log order is fold order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import msgspec

from bespeak.engine.writing.known_links import KnownLinks
from bespeak.profiles.identity import DEVICES, Group, IdentityLimits, Plan, lookup_ids, plan
from bespeak.signals.events import Event
from bespeak.signals.ids import USER_ID, IdKey
from bespeak.storage.base import Transaction
from bespeak.storage.tables import people

_DRAW = 32


class Placed(msgspec.Struct, frozen=True):
    """Whom an event belongs to.

    Attributes:
        person: the root person.
        ids: those of the event's ids that are theirs.
        absorbed: the persons that the event's links join into this one.
        is_new: the event made the person.
    """

    person: int
    ids: tuple[IdKey, ...]
    absorbed: tuple[int, ...]
    is_new: bool = False


class Directory:
    """The persons of one batch.

    Args:
        tx: the batch's transaction.
        events: the events of the batch; every id of theirs is looked up and locked.
        locks: whether others may write at the same time.
        others: persons that the batch writes about besides, locked with them.
        known: where ids lead, as far as it is known without a look; without locks only.

    Attributes:
        ids: of each event, what may tell whom it is about (`lookup_ids`).
        absorbed: who was joined into somebody else.
        has_moved: an id that led to somebody leads to somebody else now, other than by a merge.
    """

    def __init__(
        self,
        tx: Transaction,
        events: Sequence[Event],
        now_ms: int,
        *,
        locks: bool,
        others: Collection[int] = (),
        known: KnownLinks | None = None,
    ) -> None:
        self._tx = tx
        self._now_ms = now_ms
        self._limits = IdentityLimits()
        self.ids = [lookup_ids(event) for event in events]
        self.absorbed: list[int] = []
        self.has_moved = False
        ids = {key for keys in self.ids for key in keys}
        if locks:
            self._links, self._shared = self._settle(ids, others)
        else:
            kept = known.of(ids) if known is not None else {}
            resolved = people.resolve(tx, ids - kept.keys())
            self._links, self._shared = {**kept, **resolved.links}, resolved.shared
        self._groups: dict[int, Group] = {}
        self._drawn: list[int] = []
        self._created: list[int] = []
        self._new_links: dict[IdKey, people.NewLink] = {}
        self._new_claims: list[tuple[IdKey, int, str]] = []
        self._merges: list[tuple[int, int]] = []

    def _settle(self, ids: set[IdKey], others: Collection[int]) -> tuple[dict[IdKey, int], set[IdKey]]:
        """Locks ids and whom they lead to.

        An id that is locked is linked by nobody else. Until its person is locked too, that person may be joined into
        another or be erased; then its ids are looked up again.
        """
        self._tx.lock_keys(f"id:{key.kind}:{key.value}" for key in ids)
        resolved = people.resolve(self._tx, ids)
        while True:
            persons = set(resolved.links.values())
            self._tx.lock_keys(f"person:{person}" for person in {*persons, *others})
            if people.are_roots(self._tx, persons):
                break
            again = people.resolve(self._tx, ids)
            if again == resolved:
                break
            resolved = again
        return resolved.links, resolved.shared

    def persons(self) -> set[int]:
        """Returns the root persons that the batch's ids led to when it began."""
        return set(self._links.values())

    def links(self) -> dict[IdKey, int]:
        """Returns where those of the batch's ids lead now that one person alone has."""
        return {key: person for key, person in self._links.items() if key not in self._shared}

    def look_up(self, event: Event, ids: Sequence[IdKey]) -> Placed | Plan:
        """Decides whom an event belongs to, and changes nothing yet: consent is asked first.

        Args:
            event: one of the batch's.
            ids: the event's, of `ids`.

        Raises:
            EventRejected: its ids identify nobody, or it named a person without proof.
        """
        known = self._known(event, ids)
        if known is not None:
            return known
        linked = {key: self._links[key] for key in ids if key in self._links}
        groups = {person: self._group(person) for person in set(linked.values())}
        return plan(event, linked, groups, self._shared, self._limits)

    def place(self, event: Event, found: Placed | Plan) -> Placed:
        """Carries out what `look_up` decided: remembers the links, merges and claims that the event makes."""
        return found if isinstance(found, Placed) else self._carry_out(event, found)

    def _known(self, event: Event, ids: Sequence[IdKey]) -> Placed | None:
        """The common case, in which `plan` changes nothing: the ids lead to one person already, and nobody shares one.

        Without proof the event is the device's, if there is one.
        """
        person = self._links.get(ids[0]) if ids and event.type != "alias" else None
        if person is None or any(self._links.get(key) != person for key in ids[1:]):
            return None
        if not self._shared.isdisjoint(ids):
            return None
        if event.is_vouched:
            return Placed(person, tuple(ids), ())
        device = next((key for key in ids if key.kind in DEVICES), None)
        return None if device is None else Placed(person, (device,), ())

    def _carry_out(self, event: Event, made: Plan) -> Placed:
        new: dict[int, int] = {}

        def actual(person: int) -> int:
            if person > 0:
                return person
            if person not in new:
                new[person] = self._draw()
            return new[person]

        person = actual(made.person)
        for link in made.new_links:
            target = actual(link.person)
            before = self._links.get(link.key)
            if before is not None:
                self.has_moved = True
                self._forget(before)
            self._links[link.key] = target
            self._new_links[link.key] = people.NewLink(target, link.is_shared, event.source)
            self._forget(target)
            if link.is_shared:
                self._shared.add(link.key)
        for absorbed in made.absorbed:
            self._merge(person, absorbed)
        for claim in made.claims:
            self._new_claims.append((claim, person, event.source))
            group = self._group(person)
            self._groups[person] = msgspec.structs.replace(group, claims=group.claims | {claim})
        return Placed(person, made.ids, made.absorbed, is_new=made.person in new)

    def _draw(self) -> int:
        if not self._drawn:
            self._drawn = self._tx.reserve("persons", _DRAW)[::-1]
        person = self._drawn.pop()
        self._created.append(person)
        self._groups[person] = Group()
        return person

    def _merge(self, root: int, absorbed: int) -> None:
        self._merges.append((root, absorbed))
        self.absorbed.append(absorbed)
        for key, person in self._links.items():
            if person == absorbed:
                self._links[key] = root
        for key, link in self._new_links.items():
            if link.person == absorbed:
                self._new_links[key] = msgspec.structs.replace(link, person=root)
        self._new_claims = [(key, root if p == absorbed else p, source) for key, p, source in self._new_claims]
        self._forget(root)
        self._forget(absorbed)

    def _forget(self, person: int) -> None:
        """What is known of a person's group is out of date: write the links so far, then read it anew when asked."""
        self._groups.pop(person, None)

    def _group(self, person: int) -> Group:
        group = self._groups.get(person)
        if group is None:
            self.flush()
            keys = people.links_of(self._tx, [person]).get(person, [])
            claims = people.claims_of(self._tx, [person]).get(person, [])
            group = self._groups[person] = Group(
                counts=Counter(key.kind for key in keys),
                user_ids=frozenset(key.value for key in keys if key.kind == USER_ID),
                claims=frozenset(claims),
            )
        return group

    def flush(self) -> None:
        """Writes persons, links, claims and merges made so far."""
        tx = self._tx
        if self._created:
            rows = [(person, person, self._now_ms) for person in self._created]
            tx.insert("persons", ("person_id", "root_id", "created_ms"), rows)
            self._created = []
        if self._new_links:
            people.link(tx, self._new_links, self._now_ms)
            self._new_links = {}
        if self._new_claims:
            people.claim(tx, self._new_claims, self._now_ms)
            self._new_claims = []
        for root, absorbed in self._merges:
            people.merge(tx, root, absorbed)
        self._merges = []
