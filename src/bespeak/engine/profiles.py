"""Profiles, as the engine offers them: look one up, read it in words, rebuild it from the log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from bespeak.engine.core import Core
from bespeak.engine.folding.baselines import baselines
from bespeak.engine.folding.live import live_profiles
from bespeak.engine.people_view import granted_purposes, profile_view
from bespeak.engine.refolding import refold
from bespeak.profiles.codec import encode
from bespeak.profiles.profile import Profile
from bespeak.profiles.readable import readable
from bespeak.signals.events import Context
from bespeak.signals.ids import ANONYMOUS_ID, SEPARATOR, USER_ID, IdKey
from bespeak.storage.tables import log, memberships, people


class Profiles:
    """Reads and rebuilds profiles."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def find(self, user_id: str, *, or_anonymous: bool = True) -> int | None:
        """Returns the person a user id (else an anonymous id) leads to, or None.

        Args:
            or_anonymous: False where the user id was proven: a proof says nothing about an anonymous id that looks
                alike.
        """
        keys = [IdKey(USER_ID, user_id), *([IdKey(ANONYMOUS_ID, user_id)] if or_anonymous else [])]
        with self._core.store.read() as session:
            links = people.resolve(session, keys).links
        return next((links[key] for key in keys if key in links), None)

    def get(self, user_id: str) -> Profile | None:
        """Returns the live profile of a user id (else an anonymous id), or None for somebody unknown."""
        person = self.find(user_id)
        return None if person is None else self.of(person)

    def of(self, person: int) -> Profile | None:
        """Returns the live profile of a person, or None when nothing was folded."""
        with self._core.store.read() as session:
            rows = people.profiles(session, [person]).values()
            return live_profiles(session, rows, self._core.runtime.observer).get(person)

    def readable(self, user_id: str, *, or_anonymous: bool = True) -> dict[str, Any] | None:
        """Returns what is known of a person in a form that they can read, or None for somebody unknown."""
        person = self.find(user_id, or_anonymous=or_anonymous)
        profile = None if person is None else self.of(person)
        if person is None or profile is None:
            return None
        with self._core.store.read() as session:
            ids = people.ids_of(session, [person])
            held = memberships.members_of(session, [person]).get(person, {})
        runtime = self._core.runtime
        granted = granted_purposes(runtime, profile, Context())
        view = profile_view(runtime, profile, granted, self._core.now_ms())
        return {
            "ids": [{"kind": key.kind, "value": key.value.replace(SEPARATOR, " / ")} for key in ids],
            "purposes": list(runtime.config.purposes.names(granted)),
            "segments": sorted(name for name, (is_member, _, _) in held.items() if is_member),
            **readable(view),
        }

    def all(self) -> Iterator[tuple[int, Profile]]:
        """Yields (person, live profile) in person order."""
        after = 0
        while True:
            with self._core.store.read() as session:
                rows = people.profile_batch(session, after, 500)
                profiles = live_profiles(session, rows, self._core.runtime.observer)
            if not rows:
                return
            yield from profiles.items()
            after = rows[-1].person_id

    def rebuilt(self, person: int) -> Profile:
        """Returns the profile that baseline and log give; it equals the live one, byte for byte."""
        with self._core.store.read() as session:
            members = people.members(session, person)
            entries = list(log.entries_of(session, members))
            held = baselines(session, members)
        states = dict(self._core.runtime.observer.replay(entries, held))
        return states.get(person, Profile())

    def differing(self) -> list[int]:
        """Returns the persons whose live profile is not, byte for byte, what a replay of the log gives."""
        return [person for person, _ in self.all() if self.is_differing(person)]

    def is_differing(self, person: int) -> bool:
        """True when the live profile is not, byte for byte, what a replay of the log gives."""
        live = self.of(person)
        return live is not None and encode(live) != encode(self.rebuilt(person))

    def rebuild(self, persons: Iterable[int]) -> int:
        """Folds live profiles anew, with what the catalogue says now; returns how many were written.

        The job `refold` does so by itself for everybody whose profile is out of date.
        """
        return refold.rebuild(self._core, persons)
