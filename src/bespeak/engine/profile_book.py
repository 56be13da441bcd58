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

MAX_KEPT_BYTES = 20_000_000
"""Of profiles as they are stored; decoded ones take some twenty times as much memory."""


class _Held:
    """A decoded profile, the version it was last stored as, and how large it was then."""

    __slots__ = ("n_bytes", "profile", "version")

    def __init__(self, profile: Profile, version: int = 0, n_bytes: int = 0) -> None:
        self.profile = profile
        self.version = version
        self.n_bytes = n_bytes


class ProfileBook:
    """Profiles by person, over the transactions of one writer.

    Args:
        settings: what profiles keep.
        max_kept_bytes: bound of what is kept between batches; those who were active last stay.
    """

    def __init__(self, settings: FoldSettings, *, max_kept_bytes: int = MAX_KEPT_BYTES) -> None:
        self._settings = settings
        self._max_kept_bytes = max_kept_bytes
        self._held: dict[int, _Held] = {}
        self._dirty: dict[int, Profile] = {}
        self._n_written = 0
        self._tx: Transaction | None = None

    def begin(self, tx: Transaction, *, keeps: bool) -> None:
        """Starts a batch; what was kept is dropped unless nobody else can have written."""
        self._tx = tx
        self._dirty = {}
        if not keeps:
            self._held = {}

    def forget(self) -> None:
        """Drops everything: a batch failed, so what was folded was not written."""
        self._held = {}
        self._dirty = {}

    def committed(self) -> None:
        """Ends a batch whose transaction committed; keeps the latest profiles, up to the bound."""
        self._tx = None
        self._dirty = {}
        if self._n_written > self._max_kept_bytes // 4:
            self._n_written = 0
            self._let_go()

    def _let_go(self) -> None:
        n_bytes = sum(held.n_bytes for held in self._held.values())
        if n_bytes > self._max_kept_bytes:
            for person in list(self._held):
                n_bytes -= self._held.pop(person).n_bytes
                if n_bytes <= self._max_kept_bytes // 2:
                    break

    def load(self, persons: Iterable[int]) -> None:
        """Reads the profiles that are not held yet."""
        assert self._tx is not None
        missing = [person for person in persons if person not in self._held]
        for person, row in people.profiles(self._tx, missing).items():
            self._held[person] = _Held(decode(row.body), row.version, len(row.body))

    def open(self, person: int) -> Profile:
        """Returns a person's profile, a new one when there is none."""
        held = self._held.get(person)
        if held is None:
            self.load([person])
            held = self._held.setdefault(person, _Held(Profile()))
        return held.profile

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
            held = self._held.pop(person)
            body = encode(profile)
            held.version += 1
            held.n_bytes = len(body)
            self._n_written += len(body)
            self._held[person] = held  # last: who was active last stays longest
            rows.append(ProfileRow(person, held.version, now_ms, body))
        people.put_profiles(tx, rows)
        return self._dirty
