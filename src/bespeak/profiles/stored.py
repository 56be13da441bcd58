"""What is stored of a person: a profile, and behind it the latest events, which are folded when it is read.

Reading and writing a whole profile takes longer than folding one event into it, and the longer the more is known. So
an event is put behind the stored profile as it is, and every few events the profile is read, they are folded and it is
written whole.

Whoever reads the bytes folds those events first: nobody sees a profile without them. The fold looks at nothing but the
profile and the event, so it makes no difference, to the bit, when they are folded.

    whole        what `codec` writes
    with events  `WITH_EVENTS`, their number (1 byte), the length of the profile (4 bytes), the profile, the events
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

import msgspec

from bespeak.profiles import codec
from bespeak.profiles.fold import fold
from bespeak.profiles.observation import Observation
from bespeak.profiles.profile import Consent, Profile
from bespeak.profiles.settings import FoldSettings
from bespeak.signals.events import Context

MAX_EVENTS = 6
"""Events behind a profile: more of them make writing cheaper and each reading dearer."""

WITH_EVENTS = 0xE1
"""The first byte, beyond every `codec.VERSION`; another shape of the events takes the next one."""

_MARK = bytes((WITH_EVENTS,))
_HEAD = Struct(">BBI")
_ARRAY_OF = 0x90  # MessagePack's mark of an array of up to 15 elements, their number added
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Observation])


def with_events(body: bytes, observations: Sequence[Observation]) -> bytes | None:
    """Returns stored bytes with more events behind the profile, or None when it is time to fold.

    Some events never wait. A word on consent works at once: what it takes away must not stay. Nor does what may not be
    profiled, of which a profile keeps no more than counts, and traits, which can be anything.

    Example:
        >>> body = with_events(codec.encode(Profile()), [Observation(time_ms=5, received_ms=5, message_id="m")])
        >>> live_profile(body or b"", FoldSettings(classes={})).last_ms
        5
    """
    if not body:
        return None
    told: list[bytes] = []
    for one in observations:
        if one.consent or one.traits or not one.is_profiled:
            return None
        if not one.is_bot:  # nothing of it is folded
            told.append(_encoder.encode(_folded_part(one)))
    n_told, end = _bounds(body)
    if n_told + len(told) > MAX_EVENTS:
        return None
    rest = body[_HEAD.size :] if n_told else body
    return b"".join((_HEAD.pack(WITH_EVENTS, n_told + len(told), end), rest, *told)) if told else body


def live_profile(body: bytes, settings: FoldSettings) -> Profile:
    """Returns the profile that is stored, its latest events folded.

    Raises:
        StoreTooNew: written by a later release.
        StoreError: not a profile; a rebuild from the log makes it anew.
    """
    profile = codec.decode(_whole(body))
    n_told, end = _bounds(body)
    if n_told:
        try:
            for observation in _decoder.decode(bytes((_ARRAY_OF + n_told,)) + body[_HEAD.size + end :]):
                fold(profile, observation, settings)
        except Exception as error:  # whatever the fold raises, the log can make the profile anew
            raise codec.unreadable() from error
    return profile


def folded(body: bytes, settings: FoldSettings) -> bytes | None:
    """Returns the stored profile with its latest events folded, None where none wait; errors as `live_profile`."""
    return codec.encode(live_profile(body, settings)) if _bounds(body)[0] else None


def consent_of(body: bytes) -> dict[str, Consent]:
    """Returns the latest word per purpose at a quarter of what reading all takes; such words never wait."""
    return codec.decode_consent(_whole(body))


def _whole(body: bytes) -> bytes:
    n_told, end = _bounds(body)
    return body[_HEAD.size : _HEAD.size + end] if n_told else body


def _bounds(body: bytes) -> tuple[int, int]:
    """Returns how many events stand behind the profile, and the length of the profile itself."""
    if body[:1] != _MARK:
        return 0, len(body)
    if len(body) < _HEAD.size:
        raise codec.unreadable()
    _, n_told, n_bytes = _HEAD.unpack_from(body)
    if not 0 < n_told <= MAX_EVENTS or n_bytes > len(body) - _HEAD.size:
        raise codec.unreadable()
    return n_told, n_bytes


def _folded_part(observation: Observation) -> Observation:
    """Returns what the fold looks at: declared context, campaigns and addresses of pages never reach a profile."""
    given = observation.context
    kept = Context(
        device=given.device,
        os=given.os,
        browser=given.browser,
        language=given.language,
        timezone=given.timezone,
        country=given.country,
        city=given.city,
        referrer_class=given.referrer_class,
        page={"path": given.page["path"]} if "path" in given.page else {},
    )
    return msgspec.structs.replace(observation, context=kept)
