"""`benchmark recommend`: ids come back in their type, each query is answered alone, seen items stay out."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest


@pytest.fixture
def files(tmp_path):
    """40 people in two camps: the even ones take items 0-9, the odd ones 10-19."""
    draw = np.random.default_rng(3)
    rows = [(user, int(item) + 10 * (user % 2)) for user in range(40) for item in draw.permutation(10)[:6]]
    users, items = zip(*rows, strict=True)
    train = pa.table(
        {
            "user": pa.array(users, pa.int32()),
            "item": pa.array(items, pa.int64()),
            "timestamp": pa.array(range(1_700_000_000, 1_700_000_000 + len(rows)), pa.int64()),
        }
    )
    pq.write_table(train, tmp_path / "train.parquet")
    pq.write_table(pa.table({"user": pa.array([0, 1, 999], pa.int32())}), tmp_path / "queries.parquet")
    return tmp_path, rows


def ask(run, folder, *more, model="ease", queries="queries.parquet"):
    ran = run(
        *("benchmark", "recommend", "--train", folder / "train.parquet", "--queries", folder / queries),
        *("--k", 3, "--model", model, "--out", folder / "recs.parquet", *more),
    )
    return json.loads(ran.out), pq.read_table(folder / "recs.parquet")


def test_answers_are_ranked_typed_new_and_of_the_right_camp(files, run):
    folder, rows = files
    said, recs = ask(run, folder, "--set", "l2=20")
    assert (said["model"], said["settings"]["l2"], said["queries"]) == ("ease", 20, 3)
    assert said["peakMemoryBytes"] > 0
    assert recs.column_names == ["user", "item", "rank", "score"]
    assert (recs.schema.field("user").type, recs.schema.field("item").type) == (pa.int32(), pa.int64())
    answers = {user: [r["item"] for r in recs.to_pylist() if r["user"] == user] for user in (0, 1, 999)}
    assert all(len(items) == 3 for items in answers.values()), "somebody unknown gets popular items"
    for user in (0, 1):
        assert {item // 10 for item in answers[user]} == {user}
        assert not set(answers[user]) & {item for u, item in rows if u == user}
    assert [r["rank"] for r in recs.to_pylist() if r["user"] == 0] == [1, 2, 3]


def test_a_query_is_answered_the_same_whoever_else_asks(files, run):
    folder, _ = files
    _, together = ask(run, folder)
    pq.write_table(pa.table({"user": pa.array([1], pa.int32())}), folder / "one.parquet")
    _, alone = ask(run, folder, queries="one.parquet")
    assert alone.to_pylist() == [r for r in together.to_pylist() if r["user"] == 1]


def test_a_history_turns_the_answer_and_is_left_out_of_it(files, run):
    folder, _ = files
    history = pa.table({"user": pa.array([999, 999], pa.int32()), "item": pa.array([11, 12], pa.int64())})
    pq.write_table(history, folder / "history.parquet")
    _, recs = ask(run, folder, "--history", folder / "history.parquet")
    items = [r["item"] for r in recs.to_pylist() if r["user"] == 999]
    assert {item // 10 for item in items} == {1}
    assert not {11, 12} & set(items)
    _, recs = ask(run, folder, "--allow-seen", model="popularity")
    assert len({tuple(r["item"] for r in recs.to_pylist() if r["user"] == u) for u in (0, 1, 999)}) == 1


def test_own_histories_are_the_whole_of_what_is_known(files, run):
    folder, _ = files
    own = pa.table({"query": ["a", "b", "a"], "item": pa.array([3, 14, 4], pa.int64()), "pos": [2, 1, 1]})
    pq.write_table(own, folder / "own.parquet")
    _, recs = ask(run, folder, queries="own.parquet")
    assert recs.column_names[0] == "query"
    answers = {name: {r["item"] // 10 for r in recs.to_pylist() if r["query"] == name} for name in ("a", "b")}
    assert answers == {"a": {0}, "b": {1}}


def test_wrong_files_models_and_settings_are_refused_in_words(files, run):
    folder, _ = files
    base = ("benchmark", "recommend", "--queries", folder / "queries.parquet", "--out", folder / "r.parquet")
    assert "cannot be read" in run(*base, "--train", folder / "none.parquet", expect=1).err
    assert "no column 'item'" in run(*base, "--train", folder / "queries.parquet", expect=1).err
    train = ("--train", folder / "train.parquet")
    assert "There is no model 'eas'" in run(*base, *train, "--model", "eas", expect=1).err
    assert "Wrong settings" in run(*base, *train, "--model", "ease", "--set", "l3=1", expect=1).err
