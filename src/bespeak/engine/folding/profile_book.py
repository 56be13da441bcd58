"""The live profiles of a batch: what came in is put behind each, or folded into it, and each is written once.

Between batches it keeps profiles as they are stored, so that people who are active now cost no read. Where somebody
else may have written since (`Store.change_token`), a kept profile is used only if its row still has the version that it
was stored as: every write of a row raises the version, and a row that was deleted never comes back, as its person is
gone.

Profiles are not kept decoded. Decoded ones take ten times the memory and lie scattered in it: folding and encoding what
fell out of the processor's cache takes longer than decoding anew, folding at once and encoding at once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from bespeak.profiles.codec import encode
from bespeak.profiles.fold import fold
from bespeak.profiles.merge import merge
from bespeak.profiles.observation import Observation
from bespeak.profiles.profile import Consent, Profile
from bespeak.profiles.settings import FoldSettings
from bespeak.profiles.stored import consent_of, live_profile, with_events
from bespeak.storage.base import Transaction
from bespeak.storage.tables import people
from bespeak.storage.tables.people import ProfileRow

MAX_KEPT_BYTES = 64_000_000
"""Of stored profiles."""


class _Held:
    """A profile as it is stored, b"" if it never was.

    Attributes:
        version: that it was stored as, 0 if it never was.
        consent: the profile's own.
        round: the last one in which nobody else can have written the row.
    """

    __slots__ = ("body", "consent", "round", "version")

    def __init__(self, body: bytes, version: int, consent: Mapping[str, Consent], round_: int) -> None:
        self.body = body
        self.version = version
        self.consent = consent
        self.round = round_


class ProfileBook:
    """Profiles by person, over the transactions of one writer.

    Args:
        settings: what profiles keep.
        max_kept_bytes: of profiles that are kept between batches; those who were active last stay.
    """

    def __init__(self, settings: FoldSettings, *, max_kept_bytes: int = MAX_KEPT_BYTES) -> None:
        self._settings = settings
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
            self._n_bytes -= len(self._held.popitem(last=False)[1].body)

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
        stored = people.profile_versions(self._tx, kept) if kept else {}
        for person in kept:
            held = self._held[person]
            if stored.get(person, 0) == held.version:
                held.round = self._round
            else:
                self._drop(person)
                missing.append(person)
        for person, row in people.profiles(self._tx, missing).items():
            self._held[person] = _Held(row.body, row.version, consent_of(row.body), self._round)
            self._n_bytes += len(row.body)

    def begin_profile(self, person: int) -> None:
        """Starts the profile of a person who was just made: there is none to look for in the store."""
        self._held[person] = _Held(b"", 0, {}, self._round)

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

    def write(self, tx: Transaction, now_ms: int, *, returns_profiles: bool) -> dict[int, Profile]:
        """Writes what changed: most events behind their profiles (`profiles.stored`), every few of them folded.

        Returns:
            Whom it wrote, if wanted, all of them folded: decoded profiles take much memory.
        """
        rows = []
        written: dict[int, Profile] = {}
        for person in (*self._opened, *self._waiting):
            held = self._current(person)
            body = None
            if not returns_profiles and person not in self._opened:
                body = with_events(held.body, self._waiting[person])
            if body is None:
                profile = self._opened.get(person) or self._folded(person)
                body = encode(profile)
                held.consent = profile.consent
                if returns_profiles:
                    written[person] = profile
            self._n_bytes += len(body) - len(held.body)
            held.body = body
            held.version += 1
            self._held.move_to_end(person)  # who was active last stays longest
            rows.append(ProfileRow(person, held.version, now_ms, body))
        people.put_profiles(tx, rows)
        return written

    def _open(self, person: int) -> Profile:
        """Returns a person's profile as it is now; it stays decoded until the batch ends."""
        if person not in self._opened:
            self._opened[person] = self._folded(person)
            self._waiting.pop(person, None)
        return self._opened[person]

    def _folded(self, person: int) -> Profile:
        held = self._current(person)
        profile = live_profile(held.body, self._settings) if held.body else Profile()
        for observation in self._waiting.get(person, ()):
            fold(profile, observation, self._settings)
        return profile

    def _current(self, person: int) -> _Held:
        """Returns what is stored of a person, read now unless it is known to be what the row says."""
        held = self._held.get(person)
        if held is None or held.round != self._round:
            self.load([person])
            held = self._held.get(person)
            if held is None:
                held = self._held[person] = _Held(b"", 0, {}, self._round)
        return held

    def _drop(self, person: int) -> None:
        self._n_bytes -= len(self._held.pop(person).body)
