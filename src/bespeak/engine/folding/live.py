"""Live profiles: what is stored, and the events of the log that are not folded into it yet."""

from __future__ import annotations

from collections.abc import Iterable

from bespeak.engine.folding.observe import Observer
from bespeak.profiles.profile import Profile
from bespeak.profiles.stored import live_profile, position_of
from bespeak.storage.base import Session
from bespeak.storage.tables import log
from bespeak.storage.tables.people import ProfileRow


def live_of(session: Session, person: int, body: bytes, observer: Observer) -> Profile:
    """Returns a person's profile as of the session.

    Args:
        body: as it is stored, read in the same session.

    Raises:
        StoreError: it cannot be read; a rebuild from the log makes it anew.
    """
    waiting = log.entries_behind(session, {person: position_of(body)}).get(person, ())
    return live_profile(body, observer.fold_settings, map(observer.observation, waiting))


def live_profiles(session: Session, rows: Iterable[ProfileRow], observer: Observer) -> dict[int, Profile]:
    """Returns person -> profile as of the session in which the rows were read, in their order; errors as `live_of`."""
    held = list(rows)
    waiting = log.entries_behind(session, {row.person_id: position_of(row.body) for row in held})
    return {
        row.person_id: live_profile(
            row.body, observer.fold_settings, map(observer.observation, waiting.get(row.person_id, ()))
        )
        for row in held
    }
