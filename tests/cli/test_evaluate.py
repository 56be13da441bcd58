"""`evaluate`: the trained models on a cut of the log, the files it writes, and somebody else's lists beside ours."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bespeak.cli import main

MAP = "user=user,item=item,rating=rating,timestamp=timestamp"
FIGURES = {
    "ndcg", "recall", "map", "mrr", "hit", "novelty", "diversity", "popularity", "head_share", "miscalibration",
}  # fmt: skip


def done(*line):
    """Runs a command outside of any test: `run` belongs to one."""
    with pytest.raises(SystemExit) as ended:
        main([str(part) for part in line])
    assert not ended.value.code


@pytest.fixture(scope="module")
def films(tmp_path_factory, film_files):
    """A trained film site, made once: evaluating changes nothing in it."""
    folder = tmp_path_factory.mktemp("evaluate") / "films"
    there = ("--project", folder)
    done("init", folder)
    done("import", "items", film_files / "items.csv", "--map", "id=movie,title=title", "--lists", "genres", *there)
    done("import", "events", film_files / "ratings.csv", "--map", MAP, *there)
    done("train", "--json", *there)
    return folder


@pytest.fixture
def ask(films, run, tmp_path):
    """Runs `evaluate` there, with its files in a folder of the test."""

    def ask(*more, **options):
        files = ("--out", tmp_path / "found.json", "--html", tmp_path / "found.html")
        return run("evaluate", "--project", films, *files, *more, **options)

    return ask


@pytest.fixture(scope="module")
def cut(films, tmp_path_factory):
    """What may be seen by whoever answers, and whom to answer; written once, and only read."""
    folder = tmp_path_factory.mktemp("cut")
    files = ("--out", folder / "found.json", "--html", folder / "found.html", "--cut-out", folder / "cut")
    done("evaluate", "--project", films, "--json", *files)
    return folder / "cut"


def popular(cut, k=10):
    """An incumbent: to each person what most people had and they did not."""
    rows = pq.read_table(cut / "train.parquet").to_pylist()
    had: dict[str, set[str]] = {}
    for row in rows:
        had.setdefault(row["user"], set()).add(row["item"])
    items = sorted({row["item"] for row in rows})
    order = sorted(items, key=lambda item: (-sum(item in held for held in had.values()), item))
    found = []
    for user in pq.read_table(cut / "queries.parquet").column("user").to_pylist():
        new = [item for item in order if item not in had.get(user, set())][:k]
        found += [{"user": user, "item": item, "rank": rank} for rank, item in enumerate(new, start=1)]
    return found


def written(tmp_path, rows, name="recs.parquet"):
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / name)
    return tmp_path / name


def test_the_leaderboard_holds_every_family_the_model_in_use_and_the_baselines(ask):
    found = ask("--json").json
    evaluation = found["evaluation"]
    assert found["version"] == 1
    assert evaluation["protocol"] == "calendar"
    rows = evaluation["rows"]
    assert {"popularity", "recent_popularity", "item_neighbours", "ease", "content"} <= {row["model"] for row in rows}
    assert [row["role"] for row in rows].count("in use") == 1
    assert rows[evaluation["in_use"]]["role"] == "in use"
    assert rows[evaluation["baseline"]]["model"] == "recent_popularity"
    keys = [json.dumps([row["model"], row["settings"]], sort_keys=True) for row in rows]
    assert len(set(keys)) == len(keys), "a model stands there once"
    for row in rows:
        assert set(row["figures"]) == FIGURES
        assert 0 < row["figures"]["ndcg"]["n"] == evaluation["n_people"]
        assert row["seconds_fit"] >= 0
    assert rows[evaluation["in_use"]]["figures"]["diversity"]["n"] > 0
    assert set(rows[0]["miscalibration_by_facet"]) == {"genres"}


def test_stdout_is_a_leaderboard_and_both_files_are_written(ask, tmp_path):
    said = ask()
    assert "NDCG@10" in said.out
    assert "* in use" in said.out
    assert "miscalibration" in said.out
    assert "found.html" in said.err
    figures = json.loads((tmp_path / "found.json").read_text())
    assert f"{figures['evaluation']['rows'][0]['figures']['ndcg']['mean']:.3f}" in said.out
    page = (tmp_path / "found.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_the_json_on_stdout_is_that_of_the_file_and_is_not_rounded(ask, tmp_path):
    found = ask("--json").json
    assert json.loads((tmp_path / "found.json").read_text()) == found
    means = [row["figures"]["ndcg"]["mean"] for row in found["evaluation"]["rows"]]
    assert any(round(mean, 4) != mean for mean in means)


def test_files_stand_in_the_project_when_no_place_is_named(films, run):
    run("evaluate", "--project", films, "--json")
    assert {path.name for path in (films / "reports").iterdir()} == {"evaluation.html", "evaluation.json"}


def test_the_same_log_and_seed_give_the_same_figures(ask):
    def plain(found):
        for row in found["evaluation"]["rows"]:
            row["seconds_fit"] = row["seconds_recommend"] = 0
        return found

    assert plain(ask("--json").json) == plain(ask("--json").json)


@pytest.mark.parametrize("name", ["live", "per_person", "leave_one_out", "held_out", "leave-one-out"])
def test_other_cuts_are_named(ask, name):
    evaluation = ask("--json", "--protocol", name, "--k", 5).json["evaluation"]
    assert evaluation["protocol"] == name.replace("_", " ").replace("-", " ")
    assert evaluation["k"] == 5
    assert evaluation["n_people"] > 0


def test_an_unknown_cut_lists_those_there_are(ask):
    said = ask("--protocol", "random", expect=1).err
    assert "There is no protocol 'random'" in said
    assert "leave_one_out" in said


def test_as_of_cuts_the_log_and_says_that_the_settings_are_younger(ask):
    whole, early = ask("--json").json, ask("--json", "--as-of", "2025-10-20").json
    assert early["as_of"].startswith("2025-10-20")
    assert early["evaluation"]["n_rows_fit"] < whole["evaluation"]["n_rows_fit"]
    assert early["evaluation"]["now_ms"] < whole["evaluation"]["now_ms"]
    late = "later than this cut"
    assert any(late in sentence for sentence in early["sentences"])
    assert not any(late in sentence for sentence in whole["sentences"])


def test_before_the_first_event_nobody_can_be_asked(ask):
    assert "holds no event" in ask("--as-of", "2001-01-01", expect=1).err
    assert "leaves nobody to ask" in ask("--as-of", "1760000500", expect=1).err


def test_without_a_trained_model_the_way_to_one_is_shown(project, run):
    assert "bespeak train" in run("evaluate", expect=1).err


def test_a_sample_is_asked_where_a_cut_is_larger(ask):
    evaluation = ask("--json", "--max-people", 20).json["evaluation"]
    assert evaluation["n_people"] == 20 < evaluation["n_people_of_cut"]


# -- the cut, and somebody else's lists --------------------------------------------------------------------------------


def test_the_written_cut_holds_only_what_models_may_see(ask, cut):
    found = ask("--json").json["evaluation"]
    train = pq.read_table(cut / "train.parquet")
    assert train.num_rows == found["n_rows_fit"]
    assert train.column_names == ["user", "item", "timestamp", "weight"]
    assert max(train.column("timestamp").to_pylist()).timestamp() * 1000 == found["now_ms"]
    assert not (cut / "history.parquet").exists()
    asked = pq.read_table(cut / "queries.parquet").column("user").to_pylist()
    assert len(set(asked)) == len(asked) >= found["n_people"]


def test_a_live_cut_writes_what_is_known_beside_what_is_fitted(ask, tmp_path):
    ask("--protocol", "live", "--cut-out", tmp_path / "cut")
    train, more = (pq.read_table(tmp_path / "cut" / name) for name in ("train.parquet", "history.parquet"))
    assert more.num_rows > 0
    assert min(more.column("timestamp").to_pylist()) >= max(train.column("timestamp").to_pylist())


def test_the_written_cut_is_answered_by_benchmark_and_set_beside_ours(ask, cut, run, tmp_path):
    run(
        *("benchmark", "recommend", "--train", cut / "train.parquet", "--queries", cut / "queries.parquet"),
        *("--model", "popularity", "--k", 10, "--out", tmp_path / "recs.parquet"),
    )
    found = ask("--json", "--against", tmp_path / "recs.parquet").json["evaluation"]
    theirs, popularity = found["rows"][found["theirs"]], next(r for r in found["rows"] if r["model"] == "popularity")
    assert (theirs["name"], theirs["role"], theirs["seconds_fit"]) == ("recs.parquet", "theirs", None)
    assert theirs["figures"]["ndcg"] == pytest.approx(popularity["figures"]["ndcg"], abs=0.05)
    difference = found["against"]["ndcg"]
    ours = found["rows"][found["in_use"]]["figures"]["ndcg"]["mean"]
    assert difference["interval"]["mean"] == pytest.approx(ours - theirs["figures"]["ndcg"]["mean"])
    assert difference["interval"]["low"] < difference["interval"]["mean"] < difference["interval"]["high"]
    assert set(found["against"]) == FIGURES


def test_an_incumbent_is_judged_in_words_and_on_the_page(ask, cut, tmp_path):
    said = ask("--against", written(tmp_path, popular(cut)))
    assert "> somebody else's" in said.out
    assert "The model in use less recs.parquet, person by person" in said.out
    assert "In use against recs.parquet" in (tmp_path / "found.html").read_text(encoding="utf-8")


def test_only_people_whom_both_answer_count(ask, cut, tmp_path):
    rows = popular(cut)
    users = sorted({row["user"] for row in rows})[:15]
    ran = ask("--json", "--against", written(tmp_path, [row for row in rows if row["user"] in users]))
    found = ran.json["evaluation"]
    newcomers = found["newcomers"]["n_people"] if found["newcomers"] else 0
    assert found["n_people"] + newcomers == 15
    assert all(row["figures"]["ndcg"]["n"] == found["n_people"] for row in found["rows"])
    assert "all figures are of those" in ran.err


def test_items_that_the_project_does_not_know_count_as_wrong(ask, cut, tmp_path):
    rows = popular(cut)
    for row in rows:
        row["item"] = "f-unknown" if row["rank"] == 1 else row["item"]
    ran = ask("--json", "--against", written(tmp_path, rows))
    assert "1 items are unknown" in ran.err
    found = ran.json["evaluation"]
    assert found["rows"][found["theirs"]]["share_filled"] == pytest.approx(0.9)


def spoiled(cut, how):
    """The incumbent's rows with one thing wrong."""
    rows = popular(cut)
    if how == "unknown user":
        rows = [{**row, "user": "nobody-known" if row["user"] == rows[25]["user"] else row["user"]} for row in rows]
    elif how == "gap":
        rows = [row for place, row in enumerate(rows) if place != 24]
    elif how == "from zero":
        rows = [{**row, "rank": row["rank"] - 1} for row in rows]
    elif how == "twice":
        rows[12]["item"] = rows[11]["item"]
    elif how == "seen":
        seen = pq.read_table(cut / "train.parquet").to_pylist()
        rows[13]["item"] = next(row["item"] for row in seen if row["user"] == rows[13]["user"])
    elif how == "other ids":
        rows = [{**row, "item": row["item"].replace("f", "film-")} for row in rows]
    elif how == "no rank":
        rows = [{"user": row["user"], "item": row["item"], "position": row["rank"]} for row in rows]
    elif how == "ranks of text":
        rows = [{**row, "rank": str(row["rank"])} for row in rows]
    elif how == "empty item":
        rows[3]["item"] = None
    return rows


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("unknown user", ("users are unknown to this project", "row 21", "--cut-out")),
        ("gap", ("without gaps", "row 25 has rank 6, where 5 was expected", "Number each user's list anew")),
        ("from zero", ("has rank 0, where 1 was expected",)),
        ("twice", ("1 rows repeat an item", "row 13")),
        ("seen", ("1 of its rows recommend what the person had before the cut", "row 14", "--cut-out")),
        ("other ids", ("none of its", "items is known", "written as in the events")),
        ("no rank", ("has no column 'rank'", "user, item, position")),
        ("ranks of text", ("ranks must be whole numbers",)),
        ("empty item", ("'item' is empty in row 4",)),
    ],
)
def test_a_wrong_file_is_refused_with_what_where_and_what_next(ask, cut, tmp_path, how, said):
    ran = ask("--against", written(tmp_path, spoiled(cut, how)), expect=1)
    assert ran.out == ""
    assert "recs.parquet" in ran.err
    for part in said:
        assert part in " ".join(ran.err.split())
    assert "nobody-known" not in ran.err, "no person's data in a message"


