"""Answers: one JSON shape for errors, one place that knows status codes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from bespeak.errors import (
    BespeakError,
    InvalidInput,
    NotAllowed,
    Overloaded,
    StoreUnavailable,
    UnknownName,
)

Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

JSON_TYPE = (b"content-type", b"application/json")
_RESOURCES = frozenset({"placement", "page", "item"})
"""What has an address of its own; another name that does not exist makes the request wrong."""
_STATUS_OF_CODE = {"body_too_large": 413, "unsupported_encoding": 415}


class Answer(NamedTuple):
    """One JSON answer."""

    status: int
    body: bytes
    headers: Headers = []  # noqa: RUF012 - never changed


class ErrorBody(msgspec.Struct, frozen=True):
    """Every error: a stable word and a sentence that says what to do next."""

    code: str
    message: str


class Failure(BespeakError):
    """An error with a status of its own, for what only HTTP knows."""

    def __init__(self, status: int, code: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint, code=code)
        self.status = status


def status_of(error: BespeakError) -> int:
    """Returns the status code of an error."""
    if isinstance(error, Failure):
        return error.status
    if isinstance(error, NotAllowed):
        return 401
    if isinstance(error, UnknownName):
        return 404 if error.what in _RESOURCES else 400
    if isinstance(error, InvalidInput):
        return _STATUS_OF_CODE.get(error.code, 400)
    if isinstance(error, Overloaded):
        return 429
    return 503 if isinstance(error, StoreUnavailable) else 500


def error_body(error: BespeakError) -> bytes:
    """Returns the JSON body of an error."""
    return msgspec.json.encode(ErrorBody(error.code, str(error)))


def error_headers(error: BespeakError) -> Headers:
    """Returns what an error adds to the headers: when to try again, how to log in."""
    if isinstance(error, Overloaded):
        return [(b"retry-after", str(error.retry_after_seconds).encode())]
    if isinstance(error, StoreUnavailable):
        return [(b"retry-after", b"2")]
    if isinstance(error, NotAllowed):
        return [(b"www-authenticate", b'Basic realm="bespeak"')]
    return []


async def send_json(send: Send, status: int, body: bytes, headers: Headers) -> None:
    """Sends one JSON answer."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [JSON_TYPE, (b"content-length", str(len(body)).encode()), *headers],
        }
    )
    await send({"type": "http.response.body", "body": body})
