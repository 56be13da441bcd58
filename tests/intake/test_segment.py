"""The Segment HTTP API: what the clients really send (structures of recorded exchanges, written by hand), and abuse."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from bespeak.errors import InvalidInput
from bespeak.intake.segment import (
    ROUTES,
    Decoded,
    SourceInfo,
    decode_batch,
    decode_lines,
    encode_event,
    inflate,
    peek_write_key,
)
from bespeak.intake.times import parse_time_ms
from bespeak.signals.events import MAX_AHEAD_MS, Event
from bespeak.signals.ids import IdKey

RECEIVED_MS = parse_time_ms("2026-11-22T12:33:42.600Z")
SERVER = SourceInfo(name="shop", kind="server")
BROWSER = SourceInfo(name="web", kind="browser")
IMPORT = SourceInfo(name="old", kind="import")
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"


def send(
    *events: Any,
    route: str = "batch",
    source: SourceInfo = SERVER,
    sent_at: Any = None,
    batch: Any = None,
    **options: Any,
) -> Decoded:
    body = {"batch": list(events), "writeKey": "WK", **(batch or {})} if ROUTES[route] is None else events[0]
    if sent_at is not None:
        body["sentAt"] = sent_at
    return decode_batch(
        json.dumps(body).encode(), route=route, source=source, **{"received_ms": RECEIVED_MS, **options}
    )


def accept(event: Any, **options: Any) -> Event:
    decoded = send(event, **options)
    assert decoded.rejected == []
    return decoded.events[0]


def track(**fields: Any) -> dict[str, Any]:
    return {"type": "track", "event": "E", "userId": "u1", "messageId": "m1", **fields}


# -- what the clients send --


def test_the_python_clients_batch_of_six_types_is_understood() -> None:
    context = {"library": {"name": "analytics-python", "version": "2.4.0"}}
    common = {"integrations": {}, "timestamp": "2026-11-22T12:33:42.053+00:00", "context": context}
    decoded = send(
        {
            **common,
            "type": "identify",
            "userId": "u1",
            "anonymousId": None,
            "traits": {"plan": "pro"},
            "messageId": "1",
        },
        {
            **common,
            "type": "track",
            "event": "Product Added",
            "userId": "u1",
            "anonymousId": None,
            "properties": {"product_id": "p1", "price": 9.9},
            "timestamp": "2024-01-02T03:04:05.000+00:00",
            "messageId": "2",
        },
        {
            **common,
            "type": "page",
            "anonymousId": "anon1",
            "userId": None,
            "category": "Docs",
            "name": "Home",
            "properties": {"url": "https://x.test/"},
            "messageId": "3",
        },
        {**common, "type": "screen", "anonymousId": "anon1", "category": None, "name": "Main", "messageId": "4"},
        {**common, "type": "group", "groupId": "g1", "userId": "u1", "traits": {"name": "ACME"}, "messageId": "5"},
        {**common, "type": "alias", "previousId": "anon1", "userId": "u1", "anonymousId": None, "messageId": "6"},
        sent_at="2026-11-22T12:33:42.553956+00:00",
    )
    assert decoded.rejected == []
    assert decoded.write_key == "WK"
    identify, added, page, screen, group, alias = decoded.events
    assert (identify.user_id, identify.anonymous_id, identify.traits) == ("u1", "", {"plan": "pro"})
    assert (added.name, added.properties) == ("Product Added", {"product_id": "p1", "price": 9.9})
    assert added.time_ms == RECEIVED_MS - (added.sent_ms or 0) + parse_time_ms("2024-01-02T03:04:05Z")
    assert (page.name, page.properties) == ("Home", {"category": "Docs", "url": "https://x.test/"})
    assert (screen.name, screen.properties) == ("Main", {})
    assert (group.group_id, group.traits) == ("g1", {"name": "ACME"})
    assert (alias.user_id, alias.previous_id) == ("u1", "anon1")
    assert all(event.is_vouched and event.source == "shop" for event in decoded.events)
    assert page.context.library == "analytics-python"


def test_the_browser_clients_single_page_is_understood() -> None:
    properties = {"path": "/shop/a", "referrer": "", "title": "Shop A", "url": "http://x.test/shop/a?utm_source=nl"}
    event = accept(
        {
            "timestamp": "2026-11-22T12:33:42.000Z",
            "integrations": {},
            "type": "page",
            "properties": {**properties, "name": "Home", "category": "Docs"},
            "context": {
                "page": properties,
                "userAgent": FIREFOX,
                "userAgentData": {"mobile": False, "platform": "Linux"},
                "locale": "de-DE",
                "library": {"name": "analytics.js", "version": "npm:next-1.84.3"},
                "campaign": {"source": "nl", "medium": "email", "name": "spring"},
                "timezone": "Europe/Berlin",
            },
            "messageId": "ajs-next-1",
            "anonymousId": "a1",
            "writeKey": "WK",
            "userId": None,
            "sentAt": "2026-11-22T12:33:42.159Z",
            "_metadata": {"bundled": ["Segment.io"]},
        },
        route="p",
        source=BROWSER,
    )
    assert (event.type, event.name, event.properties["category"]) == ("page", "Home", "Docs")
    assert (event.anonymous_id, event.user_id, event.is_vouched) == ("a1", "", False)
    context = event.context
    assert (context.device, context.os, context.browser, context.is_bot) == ("desktop", "Linux", "Firefox", False)
    assert (context.locale, context.language, context.timezone) == ("de-DE", "de", "Europe/Berlin")
    assert (context.local_hour, context.local_weekday) == (13, 6)
    assert context.campaign == {"source": "nl", "medium": "email", "name": "spring"}
    assert context.referrer_class == "email"
    assert event.time_ms == RECEIVED_MS - 159


@pytest.mark.parametrize(
    ("route", "kind"), [("t", "track"), ("i", "identify"), ("s", "screen"), ("a", "alias"), ("track", "track")]
)
def test_the_route_of_a_single_event_is_its_type(route: str, kind: str) -> None:
    event = accept({"event": "E", "userId": "u1", "previousId": "a1", "writeKey": "WK"}, route=route)
    assert event.type == kind
    assert send({"event": "E", "userId": "u1", "previousId": "p", "writeKey": "WK"}, route=route).write_key == "WK"


def test_gzip_is_read_whatever_the_label_says() -> None:
    body = gzip.compress(json.dumps({"batch": [track()]}).encode())
    for encoding in ("gzip", None, "identity"):
        decoded = decode_batch(body, route="batch", source=SERVER, received_ms=RECEIVED_MS, content_encoding=encoding)
        assert decoded.events[0].user_id == "u1"


def test_null_is_absent_and_numeric_ids_become_text() -> None:
    event = accept(
        {"type": "track", "event": "E", "userId": 42, "anonymousId": None, "properties": None, "traits": None}
    )
    assert (event.user_id, event.anonymous_id, event.properties) == ("42", "", {})
    assert accept(track(properties={"a": None, "b": 1})).properties == {"b": 1}


def test_identify_traits_are_read_at_the_top_and_in_the_context() -> None:
    rudder = {"type": "identify", "userId": "u1", "context": {"traits": {"plan": "pro", "age": 30}}}
    assert accept(rudder).traits == {"plan": "pro", "age": 30}
    assert accept({**rudder, "traits": {"plan": "free", "gone": None}}).traits == {
        "plan": "free",
        "age": 30,
        "gone": None,
    }


def test_context_traits_of_a_track_are_a_hint_and_those_of_a_group_are_not_the_groups() -> None:
    assert accept(track(context={"traits": {"email": "a@x.test"}})).traits == {"email": "a@x.test"}
    group = {"type": "group", "userId": "u1", "groupId": "g", "context": {"traits": {"email": "a@x.test"}}}
    assert accept(group).traits == {}


def test_the_group_may_stand_in_the_context() -> None:
    assert accept(track(context={"groupId": "g1"})).group_id == "g1"


def test_context_and_sending_time_of_the_batch_hold_where_the_event_has_none() -> None:
    decoded = send(
        track(context={"locale": "de-DE"}), track(), batch={"context": {"locale": "en-GB", "timezone": "UTC"}}
    )
    assert [event.context.locale for event in decoded.events] == ["de-DE", "en-GB"]
    assert [event.context.timezone for event in decoded.events] == ["UTC", "UTC"]


def test_an_events_own_sending_time_goes_before_the_batchs() -> None:
    event = accept(
        track(originalTimestamp="2026-11-22T12:00:00Z", sentAt="2026-11-22T12:00:10Z"), sent_at="2026-11-22T11:00:00Z"
    )
    assert event.time_ms == RECEIVED_MS - 10_000


def test_external_ids_are_kept_but_cannot_pass_for_user_ids() -> None:
    ids = [
        {"id": "i1", "type": "ios.id", "collection": "users", "encoding": "none"},
        {"id": 7, "type": "crm"},
        {"id": "victim", "type": "user_id"},
        {"type": "crm"},
        "nonsense",
    ]
    event = accept(track(context={"externalIds": ids}))
    assert event.external_ids == (IdKey("ios.id", "i1"), IdKey("crm", "7"))


def test_a_household_profile_is_read() -> None:
    assert accept(track(profileId="kids")).profile_id == "kids"
    assert accept(track(context={"profileId": 2})).profile_id == "2"


# -- consent, tokens, addresses --


def test_consent_is_what_the_event_says_and_empty_preferences_grant_nothing() -> None:
    def consent(value: Any) -> dict[str, bool] | None:
        return accept(track(context={"consent": value})).context.consent

    assert consent({"categoryPreferences": {"Advertising": False, "Analytics": True, "Odd": "yes"}}) == {
        "Advertising": False,
        "Analytics": True,
        "Odd": False,
    }
    assert consent({"categoryPreferences": {}}) == {}
    assert consent({}) is None
    assert consent(None) is None


def test_global_privacy_control_is_kept_with_every_event() -> None:
    assert [event.context.is_gpc for event in send(track(), track(), header_gpc=True).events] == [True, True]
    assert accept(track()).context.is_gpc is False


def test_a_person_token_is_taken_out_and_stays_nowhere() -> None:
    decoded = send(
        {"type": "nonsense", "context": {"personToken": "SECRET-1"}},
        track(),
        track(context={"personToken": "SECRET-2", "locale": "de"}),
        track(context={"personToken": ["SECRET-3"]}),
    )
    assert decoded.tokens == {1: "SECRET-2"}
    assert "SECRET" not in str(decoded.events)
    assert b"SECRET" not in decoded.rejected[0].raw


def test_a_token_of_the_batch_counts_for_each_event() -> None:
    decoded = send(track(), track(context={"locale": "de"}), batch={"context": {"personToken": "T"}})
    assert decoded.tokens == {0: "T", 1: "T"}


def test_neither_address_nor_user_agent_stays_in_an_event() -> None:
    context = {"ip": "203.0.113.7", "userAgent": FIREFOX, "locale": "de-DE"}
    for source in (SERVER, BROWSER):
        event = accept(track(context=context), source=source, ip="198.51.100.9", user_agent=FIREFOX + " Connection/1")
        assert "203.0.113.7" not in str(event)
        assert "198.51.100.9" not in str(event)
        assert "Gecko" not in str(event)
        assert "Connection" not in str(event)


def test_the_connections_user_agent_counts_for_browsers_only() -> None:
    assert accept(track(), source=BROWSER, user_agent=FIREFOX).context.browser == "Firefox"
    assert accept(track(), source=SERVER, user_agent="python-requests/2").context.is_bot is False


def test_declared_context_keys_pass_through() -> None:
    event = accept(track(context={"mood": "calm", "weather": {"c": 3}, "other": 1}), declared_keys=("mood", "weather"))
    assert event.context.declared == {"mood": "calm", "weather": {"c": 3}}


# -- time --


def test_a_clock_that_is_a_year_off_is_corrected() -> None:
    event = accept(track(timestamp="2025-11-22T12:33:00Z"), sent_at="2025-11-22T12:33:30Z")
    assert event.time_ms == RECEIVED_MS - 30_000
    assert event.original_ms == parse_time_ms("2025-11-22T12:33:00Z")


def test_a_clock_that_was_never_set_is_corrected_too() -> None:
    assert (
        accept(track(timestamp="1970-01-01T00:00:10Z"), sent_at="1970-01-01T00:00:40Z").time_ms == RECEIVED_MS - 30_000
    )


def test_a_missing_time_is_the_receipt() -> None:
    assert accept(track(), sent_at="2026-11-22T12:00:00Z").time_ms == RECEIVED_MS
    assert accept(track(timestamp=None)).time_ms == RECEIVED_MS


def test_without_a_sending_time_the_original_stands_but_not_in_the_future() -> None:
    assert accept(track(timestamp="2024-01-02T03:04:05Z")).time_ms == parse_time_ms("2024-01-02T03:04:05Z")
    assert accept(track(timestamp="2031-01-01T00:00:00Z")).time_ms == RECEIVED_MS + MAX_AHEAD_MS


def test_a_sending_time_that_cannot_be_read_is_as_none() -> None:
    event = accept(track(timestamp="2024-01-02T03:04:05Z"), sent_at="whenever")
    assert event.time_ms == parse_time_ms("2024-01-02T03:04:05Z")


@pytest.mark.parametrize("bad", ["soon", "1815-12-10T00:00:00Z", True, [], {}, 0, "2024-13-01T00:00:00Z"])
def test_an_absurd_time_is_rejected(bad: Any) -> None:
    decoded = send(track(timestamp=bad), track())
    assert [line.reason for line in decoded.rejected] == ["invalid_timestamp"]
    assert len(decoded.events) == 1


def test_imports_keep_their_times_whenever_they_were_sent() -> None:
    line = track(
        timestamp="2020-05-05T05:05:05Z", originalTimestamp="2020-05-05T05:05:09Z", sentAt="2020-05-06T00:00:00Z"
    )
    decoded = decode_lines([json.dumps(line).encode()], received_ms=RECEIVED_MS, source=IMPORT)
    assert decoded.events[0].time_ms == parse_time_ms("2020-05-05T05:05:05Z")
    assert accept(line, route="import").time_ms == parse_time_ms("2020-05-05T05:05:05Z")


# -- message ids --


def test_an_event_without_message_id_gets_one_from_its_content() -> None:
    timed = {"type": "track", "event": "E", "userId": "u1", "timestamp": "2026-11-22T12:00:00Z"}
    first, second, other = send(timed, timed, {**timed, "properties": {"a": 1}}).events
    assert first.message_id == second.message_id != other.message_id
    assert len(first.message_id) == 32
    later = accept(timed, received_ms=RECEIVED_MS + 60_000)
    assert later.message_id == first.message_id
    assert accept(timed, source=BROWSER).message_id != first.message_id


def test_two_equal_events_without_id_and_time_are_two_events() -> None:
    untimed = {"type": "track", "event": "E", "userId": "u1"}
    first, second = send(untimed, untimed).events
    assert first.message_id != second.message_id


# -- rejects --

DEEP: Any = "bottom"
for _ in range(12):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (7, "invalid_event"),
        (None, "invalid_event"),
        ({}, "unknown_type"),
        ({"type": "launch", "userId": "u"}, "unknown_type"),
        ({"type": ["track"], "userId": "u"}, "unknown_type"),
        ({"type": "track", "userId": "u"}, "missing_name"),
        ({"type": "track", "event": 5, "userId": "u"}, "missing_name"),
        ({"type": "track", "event": "x" * 300, "userId": "u"}, "invalid_name"),
        ({"type": "track", "event": "E"}, "missing_id"),
        ({"type": "track", "event": "E", "userId": ""}, "missing_id"),
        ({"type": "group", "userId": "u"}, "missing_id"),
        ({"type": "alias", "userId": "u"}, "missing_id"),
        (track(userId={"id": 1}), "invalid_id"),
        (track(userId=True), "invalid_id"),
        (track(userId=1.5), "invalid_id"),
        (track(userId="ü" * 200), "invalid_id"),
        (track(messageId="m" * 300), "invalid_id"),
        (track(properties=[1]), "invalid_event"),
        (track(properties={"a": DEEP}), "too_deep"),
        (track(properties={f"k{i}": i for i in range(201)}), "too_many_properties"),
        (track(properties={"a": "x" * 33_000}), "event_too_large"),
        (track(properties={"a": "nul \x00"}), "invalid_text"),
        (track(userId="u\x00"), "invalid_text"),
        (track(properties={"\x00": 1}), "invalid_text"),
        (track(properties={"a": "\ud800"}), "invalid_text"),
        (track(properties={"a": float("nan")}), "invalid_number"),
        (track(properties={"a": float("-inf")}), "invalid_number"),
        (track(properties={"a": 10**30}), "invalid_number"),
        (track(properties={"products": [{"price": -(10**30)}]}), "invalid_number"),
        (track(timestamp=1e26), "invalid_timestamp"),
    ],
)
def test_one_bad_event_is_rejected_with_its_reason_and_costs_no_neighbour(event: Any, reason: str) -> None:
    decoded = send(track(messageId="before"), event, track(messageId="after"))
    assert [good.message_id for good in decoded.events] == ["before", "after"]
    [bad] = decoded.rejected
    assert (bad.index, bad.reason) == (1, reason)
    assert bad.detail.endswith((".", ")"))
    assert bad.raw[:20] in (b"7", b"null", b"{}") or bad.raw.startswith(b'{"type"')


def test_a_number_too_large_for_a_float_costs_its_own_event_only() -> None:
    body = (
        b'{"batch":[{"type":"track","event":"E","userId":"u","properties":{"a":1e999}},{"type":"page","userId":"u"}]}'
    )
    decoded = decode_batch(body, route="batch", source=SERVER, received_ms=RECEIVED_MS)
    assert ([line.reason for line in decoded.rejected], len(decoded.events)) == (["invalid_event"], 1)


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert accept(track(properties={"a": "\\u0000"})).properties == {"a": "\\u0000"}


def test_a_key_that_comes_twice_counts_the_last_time() -> None:
    body = b'{"batch":[{"type":"track","event":"A","event":"B","userId":"u"}]}'
    assert decode_batch(body, route="batch", source=SERVER, received_ms=RECEIVED_MS).events[0].name == "B"


def test_a_legal_batch_larger_than_one_event_may_be_is_taken() -> None:
    events = [track(messageId=f"m{i}", properties={"pad": "x" * 1_000}) for i in range(400)]
    decoded = send(*events)
    assert (len(decoded.events), decoded.rejected) == (400, [])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_body"),
        (b"nonsense", "invalid_body"),
        (b"[]", "invalid_body"),
        (b"{}", "invalid_body"),
        (b'{"batch": 5}', "invalid_body"),
        (b'"text"', "invalid_body"),
        (b"\xff\xfe", "invalid_body"),
        (b'{"batch":' + b"[" * 100_000, "invalid_body"),
        (b"\x1f\x8bbroken", "invalid_body"),
        (gzip.compress(b'{"batch": []}' * 50, mtime=0)[:-9], "invalid_body"),
        (b" " * (2 << 20), "body_too_large"),
        (gzip.compress(b" " * (64 << 20), mtime=0), "body_too_large"),
    ],
)
def test_a_body_that_is_no_batch_at_all_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode_batch(body, route="batch", source=SERVER, received_ms=RECEIVED_MS)
    assert caught.value.code == code


@pytest.mark.parametrize("body", [b"", b"x", b"[1]", b'"t"', b"5"])
def test_a_single_event_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput, match="not a JSON object"):
        decode_batch(body, route="t", source=SERVER, received_ms=RECEIVED_MS)


def test_a_single_event_with_one_bad_number_is_a_reject_with_its_key() -> None:
    decoded = decode_batch(
        b'{"event":"E","userId":"u","writeKey":"WK","properties":{"a":NaN}}',
        route="t",
        source=SERVER,
        received_ms=RECEIVED_MS,
    )
    assert ([line.reason for line in decoded.rejected], decoded.write_key) == (["invalid_number"], "WK")


def test_more_events_than_a_batch_may_hold_are_refused_before_any_is_taken() -> None:
    with pytest.raises(InvalidInput, match=r"3 events; at most 2"):
        send(track(), track(), track(), max_events=2)


def test_an_unknown_route_and_an_unknown_encoding_are_refused() -> None:
    with pytest.raises(InvalidInput, match="no route 'z'"):
        decode_batch(b"{}", route="z", source=SERVER, received_ms=RECEIVED_MS)
    with pytest.raises(InvalidInput, match="encoding"):
        inflate(b"{}", "br")


def test_the_write_key_can_be_read_before_the_source_is_known() -> None:
    assert peek_write_key(b'{"batch":[{"type":1}],"writeKey":"WK"}') == "WK"
    assert [peek_write_key(body) for body in (b"{}", b'{"writeKey":5}', b"x", b"[]")] == ["", "", "", ""]


def test_an_event_goes_out_in_the_shape_it_came_in() -> None:
    event = accept(track(properties={"a": 1}, timestamp="2026-11-22T12:00:00.123Z"))
    out = encode_event(event)
    assert out == {
        "type": "track",
        "messageId": "m1",
        "timestamp": "2026-11-22T12:00:00.123Z",
        "event": "E",
        "userId": "u1",
        "properties": {"a": 1},
    }
