"""Events as Python dicts of the Segment shape: what `Engine.track` takes, and what an export writes."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from bespeak.errors import EventRejected
from bespeak.intake.segment import Decoded, Rejected, reject
from bespeak.intake.text import holds_nul
from bespeak.intake.wire import Conversion, SourceInfo, WireEvent
from bespeak.signals.events import Event


def decode_dicts(
    events: Sequence[Mapping[str, Any]],
    *,
    received_ms: int,
    source: SourceInfo,
    declared_keys: Collection[str] = (),
) -> Decoded:
    """Returns the events of dicts of the Segment shape; times may also be `datetime` objects.

    The dicts are not changed. What cannot be taken in is in `rejected`, as with a request.

    Example:
        >>> found = decode_dicts([{"type": "track", "event": "Product Viewed", "userId": "u1"}, {"type": "track"}],
        ...                      received_ms=1_700_000_000_000, source=SourceInfo(name="shop"))
        >>> found.events[0].name, found.rejected[0].reason
        ('Product Viewed', 'missing_name')
    """
    conversion = Conversion(
        source=source, received_ms=received_ms, is_historical=source.kind == "import", declared_keys=declared_keys
    )
    accepted: list[Event] = []
    rejected: list[Rejected] = []
    tokens: dict[int, str] = {}
    for index, raw in enumerate(events):
        try:
            event, token = conversion.convert(_as_wire(raw), None, index)
        except EventRejected as error:
            rejected.append(reject(index, error, json.dumps(raw, default=str).encode()))
            continue
        if token:
            tokens[len(accepted)] = token
        accepted.append(event)
    return Decoded(accepted, rejected, "", tokens)


def _as_wire(raw: Mapping[str, Any]) -> WireEvent:
    try:
        # through builtins, so that tuples, dates and numbers of other libraries become what JSON would carry
        plain = msgspec.to_builtins(raw, str_keys=True, enc_hook=str)
        wire = msgspec.convert(plain, WireEvent)
        msgspec.json.encode(plain)
    except (msgspec.ValidationError, UnicodeEncodeError, RecursionError) as error:
        detail = f"{error}." if isinstance(error, msgspec.ValidationError) else "the event cannot be written as JSON."
        raise EventRejected(detail, code="invalid_event") from None
    if holds_nul(plain):
        raise EventRejected("text must not hold NUL characters.", code="invalid_text")
    return wire


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
        "timestamp": event.time_ms,
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
