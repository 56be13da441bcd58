"""Folds people anew, in the background, when what their profiles were folded under has changed.

Two things make a profile out of date: another way of folding (`fold_version`: half-lives, facets, signals), and a
catalogue that says something else of the items in its log (`versions.facets`). The old state serves meanwhile.

A refold of one person brings the facets in their log rows up to date, replays baseline and log, and replaces the
profile, all in one transaction with the person locked as the write path locks them. So the log stays the source of
truth: at any moment the live profile equals a replay.

    walk    everybody in person order, a few log entries per transaction; how far it came commits with the profiles
    tail    what was written beside the walk: rows folded under an older number by a process that lags, merges with
            somebody not yet walked, events that met a catalogue of a moment ago

Whose turn it is: the job's lease. Its fence is looked at in every transaction, so that who lost it writes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from bespeak.catalogue.changes import FACETS
from bespeak.engine.core import Core
from bespeak.engine.folding import fold_version
from bespeak.engine.folding.baselines import baselines
from bespeak.engine.folding.live import live_of
from bespeak.engine.folding.membership import update_members
from bespeak.engine.folding.observe import Observer
from bespeak.engine.refolding.facets_now import FacetsNow
from bespeak.errors import StoreError
from bespeak.profiles.codec import encode
from bespeak.profiles.profile import Profile
from bespeak.profiles.stored import stored
from bespeak.storage.base import Session, Transaction
from bespeak.storage.tables import items as item_rows
from bespeak.storage.tables import log, people, records
from bespeak.storage.tables.log import Entry
from bespeak.storage.tables.people import ProfileRow
from bespeak.storage.tables.rows import as_int

JOB = "refold"
SETTING = "refold"
ENTRIES_AT_ONCE = 250
"""Log entries replayed in one transaction, unless one person has more."""

PEOPLE_AT_ONCE = 200
REBUILT_AT_ONCE = 20
ENTRIES_PER_RUN = 50_000
SETTLED_MS = 10_000
"""After so long every process decides and folds with a changed catalogue: it is looked at five times a second."""

_LONGEST_PAUSE_SECONDS = 0.1


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far the refold has come: one record of the project.

    Attributes:
        fold_version, facets_version: what profiles are brought to, or were.
        items_after: catalogue version after which a changed item makes a profile out of date; `items_to` is the
            version where the walk began.
        after: last person that the walk has passed.
        is_done: nobody is left to walk to.
        log_position: up to where the tail has looked.
        compares_facets: the tail still compares the facets of each entry, not only their numbers.
        begun_ms: when the walk began.
        n_refolded: profiles written by it.
    """

    fold_version: int = 1  # without a record nothing was ever folded otherwise
    facets_version: int = 0
    items_after: int = 0
    items_to: int = 0
    after: int = 0
    is_done: bool = True
    log_position: int = 0
    compares_facets: bool = False
    begun_ms: int = 0
    n_refolded: int = 0


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What is left to do, as `doctor`, the metrics and the job's note tell it."""

    is_current: bool
    n_left: int
    n_people: int

    @property
    def share(self) -> float:
        """The share of people whose profile is looked after, 0 to 1."""
        return 1.0 if self.is_current else 1.0 - self.n_left / max(self.n_people, 1)


class _Wanted(msgspec.Struct, frozen=True):
    """What profiles are to be brought to, and the catalogue version that was read with it."""

    fold_version: int
    facets_version: int
    catalogue_version: int


class _Lost(Exception):
    """Another process holds the job's lease now."""


def standing(core: Core) -> Standing:
    """Returns how many people the refold has still to look at."""
    with core.store.read() as session:
        progress, wanted = read_progress(session), _wanted(session)
        is_same = (progress.fold_version, progress.facets_version) == (wanted.fold_version, wanted.facets_version)
        is_current = progress.is_done and is_same
        after = 0 if progress.is_done else progress.after
        row = session.row("SELECT count(*) FROM profiles")
        n_people = as_int(row[0]) if row else 0
        row = None if is_current else session.row("SELECT count(*) FROM profiles WHERE person_id > ?", (after,))
    return Standing(is_current=is_current, n_left=as_int(row[0]) if row else 0, n_people=n_people)


