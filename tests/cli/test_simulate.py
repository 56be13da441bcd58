"""`simulate`: files that `import` reads, the truth beside them, and the closed loop with a project."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from bespeak.engine.clock import SharedClock, iso

UNTIL = ("--until", "2025-06-15")


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("kind", ["shop", "streaming"])
def test_its_files_are_imported_without_a_reject(kind, tmp_path, project, run):
    world = tmp_path / "world"
    summary = run("simulate", kind, "--out", world, "--people", 40, "--days", 20, *UNTIL, "--json").json
    n_rows = {what: len(lines(world / f"{what}.jsonl")) for what in ("items", "users", "events", "people")}
    assert summary["n_events"] == n_rows["events"] > 300
    assert n_rows["items"] == 240
    assert n_rows["people"] == 40 > n_rows["users"] > 5
    assert json.loads((world / "truth.json").read_text(encoding="utf-8")) == summary
    assert set(summary["truth"]["means"]) == {"random", "popular", "oracle"}
    assert summary["truth"]["lifts"]["oracle"]["clicks"] > 0.5
    for what, more in (("items", ()), ("users", ()), ("events", ("--format", "segment"))):
        (report,) = run("import", what, world / f"{what}.jsonl", *more, "--json").json["files"]
        assert (report["n_rows"], report["accepted"], report["rejected"]) == (n_rows[what], n_rows[what], 0)


def test_the_same_seed_and_end_write_the_same_bytes(tmp_path, run):
    def written(seed, folder):
        run("simulate", "shop", "--out", tmp_path / folder, "--people", 20, "--days", 9, "--seed", seed, *UNTIL)
        return [(tmp_path / folder / name).read_bytes() for name in ("events.jsonl", "items.jsonl", "people.jsonl")]

    first = written(3, "a")
    assert first == written(3, "b")
    assert first != written(4, "c")


def test_an_experiment_writes_a_row_for_everybody_who_came(tmp_path, run):
    out = tmp_path / "world"
    options = ("--people", 300, "--days", 30, "--against", "oracle", "--from-day", 10, "--drift-day", 20, *UNTIL)
    summary = run("simulate", "shop", "--out", out, *options, "--json").json
    with (out / "units.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    arms = {row["person"]: row["arm"] for row in lines(out / "people.jsonl")}
    assert {row["variant"] for row in rows} == {"control", "treated"}
    assert all(arms[int(row["person"])] == row["variant"] for row in rows)
    clicks = {arm: np.mean([float(r["clicks"]) for r in rows if r["variant"] == arm]) for arm in ("control", "treated")}
    before = {arm: np.mean([float(r["visits_before"]) for r in rows if r["variant"] == arm]) for arm in clicks}
    assert clicks["treated"] > 1.8 * clicks["control"]
    assert 0.7 < before["treated"] / before["control"] < 1.4
    assert summary["experiment"]["n_people"]["treated"] == sum(arm == "treated" for arm in arms.values())
    assert summary["drift_ms"] - summary["experiment"]["from_ms"] == 10 * 86_400_000


def test_an_experiment_begins_after_half_of_the_days_and_leaves_no_units_to_the_next_world(tmp_path, run):
    out = tmp_path / "world"
    options = ("simulate", "shop", "--out", out, "--people", 20, "--days", 8, "--items", 24, *UNTIL, "--json")
    assert run(*options, "--against", "oracle").json["experiment"]["from_day"] == 4
    assert (out / "units.csv").exists()
    run(*options)
    assert not (out / "units.csv").exists()


def test_faults_stand_in_the_truth_file_and_in_the_events(tmp_path, run):
    out = tmp_path / "world"
    options = ("--people", 30, "--days", 9, "--fault", "bots=0.1", "--fault", "duplicates", *UNTIL)
    summary = run("simulate", "streaming", "--out", out, *options, "--json").json
    assert summary["faults"] == {"bots": 0.1, "duplicates": 0.03}
    ids = [event["messageId"] for event in lines(out / "events.jsonl")]
    assert len(set(ids)) < len(ids)
    assert any("-bot" in message_id for message_id in ids)


@pytest.mark.parametrize("launch", [0, 0.5])
def test_people_visit_a_project_and_one_experiment_spreads_them(launch, tmp_path, run):
    run("init", tmp_path / "shop", "--launch", launch)
    options = ("--people", 80, "--days", 16, "--items", 60, "--json")
    summary = run("simulate", "shop", "--into", tmp_path / "shop", *options).json
    assert summary["is_launched"] == bool(launch)
    assert set(summary["experiment"]["means"]) == ({"treated"} if launch else {"control", "treated"})
    assert summary["n_decisions"] > 20
    launches = run("report", "--project", tmp_path / "shop", "--json").json["launches"]
    people = [arm["n_people"] for found in launches if found["placement"] == "home" for arm in found["arms"]]
    assert len(people) == (2 if launch else 0)
    assert all(people)  # people who agreed are in both variants of the project's own experiment


def test_a_project_with_a_clock_of_its_own_lives_and_is_read_by_it(tmp_path, run):
    run("init", tmp_path / "shop")
    clock = SharedClock.begin(tmp_path / "shop" / "data" / "clock")
    options = ("--people", 12, "--days", 3, "--items", 24, *UNTIL)
    run("simulate", "shop", "--into", tmp_path / "shop", *options)
    assert iso(clock.now_ms()) == "2025-06-15T00:00:00.000Z"
    decided = run("decide", "home", "--user", "u0001", "--project", tmp_path / "shop", "--json").json
    assert decided["items"]
    said = run("simulate", "shop", "--into", tmp_path / "shop", *options, expect=1).err
    assert "only goes forward" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "--out DIR, --into PROJECT or --http URL"),
        (("--out", "x", "--into", "y"), "--out DIR, --into PROJECT or --http URL"),
        (("--out", "x", "--fault", "rain"), "There are: broken_assignment, bots"),
        (("--out", "x", "--fault", "bots=many"), "no number"),
        (("--out", "x", "--fault", "bots=2"), "between 0 and 1"),
        (("--out", "x", "--fault", "broken_assignment"), "--against oracle"),
        (("--out", "x", "--against", "oracle", "--from-day", 3), "after the last of 3 days"),
        (("--out", "/dev/null/x"), "cannot be written"),
        (("--into", "nowhere"), "holds no bespeak.toml"),
        (("--http", "http://127.0.0.1:9"), "BESPEAK_SECRET_KEY"),
        (("--http", "http://127.0.0.1:9", "--key", "sk_x"), "did not answer"),
        (("--http", "shop.example", "--key", "sk_x"), "no address"),
        (("--into", "x", "--fault", "late"), "belong to files"),
        (("--out", "x", "--until", "tomorrow"), "time"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_do(options, said, tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    assert said in run("simulate", "shop", "--people", 5, "--days", 3, *options, expect=1).err
