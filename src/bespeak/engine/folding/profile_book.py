"""The live profiles of a batch: loaded once, folded in place, written once.

Between batches it keeps what it decoded, so that people who are active now cost no read and no decoding. Where somebody
else may have written since (`Store.change_token`), a kept profile is used only if its row still has the version that it
was stored as: every write of a row raises the version, and a row that was deleted never comes back, as its person is
gone.
"""

from __future__ import annotations

from collections import OrderedDict
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

MAX_KEPT_BYTES = 200_000_000
"""Of memory, by estimate."""

MEMORY_PER_STORED_BYTE = 8
"""What a decoded profile takes: 27 kB for one that is stored in 3.4 kB."""


class _Held:
    """A decoded profile, the version it was last stored as (0 if never), and how large it was then.

    Attributes:
        round: the last one in which nobody else can have written the row.
    """

    __slots__ = ("n_bytes", "profile", "round", "version")

    def __init__(self, profile: Profile, round_: int, version: int = 0, n_bytes: int = 0) -> None:
        self.profile = profile
        self.round = round_
        self.version = version
        self.n_bytes = n_bytes


class ProfileBook:
    """Profiles by person, over the transactions of one writer.

    Args:
        settings: what profiles keep.
        max_kept_bytes: of memory that is kept between batches, by estimate; those who were active last stay.
    """

    def __init__(self, settings: FoldSettings, *, max_kept_bytes: int = MAX_KEPT_BYTES) -> None:
        self._settings = settings
        self._max_stored_bytes = max_kept_bytes // MEMORY_PER_STORED_BYTE
        self._held: OrderedDict[int, _Held] = OrderedDict()
        self._n_bytes = 0
        self._round = 0
        self._dirty: dict[int, Profile] = {}
        self._tx: Transaction | None = None

    def begin(self, tx: Transaction, *, is_alone: bool) -> None:
        """Starts a batch; what is kept is trusted as it is if nobody else can have written since the last batch."""
        self._tx = tx
        self._dirty = {}
        if not is_alone:
            self._round += 1

    def forget(self) -> None:
        """Drops everything: a batch failed, so what was folded was not written."""
        self._held.clear()
        self._n_bytes = 0
        self._dirty = {}

    def committed(self) -> None:
        """Ends a batch whose transaction committed; keeps the latest profiles, up to the bound."""
        self._tx = None
        self._dirty = {}
        while self._n_bytes > self._max_stored_bytes:
            self._n_bytes -= self._held.popitem(last=False)[1].n_bytes

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
            self._held[person] = _Held(decode(row.body), self._round, row.version, len(row.body))
            self._n_bytes += len(row.body)

    def begin_profile(self, person: int) -> None:
        """Starts the profile of a person who was just made: there is none to look for in the store."""
        self._held[person] = _Held(Profile(), self._round)

    def open(self, person: int) -> Profile:
        """Returns a person's profile, a new one when there is none."""
        held = self._held.get(person)
        if held is None or held.round != self._round:
            self.load([person])
            held = self._held.get(person)
            if held is None:
                held = self._held[person] = _Held(Profile(), self._round)
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
        self._drop(absorbed)
        self._dirty.pop(absorbed, None)
        self._dirty[root] = into

    def write(self, tx: Transaction, now_ms: int) -> dict[int, Profile]:
        """Writes what changed and returns it."""
        rows = []
        for person, profile in self._dirty.items():
            body = encode(profile)
            held = self._held[person]
            held.version += 1
            self._n_bytes += len(body) - held.n_bytes
            held.n_bytes = len(body)
            self._held.move_to_end(person)  # who was active last stays longest
            rows.append(ProfileRow(person, held.version, now_ms, body))
        people.put_profiles(tx, rows)
        return self._dirty

    def _drop(self, person: int) -> None:
        self._n_bytes -= self._held.pop(person).n_bytes
