"""Bytes <-> profile: one version byte, then MessagePack arrays in the order of the fields.

A later release appends fields with defaults (old bytes then decode as they are) or adds an entry to `UPGRADES`. Entries
keep the order in which they came, so the same folds and merges in the same order give the same bytes, however often the
profile was stored and read in between.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from bespeak.errors import StoreError, StoreTooNew
from bespeak.profiles.profile import Consent, Profile

VERSION = 2


def _from_1(fields: list[Any]) -> list[Any]:
    """Version 1 held item -> class -> sum and facet -> value -> class -> sum; now the class comes first."""
    head, affinities, numbers, items, tail = fields[:7], fields[7:8], fields[8:9], fields[9:10], fields[10:]
    affinities = [{facet: _turned(values) for facet, values in held.items()} for held in affinities]
    return [*head, *affinities, *numbers, *map(_turned, items), *tail]


def _turned(by_key: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Returns class -> key -> sum of key -> class -> sum."""
    by_class: dict[str, dict[str, Any]] = {}
    for key, classes in by_key.items():
        for name, decayed in classes.items():
            by_class.setdefault(name, {})[key] = decayed
    return by_class


UPGRADES: dict[int, Callable[[list[Any]], list[Any]]] = {1: _from_1}
"""From a version to the next: raw fields in, raw fields out."""

_FIELDS = Profile.__struct_fields__
_ConsentOnly: Any = msgspec.defstruct(
    "_ConsentOnly",
    [(name, msgspec.Raw) for name in _FIELDS[: _FIELDS.index("consent")]] + [("consent", dict[str, Consent])],
    array_like=True,
)

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Profile)
_consent_decoder = msgspec.msgpack.Decoder(_ConsentOnly)
_PREFIX = bytes([VERSION])


def encode(profile: Profile) -> bytes:
    """Returns the profile as bytes.

    Example:
        >>> decode(encode(Profile(n_events=3))).n_events
        3
    """
    return _PREFIX + _encoder.encode(profile)


def decode(data: bytes) -> Profile:
    """Returns the profile that `encode` wrote, in this release or an earlier one.

    Raises:
        StoreTooNew: written by a later release.
        StoreError: not a profile; a rebuild from the log makes it anew.
    """
    if data[:1] == _PREFIX:
        try:
            return _decoder.decode(memoryview(data)[1:])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise unreadable() from error
    return _decode_old(data)


def decode_consent(data: bytes) -> dict[str, Consent]:
    """Returns the consent of the profile that `encode` wrote, at a quarter of what reading all of it takes.

    Example:
        >>> decode_consent(encode(Profile(consent={"share": Consent(True, 1, 2, "m")})))["share"].is_granted
        True
    """
    if data[:1] == _PREFIX:
        try:
            found: dict[str, Consent] = _consent_decoder.decode(memoryview(data)[1:]).consent
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise unreadable() from error
        return found
    return decode(data).consent


def _decode_old(data: bytes) -> Profile:
    if not data:
        raise unreadable()
    version = data[0]
    if version > VERSION:
        raise StoreTooNew(
            f"A profile has version {version}; this release reads up to {VERSION}.", hint="Use the newer release."
        )
    try:
        fields = msgspec.msgpack.decode(data[1:], type=list)
        while version < VERSION:
            fields = UPGRADES[version](fields)
            version += 1
        return msgspec.convert(fields, Profile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, AttributeError) as error:
        raise unreadable() from error


def unreadable() -> StoreError:
    """Returns the error for bytes that are no profile."""
    return StoreError("A stored profile cannot be read.", hint="Rebuild it from the log.", code="corrupt_profile")
