"""The live profiles of a batch: what came in waits in the log for each, or is folded into it, and it is written once.

Between batches it keeps profiles as they are stored, and what waits for them, so that people who are active now cost no
read. Where somebody else may have written them since, a kept profile is used only if its row still has the version that
it was stored as: every write of a row raises the version, and a row that was deleted never comes back, as its person is
gone. The log tells whom that concerns (`folding.others`); on a store that many write to at once it may be everybody,
and what waits is looked for.

Profiles are not kept decoded. Decoded ones take ten times the memory and lie scattered in it: folding and encoding what
fell out of the processor's cache takes longer than decoding anew, folding at once and encoding at once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from bespeak.engine.folding.observe import Observer
from bespeak.engine.folding.others import News
from bespeak.profiles.fold import fold
from bespeak.profiles.merge import merge
from bespeak.profiles.observation import Observation
from bespeak.profiles.profile import Consent, Profile
from bespeak.profiles.stored import EVERYTHING, MAX_WAITING, consent_of, live_profile, may_wait, position_of, stored
from bespeak.storage.base import Transaction
from bespeak.storage.tables import log, people
from bespeak.storage.tables.people import ProfileRow

MAX_KEPT_BYTES = 64_000_000
"""Of stored profiles and what waits for them."""

WAITING_BYTES = 800
"""What one event that waits takes in memory, about."""


class _Held:
    """A profile as it is stored, b"" if it never was.

    Attributes:
        version: that it was stored as, 0 if it never was.
        consent: the profile's own.
        round: the last one in which nobody else can have written it without being told of.
        last: position of the latest entry that is folded in or waits.
        waiting: the events that wait for it in the log, in its order: as they are seen, or where others wrote them.
        news: where others have written more since, and maybe the row.
    """

    __slots__ = ("body", "consent", "last", "news", "round", "version", "waiting")

    def __init__(self, body: bytes, version: int, round_: int) -> None:
        self.body = body
        self.version = version
        self.consent: Mapping[str, Consent] = consent_of(body) if body else {}
        self.round = round_
        self.last = position_of(body) if body else 0
        self.waiting: list[Observation | int] = []
        self.news: list[int] = []

    def n_bytes(self) -> int:
        """Returns how much memory it takes, about."""
        return len(self.body) + WAITING_BYTES * len(self.waiting)


class ProfileBook:
    """Profiles by person, over the transactions of one writer.

    Args:
        observer: tells what profiles keep, and what they see of the events of the log.
        max_kept_bytes: of profiles that are kept between batches; those who were active last stay.
    """

    def __init__(self, observer: Observer, *, max_kept_bytes: int = MAX_KEPT_BYTES) -> None:
        self._observer = observer
        self._settings = observer.fold_settings
        self._max_kept_bytes = max_kept_bytes
        self._held: OrderedDict[int, _Held] = OrderedDict()
        self._n_bytes = 0
        self._round = 0
        self._opened: dict[int, Profile] = {}
        self._waiting: dict[int, list[Observation]] = {}
        self._tx: Transaction | None = None

    def begin(self, tx: Transaction, *, is_alone: bool, news: News | None = None) -> None:
        """Starts a batch.

        Args:
            is_alone: nobody else can have written since the last batch, so what is kept is trusted as it is.
            news: else what others wrote, if that is known.
        """
        self._tx = tx
        if is_alone:
            return
        if news is None:
            self._round += 1
            return
        for person, positions in news.positions.items():
            held = self._held.get(person)
            if held is None:
                continue
            held.news += positions
            if len(held.news) > MAX_WAITING:  # others have written the row since
                self._drop(person)

    def forget(self) -> None:
        """Drops everything: a batch failed, so what was folded was not written."""
        self._held.clear()
        self._n_bytes = 0
        self._opened = {}
        self._waiting = {}

    def committed(self) -> None:
        """Ends a batch whose transaction committed; keeps the latest profiles, up to the bound."""
        self._tx = None
        self._opened = {}
        self._waiting = {}
        while self._n_bytes > self._max_kept_bytes:
            self._n_bytes -= self._held.popitem(last=False)[1].n_bytes()

    def load(self, persons: Iterable[int]) -> None:
        """Reads the profiles that are not held yet, and those that somebody else has written since."""
        assert self._tx is not None
        missing: list[int] = []
        unsure: list[int] = []
        for person in persons:
            held = self._held.get(person)
            if held is None:
                missing.append(person)
            elif held.news or held.round != self._round:
                unsure.append(person)
        unfollowed = missing.copy()
        told: dict[int, list[int]] = {}
        versions = people.profile_versions(self._tx, unsure) if unsure else {}
        for person in unsure:
            held = self._held[person]
            if held.round == self._round:
                told[person] = held.news
            else:
                unfollowed.append(person)
            held.news = []
            if versions.get(person, 0) == held.version:
                held.round = self._round
            else:
                self._drop(person)
                missing.append(person)
        for person, row in people.profiles(self._tx, missing).items():
            self._held[person] = _Held(row.body, row.version, self._round)
            self._n_bytes += len(row.body)
        lasts = {person: self._held[person].last for person in unfollowed if person in self._held}
        told.update(log.positions_behind(self._tx, lasts))
        for person, positions in told.items():
            self._hear(person, positions)

    def _hear(self, person: int, positions: Iterable[int]) -> None:
        """Notes events of the log that others have written; those that are folded in already are left out."""
        held = self._held.get(person)
        if held is None:
            return
        fresh = [position for position in positions if position > held.last]
        if fresh:
            held.waiting += fresh
            held.last = fresh[-1]
            self._n_bytes += WAITING_BYTES * len(fresh)

    def begin_profile(self, person: int) -> None:
        """Starts the profile of a person who was just made: there is none to look for in the store."""
        self._held[person] = _Held(b"", 0, self._round)

    def consent(self, person: int) -> Mapping[str, Consent]:
        """Returns purpose -> latest word of a person, what this batch folded so far included."""
        opened = self._opened.get(person)
        return self._current(person).consent if opened is None else opened.consent

    def fold(self, person: int, observation: Observation) -> None:
        """Folds one observation: now if it changes the consent, which later events ask for, else when it is written."""
        profile = self._opened.get(person)
        if profile is None and observation.consent:
            profile = self._open(person)
        if profile is not None:
            fold(profile, observation, self._settings)
        elif person in self._waiting:
            self._waiting[person].append(observation)
        else:
            self._waiting[person] = [observation]

    def merge(self, root: int, absorbed: int) -> None:
        """Joins an absorbed person's profile into the root's."""
        merge(self._open(root), self._open(absorbed), self._settings)
        del self._opened[absorbed]
        self._drop(absorbed)

    def write(self, tx: Transaction, now_ms: int, position: int, *, returns_profiles: bool) -> dict[int, Profile]:
        """Writes the profiles that changed; of most people nothing but that more events wait for them in the log.

        Args:
            position: of the batch's last entry in the log.
            returns_profiles: whether who changed is wanted, folded: decoded profiles take much memory.

        Returns:
            Who changed, if wanted.
        """
        due = list(self._opened)
        for person, fresh in self._waiting.items():
            held = self._current(person)
            if returns_profiles or not _can_wait(held, fresh):
                due.append(person)
                continue
            held.waiting += fresh
            held.last = position
            self._n_bytes += WAITING_BYTES * len(fresh)
            self._held.move_to_end(person)  # who was active last stays longest
        self._read_waiting(due)
        rows = []
        changed: dict[int, Profile] = {}
        for person in due:
            held = self._current(person)
            self._held.move_to_end(person)
            self._n_bytes -= held.n_bytes()
            profile = self._opened.get(person) or self._folded(person)
            held.body = stored(profile, position)
            held.version += 1
            held.consent = profile.consent
            held.waiting = []
            held.last = position
            self._n_bytes += len(held.body)
            rows.append(ProfileRow(person, held.version, now_ms, held.body))
            if returns_profiles:
                changed[person] = profile
        people.put_profiles(tx, rows)
        return changed

    def _open(self, person: int) -> Profile:
        """Returns a person's profile as it is now; it stays decoded until the batch ends."""
        if person not in self._opened:
            self._opened[person] = self._folded(person)
            self._waiting.pop(person, None)
        return self._opened[person]

    def _folded(self, person: int) -> Profile:
        held = self._current(person)
        if not held.body:
            profile = Profile()
        else:
            self._read_waiting((person,))
            profile = live_profile(held.body, self._settings, cast("list[Observation]", held.waiting))
        for observation in self._waiting.get(person, ()):
            fold(profile, observation, self._settings)
        return profile

    def _read_waiting(self, persons: Iterable[int]) -> None:
        """Reads, in one query, the events of others that wait for these people's profiles."""
        assert self._tx is not None
        unread: dict[int, list[int]] = {}
        for person in persons:
            held = self._held.get(person)
            if held is not None and (positions := [each for each in held.waiting if each.__class__ is int]):
                unread[person] = positions
        if not unread:
            return
        entries = log.entries_at(self._tx, [position for positions in unread.values() for position in positions])
        seen = {entry.log_id: self._observer.observation(entry) for entry in entries}
        for person in unread:
            held = self._held[person]
            found = [seen.get(each) if isinstance(each, int) else each for each in held.waiting]
            held.waiting = [each for each in found if each is not None]

    def _current(self, person: int) -> _Held:
        """Returns what is stored of a person, read now unless it is known to be what the row says."""
        held = self._held.get(person)
        if held is None or held.news or held.round != self._round:
            self.load([person])
            held = self._held.get(person)
            if held is None:
                held = self._held[person] = _Held(b"", 0, self._round)
        return held

    def _drop(self, person: int) -> None:
        self._n_bytes -= self._held.pop(person).n_bytes()


def _can_wait(held: _Held, fresh: Sequence[Observation]) -> bool:
    """Tells whether new events may wait in the log: unless there are too many, or one of them must be seen at once."""
    if not held.body or held.last == EVERYTHING or len(held.waiting) + len(fresh) > MAX_WAITING:
        return False
    return all(map(may_wait, fresh))
