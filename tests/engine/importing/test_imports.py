"""Imports: resumable, never twice, bad lines by number, the write path's own rejects counted."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from bespeak.engine.engine import Engine
from bespeak.engine.importing import imports
from bespeak.engine.importing.imports import import_file, import_key, open_file
from bespeak.engine.importing.rejects import list_rejects, replay_rejects
from bespeak.engine.project import create
from bespeak.errors import InvalidInput, UnknownName
from bespeak.intake.columns import parse_mapping
from bespeak.storage.tables import log

MAP = parse_mapping("user=user,item=item,timestamp=time")


@pytest.fixture
def engine(tmp_path):
    create(tmp_path / "p", token_key=("private", ""))
    with Engine.open(tmp_path / "p") as engine:
        yield engine


@pytest.fixture
def events_file(tmp_path) -> Path:
    lines = ["user,item,time", *(f"u{i % 40},p{i % 25},{1_760_000_000 + i}" for i in range(1_000))]
    path = tmp_path / "events.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(imports, "BATCH_ROWS", 50)
    monkeypatch.setattr(imports, "REMEMBER_EVERY", 2)


def count(engine: Engine) -> int:
    with engine.core.store.read() as session:
        return log.count(session)


def test_every_row_comes_in_once_and_a_second_run_reads_nothing(engine, events_file, small_batches):
    told: list[tuple[int, int, int]] = []
    report = import_file(
        engine.core, open_file(engine.core, events_file, "events", mapping=MAP), progress=lambda *a: told.append(a)
    )
    assert (report.n_rows, report.accepted, report.duplicate, report.rejected) == (1_000, 1_000, 0, 0)
    assert told[-1][2] == 1_000
    assert told[-1][0] == told[-1][1] == events_file.stat().st_size
    again = import_file(engine.core, open_file(engine.core, events_file, "events", mapping=MAP))
    assert (again.was_done, again.n_rows) == (True, 0)
    forced = import_file(engine.core, open_file(engine.core, events_file, "events", mapping=MAP), is_again=True)
    assert (forced.accepted, forced.duplicate) == (0, 1_000)
    assert count(engine) == 1_000


def test_an_interrupted_import_goes_on_behind_its_last_durable_batch(engine, events_file, small_batches):
    def stop(_done: int, _total: int, n_rows: int) -> None:
        if n_rows >= 500:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_file(engine.core, open_file(engine.core, events_file, "events", mapping=MAP), progress=stop)
    assert count(engine) == 500
    report = import_file(engine.core, open_file(engine.core, events_file, "events", mapping=MAP))
    assert report.resumed_after == 501
    assert (report.accepted, report.duplicate) == (500, 0)
    assert count(engine) == 1_000


def test_a_file_mended_in_the_middle_is_read_again(engine, events_file):
    text = events_file.read_text()
    events_file.write_text(text.replace("u7,p7,1760000007", "u7,p7,176000000x"))
    first = import_file(engine.core, open_file(engine.core, events_file, "events", mapping=MAP))
    assert (first.accepted, first.rejected) == (999, 1)
    assert [line.line_number for line in first.rejects] == [9]
    events_file.write_text(text)
    second = import_file(engine.core, open_file(engine.core, events_file, "events", mapping=MAP))
    assert (second.accepted, second.duplicate) == (1, 999)


def test_the_key_is_of_the_content_and_of_how_it_is_read(engine, events_file, tmp_path):
    copy = tmp_path / "copy.csv"
    copy.write_bytes(events_file.read_bytes())
    other = parse_mapping("user=user,item=item")

    def key(path: Path, mapping: object = MAP) -> bytes:
        return import_key(open_file(engine.core, path, "events", mapping=mapping))  # type: ignore[arg-type]

    assert key(events_file) == key(copy)
    assert key(events_file) != key(events_file, other)
    copy.write_bytes(events_file.read_bytes() + b"u1,p1,1760009999\n")
    assert key(events_file) != key(copy)


def test_what_the_write_path_refuses_is_counted_and_can_be_replayed(engine, tmp_path):
    path = tmp_path / "blocked.csv"
    path.write_text("user,item,time\nundefined,p1,1760000000\nu1,p1,1760000001\n")
    report = import_file(engine.core, open_file(engine.core, path, "events", mapping=MAP))
    assert report.accepted + report.rejected == 2
    assert report.rejected == 1
    assert sum(report.reasons.values()) == 1
    assert sum(list_rejects(engine.core).counts.values()) == 1
    replayed = replay_rejects(engine.core)
    assert (replayed.accepted, replayed.duplicate, replayed.remaining) == (0, 0, 1)
    assert sum(list_rejects(engine.core).counts.values()) == 1


def test_a_bad_line_is_kept_once_however_often_its_file_is_read(engine, tmp_path, small_batches):
    path = tmp_path / "bad.csv"
    rows = [f"u{i},p{i},{'never' if i % 50 == 7 else 1_760_000_000 + i}" for i in range(200)]
    path.write_text("\n".join(["user,item,time", *rows]) + "\n", encoding="utf-8")
    for again in (False, True):
        report = import_file(engine.core, open_file(engine.core, path, "events", mapping=MAP), is_again=again)
        assert report.rejected == 4
    lines = sorted(reject.line_number for reject in list_rejects(engine.core).rejects)
    assert lines == [9, 59, 109, 159]


def test_a_rejected_event_that_is_valid_now_is_taken_in_once(engine):
    body = b'{"type":"track","event":"Product Viewed","messageId":"m1","userId":"u1","properties":{"product_id":"p1"}}'
    reject = log.Reject(received_ms=1_760_000_000_000, source="backend", reason="too_large", detail="", body=body)
    with engine.core.store.write() as tx:
        log.add_rejects(tx, [reject])
    replayed = replay_rejects(engine.core)
    assert (replayed.accepted, replayed.remaining) == (1, 0)
    assert count(engine) == 1
    assert list_rejects(engine.core).counts == {}


def test_items_complete_stubs_and_a_bad_one_costs_only_itself(engine, events_file, tmp_path):
    import_file(engine.core, open_file(engine.core, events_file, "events", mapping=MAP))
    assert engine.items.get(["p1"])["p1"].is_stub
    path = tmp_path / "items.csv"
    path.write_text("id,title,price\np1,Lamp,19.99\np2,Sofa,cheap\np1,Lamp 2,20.99\n")
    mapping = parse_mapping("id=id,title=title,price=price")
    report = import_file(engine.core, open_file(engine.core, path, "items", mapping=mapping))
    assert (report.accepted, report.rejected) == (2, 1)
    item = engine.items.get(["p1"])["p1"]
    assert (item.is_stub, item.title, item.markets["default"].price) == (False, "Lamp 2", 2099)


def test_users_become_identify_events(engine, tmp_path):
    path = tmp_path / "users.csv"
    path.write_text("user,age,gender\nu1,31,female\nu2,48,male\n")
    report = import_file(engine.core, open_file(engine.core, path, "users"))
    assert report.accepted == 2
    profile = engine.profiles.readable("u1")
    assert profile is not None
    assert profile["traits"]["gender"]["value"] == "female"


def test_an_unknown_source_and_a_missing_file_are_refused(engine, events_file, tmp_path):
    with pytest.raises(UnknownName):
        open_file(engine.core, events_file, "events", source="nowhere")
    with pytest.raises(InvalidInput, match="cannot be read"):
        open_file(engine.core, tmp_path / "none.csv", "events")


def test_the_collector_is_as_it_was_after_an_import(engine, events_file):
    before = gc.get_threshold()
    import_file(engine.core, open_file(engine.core, events_file, "events", mapping=MAP))
    assert gc.get_threshold() == before


def test_items_of_a_json_file_bring_their_parts_as_the_api_takes_them(engine, tmp_path):
    path = tmp_path / "items.jsonl"
    path.write_text(
        '{"id": "a1", "title": "Lamp", "attributes": {"category": "light", "tags": ["x", "y"]}, "colour": "red",'
        ' "markets": {"default": {"price": 1999, "currency": "EUR"}}, "texts": {"de": {"title": "Lampe"}}}\n'
        '{"id": "a2", "title": "Pan", "attributes": {"category": {"deep": 1}}}\n'
        '{"id": "a3", "title": "Pot", "attributes": {}}\n'
    )
    report = import_file(engine.core, open_file(engine.core, path, "items"))
    assert (report.accepted, report.rejected) == (2, 1)
    lamp = engine.items.get(["a1"])["a1"]
    assert lamp.attributes == {"category": "light", "tags": ["x", "y"], "colour": "red"}
    assert lamp.markets["default"].price == 1999
    assert lamp.texts["de"]["title"] == "Lampe"
