"""Plants markers in everything that a person leaves, erases the person, and looks for the markers in every file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bespeak.engine import Engine, Reject, WriteRequest
from bespeak.engine.logged.lake_feed import feed
from bespeak.engine.privacy.holders import table_holders
from bespeak.engine.project import create
from bespeak.storage.schema import TABLES
from bespeak.web.tokens import make_token_key

SCANNER = Path(__file__).with_name("scanning.py")
MARKERS = ["Marker-User-77x", "marker-device-77x", "marker77x@mail.example", "Marker-Trait-77x", "marker-claim-77x"]


@pytest.fixture
def project(tmp_path: Path, project_url: str) -> Path:
    create(tmp_path / "project", token_key=make_token_key(), settings={"storage": {"url": project_url}})
    return tmp_path / "project"


def rows_of(engine: Engine) -> Iterator[bytes]:
    """Every value of every table, blobs decoded."""
    with engine.core.store.read() as session:
        for table in TABLES:
            for row in session.rows(f"SELECT {', '.join(table.columns)} FROM {table.name}"):
                for value in row:
                    if isinstance(value, bytes):
                        yield value
                        try:
                            yield repr(msgspec.msgpack.decode(value)).encode()
                        except (msgspec.DecodeError, UnicodeDecodeError):
                            continue
                    else:
                        yield str(value).encode()


def left_in(engine: Engine) -> dict[str, list[str]]:
    """Returns marker -> files that hold it, raw or decoded, and "rows" when a table does; only markers found at all."""
    command = [sys.executable, str(SCANNER), str(engine.core.folder.root), *MARKERS]
    scanned = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    found: dict[str, list[str]] = json.loads(scanned.stdout)
    for value in rows_of(engine):
        for marker in MARKERS:
            if marker.encode() in value and "rows" not in found[marker]:
                found[marker].append("rows")
    return {marker: places for marker, places in found.items() if places}


def leave_traces(engine: Engine) -> None:
    """Everything that can hold something of a person, holds it."""
    uid, device, mail, trait, claim = MARKERS
    view: dict[str, Any] = {
        "type": "track",
        "event": "Product Viewed",
        "properties": {"product_id": "p1", "genre": "a"},
    }
    context = {"traits": {"email": mail}, "userAgent": "UA/1", "page": {"url": f"https://shop.example/?mail={mail}"}}
    engine.track(
        [
            {"type": "identify", "userId": uid, "anonymousId": device, "traits": {"email": mail, "nick": trait}},
            *({**view, "userId": uid, "context": context, "properties": {"product_id": f"p{n}"}} for n in range(30)),
            {"type": "track", "event": "Products Searched", "userId": uid, "properties": {"query": trait}},
            {"type": "alias", "userId": uid, "previousId": claim},
            *({**view, "userId": f"other{n}", "properties": {"product_id": f"p{n % 7}"}} for n in range(60)),
            {"type": "track", "event": "Product Viewed", "userId": uid, "timestamp": "not a time", "properties": {}},
        ],
        source="backend",
    )
    grants = {"categoryPreferences": {"personalize": True, "measure": True, "improve": True}}
    engine.track(
        [
            {
                "type": "identify",
                "userId": uid,
                "anonymousId": f"{device}-2",
                "traits": {"email": mail},
                "context": {"consent": grants},
            }
        ],
        source="web",
    )
    reject = Reject(received_ms=0, source="web", reason="invalid", detail="x", body=f'{{"userId":"{uid}"}}'.encode())
    engine.core.submit(WriteRequest(rejects=[reject])).result()
    engine.decide("home", user_id=uid, context={"page": {"url": mail}})
    feed(engine.core)
    engine.models.train()


def test_an_erased_person_leaves_no_trace_in_any_file(project: Path) -> None:
    with Engine.open(project) as engine:
        leave_traces(engine)
        engine.core.drain()
        assert left_in(engine).keys() == set(MARKERS), "every marker must be there before"
        receipt = engine.privacy.erase(MARKERS[0])
        assert {line.holder for line in receipt.lines} >= {"events", "profile", "lake", "decisions", "ids", "rejected"}
        assert left_in(engine) == {}
    with Engine.open(project) as engine:
        assert left_in(engine) == {}


def test_a_retried_event_does_not_bring_an_erased_person_back(project: Path) -> None:
    event = {"type": "track", "event": "Product Viewed", "userId": "u1", "messageId": "m1"}
    event |= {"properties": {"product_id": "p1"}}
    with Engine.open(project) as engine:
        engine.track([event], source="backend")
        engine.privacy.erase("u1")
        assert engine.track([event], source="backend").written.n_duplicate == 1
        assert engine.profiles.find("u1") is None


def test_erasing_leaves_everybody_else_and_the_counters_without_the_person(project: Path) -> None:
    view = {"type": "track", "event": "Product Viewed", "properties": {"product_id": "p1"}}
    with Engine.open(project) as engine:
        engine.track([{**view, "userId": "u1"}, {**view, "userId": "u2"}], source="backend")
        engine.privacy.erase("u1")
        with engine.core.store.read() as session:
            assert session.rows("SELECT sum(n) FROM item_counters") == [(1.0,)]
        assert engine.profiles.get("u2") is not None
        assert engine.profiles.differing() == []
        assert engine.privacy.erase("u1").n_removed() == 0


def test_every_table_with_somebodys_data_has_exactly_one_holder(project: Path) -> None:
    with Engine.open(project) as engine, engine.core.store.write() as tx:
        covered = [table for holder in table_holders(tx, engine.core.runtime.observer, []) for table in holder.tables]
    assert sorted(covered) == sorted(table.name for table in TABLES if table.subject != "none")


def test_an_export_holds_everything_in_readable_form(project: Path) -> None:
    with Engine.open(project) as engine:
        leave_traces(engine)
        engine.core.drain()
        text = msgspec.json.encode(engine.privacy.export(MARKERS[0])).decode()
    assert all(marker in text for marker in MARKERS)
