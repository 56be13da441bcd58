"""The Segment HTTP API: bytes -> events and typed rejects. Bodies are read by their bytes, whatever their label says.

The usual delivery is decoded in one typed pass. Where that fails, each event is decoded alone, so that one bad event
never costs its neighbours. What is sent is always accepted or rejected: `len(events) + len(rejected)` is the size of
the batch.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from bespeak.errors import EventRejected, InvalidInput
from bespeak.intake.context import GeoIP
from bespeak.intake.text import NUL_ESCAPE, holds_nul
from bespeak.intake.times import format_time_ms
from bespeak.intake.wire import MAX_EVENT_BYTES, Conversion, SourceInfo, WireEvent, read_sent_ms
from bespeak.signals.events import Event, EventType

__all__ = [
    "BATCH_ROUTES",
    "ROUTES",
    "Decoded",
    "Rejected",
    "SourceInfo",
    "decode_batch",
    "decode_lines",
    "encode_event",
    "inflate",
    "peek_write_key",
]

# Last part of the path -> the type of the one event in the body; None: the body holds a batch.
ROUTES: dict[str, EventType | None] = {
    "batch": None,
    "b": None,
    "import": None,
    "t": "track",
    "track": "track",
    "p": "page",
    "page": "page",
    "i": "identify",
    "identify": "identify",
    "s": "screen",
    "screen": "screen",
    "g": "group",
    "group": "group",
    "a": "alias",
    "alias": "alias",
}
BATCH_ROUTES = frozenset(route for route, kind in ROUTES.items() if kind is None)

MAX_BODY_BYTES = 1 << 20
MAX_BATCH_EVENTS = 2_500
_GZIP_MAGIC = b"\x1f\x8b"
_TOKEN = re.compile(rb'("personToken"\s*:\s*)"[^"]*"?')


class Rejected(msgspec.Struct, frozen=True):
    """One event that was not taken in.

    Attributes:
        index: its place in the delivery, from 0.
        reason: typed code, for example `invalid_timestamp`.
        detail: one sentence without any value of the event.
        raw: its JSON as sent (person tokens blanked), cut at `MAX_EVENT_BYTES`.
    """

    index: int
    reason: str
    detail: str
    raw: bytes


class Decoded(msgspec.Struct, frozen=True):
    """One delivery, decoded.

    Attributes:
        events: the accepted ones, in the order sent.
        rejected: the others, in the order sent.
        write_key: the key in the body, or "".
        tokens: place in `events` -> person token that the event carried.
    """

    events: list[Event]
    rejected: list[Rejected]
    write_key: str = ""
    tokens: dict[int, str] = {}


class _WireBatch(msgspec.Struct, rename="camel"):
    batch: list[WireEvent]
    context: dict[str, Any] | None = None
    sent_at: Any = None
    write_key: Any = None


class _RawBatch(msgspec.Struct, rename="camel"):
    batch: list[msgspec.Raw]
    context: dict[str, Any] | None = None
    sent_at: Any = None
    write_key: Any = None


class _KeyOnly(msgspec.Struct, rename="camel"):
    write_key: Any = None


_batch_decoder = msgspec.json.Decoder(_WireBatch)
_raw_decoder = msgspec.json.Decoder(_RawBatch)
_event_decoder = msgspec.json.Decoder(WireEvent)
_key_decoder = msgspec.json.Decoder(_KeyOnly)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def inflate(body: bytes, content_encoding: str | None = None, *, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Returns the plain body; gzip is known by its first bytes, because some clients and proxies mislabel it.

    Raises:
        InvalidInput: `body_too_large` (also when it would only become so by unpacking: never more than `max_bytes` are
            unpacked), `unsupported_encoding`, or `invalid_body` for a broken archive.
    """
    if len(body) > max_bytes:
        raise _too_large(max_bytes)
    if not body.startswith(_GZIP_MAGIC):
        encoding = (content_encoding or "").strip().lower()
        if encoding not in ("", "identity", "gzip"):
            raise InvalidInput(
                "the body's encoding is not supported.", hint="Send plain JSON or gzip.", code="unsupported_encoding"
            )
        return body
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(body, max_bytes + 1)
    except zlib.error:
        raise InvalidInput("the gzip body is damaged.", code="invalid_body") from None
    if len(plain) > max_bytes:
        raise _too_large(max_bytes)
    if not unpacker.eof:
        raise InvalidInput("the gzip body is cut off.", code="invalid_body")
    return plain


def peek_write_key(body: bytes) -> str:
    """Returns the write key of a plain body without reading the rest, or "" (also for a body that is not JSON)."""
    try:
        key = _key_decoder.decode(body).write_key
    except _UNREADABLE:
        return ""
    return key if type(key) is str else ""


