"""The live profiles of a batch: loaded once, folded in place, written once.

Between batches it keeps what it decoded for as long as nobody else can have written (`Store.change_token`), so that
people who are active now cost no read and no decoding.
"""

from __future__ import annotations

from collections.abc import Iterable

from bespeak.profiles.codec import decode, encode
from bespeak.profiles.fold import fold
from bespeak.profiles.merge import merge
from bespeak.profiles.observation import Observation
from bespeak.profiles.profile import Profile
from bespeak.profiles.settings import FoldSettings
from bespeak.storage import people
from bespeak.storage.base import Transaction
from bespeak.storage.people import ProfileRow

MAX_KEPT = 20_000


class ProfileBook:
    """Profiles by person, over the transactions of one writer."""

    def __init__(self, settings: FoldSettings) -> None:
        self._settings = settings
        self._held: dict[int, tuple[int, Profile]] = {}
        self._dirty: dict[int, Profile] = {}
        self._tx: Transaction | None = None

    def begin(self, tx: Transaction, *, keeps: bool) -> None:
        """Starts a batch; what was kept is dropped unless nobody else can have written."""
        self._tx = tx
        self._dirty = {}
        if not keeps or len(self._held) > MAX_KEPT:
            self._held = {}

    def forget(self) -> None:
        """Drops everything: a batch failed, so what was folded was not written."""
        self._held = {}
        self._dirty = {}

    def committed(self) -> None:
        """Ends a batch whose transaction committed."""
        self._tx = None
        self._dirty = {}

    def load(self, persons: Iterable[int]) -> None:
        """Reads the profiles that are not held yet."""
        assert self._tx is not None
        missing = [person for person in persons if person not in self._held]
        for person, row in people.profiles(self._tx, missing).items():
            self._held[person] = (row.version, decode(row.body))

    def open(self, person: int) -> Profile:
        """Returns a person's profile, a new one when there is none."""
        held = self._held.get(person)
        if held is None:
            self.load([person])
            held = self._held.setdefault(person, (0, Profile()))
        return held[1]

    def fold(self, person: int, observation: Observation) -> None:
        """Folds one observation."""
        profile = self.open(person)
        fold(profile, observation, self._settings)
        self._dirty[person] = profile

    def merge(self, root: int, absorbed: int) -> None:
        """Joins an absorbed person's profile into the root's."""
        other = self.open(absorbed)
        into = self.open(root)
        merge(into, other, self._settings)
        self._held.pop(absorbed, None)
        self._dirty.pop(absorbed, None)
        self._dirty[root] = into

    def write(self, tx: Transaction, now_ms: int) -> dict[int, Profile]:
        """Writes what changed and returns it."""
        rows = []
        for person, profile in self._dirty.items():
            version = self._held[person][0] + 1
            self._held[person] = (version, profile)
            rows.append(ProfileRow(person, version, now_ms, encode(profile)))
        people.put_profiles(tx, rows)
        return self._dirty