def read_progress(session: Session) -> Progress:
    """Returns how far the refold has come."""
    raw = records.setting(session, SETTING)
    return msgspec.json.decode(raw, type=Progress) if raw else Progress()


def refold(core: Core, *, max_entries: int = ENTRIES_PER_RUN) -> str:
    """Does a part of what there is to do, as the holder of the job's lease; returns how far it is, in words.

    Args:
        max_entries: about how many log entries are replayed before it returns, so that other jobs get their turn.
    """
    with core.store.read() as session:
        fence = records.job(session, JOB).fence
        wanted = _wanted(session)
    core.refresh()
    if core.runtime.observer.fold_settings.fold_version != wanted.fold_version:
        return "waits for this process to take over the newest configuration"
    run = _Run(core, fence, wanted)
    try:
        left = run.walk(max_entries)
        if left > 0:
            run.tail(left)
    except _Lost:
        return "another process goes on"
    now = standing(core)
    if now.is_current:
        return f"every profile is up to date; {run.n_refolded:,} refolded in this run"
    return f"{now.n_left:,} of {now.n_people:,} people left; {run.n_refolded:,} refolded in this run"


def rebuild(core: Core, persons: Iterable[int]) -> int:
    """Folds these people anew, whatever number their profiles carry; returns how many profiles were written."""
    core.refresh()
    folder = _Folder(core)
    waiting = sorted(set(persons))
    n = 0
    for start in range(0, len(waiting), REBUILT_AT_ONCE):
        with core.people_write() as tx:
            n += folder.fold_anew(tx, waiting[start : start + REBUILT_AT_ONCE])
    return n


class _Folder:
    """Folds people anew under the configuration and the catalogue that were in use when it was made."""

    def __init__(self, core: Core) -> None:
        self._now_ms = core.clock.now_ms
        self._segments = core.config.segments
        self.observer = core.runtime.observer
        self.version = self.observer.fold_settings.fold_version
        self.facets = FacetsNow.of(core)

    def fold_anew(self, tx: Transaction, persons: Sequence[int]) -> int:
        """Folds people anew from baseline and log and writes what they are then; returns how many were written.

        Who has no profile any more was merged or erased meanwhile and is left out.
        """
        tx.lock_keys(f"person:{person}" for person in persons)
        now_ms = self._now_ms()
        made: dict[int, Profile] = {}
        rows: list[ProfileRow] = []
        for person, row in sorted(people.profiles(tx, persons).items()):
            positions = log.positions_of(tx, members := people.members(tx, person))
            profile = self._folded(tx, person, members, positions)
            if profile is None:  # nothing to fold it from: it stays as it is
                profile = live_of(tx, person, row.body, self.observer)
            profile.fold_version = self.version
            made[person] = profile
            body = stored(profile, positions[-1] if positions else 0)
            rows.append(ProfileRow(person, row.version + 1, now_ms, body))
        people.put_profiles(tx, rows)
        update_members(tx, self._segments, made, self.observer, now_ms=now_ms, log_id=0)
        return len(made)

    def _folded(
        self, tx: Transaction, person: int, members: tuple[int, ...], positions: Sequence[int]
    ) -> Profile | None:
        held = baselines(tx, members)
        for member, baseline in held.items():
            # It is taken over as it is: what it was folded from is gone.
            if baseline.fold_version != self.version:
                baseline.fold_version = self.version
                tx.run("UPDATE profile_baselines SET body = ? WHERE person_id = ?", (encode(baseline), member))
        return dict(self.observer.replay(self._entries(tx, positions), held)).get(person)

    def _entries(self, tx: Transaction, positions: Sequence[int]) -> Iterator[Entry]:
        """Yields a person's log, a part at a time, with the facets as they are known now; writes those that differ."""
        for start in range(0, len(positions), ENTRIES_AT_ONCE):
            for entry in log.entries_at(tx, positions[start : start + ENTRIES_AT_ONCE]):
                body = self.facets.refreshed(entry)
                if body is None:
                    yield entry
                    continue
                log.rewrite(tx, entry.log_id, body)
                yield msgspec.structs.replace(entry, body=body)


