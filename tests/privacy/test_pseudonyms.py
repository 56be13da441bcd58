"""Keyed hashes."""

from __future__ import annotations

from hashlib import sha256

from bespeak.privacy.pseudonyms import DIGEST_BYTES, key_digest, pseudonym


def test_the_same_value_gives_the_same_hash_only_under_the_same_key():
    assert pseudonym(b"a" * 32, "u1") == pseudonym(b"a" * 32, "u1")
    assert len({pseudonym(b"a" * 32, "u1"), pseudonym(b"b" * 32, "u1"), pseudonym(b"a" * 32, "u2")}) == 3


def test_any_text_has_a_hash_of_fixed_length():
    assert {len(pseudonym(b"k", text)) for text in ("", "é" * 1000, "\ud800", "\x00")} == {DIGEST_BYTES}


def test_an_api_key_is_stored_as_its_sha_256():
    assert key_digest("sk") == sha256(b"sk").hexdigest()
