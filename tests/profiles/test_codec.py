from __future__ import annotations

import msgspec
import pytest

from bespeak.errors import StoreError, StoreTooNew
from bespeak.profiles import codec
from bespeak.profiles.codec import decode, encode
from bespeak.profiles.decay import Decayed
from bespeak.profiles.fold import fold
from bespeak.profiles.profile import Profile
from bespeak.signals.events import Context

VERSION_1 = (
    "01dc00140104cd03e8cd0bb880808081a863617465676f727982a5617564696f82a47669657793cb4000000000000000cd03e802"
    "a46361727493cb3ff0000000000000cd07d001a2747681a47669657793cb3ff0000000000000cd0bb80181a5707269636582a476"
    "69657795cb4000000000000000cb4032000000000000cb4064400000000000cd03e802a46361727495cb3ff0000000000000cb40"
    "22000000000000cb4054400000000000cd07d00182a2703182a47669657793cb4000000000000000cd03e802a46361727493cb3f"
    "f0000000000000cd07d001a2703281a47669657793cb3ff0000000000000cd0bb8019494cd03e8a27031a476696577cb3ff00000"
    "0000000094cd03e8a27031a476696577cb3ff000000000000094cd07d0a27031a463617274cb3ff000000000000094cd0bb8a270"
    "32a476696577cb3ff00000000000009199cd03e8cd0bb80400c0c09082a47669657703a46361727401800082a476696577810003"
    "a4636172748100019900000080008080809081a2703195cb3ff0000000000000cd07d0cd07d0a26d32a463617274c0808080"
)
"""What the release before wrote of somebody who viewed p1 twice, put it into the cart and viewed p2."""


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
    for data in (encode(full), bytes.fromhex(VERSION_1)):
        for length in range(len(data)):
            with pytest.raises(StoreError):
                decode(data[:length])


@pytest.mark.parametrize("data", [b"\x00", b"\xc1", b"\x91" * 2000, b"\x80", b"\x98" + b"\x01" * 8])
@pytest.mark.parametrize("version", range(codec.VERSION + 1))
def test_what_is_no_profile_is_refused_as_a_store_error(version, data):
    data = bytes([version]) + data
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
    monkeypatch.setattr(codec, "VERSION", codec.VERSION + 1)
    monkeypatch.setattr(codec, "_PREFIX", bytes([codec.VERSION]))
    monkeypatch.setitem(codec.UPGRADES, codec.VERSION - 1, lambda fields: [fields[0] + 100, *fields[1:]])
    upgraded = decode(bytes([codec.VERSION - 1]) + msgspec.msgpack.encode(full))
    assert upgraded.fold_version == full.fold_version + 100
    assert upgraded.items == full.items


def test_version_1_held_key_before_class_and_is_read_as_the_profile_that_it_was():
    upgraded = decode(bytes.fromhex(VERSION_1))
    assert upgraded.items == {
        "view": {"p1": Decayed(2.0, 1000, 2), "p2": Decayed(1.0, 3000)},
        "cart": {"p1": Decayed(1.0, 2000)},
    }
    assert upgraded.affinities == {
        "category": {
            "view": {"audio": Decayed(2.0, 1000, 2), "tv": Decayed(1.0, 3000)},
            "cart": {"audio": Decayed(1.0, 2000)},
        }
    }
    assert upgraded.numbers["price"]["cart"].mean() == 9.0
    assert [step.item_id for step in upgraded.recent] == ["p1", "p1", "p1", "p2"]
    assert encode(upgraded)[0] == codec.VERSION == 2
    assert decode(encode(upgraded)) == upgraded
