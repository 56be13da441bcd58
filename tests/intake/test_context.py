"""Context: device, place, local time, referrer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bespeak.errors import ConfigError
from bespeak.intake.context import NO_PLACE, GeoIP, Place, local_time, read_context, referrer_class
from bespeak.intake.segment import SourceInfo, decode_batch
from bespeak.signals.events import Context


def mmdb_value(value: Any) -> bytes:
    """Encodes text, numbers, maps and lists in the MaxMind DB format (version 2.0)."""
    if isinstance(value, str):
        return bytes([2 << 5 | len(value)]) + value.encode()
    if isinstance(value, dict):
        return bytes([7 << 5 | len(value)]) + b"".join(mmdb_value(k) + mmdb_value(v) for k, v in value.items())
    if isinstance(value, list):
        return bytes([len(value), 4]) + b"".join(map(mmdb_value, value))
    if isinstance(value, tuple):  # (type, number): 5 is uint16, 6 uint32, 9 (extended) uint64
        kind, number = value
        n_bytes = {5: 2, 6: 4, 9: 8}[kind]
        head = bytes([kind << 5 | n_bytes]) if kind < 8 else bytes([n_bytes, kind - 7])
        return head + number.to_bytes(n_bytes, "big")
    raise TypeError(value)


@pytest.fixture
def places(tmp_path: Path) -> GeoIP:
    """A real database of one node: addresses whose first bit is 0 lie in Bonn, the others nowhere."""
    data = mmdb_value({"country": {"iso_code": "DE"}, "city": {"names": {"en": "Bonn"}}})
    left, right = 1 + 16, 1
    tree = left.to_bytes(3, "big") + right.to_bytes(3, "big")
    metadata = {"node_count": (6, 1), "record_size": (5, 24), "ip_version": (5, 4)}
    metadata |= {"database_type": "Test", "languages": ["en"]}
    metadata |= {"binary_format_major_version": (5, 2), "binary_format_minor_version": (5, 0), "build_epoch": (9, 1)}
    metadata |= {"description": {"en": "test"}}
    path = tmp_path / "places.mmdb"
    path.write_bytes(tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + mmdb_value(metadata))
    return GeoIP(path)


def test_an_address_becomes_country_and_city(places: GeoIP) -> None:
    assert places.place("88.1.2.3") == Place("DE", "Bonn")
    assert places.place("200.1.2.3") == NO_PLACE
    assert places.place("nonsense") == NO_PLACE
    assert places.place("::1") == NO_PLACE


@pytest.mark.parametrize(("kind", "city"), [("browser", "Bonn"), ("server", "")])
def test_the_connections_address_is_the_persons_for_browsers_only(places: GeoIP, kind: Any, city: str) -> None:
    body = b'{"event":"E","userId":"u"}'
    options: dict[str, Any] = {"route": "t", "received_ms": 1_700_000_000_000, "places": places, "ip": "88.1.2.3"}
    event = decode_batch(body, source=SourceInfo(name="s", kind=kind), **options).events[0]
    assert event.context.city == city
    direct = b'{"event":"E","userId":"u","context":{"direct":true,"ip":"200.1.1.1"}}'
    assert decode_batch(direct, source=SourceInfo(name="s", kind=kind), **options).events[0].context.city == "Bonn"


def test_a_server_states_the_persons_address_in_the_context(places: GeoIP) -> None:
    body = b'{"event":"E","userId":"u","context":{"ip":"88.1.2.3"}}'
    event = decode_batch(
        body, route="t", received_ms=1_700_000_000_000, places=places, ip="200.1.1.1", source=SourceInfo(name="s")
    ).events[0]
    assert (event.context.country, event.context.city) == ("DE", "Bonn")


def test_a_file_that_is_no_database_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "x.mmdb").write_text("nothing")
    for name in ("x.mmdb", "missing.mmdb"):
        with pytest.raises(ConfigError, match=r"\.mmdb file"):
            GeoIP(tmp_path / name)


def test_a_decisions_flat_context_is_read() -> None:
    context = read_context({"device": "mobile", "locale": "de-DE", "country": "DE", "mood": "calm"}, time_ms=0)
    assert (context.device, context.language, context.country) == ("mobile", "de", "DE")
    assert context.declared == {}


@pytest.mark.parametrize(
    "raw",
    [
        {"locale": 5, "timezone": [], "page": "x", "campaign": 1, "device": {"type": 9}, "os": 3, "library": 4},
        {
            "userAgent": 7,
            "consent": "all",
            "location": [],
            "country": {},
            "userAgentData": "x",
            "timezone": "\x00/../x",
        },
    ],
)
def test_a_field_of_a_wrong_type_is_left_out(raw: dict[str, Any]) -> None:
    context = read_context(raw, time_ms=0)
    assert context in (Context(), Context(timezone="\x00/../x"))


def test_the_local_hour_follows_daylight_saving() -> None:
    july, january = 1_720_008_000_000, 1_704_164_400_000
    assert local_time("Europe/Berlin", july) == (14, 2)
    assert local_time("Europe/Berlin", january) == (4, 1)
    assert local_time("../etc/passwd", january) == (-1, -1)


@pytest.mark.parametrize(
    ("referrer", "expected"),
    [
        ("", "direct"),
        ("https://www.bing.com/search?q=x", "search"),
        ("https://duckduckgo.com", "search"),
        ("https://l.facebook.com/", "social"),
        ("https://t.co/x", "social"),
        ("https://mail.google.com/", "email"),
        ("https://shop.test/other", "internal"),
        ("https://blog.example.org/", "other"),
        ("android-app://com.x", "other"),
        ("http://[broken", "other"),
    ],
)
def test_a_referrer_has_a_class(referrer: str, expected: str) -> None:
    assert referrer_class(referrer, "https://www.shop.test/a") == expected
