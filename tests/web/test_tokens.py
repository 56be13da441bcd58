"""Person tokens: only the site's backend can make them, and not for long."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bespeak.errors import ConfigError, NotAllowed
from bespeak.web.tokens import LEEWAY_SECONDS, MAX_LIFETIME_SECONDS, PersonTokens, make_token_key, sign

NOW_MS = 1_767_225_600_000
NOW = NOW_MS // 1000
PRIVATE, PUBLIC = make_token_key()
TOKENS = PersonTokens(PUBLIC)


def signed(**claims: Any) -> str:
    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(PRIVATE))
    return jwt.encode({"sub": "u1", "exp": NOW + 60, **claims}, key, algorithm="EdDSA")


@pytest.mark.parametrize("seconds", [1, 900, MAX_LIFETIME_SECONDS, -LEEWAY_SECONDS + 1])
def test_a_token_of_the_backend_names_its_person(seconds):
    assert TOKENS.user_id(sign(PRIVATE, "u1", now_ms=NOW_MS, seconds=seconds), NOW_MS) == "u1"


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"exp": NOW - LEEWAY_SECONDS}, "expired"),
        ({"exp": NOW + MAX_LIFETIME_SECONDS + LEEWAY_SECONDS + 1}, "too long"),
        ({"exp": float("inf")}, "too long"),
        ({"exp": float("nan")}, "expired"),
        ({"exp": True}, "no expiry"),
        ({"exp": "tomorrow"}, "no expiry"),
        ({"exp": None}, "no expiry"),
        ({"sub": ""}, "nobody"),
        ({"sub": "null"}, "nobody"),
        ({"sub": "a\x00"}, "nobody"),
        ({"sub": "u1\x1fkid"}, "nobody"),
        ({"sub": "x" * 256}, "nobody"),
    ],
)
def test_a_token_that_proves_too_little_is_refused(claims, said):
    with pytest.raises(NotAllowed, match=said):
        TOKENS.user_id(signed(**claims), NOW_MS)


def test_a_token_without_a_person_is_refused():
    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(PRIVATE))
    with pytest.raises(NotAllowed):
        TOKENS.user_id(jwt.encode({"exp": NOW + 60}, key, algorithm="EdDSA"), NOW_MS)


def part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b.c",
        "é.é.é",
        f"{part({'alg': 'none'})}.{part({'sub': 'u1', 'exp': NOW + 60})}.",
        jwt.encode({"sub": "u1", "exp": NOW + 60}, PUBLIC, algorithm="HS256"),
        sign(make_token_key()[0], "u1", now_ms=NOW_MS),
        signed()[:-4] + "AAAA",
    ],
)
def test_what_the_backend_did_not_sign_is_refused(token):
    with pytest.raises(NotAllowed):
        TOKENS.user_id(token, NOW_MS)


def test_without_a_public_key_every_token_is_refused():
    with pytest.raises(NotAllowed, match="accepts no person tokens"):
        PersonTokens("").user_id(signed(), NOW_MS)


@pytest.mark.parametrize(
    "text", ["abc", "!", PUBLIC[:-8], PRIVATE + PUBLIC], ids=["no base64", "a sign", "too short", "too long"]
)
def test_a_public_key_that_is_none_is_a_wrong_setting(text):
    with pytest.raises(ConfigError, match=r"tokens\.public_key"):
        PersonTokens(text)
