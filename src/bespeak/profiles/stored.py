"""What is stored of a person: a profile, and the position in the log up to which events are folded into it.

Reading and writing a whole profile takes longer than folding one event into it, and the longer the more is known. So
the row is left alone while a few events come in: the log has them, and every few events the profile is read, they are
folded and it is written whole.

Whoever reads the bytes folds those events first: nobody sees a profile without them. The fold looks at nothing but the
profile and the event, so it makes no difference, to the bit, when they are folded.

    `PLACED` (1 byte), the position (8 bytes), what `codec` writes

What `codec` writes alone is a profile that nothing waits for: so they were stored at first.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct

from bespeak.profiles import codec
from bespeak.profiles.fold import fold
from bespeak.profiles.observation import Observation
from bespeak.profiles.profile import Consent, Profile
from bespeak.profiles.settings import FoldSettings

MAX_WAITING = 7
"""Events of the log that wait for a profile: more of them make writing cheaper and each reading dearer."""

EVERYTHING = (1 << 63) - 1
"""The position of a profile that nothing waits for, and that the next event makes whole anew."""

PLACED = 0xE2
"""The first byte, beyond every `codec.VERSION`; another shape of the head takes the next one."""

_MARK = bytes((PLACED,))
_HEAD = Struct(">BQ")


def stored(profile: Profile, position: int) -> bytes:
    """Returns a profile as it is stored, folded up to a position of the log.

    Example:
        >>> body = stored(Profile(n_events=3), 7)
        >>> position_of(body), live_profile(body, FoldSettings(classes={}), ()).n_events
        (7, 3)
    """
    return _HEAD.pack(PLACED, position) + codec.encode(profile)


def position_of(body: bytes) -> int:
    """Returns the position of the log up to which events are folded into a stored profile.

    Raises:
        StoreError: it is cut off; a rebuild from the log makes it anew.
    """
    if body[:1] != _MARK:
        return EVERYTHING
    if len(body) < _HEAD.size:
        raise codec.unreadable()
    return int(_HEAD.unpack_from(body)[1])


def live_profile(body: bytes, settings: FoldSettings, waiting: Iterable[Observation]) -> Profile:
    """Returns the profile that is stored, with the events folded that the log has of the person behind its position.

    Raises:
        StoreTooNew: written by a later release.
        StoreError: not a stored profile, or an event cannot be folded; a rebuild from the log makes it anew.
    """
    profile = codec.decode(_profile_in(body))
    try:
        for observation in waiting:
            fold(profile, observation, settings)
    except Exception as error:  # whatever the fold raises, the log can make the profile anew
        raise codec.unreadable() from error
    return profile


def consent_of(body: bytes) -> dict[str, Consent]:
    """Returns the latest word per purpose at a quarter of what reading all takes; such words never wait."""
    return codec.decode_consent(_profile_in(body))


def may_wait(observation: Observation) -> bool:
    """Tells whether an event may wait in the log.

    Some never wait. A word on consent works at once: what it takes away must not stay. Nor does what may not be
    profiled, of which a profile keeps no more than counts, and traits, which are asked for by themselves.
    """
    return observation.is_profiled and not observation.consent and not observation.traits


def _profile_in(body: bytes) -> bytes:
    return body[_HEAD.size :] if position_of(body) != EVERYTHING else body
