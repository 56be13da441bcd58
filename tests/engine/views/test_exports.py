"""Exports: complete, in both formats alike, only what may be shared when that is asked for, no half file."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from bespeak.engine.engine import Engine
from bespeak.engine.project import create
from bespeak.engine.views import exports
from bespeak.engine.views.exports import export
from bespeak.errors import InvalidInput

YES = {"consent": {"categoryPreferences": {"personalize": True, "measure": True, "improve": True, "share": True}}}


def event(user: str, n: int, **more: object) -> dict[str, object]:
    return {
        "type": "track",
        "event": "Product Viewed",
        "userId": user,
        "messageId": f"{user}-{n}",
        "properties": {"product_id": f"p{n}"},
        **more,
    }


@pytest.fixture
def engine(tmp_path, monkeypatch):
    monkeypatch.setattr(exports, "BATCH", 3)
    create(tmp_path / "p", token_key=("private", ""))
    with Engine.open(tmp_path / "p") as engine:
        engine.track([event("u1", n) for n in range(5)] + [event("u2", n, context=YES) for n in range(4)], "backend")
        engine.decide("home", user_id="u1")
        engine.decide("home", user_id="u2")
        engine.core.drain()
        yield engine


@pytest.mark.parametrize(("what", "n"), [("events", 9), ("profiles", 2), ("decisions", 2)])
def test_both_formats_hold_the_same_records(engine, tmp_path, what, n):
    shares: list[float] = []
    assert export(engine.core, what, tmp_path / "x.jsonl", progress=shares.append) == n
    assert export(engine.core, what, tmp_path / "x.parquet") == n
    lines = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    table = pq.read_table(tmp_path / "x.parquet")
    assert len(lines) == table.num_rows == n
    assert shares[-1] == pytest.approx(1.0)
    assert [line["person"] for line in lines] == table.column("person").to_pylist()


def test_events_carry_message_id_and_person(engine, tmp_path):
    export(engine.core, "events", tmp_path / "x.parquet")
    table = pq.read_table(tmp_path / "x.parquet")
    assert set(table.column("message_id").to_pylist()) == {f"u1-{n}" for n in range(5)} | {f"u2-{n}" for n in range(4)}
    assert len(set(table.column("person").to_pylist())) == 2


@pytest.mark.parametrize(("what", "n"), [("events", 4), ("profiles", 1), ("decisions", 1)])
def test_what_may_be_passed_on_is_only_what_was_agreed_to(engine, tmp_path, what, n):
    assert export(engine.core, what, tmp_path / "x.jsonl", is_shareable=True) == n


def test_a_withdrawal_takes_earlier_events_out_of_what_may_be_passed_on(engine, tmp_path):
    no = {"consent": {"categoryPreferences": {"personalize": True, "share": False}}}
    engine.track([event("u2", 9, context=no)], "backend")
    assert export(engine.core, "events", tmp_path / "x.jsonl", is_shareable=True) == 0


def test_an_unknown_suffix_and_an_unwritable_place_leave_nothing_behind(engine, tmp_path):
    with pytest.raises(InvalidInput, match="names no format"):
        export(engine.core, "events", tmp_path / "x.xls")
    with pytest.raises(InvalidInput, match="cannot be written"):
        export(engine.core, "events", tmp_path / "no" / "x.jsonl")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("x")]
