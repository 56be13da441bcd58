from __future__ import annotations

import msgspec
import pytest

from bespeak.errors import StoreError, StoreTooNew
from bespeak.profiles import codec
from bespeak.profiles.codec import decode, encode
from bespeak.profiles.fold import fold
from bespeak.profiles.profile import Profile
from bespeak.signals.events import Context


@pytest.fixture
def full(settings, saw):
    profile = Profile()
    context = Context(device="mobile", country="DE", page={"path": "/ä"})
    facets = {"p1": {"category": ["audio"], "price": 1.5}}
    for n, name in enumerate(("view", "cart", "purchase", "refund")):
        observation = saw(
            n, name, "p1", facets=facets, context=context, type="page", traits={"n": [n, {"x": None}]}, value=5
        )
        fold(profile, observation, settings)
    fold(profile, saw(9, consent={"share": True, "measure": False}), settings)
    return profile


def test_what_is_encoded_decodes_to_the_same_profile_and_bytes(full):
    assert decode(encode(full)) == full
    assert encode(decode(encode(full))) == encode(full)


def test_every_cut_is_refused_as_a_store_error(full):
    data = encode(full)
    for length in range(len(data)):
        with pytest.raises(StoreError):
            decode(data[:length])


@pytest.mark.parametrize("data", [b"\x01\x00", b"\x01\xc1", b"\x01" + b"\x91" * 2000, b"\x00", b"\x01\x80"])
def test_what_is_no_profile_is_refused_as_a_store_error(data):
    with pytest.raises(StoreError):
        decode(data)


def test_trailing_bytes_are_refused(full):
    with pytest.raises(StoreError, match="cannot be read"):
        decode(encode(full) + b"\x00")


def test_a_later_version_says_so():
    with pytest.raises(StoreTooNew, match="version 9"):
        decode(b"\x09\x90")


def test_fields_appended_later_take_their_defaults(full):
    fields = msgspec.msgpack.decode(encode(full)[1:], strict=False)
    older = bytes([codec.VERSION]) + msgspec.msgpack.encode(fields[:7])
    assert decode(older).traits == full.traits
    assert decode(older).devices == {}


def test_an_older_version_is_brought_up_step_by_step(full, monkeypatch):
    monkeypatch.setattr(codec, "VERSION", 2)
    monkeypatch.setattr(codec, "_PREFIX", bytes([2]))
    monkeypatch.setitem(codec.UPGRADES, 1, lambda fields: [fields[0] + 100, *fields[1:]])
    upgraded = decode(b"\x01" + msgspec.msgpack.encode(full))
    assert upgraded.fold_version == full.fold_version + 100
    assert upgraded.items == full.items
