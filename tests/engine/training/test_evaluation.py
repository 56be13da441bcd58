"""What an evaluation of a project takes in: who may be used, whose lists they are, and what is left out in words."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bespeak.engine.clock import iso
from bespeak.engine.training.evaluation import Evaluations
from bespeak.errors import InvalidInput

START_MS = 1_767_225_600_000
HOUR_MS = 3_600_000
ITEMS = [f"p{n}" for n in range(12)]


def view(user: str, item: str, hour: int, **more):
    time = iso(START_MS - 2_000 * HOUR_MS + hour * HOUR_MS)
    return {"type": "track", "event": "Product Viewed", "userId": user, "timestamp": time,
            "properties": {"product_id": item}, **more}  # fmt: skip


def shop(n_users: int = 30):
    """Two camps, each person eight items in turn over a hundred hours."""
    return [
        view(f"u{user}", f"p{(user % 2) + 2 * ((user + step * 5) % 6)}", step * 13 + user % 13)
        for user in range(n_users)
        for step in range(6)
    ]


@pytest.fixture
def trained(engine):
    engine.track(shop(), source="backend")
    engine.models.train()
    return engine


@pytest.fixture
def evaluate(trained):
    return Evaluations(trained.core, trained.models).evaluate


def asked(folder):
    return pq.read_table(folder / "queries.parquet").column("user").to_pylist()


def test_people_who_refuse_are_neither_asked_nor_written(trained, evaluate, tmp_path):
    evaluate(cut_folder=tmp_path / "before")
    user = asked(tmp_path / "before")[0]
    trained.privacy.erase(user)
    evaluate(cut_folder=tmp_path / "after")
    assert user not in asked(tmp_path / "after")
    assert user not in pq.read_table(tmp_path / "after" / "train.parquet").column("user").to_pylist()


def test_two_users_of_a_file_who_are_one_person_here_are_refused(trained, evaluate, tmp_path):
    evaluate(cut_folder=tmp_path / "cut")
    user = asked(tmp_path / "cut")[0]
    trained.track([view(user, "p1", 5, anonymousId="device-1")], source="backend")
    rows = [{"user": name, "item": item, "rank": 1} for name, item in ((user, "p8"), ("device-1", "p9"))]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "recs.parquet")
    with pytest.raises(InvalidInput, match="two of its users are one person") as refused:
        evaluate(against=tmp_path / "recs.parquet")
    assert user not in refused.value.message.replace("users", "")
    assert "device-1" not in refused.value.message


def test_somebody_known_by_a_device_alone_is_written_and_found_again(trained, evaluate, tmp_path):
    anonymous = [{**view("", item, hour), "anonymousId": "a-1"} for hour, item in ((1, "p0"), (2, "p2"), (95, "p4"))]
    trained.track([{key: value for key, value in event.items() if value} for event in anonymous], source="backend")
    evaluate(cut_folder=tmp_path / "cut", protocol="leave_one_out")
    assert "a-1" in asked(tmp_path / "cut")
    pq.write_table(pa.table({"user": ["a-1"], "item": ["p4"], "rank": [1]}), tmp_path / "recs.parquet")
    found = evaluate(against=tmp_path / "recs.parquet", protocol="leave_one_out").evaluation
    assert found.n_people == 1
    assert found.rows[found.theirs].figures["ndcg"].mean == 1


def test_a_stored_model_that_cannot_be_read_is_left_out_and_named(trained, evaluate):
    ((_, header),) = trained.models.versions()
    broken = next(stored for stored in header.models if not stored.is_best)
    path = trained.core.blobs.place(broken.blob_key) / "header.json"
    path.write_bytes(json.dumps({**json.loads(path.read_bytes()), "model": "of tomorrow"}).encode())
    report = evaluate()
    assert any(broken.name in note for note in report.notes)
    best = next(stored for stored in header.models if stored.is_best)
    (trained.core.blobs.place(best.blob_key) / "header.json").write_bytes(b"{")
    with pytest.raises(InvalidInput, match="model in use cannot be read"):
        evaluate()


def test_events_without_times_of_their_own_need_a_cut_without_dates(engine):
    engine.track([{**event, "timestamp": iso(START_MS - HOUR_MS)} for event in shop()], source="backend")
    engine.models.train()
    evaluate = Evaluations(engine.core, engine.models).evaluate
    with pytest.raises(InvalidInput, match="needs times") as refused:
        evaluate()
    assert "held_out" in refused.value.hint
    assert evaluate(protocol="held_out").evaluation.n_people > 0
