"""Properties of the event codec: nothing is lost, nothing but a typed refusal comes out of any bytes."""

from __future__ import annotations

import gzip
import json
import string
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bespeak.errors import InvalidInput
from bespeak.intake.segment import ROUTES, SourceInfo, decode_batch, decode_lines, encode_event
from bespeak.intake.times import EARLIEST_MS
from bespeak.signals.catalogue import SignalCatalogue
from bespeak.signals.events import EVENT_TYPES, MAX_AHEAD_MS, Context, Event
from bespeak.signals.ids import IdKey

CATALOGUE = SignalCatalogue.built_in()
RECEIVED_MS = 1_790_000_000_000
SERVER = SourceInfo(name="shop", kind="server")

text = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=20)
ids = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=20)
scalars = text | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=8
)
objects = st.dictionaries(text, values, max_size=6)
contexts = st.builds(
    Context,
    locale=st.just(""),
    consent=st.none() | st.dictionaries(text, st.booleans(), max_size=3),
    is_gpc=st.booleans(),
    campaign=st.dictionaries(st.sampled_from(["source", "medium", "name"]), text.filter(bool), max_size=3),
    country=st.sampled_from(["", "DE", "US"]),
    os=st.sampled_from(["", "Linux"]),
    device=st.sampled_from(["", "mobile", "tv"]),
    declared=st.dictionaries(st.just("mood"), scalars, max_size=1),
)


@st.composite
def events(draw: st.DrawFn) -> Event:
    kind = draw(st.sampled_from(EVENT_TYPES))
    is_named = kind in ("track", "page", "screen")
    user_id = draw(ids | st.just(""))
    time_ms = draw(st.integers(EARLIEST_MS, RECEIVED_MS))
    return Event(
        message_id=draw(ids),
        type=kind,
        time_ms=time_ms,
        original_ms=time_ms,
        received_ms=RECEIVED_MS,
        name=draw(text.filter(bool)) if is_named else "",
        user_id=user_id,
        anonymous_id=draw(ids if not user_id else ids | st.just("")),
        previous_id=draw(ids) if kind == "alias" else "",
        group_id=draw(ids) if kind == "group" else draw(ids | st.just("")),
        profile_id=draw(ids | st.just("")),
        external_ids=tuple(
            draw(st.lists(st.builds(IdKey, st.sampled_from(["crm", "email"]), ids), max_size=2, unique=True))
        ),
        properties=draw(objects) if is_named else {},
        traits=draw(objects),
        context=draw(contexts),
        source="shop",
        is_vouched=True,
    )


@given(st.lists(events(), max_size=4))
def test_an_event_that_goes_out_and_comes_in_again_is_the_same(sent: list[Event]) -> None:
    lines = [msgspec.json.encode(encode_event(event)) for event in sent]
    decoded = decode_lines(lines, received_ms=RECEIVED_MS, source=SERVER, declared_keys=["mood"])
    assert decoded.rejected == []
    assert decoded.events == sent


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = [
    "type",
    "event",
    "name",
    "category",
    "userId",
    "anonymousId",
    "previousId",
    "groupId",
    "messageId",
    "properties",
]
FIELDS += ["traits", "context", "timestamp", "originalTimestamp", "sentAt"]
wild_events = st.fixed_dictionaries(
    {"type": st.sampled_from([*EVENT_TYPES, "launch"]), "userId": ids | anything},
    optional={name: anything for name in FIELDS if name not in ("type", "userId")},
)


@given(st.lists(wild_events | anything, max_size=6), st.none() | anything, anything, st.booleans())
def test_what_is_sent_is_accepted_or_rejected(batch: list[Any], context: Any, sent_at: Any, is_browser: bool) -> None:
    body = json.dumps({"batch": batch, "sentAt": sent_at, "context": context if isinstance(context, dict) else None})
    source = SourceInfo(name="web", kind="browser" if is_browser else "server")
    decoded = decode_batch(body.encode(), route="batch", received_ms=RECEIVED_MS, source=source, ip="1.2.3.4")
    assert len(decoded.events) + len(decoded.rejected) == len(batch)
    assert all(line.reason and line.detail for line in decoded.rejected)
    for event in decoded.events:
        assert event.message_id
        assert EARLIEST_MS <= event.time_ms <= RECEIVED_MS + MAX_AHEAD_MS
        msgspec.json.encode(event)
        # whatever a client sends, the catalogue reads it without an error
        for signal in CATALOGUE.signals_of(event):
            assert signal.signal_class in CATALOGUE.classes
        CATALOGUE.event_facets(event)
        msgspec.json.encode(CATALOGUE.traits_of(event))
        CATALOGUE.exposures_of(event)


PROPERTY_NAMES = [
    "product_id",
    "sku",
    "price",
    "quantity",
    "currency",
    "revenue",
    "products",
    "rating",
    "position",
    "items",
]
PROPERTY_NAMES += [
    "total_length",
    "content_asset_ids",
    "decisionId",
    "category",
    "query",
    "scale",
    "answer",
    "subscribed",
]
KNOWN_NAMES = {name for spec in CATALOGUE.specs.values() for name in spec.events if name != "*"}
EVENT_NAMES = [*sorted(KNOWN_NAMES), "Unheard Of"]


@given(st.sampled_from(EVENT_NAMES), st.dictionaries(st.sampled_from(PROPERTY_NAMES), anything, max_size=8))
def test_no_property_of_any_shape_breaks_the_catalogue(name: str, properties: dict[str, Any]) -> None:
    event = Event(message_id="m", type="track", time_ms=0, received_ms=0, name=name, properties=properties)
    for signal in CATALOGUE.signals_of(event):
        assert abs(signal.strength) <= 10 or CATALOGUE.specs[signal.name].strength == signal.strength
        assert isinstance(signal.value_minor, int)
    CATALOGUE.event_facets(event)
    CATALOGUE.exposures_of(event)
    CATALOGUE.role_of(event)
    CATALOGUE.traits_of(event)


@given(st.binary(max_size=200), st.sampled_from(sorted(ROUTES)), st.booleans())
def test_any_bytes_give_a_typed_refusal_at_worst(body: bytes, route: str, is_packed: bool) -> None:
    sent = gzip.compress(body, mtime=0) if is_packed else body
    try:
        decoded = decode_batch(sent, route=route, received_ms=RECEIVED_MS, source=SERVER)
    except InvalidInput:
        return
    # random bytes are hardly ever an event, but they may be an object
    assert decoded.events == []
    assert all(line.reason and line.raw == body for line in decoded.rejected)


VALID = json.dumps(
    {"batch": [{"type": "track", "event": "E", "userId": "u", "properties": {"a": [1, "é", None]}}] * 2, "sentAt": 1}
).encode()


@given(st.integers(0, len(VALID) - 1), st.binary(min_size=0, max_size=3))
def test_a_batch_with_some_bytes_changed_is_decoded_or_refused(position: int, patch: bytes) -> None:
    body = VALID[:position] + patch + VALID[position + 1 :]
    try:
        decoded = decode_batch(body, route="batch", received_ms=RECEIVED_MS, source=SERVER)
    except InvalidInput:
        return
    assert len(decoded.events) + len(decoded.rejected) <= 2
    for event in decoded.events:
        msgspec.json.encode(event)


@pytest.mark.parametrize("lines", [[b""], [b"\xff"], [b"[" * 50_000], [b"null", b"{}"]])
def test_any_line_is_an_event_or_a_reject(lines: list[bytes]) -> None:
    decoded = decode_lines(lines, received_ms=RECEIVED_MS, source=SERVER)
    assert len(decoded.rejected) == len(lines)
