"""Keyed hashes: BLAKE2b with a project's secret key, so that an id cannot be found by hashing guesses without it."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b, sha256

KEY_BYTES = 32
DIGEST_BYTES = 16


def pseudonym(key: bytes, value: str) -> bytes:
    """Returns the 16-byte keyed hash of a value.

    Example:
        >>> pseudonym(b"key", "u1") == pseudonym(b"key", "u1"), pseudonym(b"key", "u1") == pseudonym(b"other", "u1")
        (True, False)
    """
    return pseudonyms(key, [value])[0]


def pseudonyms(key: bytes, values: Iterable[str]) -> list[bytes]:
    """Returns the keyed hash of each value; the key is taken in once, which is half of the work."""
    keyed = blake2b(key=key, digest_size=DIGEST_BYTES)
    made = []
    for value in values:
        digest = keyed.copy()
        digest.update(value.encode("utf-8", "surrogatepass"))
        made.append(digest.digest())
    return made


def key_digest(secret: str) -> str:
    """Returns the SHA-256 of an API key in hexadecimal: the only form in which a key is stored.

    Keys are long and random, so a plain hash cannot be searched.
    """
    return sha256(secret.encode()).hexdigest()