def decode_batch(
    body: bytes,
    *,
    route: str,
    received_ms: int,
    source: SourceInfo,
    header_gpc: bool = False,
    ip: str | None = None,
    user_agent: str | None = None,
    content_encoding: str | None = None,
    places: GeoIP | None = None,
    declared_keys: Collection[str] = (),
    max_bytes: int = MAX_BODY_BYTES,
    max_event_bytes: int = MAX_EVENT_BYTES,
    max_events: int = MAX_BATCH_EVENTS,
) -> Decoded:
    """Returns the events of one request.

    Args:
        route: last part of the path, a key of `ROUTES` (`batch`, `t`, `page`, …).
        received_ms: when the request came in.
        source: whose write key it was; decides what addresses and ids mean.
        header_gpc: the request carried `Sec-GPC: 1`.
        ip, user_agent: of the connection; neither is kept.
        declared_keys: context keys the project declares.
        max_bytes: of the unpacked body; max_event_bytes: of one event's JSON; max_events: of one batch.

    Raises:
        InvalidInput: the body as a whole cannot be used (not JSON, no `batch`, too large, too many events). Everything
            that is wrong with one event is in `rejected` instead.
    """
    if route not in ROUTES:
        raise InvalidInput(f"there is no route '{route}'.", hint=f"Routes: {', '.join(ROUTES)}.", code="unknown_route")
    body = inflate(body, content_encoding, max_bytes=max_bytes)
    conversion = Conversion(
        source=source,
        received_ms=received_ms,
        address=ip,
        user_agent=user_agent,
        is_gpc=header_gpc,
        is_historical=route == "import" or source.kind == "import",
        places=places,
        declared_keys=declared_keys,
    )
    kind = ROUTES[route]
    if kind is not None:
        return _decode_single(body, kind, conversion, max_event_bytes)
    if len(body) <= max_event_bytes and NUL_ESCAPE not in body:
        try:
            wire = _batch_decoder.decode(body)
        except _UNREADABLE:
            pass
        else:
            return _convert_all(wire, body, conversion, max_events)
    return _decode_one_by_one(body, conversion, max_events, max_event_bytes)


def decode_lines(
    lines: Sequence[bytes],
    *,
    received_ms: int,
    source: SourceInfo,
    places: GeoIP | None = None,
    declared_keys: Collection[str] = (),
    is_file: bool = False,
    max_event_bytes: int = MAX_EVENT_BYTES,
) -> Decoded:
    """Returns the events of lines of JSON, one Segment event each; `Rejected.index` counts lines from 0.

    Args:
        is_file: the lines may be read again: one without a message id gets a hash of its content alone.
    """
    conversion = Conversion(
        source=source,
        received_ms=received_ms,
        is_historical=source.kind == "import",
        is_file=is_file,
        places=places,
        declared_keys=declared_keys,
    )
    return _convert_raw(lines, None, conversion, "", max_event_bytes)


def encode_event(event: Event) -> dict[str, Any]:
    """Returns the event in the Segment shape that `decode_lines` reads back.

    The canonical time is the `timestamp`; context goes out as parsed, so what was not kept (address, agent) is missing.
    """
    context: dict[str, Any] = {}
    if event.external_ids:
        context["externalIds"] = [{"type": key.kind, "id": key.value} for key in event.external_ids]
    if event.context.consent is not None:
        context["consent"] = {"categoryPreferences": event.context.consent}
    if event.context.is_gpc:
        context["gpc"] = True
    for key in ("device", "os", "locale", "timezone", "country", "city", "library", "campaign", "page"):
        value = getattr(event.context, key)
        if value:
            context[key] = value
    context.update(event.context.declared)
    parts: dict[str, Any] = {
        "type": event.type,
        "messageId": event.message_id,
        "timestamp": format_time_ms(event.time_ms),
        "event" if event.type == "track" else "name": event.name,
        "userId": event.user_id,
        "anonymousId": event.anonymous_id,
        "previousId": event.previous_id,
        "groupId": event.group_id,
        "profileId": event.profile_id,
        "properties": event.properties,
        "traits": event.traits,
        "context": context,
    }
    return {key: value for key, value in parts.items() if value not in ("", {})}


def _decode_single(body: bytes, kind: EventType, conversion: Conversion, max_event_bytes: int) -> Decoded:
    try:
        fields = _key_decoder.decode(body)
    except _UNREADABLE:
        parsed = _tolerant(body)
        if not isinstance(parsed, dict):
            raise _not_an_object() from None
        fields = _KeyOnly(write_key=parsed.get("writeKey"))
    return _convert_raw([body], kind, conversion, fields.write_key, max_event_bytes)


