"""The JSON of one Segment-shaped event, and what becomes of it: checks, limits, canonical time, ids, context."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any, Literal

import msgspec

from bespeak.errors import EventRejected
from bespeak.intake.content import content_id
from bespeak.intake.context import GeoIP, read_context
from bespeak.intake.times import canonical_ms, parse_time_ms
from bespeak.signals.events import EVENT_TYPES, MAX_PROPERTIES, MAX_TRAITS, Context, Event, EventType
from bespeak.signals.ids import ANONYMOUS_ID, PROFILE_ID, USER_ID, IdKey, clean_id

SourceKind = Literal["browser", "server", "import"]

MAX_EVENT_BYTES = 32 * 1024
MAX_DEPTH = 10
MAX_NAME_CHARS = 255
MAX_EXTERNAL_IDS = 20
_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**64 - 1  # what the log can hold

_RESERVED_ID_KINDS = frozenset((USER_ID, ANONYMOUS_ID, PROFILE_ID))
_TYPES = frozenset(EVENT_TYPES)
_NAMED = frozenset(("page", "screen"))
_EMPTY: dict[str, Any] = {}
_NO_CONTEXT = Context()


class SourceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Where events come from.

    Attributes:
        name: the source's name, kept with each event.
        kind: `browser` (public key: the address of the connection is the person's, ids are claims), `server` (ids are
            confirmed, the address stands in the context) or `import` (ids are confirmed, times stand as given).
    """

    name: str
    kind: SourceKind = "server"


class WireEvent(msgspec.Struct, rename="camel", omit_defaults=True):
    """One event as the Segment family sends it. Fields that clients get wrong are untyped and checked one by one."""

    type: Any = None
    event: Any = None
    name: Any = None
    category: Any = None
    user_id: Any = None
    anonymous_id: Any = None
    previous_id: Any = None
    group_id: Any = None
    profile_id: Any = None
    message_id: Any = None
    properties: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    timestamp: Any = None
    original_timestamp: Any = None
    sent_at: Any = None
    write_key: Any = None


