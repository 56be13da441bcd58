"""What the removed part of the log made of profiles: a rebuild is the baseline and the rest of the log."""

from __future__ import annotations

from bespeak.profiles.codec import decode
from bespeak.profiles.profile import Profile
from bespeak.storage.base import Session


def baselines(session: Session, members: tuple[int, ...]) -> dict[int, Profile]:
    """Returns person -> what the removed part of the log made of the profile."""
    rows = session.lookup("profile_baselines", ("person_id", "body"), ("person_id",), [(p,) for p in members])
    return {person: decode(body) for person, body in rows if isinstance(person, int) and isinstance(body, bytes)}