def test_a_file_that_answers_nobody_who_is_asked_is_refused(ask, tmp_path):
    few = ("--max-people", 20)
    ask("--json", *few, "--cut-out", tmp_path / "few")
    asked = set(pq.read_table(tmp_path / "few" / "queries.parquet").column("user").to_pylist())
    other = next(f"u{n}" for n in range(60) if f"u{n}" not in asked)
    rows = [{"user": other, "item": "f1", "rank": 1}]
    assert "answers nobody" in ask(*few, "--against", written(tmp_path, rows), expect=1).err


def test_a_file_that_is_no_parquet_is_named(ask, tmp_path):
    (tmp_path / "recs.parquet").write_text("user,item,rank\n")
    assert "recs.parquet cannot be read as Parquet" in ask("--against", tmp_path / "recs.parquet", expect=1).err
    assert "gone.parquet cannot be read" in ask("--against", tmp_path / "gone.parquet", expect=1).err


def test_whole_number_ids_and_ranks_of_any_width_are_taken(ask, cut, tmp_path):
    rows = popular(cut)
    table = pa.Table.from_pylist(rows).set_column(2, "rank", pa.array(np.array([r["rank"] for r in rows], np.uint8)))
    pq.write_table(table, tmp_path / "recs.parquet")
    found = ask("--json", "--against", tmp_path / "recs.parquet").json["evaluation"]
    assert found["against"]["ndcg"]["interval"]["n"] == found["n_people"]
