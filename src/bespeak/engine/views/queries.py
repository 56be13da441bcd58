"""What a screen asks of an open project: the latest events and rejects, people, a slate that is only tried.

Everything here reads. A slate made by `preview` leaves no record, so that looking at decisions does not count as making
them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from bespeak.decide.answer import answer
from bespeak.decide.occasion import Occasion
from bespeak.decide.pages.page import decide_page, page_request
from bespeak.decide.person import PersonView
from bespeak.decide.settings.placements import Placement
from bespeak.decide.why_not import WhyNot, why_not
from bespeak.engine.core import Core
from bespeak.engine.deciding.pages import PageSlates
from bespeak.engine.deciding.slates import Slate
from bespeak.engine.folding.live import live_profiles
from bespeak.engine.people_view import granted_purposes, person_view, profile_view
from bespeak.profiles.profile import Profile
from bespeak.profiles.readable import readable
from bespeak.signals.events import Context, Event
from bespeak.signals.ids import ANONYMOUS_ID, PROFILE_ID, USER_ID, IdKey
from bespeak.storage.base import Session, Value
from bespeak.storage.tables import items as item_rows
from bespeak.storage.tables import log, memberships, people
from bespeak.storage.tables.log import Entry, Reject
from bespeak.storage.tables.rows import as_int

HOUSEHOLD_SEPARATOR = "\x1f"
_PREVIEW = "preview"


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """How much a project holds.

    Attributes:
        n_gated: events that were counted and dropped, because no granted purpose may use them.
        last_received_ms: when the latest event came in, or None.
        n_waiting: records that wait for the writer.
        segment_sizes: segment -> members.
    """

    n_events: int
    n_people: int
    n_items: int
    n_rejects: int
    n_gated: int
    n_decisions: int
    last_received_ms: int | None
    n_waiting: int
    config_version: int
    is_file_different: bool
    segment_sizes: dict[str, int]


class EventRow(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the log as a list shows it. `person` is the root that its person was joined into."""

    log_id: int
    person: int
    name: str
    source: str
    is_bot: bool
    purposes: tuple[str, ...]
    event: Event


class PersonFound(msgspec.Struct, frozen=True, kw_only=True):
    """A person with something to recognise them by."""

    person: int
    label: str
    last_ms: int = 0
    n_events: int = 0


