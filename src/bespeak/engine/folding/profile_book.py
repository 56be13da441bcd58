"""The live profiles of a batch: what came in waits in the log for each, or is folded into it, and it is written once.

Between batches it keeps profiles as they are stored, and what waits for them, so that people who are active now cost no
read. Where somebody else may have written since (`Store.change_token`), a kept profile is used only if its row still
has the version that it was stored as: every write of a row raises the version, and a row that was deleted never comes
back, as its person is gone. Whatever waits is then looked for in the log.

Profiles are not kept decoded. Decoded ones take ten times the memory and lie scattered in it: folding and encoding what
fell out of the processor's cache takes longer than decoding anew, folding at once and encoding at once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from bespeak.engine.folding.observe import Observer
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
        round: the last one in which nobody else can have written the row, or an event of the person.
        n_waiting: how many events wait for it in the log; `last` is the position of the latest.
        waiting: those events, or None where not all of them are at hand.
    """

    __slots__ = ("body", "consent", "last", "n_waiting", "round", "version", "waiting")

    def __init__(self, body: bytes, version: int, round_: int) -> None:
        self.body = body
        self.version = version
        self.consent: Mapping[str, Consent] = consent_of(body) if body else {}
        self.round = round_
        self.n_waiting = 0
        self.last = position_of(body) if body else 0
        self.waiting: list[Observation] | None = []

    def n_bytes(self) -> int:
        """Returns how much memory it takes, about."""
        return len(self.body) + WAITING_BYTES * len(self.waiting or ())


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

    def begin(self, tx: Transaction, *, is_alone: bool) -> None:
        """Starts a batch; what is kept is trusted as it is if nobody else can have written since the last batch."""
        self._tx = tx
        if not is_alone:
            self._round += 1

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
        kept: list[int] = []
        for person in persons:
            held = self._held.get(person)
            if held is None:
                missing.append(person)
            elif held.round != self._round:
                kept.append(person)
        versions = people.profile_versions(self._tx, kept) if kept else {}
        for person in kept:
            held = self._held[person]
            if versions.get(person, 0) == held.version:
                held.round = self._round
            else:
                self._drop(person)
                missing.append(person)
        for person, row in people.profiles(self._tx, missing).items():
            self._held[person] = _Held(row.body, row.version, self._round)
            self._n_bytes += len(row.body)
        self._look_behind([person for person in (*kept, *missing) if person in self._held])

    def _look_behind(self, persons: Sequence[int]) -> None:
        """Notes events of the log that others have written."""
        assert self._tx is not None
        for person, positions in log.positions_behind(self._tx, {p: self._held[p].last for p in persons}).items():
            held = self._held[person]
            self._n_bytes -= held.n_bytes()
            held.n_waiting += len(positions)
            held.last = positions[-1]
            held.waiting = None
            self._n_bytes += held.n_bytes()

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
        rows = []
        changed: dict[int, Profile] = {}
        for person in (*self._opened, *self._waiting):
            held = self._current(person)
            self._held.move_to_end(person)  # who was active last stays longest
            self._n_bytes -= held.n_bytes()
            if returns_profiles or person in self._opened or not self._can_wait(person, held):
                profile = self._opened.get(person) or self._folded(person)
                held.body = stored(profile, position)
                held.version += 1
                held.consent = profile.consent
                held.n_waiting, held.waiting = 0, []
                rows.append(ProfileRow(person, held.version, now_ms, held.body))
                if returns_profiles:
                    changed[person] = profile
            held.last = position
            self._n_bytes += held.n_bytes()
        people.put_profiles(tx, rows)
        return changed

    def _can_wait(self, person: int, held: _Held) -> bool:
        """Lets a person's new events wait in the log unless there are too many, or one of them must be seen at once."""
        fresh = self._waiting[person]
        if not held.body or held.last == EVERYTHING or held.n_waiting + len(fresh) > MAX_WAITING:
            return False
        if not all(map(may_wait, fresh)):
            return False
        held.n_waiting += len(fresh)
        if held.waiting is not None:
            held.waiting += fresh
        return True

    def _open(self, person: int) -> Profile:
        """Returns a person's profile as it is now; it stays decoded until the batch ends."""
        if person not in self._opened:
            self._opened[person] = self._folded(person)
            self._waiting.pop(person, None)
        return self._opened[person]

    def _folded(self, person: int) -> Profile:
        held = self._current(person)
        profile = live_profile(held.body, self._settings, self._behind(person, held)) if held.body else Profile()
        for observation in self._waiting.get(person, ()):
            fold(profile, observation, self._settings)
        return profile

    def _behind(self, person: int, held: _Held) -> Iterable[Observation]:
        """Returns what waits for a stored profile, without the events of this batch."""
        if held.waiting is not None:
            return held.waiting
        assert self._tx is not None
        entries = log.entries_behind(self._tx, {person: position_of(held.body)}).get(person, ())
        return (self._observer.observation(entry) for entry in entries if entry.log_id <= held.last)

    def _current(self, person: int) -> _Held:
        """Returns what is stored of a person, read now unless it is known to be what the row says."""
        held = self._held.get(person)
        if held is None or held.round != self._round:
            self.load([person])
            held = self._held.get(person)
            if held is None:
                held = self._held[person] = _Held(b"", 0, self._round)
        return held

    def _drop(self, person: int) -> None:
        self._n_bytes -= self._held.pop(person).n_bytes()
