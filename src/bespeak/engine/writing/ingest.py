"""The write path.

Validate -> look up the person -> consent gate, per signal -> de-duplicate and append -> link identities -> fold -> move
segments -> acknowledge.

One transaction per batch. An event that no granted purpose may use leaves a typed count, never a payload.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from bespeak.engine.config import Configuration
from bespeak.engine.folding.membership import update_members
from bespeak.engine.folding.observe import Observer, minimised, only_consent, stamp_of
from bespeak.engine.folding.others import Others
from bespeak.engine.folding.profile_book import ProfileBook
from bespeak.engine.writing.directory import Directory, Placed
from bespeak.engine.writing.known_links import KnownLinks
from bespeak.engine.writing.writer import Gather, WriteRequest, Written
from bespeak.errors import EventRejected
from bespeak.privacy.pseudonyms import pseudonyms
from bespeak.profiles.identity import Plan
from bespeak.profiles.profile import Consent
from bespeak.signals.decisions import Decision, Exposure
from bespeak.signals.events import Event
from bespeak.signals.ids import IdKey
from bespeak.signals.signal import Signal
from bespeak.storage.base import Store, Transaction
from bespeak.storage.tables import assignments, log, offers, people, records
from bespeak.storage.tables import items as item_rows
from bespeak.storage.tables.assignments import Assignment
from bespeak.storage.tables.log import DAY_MS, Entry, EntryBody, Reject
from bespeak.storage.tables.people import ConsentChange

ItemFacets = dict[str, list[str] | float]
FacetsOf = Callable[[str], ItemFacets]


class Ingest:
    """Commits requests under one configuration.

    Args:
        store: where to.
        config: the active configuration.
        observer: reads events under that configuration.
        message_secret: key of the hashes that catch duplicates.
        facets_of: item id -> what the catalogue knows now of the facets that profiles keep; empty for an unknown item.
        now_ms: the clock.
    """

    def __init__(
        self,
        store: Store,
        config: Configuration,
        observer: Observer,
        *,
        message_secret: bytes,
        facets_of: FacetsOf,
        now_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._config = config
        self._observer = observer
        self._secret = message_secret
        self._facets_of = facets_of
        self._now_ms = now_ms
        self._book = ProfileBook(observer)
        self._others = Others()
        self._known = KnownLinks()
        self._locks = store.kind == "postgres"
        self._token = -1

    def commit(self, gather: Gather) -> list[Written]:
        """Writes in one transaction the requests that it asks for there; returns what became of each, in order."""
        try:
            with self._store.write() as tx:
                # Inside the transaction nobody else can commit any more, so an unchanged token means: nobody did.
                token = self._store.change_token()
                is_alone = token == self._token
                news = None if is_alone or self._locks else self._others.since(tx)
                self._book.begin(tx, is_alone=is_alone, news=news)
                if news is not None:
                    self._known.absorbed(news.absorbed)
                elif not is_alone:
                    self._known.forget()
                self._token = token
                batch = _Batch(self, tx, self._now_ms())
                results = batch.write(gather())
        except BaseException:
            self.forget()
            raise
        self._book.committed()
        batch.keep()
        return results

    def forget(self) -> None:
        """Drops what is kept between batches: somebody else in this process changed people."""
        self._book.forget()
        self._known.forget()


class _Batch:
    """One transaction's work."""

    def __init__(self, ingest: Ingest, tx: Transaction, now_ms: int) -> None:
        self._ingest = ingest
        self._tx = tx
        self._now_ms = now_ms
        self._observer = ingest._observer
        self._consent = ingest._config.consent
        self._purposes = ingest._config.purposes
        # `essential` and `share` alone use nothing: the one keeps no data, the other passes on what others keep.
        self._uses = self._purposes.everything & ~(self._purposes.essential | self._purposes.share)
        self._entries: list[Entry] = []
        self._rejects: list[Reject] = []
        self._consents: list[ConsentChange] = []
        self._exposures: list[Exposure] = []
        self._gated: Counter[tuple[int, str, str, str]] = Counter()
        self._counts: dict[tuple[str, str, int], int] = {}
        self._stubs: dict[str, tuple[int, ItemFacets]] = {}
        self._decisions: list[Decision] = []
        self._book = ingest._book
        self._directory = Directory(tx, (), now_ms, locks=False)
        self._positions: Iterator[int] = iter(())

    def write(self, requests: Sequence[WriteRequest]) -> list[Written]:
        events = [event for request in requests for event in request.events]
        for request in requests:
            self._rejects.extend(request.rejects)
        self._decisions = [decision for request in requests for decision in request.decisions]
        outcomes: list[str] = self._take(events) if events else []
        self._finish()
        last = self._entries[-1].log_id if self._entries else 0
        results = []
        position = 0
        for request in requests:
            n = len(request.events)
            counts = Counter(outcomes[position : position + n])
            position += n
            results.append(
                Written(
                    n_accepted=counts["accepted"] + counts["gated"],
                    n_duplicate=counts["duplicate"],
                    n_rejected=counts["rejected"] + len(request.rejects),
                    n_gated=counts["gated"],
                    last_log_id=last,
                )
            )
        return results

    def keep(self) -> None:
        """Notes, once everything is committed, what the next batch need not read."""
        ingest = self._ingest
        if self._entries:
            ingest._others.wrote(self._entries[-1].log_id)
        if not ingest._locks:
            ingest._known.absorbed(self._directory.absorbed)
            ingest._known.keep(self._directory.links())

    def _take(self, events: Sequence[Event]) -> list[str]:
        tx, secret = self._tx, self._ingest._secret
        others = {decision.person for decision in self._decisions if decision.person is not None}
        ingest = self._ingest
        self._directory = Directory(tx, events, self._now_ms, locks=ingest._locks, others=others, known=ingest._known)
        keys = pseudonyms(secret, [event.message_id for event in events])
        is_new = log.new_messages(tx, keys, self._now_ms)
        self._book.load(self._directory.persons())
        # One event draws at most itself and its merges; what is left over is a gap in the log.
        self._positions = iter(tx.reserve("events", max(1, sum(is_new))))
        return [
            self._take_one(event, ids, key) if new else "duplicate"
            for event, ids, key, new in zip(events, self._directory.ids, keys, is_new, strict=True)
        ]

    def _take_one(self, event: Event, ids: Sequence[IdKey], message_key: bytes) -> str:
        try:
            return self._take_valid(event, ids, message_key)
        except EventRejected as error:
            if not self._consent_of(event, {})[0] & self._uses:
                self._count_gated(event)
                return "gated"
            self._rejects.append(
                Reject(
                    received_ms=event.received_ms,
                    source=event.source,
                    reason=error.code,
                    detail=error.message,
                    body=msgspec.json.encode(event),
                )
            )
            return "rejected"

    def _take_valid(self, event: Event, ids: Sequence[IdKey], message_key: bytes) -> str:
        """Asks for consent before anything is linked: a gated event makes no person and no claim."""
        found = self._directory.look_up(event, ids)
        words = self._words_of(found)
        granted, changes = self._consent_of(event, words)
        is_usable = bool(granted & self._uses)
        if not is_usable and not (changes and self._is_worth_keeping(event, words, found, changes)):
            if words and event.is_vouched:
                self._place(event, found)  # what a person refused holds for every id that is proven to be theirs
            self._count_gated(event)
            return "gated"
        if not is_usable and isinstance(found, Plan):
            found = msgspec.structs.replace(found, claims=())
        placed = self._place(event, found)
        kept = minimised(event, granted, self._purposes, placed.ids)
        self._append(kept if is_usable else only_consent(kept), placed, message_key, granted=granted, changes=changes)
        return "accepted" if is_usable else "gated"

    def _place(self, event: Event, found: Placed | Plan) -> Placed:
        placed = self._directory.place(event, found)
        if placed.is_new:
            self._book.begin_profile(placed.person)
        for absorbed in placed.absorbed:
            self._merge(placed.person, absorbed, event)
        return placed

    def _words_of(self, found: Placed | Plan) -> Mapping[str, Consent]:
        """Returns the latest word per purpose of whom an event is about, over everybody whom it shows to be one."""
        if not found.absorbed:
            return self._book.consent(found.person) if found.person > 0 else {}
        words: dict[str, Consent] = {}
        for person in (found.person, *found.absorbed):
            if person > 0:
                for purpose, word in self._book.consent(person).items():
                    held = words.get(purpose)
                    words[purpose] = word if held is None else max(held, word, key=stamp_of)
        return words

    def _consent_of(self, event: Event, words: Mapping[str, Consent]) -> tuple[int, dict[str, bool]]:
        """Returns the mask of purposes that hold for an event, and what it says that was not recorded yet."""
        context = event.context
        if not words and context.consent is None and not context.is_gpc:
            return self._consent.default(event.source), {}
        recorded = {purpose: word.is_granted for purpose, word in words.items()}
        stamp = (event.time_ms, event.received_ms, event.message_id)
        changes = {
            purpose: is_granted
            for purpose, is_granted in self._consent.changes(recorded, context.consent, context.is_gpc).items()
            # What was said earlier and arrives late takes nothing back that was said since.
            if purpose not in words or stamp_of(words[purpose]) < stamp
        }
        return self._consent.granted(event.source, {**recorded, **changes}, context.is_gpc), changes

    def _is_worth_keeping(
        self, event: Event, words: Mapping[str, Consent], found: Placed | Plan, changes: Mapping[str, bool]
    ) -> bool:
        """Tells whether a statement is kept whose event nothing may use.

        A refusal by somebody unknown is kept where the source vouches for who they are, or where something of theirs
        would be used without it; else a visitor who refuses would leave a person behind with each page.
        """
        if words or found.person > 0 or any(changes.values()):
            return True
        return event.is_vouched or bool(self._consent.default(event.source) & self._uses)

    def _count_gated(self, event: Event) -> None:
        """Counts by the catalogue's name of the signal: an event's own name may hold anything."""
        signals = self._observer.signals.signals_of(event)
        name = signals[0].name if signals else event.type
        self._gated[(event.received_ms // DAY_MS, event.source, name, "no_purpose")] += 1

    def _append(
        self,
        event: Event,
        placed: Placed,
        message_key: bytes,
        *,
        granted: int,
        changes: dict[str, bool],
    ) -> None:
        signals = self._observer.allowed(event, granted)
        entry = Entry(
            log_id=self._next_position(),
            person_id=placed.person,
            kind="event",
            time_ms=event.time_ms,
            received_ms=event.received_ms,
            name=event.name if event.type == "track" else event.type,
            purposes=granted,
            is_bot=event.context.is_bot,
            fold_version=self._observer.fold_settings.fold_version,
            source=event.source,
            message_key=message_key,
            body=EntryBody(
                event=event,
                facets=self._facets(event, signals),
                ids=placed.ids,
                consent=changes or None,
            ),
        )
        self._entries.append(entry)
        self._book.fold(placed.person, self._observer.observation(entry, signals))
        self._record(entry, event, signals, changes)

    def _facets(self, event: Event, signals: Sequence[Signal]) -> dict[str, ItemFacets]:
        """Returns what is known now of the event's items; an unknown item is described by the event itself."""
        if not signals:
            return {}
        facets: dict[str, ItemFacets] = {}
        carried: dict[str, ItemFacets] | None = None
        for signal in signals:
            item_id = signal.item_id
            if item_id in facets:
                continue
            known = self._ingest._facets_of(item_id) if item_id else {}
            if known:
                facets[item_id] = known
                continue
            if carried is None:
                carried = self._observer.signals.event_facets(event)
            known = carried.get(item_id, {})
            if item_id and item_id not in self._stubs:
                self._stubs[item_id] = (event.time_ms, known)
            keeps = self._observer.fold_settings
            known = {
                name: value for name, value in known.items() if name in keeps.facet_set or name in keeps.numeric_set
            }
            if known:
                facets[item_id] = known
        return facets

    def _record(self, entry: Entry, event: Event, signals: Sequence[Signal], changes: dict[str, bool]) -> None:
        for purpose, is_granted in changes.items():
            self._consents.append(
                ConsentChange(
                    person_id=entry.person_id,
                    purpose=purpose,
                    is_granted=is_granted,
                    time_ms=event.time_ms,
                    received_ms=event.received_ms,
                    message_id=event.message_id,
                    source=event.source,
                    proof="Sec-GPC" if event.context.is_gpc and purpose == "share" else "categoryPreferences",
                )
            )
        if entry.is_bot:
            return
        day = event.time_ms // DAY_MS
        for signal in signals:
            if signal.item_id:
                key = (signal.item_id, signal.signal_class, day)
                self._counts[key] = self._counts.get(key, 0) + 1
        if entry.purposes & self._purposes.measure:
            for shown in self._observer.signals.exposures_of(event):
                self._exposures.append(
                    Exposure(
                        decision_id=shown.decision_id,
                        item_id=shown.item_id,
                        position=shown.position,
                        time_ms=event.time_ms,
                        person=entry.person_id,
                    )
                )

    def _merge(self, root: int, absorbed: int, event: Event) -> None:
        self._entries.append(
            Entry(
                log_id=self._next_position(),
                person_id=root,
                kind="merge",
                time_ms=event.time_ms,
                received_ms=event.received_ms,
                name="merge",
                purposes=self._purposes.everything,
                is_bot=False,
                fold_version=self._observer.fold_settings.fold_version,
                source=event.source,
                message_key=None,
                body=EntryBody(absorbed=absorbed),
            )
        )
        self._book.merge(root, absorbed)
        assignments.merge(self._tx, root, absorbed)
        offers.merge(self._tx, root, absorbed)

    def _next_position(self) -> int:
        position = next(self._positions, None)
        if position is None:
            self._positions = iter(self._tx.reserve("events", 16))
            position = next(self._positions)
        return position

    def _finish(self) -> None:
        tx = self._tx
        self._directory.flush()
        if self._entries:
            log.append(tx, self._entries)
            segments = self._ingest._config.segments
            last = self._entries[-1].log_id
            changed = self._book.write(tx, self._now_ms, last, returns_profiles=bool(segments))
            update_members(tx, segments, changed, self._observer, now_ms=self._now_ms, log_id=last)
        log.add_rejects(tx, self._rejects)
        if self._gated:
            log.add_gated(tx, self._gated)
        people.add_consents(tx, self._consents)
        if self._stubs:
            item_rows.stubs(tx, self._stubs)
        if self._counts:
            item_rows.add_counts(tx, {key: float(n) for key, n in self._counts.items()}, today=self._now_ms // DAY_MS)
        if self._exposures:
            records.add_exposures(tx, self._exposures)
        if self._decisions:
            living = self._of_the_living(self._decisions)
            records.add_decisions(tx, living)
            assignments.assign(tx, _assigned(living))
        if self._directory.has_moved and not self._ingest._locks:
            people.raise_edition(tx)

    def _of_the_living(self, decisions: Sequence[Decision]) -> list[Decision]:
        """Leaves out decisions for persons who were erased while the record waited: no holder would find it."""
        wanted = {decision.person for decision in decisions if decision.person is not None}
        self._tx.lock_keys(f"person:{person}" for person in wanted)
        rows = self._tx.lookup("persons", ("person_id",), ("person_id",), [(person,) for person in wanted])
        held = {None, *(row[0] for row in rows)}
        return [decision for decision in decisions if decision.person in held]


def _assigned(decisions: Sequence[Decision]) -> list[Assignment]:
    """Returns what decisions under experiments say of who is in which variant."""
    return [
        Assignment(
            person=decision.person,
            experiment=experiment["name"],
            variant=experiment["variant"],
            first_ms=decision.time_ms,
        )
        for decision in decisions
        for experiment in (decision.experiment, decision.launch)
        if experiment is not None and decision.person is not None
    ]
