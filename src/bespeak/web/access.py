"""What a key may do.

A browser source's write key is public: it tracks, and decides for the random anonymous id alone. A server source's
key tracks and confirms links, and reads nothing. Secret keys do everything. Only SHA-256 digests of secret and server
keys are known here.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from typing import Literal

import msgspec

from bespeak.engine.settings import Settings
from bespeak.errors import NotAllowed
from bespeak.privacy.pseudonyms import key_digest

AccessKind = Literal["browser", "server", "secret"]


class Access(msgspec.Struct, frozen=True):
    """The source (or the secret key's name) a request speaks for."""

    kind: AccessKind
    name: str


class AccessKeys:
    """Finds out what a key may do, in constant time per key."""

    def __init__(self, settings: Settings) -> None:
        self._public = {
            s.key: Access("browser", n) for n, s in settings.sources.items() if s.kind == "browser" and s.key
        }
        self._hashed: dict[str, Access] = {
            s.key_sha256: Access("server", n)
            for n, s in settings.sources.items()
            if s.kind == "server" and s.key_sha256
        }
        self._hashed |= {key.sha256: Access("secret", name) for name, key in settings.keys.items()}

    def of(self, key: str) -> Access:
        """Returns what a key may do; raises `NotAllowed` for an unknown key."""
        if key:
            known = self._public.get(key)
            if known is not None:
                return known
            digest = key_digest(key)
            for stored, access in self._hashed.items():
                if hmac.compare_digest(stored, digest):
                    return access
        raise NotAllowed(
            "The key is unknown." if key else "A key is missing.",
            hint="Send the write key or a secret key as user of HTTP Basic, or as a Bearer token.",
        )


def key_of(headers: Mapping[str, str]) -> str:
    """Returns the key a request carries: the user of HTTP Basic, a Bearer token, or `X-Write-Key` / `X-API-Key`.

    Example:
        >>> key_of({"authorization": "Basic V0s6"}), key_of({"authorization": "Bearer s1"}), key_of({})
        ('WK', 's1', '')
    """
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return ""
    return headers.get("x-write-key", "").partition(":")[0] or headers.get("x-api-key", "")