class Conversion(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one delivery that its events share.

    Attributes:
        sent_ms: the client's clock when it sent the batch, or None; an event's own `sentAt` goes before it.
        context: context of the batch; an event's own keys go before it.
        address, user_agent: of the connection; used for browser sources (or `context.direct`) and not kept.
        is_historical: times stand as given, whenever they were sent (imports).
        is_file: the events are lines of a file, which may be read again: equal lines without an id are one event.
    """

    source: SourceInfo
    received_ms: int
    sent_ms: int | None = None
    context: dict[str, Any] | None = None
    address: str | None = None
    user_agent: str | None = None
    is_gpc: bool = False
    is_historical: bool = False
    is_file: bool = False
    places: GeoIP | None = None
    declared_keys: Collection[str] = ()

    def convert(self, wire: WireEvent, route_type: EventType | None, index: int) -> tuple[Event, str]:
        """Returns the event and the person token it carried ("" for none); the token is not part of the event.

        Raises:
            EventRejected: with a typed code; the message holds no value of the event.
        """
        kind = route_type or wire.type
        if kind.__class__ is not str or kind not in _TYPES:
            raise EventRejected(f"type must be one of {', '.join(EVENT_TYPES)}.", code="unknown_type")
        properties, traits = wire.properties or _EMPTY, wire.traits or _EMPTY
        raw = wire.context
        if self.context:
            raw = {**self.context, **raw} if raw else dict(self.context)
        token = ""
        if raw:
            token_value = raw.pop("personToken", None)
            token = token_value if type(token_value) is str else ""
            traits = _with_hints(kind, raw, traits)
        properties = _checked(properties, "properties", MAX_PROPERTIES)
        traits = _checked(traits, "traits", MAX_TRAITS)
        if kind in _NAMED and type(wire.category) is str and wire.category:
            properties = {"category": wire.category, **properties}
        original_ms, sent_ms, time_ms = self._times(wire)
        user_id, anonymous_id = clean_id(wire.user_id, "userId"), clean_id(wire.anonymous_id, "anonymousId")
        context = raw or _EMPTY
        fields = Event(
            message_id=clean_id(wire.message_id, "messageId"),
            type=kind,
            time_ms=time_ms,
            received_ms=self.received_ms,
            name=_name(kind, wire, properties),
            user_id=user_id,
            anonymous_id=anonymous_id,
            previous_id=clean_id(wire.previous_id, "previousId") if wire.previous_id is not None else "",
            group_id=_optional_id(wire.group_id, context.get("groupId"), "groupId"),
            profile_id=_optional_id(wire.profile_id, context.get("profileId"), "profileId"),
            external_ids=_external_ids(context["externalIds"]) if "externalIds" in context else (),
            properties=properties,
            traits=traits,
            context=self._context(context, time_ms),
            source=self.source.name,
            is_vouched=self.source.kind != "browser",
            sent_ms=sent_ms,
            original_ms=original_ms,
        )
        _check_ids(fields)
        if not fields.message_id:
            fields = with_content_id(fields, None if self.is_file else index)
        return fields, token

    def _times(self, wire: WireEvent) -> tuple[int | None, int | None, int]:
        """Returns (original, sent, canonical)."""
        stated = wire.timestamp if self.is_historical else wire.original_timestamp
        other = wire.original_timestamp if self.is_historical else wire.timestamp
        chosen = stated if _is_given(stated) else other
        original_ms = parse_time_ms(chosen) if _is_given(chosen) else None
        sent_ms = self.sent_ms
        if _is_given(wire.sent_at):
            own = read_sent_ms(wire.sent_at)
            sent_ms = own if own is not None else sent_ms
        used = None if self.is_historical else sent_ms
        return original_ms, sent_ms, canonical_ms(original_ms, used, self.received_ms)

    def _context(self, raw: dict[str, Any], time_ms: int) -> Context:
        is_direct = self.source.kind == "browser" or raw.get("direct") is True
        address = self.address if is_direct else raw.get("ip")
        user_agent = self.user_agent if is_direct else None
        if not raw and not user_agent and not self.is_gpc and self.places is None:
            return _NO_CONTEXT
        if len(raw) == 1 and not user_agent and not self.is_gpc and not (address and self.places):
            library = raw.get("library")
            name = library.get("name") if library.__class__ is dict else None
            if name.__class__ is str:
                # what server libraries send with most events: one shared value
                return _library_context(name)
        return read_context(
            raw,
            time_ms=time_ms,
            address=address if type(address) is str else None,
            user_agent=user_agent,
            places=self.places,
            is_gpc=self.is_gpc,
            declared_keys=self.declared_keys,
        )


@lru_cache(maxsize=256)
def _library_context(name: str) -> Context:
    return read_context({"library": name}, time_ms=0)


def read_sent_ms(value: Any) -> int | None:
    """Returns a sending time, or None when it is missing or cannot be read: the events' own times then stand."""
    if not _is_given(value):
        return None
    try:
        return parse_time_ms(value)
    except EventRejected:
        return None


def with_content_id(event: Event, index: int | None) -> Event:
    """Returns the event with a hash of its content as message id.

    An event without a time of its own cannot be told from the next equal one, so its receipt and its place in the
    delivery count too: it is then never taken for a duplicate. With `index` None its content counts alone.
    """
    when: Any = event.original_ms
    if when is None and index is not None:
        when = (event.received_ms, index)
    message_id = content_id(
        event.source,
        event.type,
        event.name,
        (event.user_id, event.anonymous_id, event.previous_id, event.group_id, event.profile_id),
        event.external_ids,
        event.properties,
        event.traits,
        when,
    )
    return msgspec.structs.replace(event, message_id=message_id)


def _with_hints(kind: str, raw: dict[str, Any], traits: dict[str, Any]) -> dict[str, Any]:
    """Context traits belong to the person: an identify's own go before them; a group's own are the group's."""
    hints = raw.get("traits")
    if type(hints) is not dict or not hints or kind == "group":
        return traits
    return {**hints, **traits} if traits else hints


def _checked(values: dict[str, Any], what: str, limit: int) -> dict[str, Any]:
    if not values:
        return values
    if len(values) > limit:
        raise EventRejected(f"{what}: {len(values)} keys; at most {limit} are allowed.", code="too_many_properties")
    has_null = False
    for value in values.values():
        kind = value.__class__
        if value is None:
            has_null = True
        elif kind is int:
            if not _MIN_INTEGER <= value <= _MAX_INTEGER:
                raise _too_long()
        elif (kind is dict or kind is list) and _depth(value, MAX_DEPTH) > MAX_DEPTH:
            raise EventRejected(f"{what}: nested deeper than {MAX_DEPTH}.", code="too_deep")
    # a null property says nothing; a null trait is to be unset, so it stays
    if not has_null or what == "traits":
        return values
    return {key: value for key, value in values.items() if value is not None}


def _depth(value: Any, left: int) -> int:
    if left < 0 or not value:
        return 1
    deepest = 0
    for part in value.values() if value.__class__ is dict else value:
        kind = part.__class__
        if kind is dict or kind is list:
            deepest = max(deepest, _depth(part, left - 1))
        elif kind is int and not _MIN_INTEGER <= part <= _MAX_INTEGER:
            raise _too_long()
    return deepest + 1


def _too_long() -> EventRejected:
    return EventRejected("a whole number is longer than 64 bits.", hint="Send it as text.", code="invalid_number")


def _name(kind: str, wire: WireEvent, properties: dict[str, Any]) -> str:
    if kind == "track":
        name = wire.event
        if name.__class__ is not str or not name:
            raise EventRejected("a track needs `event`, its name, as text.", code="missing_name")
    elif kind in _NAMED:
        name = wire.name if wire.name is not None else properties.get("name")
        if name.__class__ is not str:
            return ""
    else:
        return ""
    if len(name) > MAX_NAME_CHARS:
        raise EventRejected(f"the name is longer than {MAX_NAME_CHARS} characters.", code="invalid_name")
    return str(name)


def _check_ids(event: Event) -> None:
    if not event.user_id and not event.anonymous_id and not event.external_ids:
        raise EventRejected("needs a userId or an anonymousId.", code="missing_id")
    if event.type == "group" and not event.group_id:
        raise EventRejected("a group needs a groupId.", code="missing_id")
    if event.type == "alias" and not event.previous_id:
        raise EventRejected("an alias needs a previousId.", code="missing_id")


def _optional_id(value: Any, other: Any, field: str) -> str:
    if value is None and other is None:
        return ""
    return clean_id(value, field) or clean_id(other, field)


def _external_ids(raw: Any) -> tuple[IdKey, ...]:
    if type(raw) is not list:
        return ()
    found = []
    for entry in raw[:MAX_EXTERNAL_IDS]:
        if type(entry) is not dict:
            continue
        kind, value = clean_id(entry.get("type"), "externalIds.type"), clean_id(entry.get("id"), "externalIds.id")
        # a kind of our own would let an external id pass for a user id
        if kind and value and kind not in _RESERVED_ID_KINDS:
            found.append(IdKey(kind, value))
    return tuple(dict.fromkeys(found))


def _is_given(value: Any) -> bool:
    return value is not None and value != ""
