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


def test_who_asks_unknown_is_counted_and_told_why(files, run):
    folder, _ = files
    assert "known of 1 of 3 queries" in run_named(run, folder, "queries.parquet").err
    pq.write_table(pa.table({"user": ["0", "1"]}), folder / "texts.parquet")
    said = run_named(run, folder, "texts.parquet").err
    assert "known of 2 of 2 queries" in said
    assert "int32 in train.parquet and string in texts.parquet" in said


def test_the_unknown_get_the_kind_of_popularity_that_foretold_best(run, tmp_path):
    draw = np.random.default_rng(0)
    users = draw.integers(0, 300, 3_000)
    days = np.sort(draw.integers(0, 100, 3_000))
    items = days // 10 * 6 + draw.integers(0, 20, 3_000)  # what is liked moves on: 20 items at a time
    train = {"user": users, "item": items, "timestamp": 1_700_000_000 + 86_400 * days}
    pq.write_table(pa.table(train), tmp_path / "train.parquet")
    pq.write_table(pa.table({"user": [7, 999]}), tmp_path / "queries.parquet")
    _, recs = ask(run, tmp_path, model="auto")
    assert min(r["item"] for r in recs.to_pylist() if r["user"] == 999) > 40, "what is liked now"


def run_named(run, folder, queries, train="train.parquet", expect=0):
    files = ("--train", folder / train, "--queries", folder / queries, "--out", folder / "recs.parquet")
    return run("benchmark", "recommend", *files, "--model", "popularity", expect=expect)


def changed(folder, name, values):
    table = pq.read_table(folder / "train.parquet")
    place = table.column_names.index(name) if name in table.column_names else len(table.column_names)
    table = table.drop_columns(name) if name in table.column_names else table
    pq.write_table(table.add_column(place, name, pa.array(values)), folder / "changed.parquet")


@pytest.mark.parametrize(
    ("name", "usual", "value", "said"),
    [
        ("user", 1, None, "1 rows of changed.parquet have no 'user'"),
        ("item", 1, None, "1 rows of changed.parquet have no 'item'"),
        ("weight", 1.0, float("nan"), "Row 240 of changed.parquet has no finite number in the column 'weight'"),
        ("rating", 1, None, "Row 240 of changed.parquet has no finite number in the column 'rating'"),
        ("weight", "1", "much", "it must hold numbers"),
        ("timestamp", "2026-05-01", "yesterday", "no times"),
        ("timestamp", 1, None, "no finite number"),
        ("pos", "1", "first", "it must hold numbers"),
        ("item", [1], [1], "it must hold ids"),
    ],
)
def test_values_that_cannot_be_read_are_refused_by_column_and_row(files, run, name, usual, value, said):
    folder, rows = files
    changed(folder, name, [*[usual] * (len(rows) - 1), value])
    assert said in " ".join(run_named(run, folder, "queries.parquet", "changed.parquet", expect=1).err.split())


def test_times_mean_the_same_in_every_form(files, run):
    folder, rows = files
    seconds = [1_700_000_000 + 3_600 * place for place in range(len(rows))]
    moments = np.array(seconds, "datetime64[s]")
    forms = [
        seconds,
        [1_000 * second for second in seconds],
        [1_000_000 * second + 1 for second in seconds],
        [str(moment) for moment in moments],
        [f"{moment}Z" for moment in moments],
        moments.astype("datetime64[ns]") + 1,
    ]
    answers = []
    for form in forms:
        changed(folder, "timestamp", form)
        files_of = ("--train", folder / "changed.parquet", "--queries", folder / "queries.parquet")
        run("benchmark", "recommend", *files_of, "--out", folder / "recs.parquet", "--model", "recent_popularity")
        answers.append(pq.read_table(folder / "recs.parquet").column("score").to_pylist())
    assert all(answer == pytest.approx(answers[0]) for answer in answers)


def test_a_csv_is_read_where_its_name_says_so(files, run):
    folder, _ = files
    (folder / "train.csv").write_text("user,item,pos\nann,x,10\nann,y,9\nbob,x,1\n")
    (folder / "who.csv").write_text("user\nbob\n")
    run_named(run, folder, "who.csv", "train.csv")
    assert pq.read_table(folder / "recs.parquet").column("item").to_pylist() == ["y"]


def test_ratings_of_a_history_are_on_the_scale_of_the_training_data(files, run):
    folder, rows = files
    changed(folder, "rating", [1 + place % 5 for place in range(len(rows))])
    best = []
    for rating in (1, 5):
        history = {"user": [999], "item": pa.array([11], pa.int64()), "rating": [rating]}
        pq.write_table(pa.table(history), folder / "history.parquet")
        files_of = ("--train", folder / "changed.parquet", "--history", folder / "history.parquet")
        more = ("--queries", folder / "queries.parquet", "--out", folder / "recs.parquet")
        run("benchmark", "recommend", *files_of, *more, "--model", "ease")
        recs = pq.read_table(folder / "recs.parquet").to_pylist()
        best.append(max(r["score"] for r in recs if r["user"] == 999))
    assert best[1] > 3 * best[0], "a lone 1 of 5 tells less than a lone 5"


def test_wrong_files_models_and_settings_are_refused_in_words(files, run):
    folder, _ = files
    base = ("benchmark", "recommend", "--queries", folder / "queries.parquet", "--out", folder / "r.parquet")
    assert "cannot be read" in run(*base, "--train", folder / "none.parquet", expect=1).err
    assert "no column 'item'" in run(*base, "--train", folder / "queries.parquet", expect=1).err
    train = ("--train", folder / "train.parquet")
    assert "There is no model 'eas'" in run(*base, *train, "--model", "eas", expect=1).err
    assert "Wrong settings" in run(*base, *train, "--model", "ease", "--set", "l3=1", expect=1).err