class Queries:
    """Reads for screens."""

    def __init__(self, core: Core) -> None:
        self._core = core

    # -- what came in --------------------------------------------------------------------------------------------------
    def totals(self) -> Totals:
        """Returns how much the project holds now."""
        core = self._core
        with core.store.read() as session:
            newest = log.latest(session, 1)
            return Totals(
                n_events=log.count(session),
                n_people=people.count(session),
                n_items=len(core.world.catalogue),
                n_rejects=sum(log.reject_counts(session).values()),
                n_gated=log.gated_total(session),
                n_decisions=_number(session, "SELECT count(*) FROM decisions"),
                last_received_ms=newest[0].received_ms if newest else None,
                n_waiting=core.n_waiting(),
                config_version=core.runtime.config_version,
                is_file_different=core.is_file_different(),
                segment_sizes=memberships.segment_sizes(session),
            )

    def newest_position(self) -> int:
        """Returns the position of the newest log row, 0 for an empty log: tells cheaply whether something came in."""
        with self._core.store.read() as session:
            return _number(session, "SELECT coalesce(max(log_id), 0) FROM events")

    def events(
        self, *, limit: int, source: str = "", kind: str = "", name: str = "", among: int = 1000
    ) -> list[EventRow]:
        """Returns the newest events that match, the newest first.

        Args:
            limit: at most so many.
            source: only of this source.
            kind: only of this type: identify, track, page, screen, group or alias.
            name: only those whose name contains this text, in any case.
            among: how many of the newest log rows are looked at.
        """
        wanted = name.casefold()
        with self._core.store.read() as session:
            entries = log.latest(session, among)
            found = [
                entry
                for entry in entries
                if (event := entry.body.event) is not None
                and (not source or entry.source == source)
                and (not kind or event.type == kind)
                and wanted in event.name.casefold()
            ][:limit]
            return self._event_rows(session, found)

    def event(self, log_id: int) -> EventRow | None:
        """Returns one event of the log, or None."""
        with self._core.store.read() as session:
            entries = [entry for entry in log.follow(session, log_id - 1, 1) if entry.log_id == log_id]
            return next(iter(self._event_rows(session, entries)), None)

    def events_of(self, person: int, limit: int) -> list[EventRow]:
        """Returns a person's newest events, the newest first."""
        with self._core.store.read() as session:
            entries = log.latest_of(session, people.members(session, person), limit)
            return self._event_rows(session, entries)

    def _event_rows(self, session: Session, entries: Iterable[Entry]) -> list[EventRow]:
        entries = [entry for entry in entries if entry.body.event is not None]
        roots = _roots(session, {entry.person_id for entry in entries})
        purposes = self._core.config.purposes
        return [
            EventRow(
                log_id=entry.log_id,
                person=roots.get(entry.person_id, entry.person_id),
                name=entry.name,
                source=entry.source,
                is_bot=entry.is_bot,
                purposes=tuple(purposes.names(entry.purposes)),
                event=entry.body.event,
            )
            for entry in entries
            if entry.body.event is not None
        ]

    def rejects(self, limit: int, *, reason: str = "", source: str = "", among: int = 1000) -> list[tuple[int, Reject]]:
        """Returns the newest rejects that match with their ids, the newest first."""
        with self._core.store.read() as session:
            newest = log.rejects(session, among)
        return [
            (number, reject)
            for number, reject in newest
            if (not reason or reject.reason == reason) and (not source or reject.source == source)
        ][:limit]

    def reject_counts(self) -> dict[str, int]:
        """Returns reason -> number of kept rejects, the most frequent first."""
        with self._core.store.read() as session:
            counts = log.reject_counts(session)
        return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))

    def gated_counts(self) -> list[tuple[str, str, str, int]]:
        """Returns (source, name, reason, n) of events that no granted purpose may use, the most frequent first."""
        with self._core.store.read() as session:
            rows = session.rows(
                "SELECT source, name, reason, sum(n) FROM gated_counts GROUP BY source, name, reason"
                " ORDER BY sum(n) DESC, source, name LIMIT 50"
            )
        return [(str(row[0]), str(row[1]), str(row[2]), int(str(row[3]))) for row in rows]

    # -- people --------------------------------------------------------------------------------------------------------
    def find_person(self, text: str) -> int | None:
        """Returns the person that an id of any kind leads to, or None. A household profile is `account / profile`."""
        text = text.strip()
        account, slash, profile = text.partition(" / ")
        keys = [IdKey(USER_ID, text), IdKey(ANONYMOUS_ID, text)]
        if slash:
            keys.append(IdKey(PROFILE_ID, f"{account}{HOUSEHOLD_SEPARATOR}{profile}"))
        with self._core.store.read() as session:
            links = people.resolve(session, keys).links
            found = next((links[key] for key in keys if key in links), None)
            if found is None:
                row = session.row("SELECT person_id FROM links WHERE id_value = ? LIMIT 1", (text,))
                found = None if row is None else as_int(row[0])
        return found

    def recent_people(self, limit: int, among: int = 400) -> list[PersonFound]:
        """Returns who did something last, the latest first: people of the newest log rows."""
        with self._core.store.read() as session:
            entries = log.latest(session, among)
            roots = _roots(session, {entry.person_id for entry in entries})
            latest: dict[int, int] = {}
            for entry in entries:
                latest.setdefault(roots.get(entry.person_id, entry.person_id), entry.received_ms)
            chosen = list(latest)[:limit]
            ids = people.links_of(session, chosen)
            rows = people.profiles(session, chosen).values()
            profiles = live_profiles(session, rows, self._core.runtime.observer)
        return [
            PersonFound(
                person=person,
                label=label_of(ids.get(person, ())),
                last_ms=latest[person],
                n_events=profiles[person].n_events if person in profiles else 0,
            )
            for person in chosen
        ]

    def labels(self, persons: Iterable[int]) -> dict[int, str]:
        """Returns person -> the id to show for them."""
        with self._core.store.read() as session:
            ids = people.links_of(session, set(persons))
        return {person: label_of(keys) for person, keys in ids.items()}

    def person(self, person: int) -> dict[str, Any] | None:
        """Returns what is known of a person, as `Profiles.readable` has it, and the purposes with their default.

        None for a person that does not exist, was erased, or was joined into another one.
        """
        profile = self._profile(person)
        if profile is None:
            return None
        with self._core.store.read() as session:
            ids = people.ids_of(session, [person])
            claimed = people.claims_of(session, [person]).get(person, [])
            held = memberships.members_of(session, [person]).get(person, {})
        runtime = self._core.runtime
        granted = granted_purposes(runtime, profile, Context())
        return {
            "ids": [{"kind": key.kind, "value": shown_id(key.value)} for key in ids],
            "claimed": [{"kind": key.kind, "value": shown_id(key.value)} for key in claimed],
            "label": label_of(ids),
            "purposes": list(runtime.config.purposes.names(granted)),
            "segments": sorted(name for name, (is_member, _, _) in held.items() if is_member),
            **readable(profile_view(runtime, profile, granted, self._core.now_ms())),
        }

    def _profile(self, person: int) -> Profile | None:
        with self._core.store.read() as session:
            rows = people.profiles(session, [person]).values()
            return live_profiles(session, rows, self._core.runtime.observer).get(person)

    # -- decisions -----------------------------------------------------------------------------------------------------
    def preview(
        self,
        placement: str,
        person: int | None = None,
        *,
        count: int | None = None,
        context: Mapping[str, Any] | None = None,
        item: str = "",
        query: str = "",
        filter: str = "",  # noqa: A002 - the word of the API
    ) -> Slate:
        """Decides as a server would now, with every term of each score, and logs nothing.

        Args:
            placement: name of the placement.
            person: who it is for; None is somebody unknown.
            count, context, item, query, filter: as in `Engine.decide`.

        Raises:
            UnknownName, RuleError, InvalidInput: as `Engine.decide`.
        """
        occasion = self._occasion(
            placement, person, context, count=count, item=item, query=query, filter=filter, explain=True
        )
        return Slate.of(answer(occasion), occasion.request, occasion.world)

    def preview_page(
        self,
        page: str,
        person: int | None = None,
        *,
        context: Mapping[str, Any] | None = None,
        filter: str = "",  # noqa: A002 - the word of the API
    ) -> PageSlates:
        """Decides a page as a server would now, with every term of each score, and logs nothing.

        Args:
            page: name of the page.
            person, context, filter: as in `preview`.

        Raises:
            UnknownName, RuleError, InvalidInput: as `Engine.page`.
        """
        occasion = self._occasion("", person, context, filter=filter, explain=True)
        request = page_request(occasion.world.page(page), occasion.request)
        asked = [replace(occasion, request=one) for one in request.requests]
        return PageSlates(decide_page(request.page, asked, _PREVIEW), request, occasion.world)

    def why_not(
        self,
        placement: str,
        item_id: str,
        person: int | None = None,
        *,
        count: int | None = None,
        context: Mapping[str, Any] | None = None,
        item: str = "",
        query: str = "",
        filter: str = "",  # noqa: A002 - the word of the API
    ) -> WhyNot:
        """Says why an item is not in the slate of `preview`; arguments and errors as there."""
        occasion = self._occasion(placement, person, context, count=count, item=item, query=query, filter=filter)
        return why_not(occasion, item_id)

    def _occasion(
        self, placement: str, person: int | None, context: Mapping[str, Any] | None, **asked: Any
    ) -> Occasion:
        core = self._core
        core.refresh_when_due()
        now_ms = core.now_ms()
        request = core.request(placement, context, **asked)
        view = self._view(person, request.context, now_ms)
        return Occasion(request, view, core.world, now_ms, _PREVIEW, is_preview=True)

    def _view(self, person: int | None, context: Context, now_ms: int) -> PersonView | None:
        profile = None if person is None else self._profile(person)
        if person is None or profile is None:
            return None
        return person_view(self._core.runtime, person, profile, context, now_ms)

    def placements(self) -> dict[str, Placement]:
        """Returns the placements with items, by name."""
        return dict(sorted(self._core.config.placements.items()))

    def variant_placements(self) -> list[str]:
        """Returns the names of the placements with variants."""
        return sorted(self._core.world.variants)

    def pages(self) -> list[str]:
        """Returns the names of the pages."""
        return sorted(self._core.world.pages)

    def titles(self, item_ids: Sequence[str]) -> dict[str, str]:
        """Returns item id -> title, for those that have one."""
        with self._core.store.read() as session:
            found = item_rows.get_items(session, set(item_ids))
        return {item_id: item.title for item_id, item in found.items() if item.title}


def shown_id(value: str) -> str:
    """Returns an id as people read it: the two parts of a household profile apart."""
    return value.replace(HOUSEHOLD_SEPARATOR, " / ")


def label_of(keys: Iterable[IdKey]) -> str:
    """Returns the id a person is best known by, "" without any.

    Example:
        >>> label_of([IdKey("anonymous_id", "a1"), IdKey("user_id", "u1")])
        'u1'
    """
    order = {USER_ID: 0, PROFILE_ID: 1, ANONYMOUS_ID: 3}
    best = min(keys, key=lambda key: (order.get(key.kind, 2), key.value), default=None)
    return "" if best is None else shown_id(best.value)


def _roots(session: Session, persons: set[int]) -> dict[int, int]:
    rows = session.lookup("persons", ("person_id", "root_id"), ("person_id",), [(person,) for person in persons])
    return {as_int(person): as_int(root) for person, root in rows}


def _number(session: Session, sql: str, params: Sequence[Value] = ()) -> int:
    row = session.row(sql, params)
    return 0 if row is None or row[0] is None else int(str(row[0]))
