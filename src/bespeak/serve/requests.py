"""What a request says before its body is understood: headers, body within bounds, key, person token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from bespeak.errors import InvalidInput, NotAllowed
from bespeak.serve.replies import Failure, Headers
from bespeak.signals.ids import ANONYMOUS_ID, PROFILE_ID, SEPARATOR, USER_ID, IdKey, clean_id
from bespeak.web.access import Access, key_of
from bespeak.web.site import Site

Receive = Callable[[], Awaitable[Mapping[str, Any]]]

_ALLOWED_HEADERS = (
    b"authorization, content-type, if-none-match, x-retry-count, x-person-token, x-write-key, x-api-key, x-request-id,"
    b" anonymousid, sentat"
)


def headers_of(scope: Mapping[str, Any]) -> dict[str, str]:
    """Returns the headers, names in lower case."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def cors(headers: Mapping[str, str]) -> Headers:
    """Returns the CORS headers of an answer: any origin may call, because keys and tokens travel in the open."""
    origin = headers.get("origin")
    if not origin:
        return []
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", b"ETag, Retry-After, X-Request-Id"),
        (b"vary", b"Origin"),
    ]


def preflight(headers: Mapping[str, str]) -> Headers:
    """Returns the headers that answer a preflight."""
    return [
        *cors(headers),
        (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE, OPTIONS"),
        (b"access-control-allow-headers", _ALLOWED_HEADERS),
        (b"access-control-max-age", b"86400"),
    ]


async def read_body(receive: Receive, headers: Mapping[str, str], max_bytes: int) -> bytes:
    """Returns the whole body.

    Raises:
        Failure: 413 when it is larger than `max_bytes`; no more than that is ever read. 400 when the client went away.
    """
    announced = headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced) > max_bytes:
        raise too_large(max_bytes)
    parts: list[bytes] = []
    n_bytes = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Failure(400, "client_disconnected", "The client went away before the body was complete.")
        part = message.get("body", b"")
        n_bytes += len(part)
        if n_bytes > max_bytes:
            raise too_large(max_bytes)
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def too_large(max_bytes: int) -> Failure:
    """Returns the error for a body beyond the bound."""
    return Failure(
        413, "body_too_large", f"The body is larger than {max_bytes} bytes.", hint="Send smaller batches, or gzip."
    )


class Caller(msgspec.Struct, frozen=True):
    """Who calls: what the key may do, and the user id that a person token proves ("" without one)."""

    access: Access | None
    user_id: str = ""

    @property
    def is_secret(self) -> bool:
        """True for a secret key, which does everything."""
        return self.access is not None and self.access.kind == "secret"

    def source(self) -> str:
        """Returns the source whose consent defaults hold for the call; "" for a secret key."""
        return "" if self.access is None or self.access.kind == "secret" else self.access.name


def caller_of(site: Site, headers: Mapping[str, str], body_key: str = "") -> Caller:
    """Returns who calls.

    Raises:
        NotAllowed: the key is unknown, header and body name different keys, or the token is not valid.
    """
    key = key_of(headers)
    if key and body_key and key != body_key:
        raise NotAllowed("The key in the header and the writeKey in the body differ.", hint="Send one of them.")
    key = key or body_key
    token = headers.get("x-person-token", "")
    user_id = site.tokens.user_id(token, site.now_ms()) if token else ""
    if not key and user_id:
        return Caller(None, user_id)
    return Caller(site.keys.of(key), user_id)


def require_secret(caller: Caller) -> None:
    """Refuses a caller without a secret key."""
    if not caller.is_secret:
        raise Failure(403, "secret_key_required", "This needs a secret key.", hint="Call it from the site's backend.")


def readable_ids(caller: Caller, user_id: str, anonymous_id: str, profile_id: str = "") -> list[IdKey]:
    """Returns the ids that the caller may have a decision for, the strongest first.

    A secret key may name anybody. A person token proves one user id. A browser's key speaks for an anonymous id alone;
    a user id without proof is ignored. A server source's key reads nothing.

    Raises:
        Failure: 403 when the token proves another user id than the request names.
    """
    user_id, anonymous_id = clean_id(user_id, "userId"), clean_id(anonymous_id, "anonymousId")
    profile_id = clean_id(profile_id, "profileId")
    if caller.user_id:
        if user_id and user_id != caller.user_id:
            raise Failure(403, "token_mismatch", "The person token proves another user id than the request names.")
        user_id = caller.user_id
    elif not caller.is_secret:
        user_id = ""
    if caller.access is not None and caller.access.kind == "server":
        return []
    if profile_id and user_id:
        return [IdKey(PROFILE_ID, f"{user_id}{SEPARATOR}{profile_id}")]
    keys = [IdKey(USER_ID, user_id)] if user_id else []
    return [*keys, IdKey(ANONYMOUS_ID, anonymous_id)] if anonymous_id else keys


def decoded(body: bytes, kind: type[Any]) -> Any:
    """Returns the body as a typed value.

    Raises:
        InvalidInput: it is not JSON or does not fit; the message names the field.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        try:
            # Perhaps it only writes whole numbers as 10.0: JSON knows one kind of number.
            return msgspec.convert(whole_numbers(msgspec.json.decode(body)), kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise InvalidInput(f"{error}.", hint="See the API document at /api/openapi.json.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"The body is not valid JSON: {error}.", code="invalid_body") from None


def whole_numbers(value: Any) -> Any:
    """Returns a JSON value in which every number without a fraction is an int.

    Example:
        >>> whole_numbers({"count": 10.0, "items": [1.5, "a"]})
        {'count': 10, 'items': [1.5, 'a']}
    """
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**63 else value
    if isinstance(value, dict):
        return {name: whole_numbers(part) for name, part in value.items()}
    return [whole_numbers(part) for part in value] if isinstance(value, list) else value