class _Run:
    """One turn of the job."""

    def __init__(self, core: Core, fence: int, wanted: _Wanted) -> None:
        self._core = core
        self._fence = fence
        self._wanted = wanted
        self._version = wanted.fold_version
        self._folder = _Folder(core)
        self.n_refolded = 0

    def walk(self, max_entries: int) -> int:
        """Goes on with the walk, or begins one; returns how many entries of the allowance are left."""
        progress = self._begun()
        changed = self._changed_items(progress)
        while max_entries > 0 and not progress.is_done:
            started = time.perf_counter()
            with self._core.people_write() as tx:
                self._hold(tx)
                progress = read_progress(tx)
                rows = people.profile_batch(tx, progress.after, PEOPLE_AT_ONCE)
                chosen, n_entries, n_passed = self._choose(tx, rows, changed)
                n_refolded = self._folder.fold_anew(tx, chosen)
                progress = msgspec.structs.replace(
                    progress,
                    after=rows[n_passed - 1].person_id if rows else progress.after,
                    is_done=n_passed == len(rows) < PEOPLE_AT_ONCE,
                    n_refolded=progress.n_refolded + n_refolded,
                )
                _put(tx, progress)
            self.n_refolded += n_refolded
            max_entries -= n_entries + n_passed
            _rest(started)
        return max_entries

    def tail(self, max_entries: int) -> None:
        """Looks through what was written beside the walk, and after it."""
        now_ms = self._core.clock.now_ms()
        with self._core.store.read() as session:
            progress = read_progress(session)
        is_settled = now_ms - progress.begun_ms >= SETTLED_MS or not progress.compares_facets
        position = progress.log_position
        while max_entries > 0:
            started = time.perf_counter()
            with self._core.store.read() as session:
                part = self._part(session, position, compares_facets=progress.compares_facets)
            position, max_entries = part.to, max_entries - part.n_entries
            if part.persons or (is_settled and (part.to != progress.log_position or progress.compares_facets)):
                with self._core.people_write() as tx:
                    self._hold(tx)
                    self.n_refolded += self._folder.fold_anew(tx, part.persons)
                    if is_settled:
                        is_compared = progress.compares_facets and not part.is_last
                        held = read_progress(tx)
                        _put(tx, msgspec.structs.replace(held, log_position=position, compares_facets=is_compared))
                _rest(started)
            if part.is_last:
                return

    def _part(self, session: Session, after: int, *, compares_facets: bool) -> _Part:
        ceiling = session.log_ceiling()
        if compares_facets:
            entries = log.follow(session, after, ENTRIES_AT_ONCE)
            is_last = len(entries) < ENTRIES_AT_ONCE
            stale = {entry.person_id for entry in entries if self._is_stale(entry)}
            to = max(after, ceiling) if is_last else entries[-1].log_id
            return _Part(_roots(session, stale), to, len(entries), is_last)
        to = max(after, min(ceiling, after + ENTRIES_PER_RUN))
        sql = "SELECT DISTINCT person_id, kind FROM events WHERE log_id > ? AND log_id <= ?"
        rows = session.rows(f"{sql} AND (fold_version < ? OR kind = 'merge')", (after, to, self._version))
        stale = {as_int(person) for person, kind in rows if kind != "merge"}
        joined = _roots(session, (as_int(person) for person, kind in rows if kind == "merge"))
        old = {
            row.person_id
            for row in people.profiles(session, joined).values()
            if _is_out_of_date(session, row, self._folder.observer, frozenset())
        }
        return _Part(sorted({*_roots(session, stale), *old}), to, to - after, to >= ceiling)

    def _begun(self) -> Progress:
        """Returns the record of the walk that is to be done: the one that was begun, or a new one."""
        with self._core.store.write() as tx:
            self._hold(tx)
            held = read_progress(tx)
            is_other_fold = held.fold_version != self._version
            is_other_catalogue = held.is_done and held.facets_version != self._wanted.facets_version
            if not is_other_fold and not is_other_catalogue:
                if held.is_done and held.items_to != self._wanted.catalogue_version:
                    # Whatever was written up to there described nothing anew.
                    held = msgspec.structs.replace(held, items_to=self._wanted.catalogue_version)
                    _put(tx, held)
                return held
            made = Progress(
                fold_version=self._version,
                facets_version=self._wanted.facets_version,
                items_after=held.items_to if held.is_done else held.items_after,
                items_to=self._wanted.catalogue_version,
                is_done=False,
                # What an earlier walk left to look at stays to be looked at.
                log_position=held.log_position if held.compares_facets else tx.log_ceiling(),
                compares_facets=held.compares_facets or held.facets_version != self._wanted.facets_version,
                begun_ms=self._core.clock.now_ms(),
            )
            _put(tx, made)
            return made

    def _changed_items(self, progress: Progress) -> frozenset[str]:
        if progress.is_done or not progress.compares_facets:
            return frozenset()
        with self._core.store.read() as session:
            return frozenset(item_rows.changed_ids(session, progress.items_after))

    def _choose(
        self, tx: Transaction, rows: Sequence[ProfileRow], changed: frozenset[str]
    ) -> tuple[list[int], int, int]:
        """Returns whom of the rows to refold in one transaction, how many entries they have, and how many were passed.

        At most `ENTRIES_AT_ONCE` entries, unless the first person alone has more.
        """
        chosen: list[int] = []
        n_entries = 0
        for place, row in enumerate(rows):
            if not _is_out_of_date(tx, row, self._folder.observer, changed):
                continue
            n = len(log.positions_of(tx, people.members(tx, row.person_id)))
            if chosen and n_entries + n > ENTRIES_AT_ONCE:
                return chosen, n_entries, place
            chosen.append(row.person_id)
            n_entries += n
        return chosen, n_entries, len(rows)

    def _hold(self, tx: Transaction) -> None:
        """Returns when the job is this run's until the transaction ends."""
        tx.lock_keys([f"job:{JOB}"])
        if records.job(tx, JOB).fence != self._fence:
            raise _Lost

    def _is_stale(self, entry: Entry) -> bool:
        """True when the walk may have missed an entry; a merge may bring in somebody whom it has not reached."""
        is_old = entry.kind == "merge" or entry.fold_version < self._version
        return is_old or self._folder.facets.refreshed(entry) is not None