def _decode_one_by_one(body: bytes, conversion: Conversion, max_events: int, max_event_bytes: int) -> Decoded:
    try:
        wire = _raw_decoder.decode(body)
        raws = [bytes(raw) for raw in wire.batch]
    except _UNREADABLE:
        parsed = _tolerant(body)
        if not isinstance(parsed, dict):
            raise _not_an_object() from None
        if not isinstance(parsed.get("batch"), list):
            raise InvalidInput('a batch needs "batch", a list of events.', code="invalid_body") from None
        context = parsed.get("context")
        wire = _RawBatch(
            [], context if isinstance(context, dict) else None, parsed.get("sentAt"), parsed.get("writeKey")
        )
        raws = [json.dumps(part, ensure_ascii=True).encode() for part in parsed["batch"]]
    _check_size(len(raws), max_events)
    conversion = msgspec.structs.replace(conversion, sent_ms=read_sent_ms(wire.sent_at), context=wire.context)
    return _convert_raw(raws, None, conversion, wire.write_key, max_event_bytes)


def _convert_all(wire: _WireBatch, body: bytes, conversion: Conversion, max_events: int) -> Decoded:
    _check_size(len(wire.batch), max_events)
    conversion = msgspec.structs.replace(conversion, sent_ms=read_sent_ms(wire.sent_at), context=wire.context)
    events: list[Event] = []
    rejected: list[Rejected] = []
    tokens: dict[int, str] = {}
    raws: list[msgspec.Raw] = []
    for index, part in enumerate(wire.batch):
        try:
            event, token = conversion.convert(part, None, index)
        except EventRejected as error:
            raws = raws or _raw_decoder.decode(body).batch
            rejected.append(_reject(index, error, bytes(raws[index])))
            continue
        if token:
            tokens[len(events)] = token
        events.append(event)
    return Decoded(events, rejected, wire.write_key if type(wire.write_key) is str else "", tokens)


def _convert_raw(
    raws: Sequence[bytes], kind: EventType | None, conversion: Conversion, write_key: Any, max_event_bytes: int
) -> Decoded:
    events: list[Event] = []
    rejected: list[Rejected] = []
    tokens: dict[int, str] = {}
    for index, raw in enumerate(raws):
        try:
            event, token = conversion.convert(_decode_event(raw, max_event_bytes), kind, index)
        except EventRejected as error:
            rejected.append(_reject(index, error, raw))
            continue
        if token:
            tokens[len(events)] = token
        events.append(event)
    return Decoded(events, rejected, write_key if type(write_key) is str else "", tokens)


def _decode_event(raw: bytes, max_event_bytes: int) -> WireEvent:
    if len(raw) > max_event_bytes:
        raise EventRejected(f"the event is larger than {max_event_bytes} bytes.", code="event_too_large")
    try:
        wire = _event_decoder.decode(raw)
    except msgspec.ValidationError as error:
        # names the field and the expected type, never the value
        raise EventRejected(f"{error}.", code="invalid_event") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _why_unreadable(raw) from None
    except RecursionError:
        raise EventRejected("nested too deeply.", code="too_deep") from None
    if NUL_ESCAPE in raw and holds_nul(msgspec.json.decode(raw)):
        raise EventRejected("text must not hold NUL characters.", code="invalid_text")
    return wire


def _why_unreadable(raw: bytes) -> EventRejected:
    if _tolerant(raw) is None:
        return EventRejected("not valid JSON.", code="invalid_json")
    if re.search(rb"\\u[dD][89a-fA-F]", raw):
        return EventRejected("text holds half a surrogate pair, which is no character.", code="invalid_text")
    return EventRejected("numbers must be finite: NaN and Infinity are not JSON.", code="invalid_number")


def _tolerant(body: bytes) -> Any:
    """Reads what Python's own encoder writes and JSON forbids (NaN, half surrogate pairs); None for what is no JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _reject(index: int, error: EventRejected, raw: bytes) -> Rejected:
    return Rejected(index, error.code, str(error), _TOKEN.sub(rb'\1""', raw)[:MAX_EVENT_BYTES])


def _check_size(n_events: int, max_events: int) -> None:
    if n_events > max_events:
        raise InvalidInput(
            f"the batch holds {n_events} events; at most {max_events} are allowed.",
            hint="Send smaller batches.",
            code="batch_too_large",
        )


def _too_large(max_bytes: int) -> InvalidInput:
    return InvalidInput(
        f"the body is larger than {max_bytes} bytes.", hint="Send smaller batches.", code="body_too_large"
    )


def _not_an_object() -> InvalidInput:
    return InvalidInput("the body is not a JSON object.", code="invalid_body")
