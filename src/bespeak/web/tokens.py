"""Person tokens: JWTs with `sub` = user id and `exp` at most one hour ahead, signed with EdDSA by the site's backend.

The server keeps only the public half of the key, so a stolen configuration cannot make tokens.
"""

from __future__ import annotations

import base64
import binascii

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from bespeak.errors import BespeakError, ConfigError, NotAllowed
from bespeak.signals.ids import clean_id, is_blocked

MAX_LIFETIME_SECONDS = 3600
LEEWAY_SECONDS = 30


class PersonTokens:
    """Checks person tokens with one public key; an empty key refuses every token.

    Example:
        >>> private, public = make_token_key()
        >>> PersonTokens(public).user_id(sign(private, "u1", now_ms=0, seconds=60), now_ms=1000)
        'u1'
    """

    def __init__(self, public_key: str) -> None:
        self._key = _public(public_key) if public_key else None

    def user_id(self, token: str, now_ms: int) -> str:
        """Returns the user id a token proves.

        Raises:
            NotAllowed: not signed with this project's token key, expired, valid for over an hour, or without `sub`.
        """
        if self._key is None:
            raise NotAllowed("This project accepts no person tokens.", hint="Set tokens.public_key in bespeak.toml.")
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=["EdDSA"],
                options={"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False},
            )
        except jwt.PyJWTError:
            raise NotAllowed(
                "The person token is not valid.", hint="Sign it with EdDSA and the project's private token key."
            ) from None
        expires = claims.get("exp")
        if isinstance(expires, bool) or not isinstance(expires, int | float):
            raise NotAllowed("The person token has no expiry.", hint="Add exp, at most one hour ahead.")
        now = now_ms / 1000
        if not expires > now - LEEWAY_SECONDS:
            raise NotAllowed("The person token has expired.", hint="Ask the site's backend for a new one.")
        if expires > now + MAX_LIFETIME_SECONDS + LEEWAY_SECONDS:
            raise NotAllowed("The person token is valid for too long.", hint="Set exp at most one hour ahead.")
        try:
            user_id = clean_id(claims.get("sub"), "sub")
        except BespeakError:
            user_id = ""
        if not user_id or is_blocked(user_id):
            raise NotAllowed("The person token names nobody.", hint="Set sub to the user id.")
        return user_id


def make_token_key() -> tuple[str, str]:
    """Returns a new key pair as base64 text: (private, public)."""
    private = Ed25519PrivateKey.generate()
    raw_private = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    raw_public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return base64.b64encode(raw_private).decode(), base64.b64encode(raw_public).decode()


def sign(private_key: str, user_id: str, *, now_ms: int, seconds: int = 900) -> str:
    """Returns a token for a user id: what the site's backend does, here for demos and tests."""
    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(private_key))
    return jwt.encode({"sub": user_id, "exp": now_ms // 1000 + seconds}, key, algorithm="EdDSA")


def _public(text: str) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error):
        raise ConfigError(
            "is not an Ed25519 public key in base64 (32 bytes).",
            key="tokens.public_key",
            hint="bespeak init makes one.",
        ) from None