class _Part(msgspec.Struct, frozen=True):
    """A part of the tail: whom to refold, up to which position it goes, how many entries were read."""

    persons: list[int]
    to: int
    n_entries: int
    is_last: bool


def _wanted(session: Session) -> _Wanted:
    held = fold_version.current(session)
    versions = records.versions(session)
    return _Wanted(
        held.version if held is not None else 1, versions.get(FACETS, 0), versions.get(item_rows.VERSION_NAME, 0)
    )


def _put(tx: Transaction, progress: Progress) -> None:
    records.put_setting(tx, SETTING, msgspec.json.encode(progress))


def _is_out_of_date(session: Session, row: ProfileRow, observer: Observer, changed: frozenset[str]) -> bool:
    try:
        profile = live_of(session, row.person_id, row.body, observer)
    except StoreError:
        return True  # the log makes it anew
    return profile.fold_version < observer.fold_settings.fold_version or any(
        not changed.isdisjoint(held) for held in profile.items.values()
    )


def _roots(session: Session, persons: Iterable[int]) -> list[int]:
    rows = session.lookup("persons", ("root_id",), ("person_id",), [(person,) for person in sorted(set(persons))])
    return sorted({as_int(row[0]) for row in rows})


def _rest(started: float) -> None:
    """Leaves the store to others for as long as it was taken: live events come first."""
    time.sleep(min(_LONGEST_PAUSE_SECONDS, time.perf_counter() - started))
