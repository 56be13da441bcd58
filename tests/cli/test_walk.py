"""The tutorial's walk on generated data: init, import, train, decide, profile, report, export, erase."""

from __future__ import annotations

import pytest

from bespeak.engine.clock import StandingClock
from bespeak.engine.engine import Engine

MAP = "user=user,item=item,rating=rating,timestamp=timestamp"


@pytest.fixture
def films(project, film_files, run):
    run("import", "items", film_files / "items.csv", "--map", "id=movie,title=title", "--lists", "genres")
    run("import", "users", film_files / "users.csv", "--map", "user=user")
    run("import", "events", film_files / "ratings.csv", "--map", MAP)
    return project


def test_the_walk_ends_in_a_slate_with_reasons(films, run, film_files):
    trained = run("train", "--json").json
    assert trained["version"] == 1
    assert any("60 people" in sentence for sentence in trained["sentences"])

    said = run("decide", "home", "--user", "u0").out
    assert "what is known of this person" in said
    assert "you rated" in said

    body = run("decide", "home", "--user", "u0", "--count", 5, "--json").json
    assert body["mode"] == "profiled"
    assert len(body["items"]) == 5
    assert all(item["reasons"] for item in body["items"])
    seen = {line.split(",")[1] for line in (film_files / "ratings.csv").read_text().splitlines() if "u0," in line[:3]}
    assert not seen & {item["id"] for item in body["items"]}

    profile = run("profile", "u0", "--json").json
    assert profile["events"] == 17
    assert profile["affinities"]["genres"][0]["value"] == "comedy"
    assert "comedy" in run("profile", "u0").out

    report = run("report", "--json").json
    assert report["n_events"] == 60 * 16 + 60
    assert report["by_source"] == {"import": 60 * 16 + 60}
    assert {(d["placement"], d["mode"]) for d in report["decided"]} == {("home", "profiled")}
    assert report["lift"]["is_assumed"] is True
    assert "How many visitors" in run("report").out


def test_a_finished_file_is_passed_over_and_a_renamed_one_adds_nothing(films, run, film_files, tmp_path):
    again = run("import", "events", film_files / "ratings.csv", "--map", MAP, "--json").json["files"][0]
    assert again["was_done"] is True
    changed = tmp_path / "other.csv"
    changed.write_text((film_files / "ratings.csv").read_text() + "\n")
    report = run("import", "events", changed, "--map", MAP, "--json").json["files"][0]
    assert (report["was_done"], report["accepted"], report["duplicate"]) == (False, 0, 960)


def test_rows_of_one_order_are_said_to_be_one_event(project, run, tmp_path):
    orders = tmp_path / "orders.csv"
    orders.write_text("order_id,customer_id,product_id,date,price\n1,ann,p1,2026-08-03,2\n1,ann,p2,2026-08-03,3\n")
    assert "orders.csv: 2 rows read (1 event), 1 new" in run("import", "events", orders).out


def test_a_file_of_which_nothing_can_be_taken_in_ends_with_status_1(project, run, tmp_path):
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"user": "ann", "item": ["p1", "p2"], "event": "Product Viewed"}\n')
    ran = run("import", "events", lines, expect=1)
    assert "1 row read, 0 new, 1 rejected" in ran.out
    assert "Every row of a file was rejected" in ran.err
    lines.write_text('{"user": "ann", "item": "p1"}\n' + lines.read_text())
    assert run("import", "events", lines, "--json").json["files"][0]["rejected"] == 1


def test_an_erased_person_is_unknown_and_gets_what_others_like(films, run):
    run("train", "--json")
    receipt = run("privacy", "erase", "u3", "--yes", "--json").json
    assert {line["holder"]: line["n_removed"] for line in receipt["lines"]}["events"] == 17
    assert "Nobody is known" in run("profile", "u3", expect=1).err
    assert run("decide", "home", "--user", "u3", "--json").json["mode"] == "anonymous"
    assert run("privacy", "export", "u3").json["events"] == []


def test_what_is_held_of_a_person_is_written_as_one_document(films, run, tmp_path):
    held = run("privacy", "export", "u1").json
    assert len(held["events"]) == 17
    run("privacy", "export", "u1", "--out", tmp_path / "u1.json")
    assert (tmp_path / "u1.json").stat().st_size > 1_000


def test_a_decision_can_stand_at_another_time(films, run):
    body = run("decide", "home", "--user", "u0", "--as-of", "2025-11-01", "--json").json
    assert body["mode"] == "profiled"
    assert "--as-of is no time" in run("decide", "home", "--as-of", "soon", expect=1).err


def test_filter_context_and_query_reach_the_decision(films, run):
    body = run("decide", "home", "--user", "u0", "--filter", "contains(genres, 'noir')", "--json").json
    assert body["items"]
    assert all("noir" in item["properties"]["attributes"]["genres"] for item in body["items"])
    found = run("decide", "search", "--query", "Film 7", "--context", "device=mobile", "--json").json
    assert found["items"][0]["id"] == "f7"
    shown = run("decide", "home", "--user", "u0", "--count", 1, "--json").json["items"][0]["id"]
    assert "It is shown at position 1." in run("decide", "home", "--user", "u0", "--why-not", shown).out
    why = run("decide", "home", "--why-not", shown, "--filter", "contains(genres, 'no')", "--json").json
    assert (why["rules"], why["position"]) == (["filter"], None)
    about = run("decide", "genres", "--value", "noir", "--why-not", "nothing", "--json").json
    assert about["rules"] == ["unknown"]
    other = next(item for item in found["items"] if "noir" not in item["properties"]["attributes"]["genres"])
    assert run("decide", "genres", "--value", "noir", "--why-not", other["id"], "--json").json["rules"] == ["value"]
    assert "key=value" in run("decide", "home", "--context", "mobile", expect=1).err


def test_a_restore_brings_back_everybody_but_the_erased(films, run, tmp_path):
    run("train", "--json")
    backup = tmp_path / "films.tar"
    assert run("backup", backup, "--json").json["n_files"] > 1
    assert "exists already" in run("backup", backup, expect=1).err
    run("privacy", "erase", "u3", "--yes", "--json")
    run("privacy", "erase", "u4", "--yes", "--json")
    assert "--yes" in run("restore", backup, expect=1).err
    again = run("restore", backup, "--yes", "--json").json
    assert (again["n_erased_again"], again["knew_ledger"]) == (2, True)
    for user, is_there in (("u3", False), ("u4", False), ("u5", True)):
        run("profile", user, expect=0 if is_there else 1)
    assert run("report", "--json").json["n_people"] == 58
    assert run("decide", "home", "--user", "u5", "--json").json["mode"] == "profiled"


def test_a_backup_makes_a_project_where_there_was_none(films, run, tmp_path):
    run("backup", tmp_path / "films.tar", "--json")
    assert "not known here" in run("restore", tmp_path / "films.tar", "--project", tmp_path / "copy").err
    assert run("report", "--project", tmp_path / "copy", "--json").json["n_people"] == 60
    (tmp_path / "no.tar").write_bytes(b"nothing")
    assert "not a backup" in run("restore", tmp_path / "no.tar", "--project", tmp_path / "other", expect=1).err


def test_time_can_stand_at_the_end_of_old_data_and_an_asked_time_beats_it(project, film_files, run, tmp_path):
    run("import", "items", film_files / "items.csv", "--map", "id=movie,title=title", "--lists", "genres")
    old = tmp_path / "old.csv"
    old.write_text((film_files / "ratings.csv").read_text().replace(",17", ",09"))
    ran = run("import", "events", old, "--map", MAP)
    assert 'now = "data"' in ran.err
    config = project / "bespeak.toml"
    config.write_text(config.read_text().replace('# now = "clock"', 'now = "data"'))
    assert "differs" not in run("apply").err
    run("import", "users", film_files / "users.csv")

    def strength(*more):
        with Engine.open(project, clock=StandingClock(more[0]) if more else None) as engine:
            known = engine.profiles.readable("u0")
        assert known is not None
        return known["affinities"]["genres"][0]["strength"]

    assert strength() > 1
    assert strength(1_900_000_000_000) < strength() / 100
    assert run("decide", "home", "--user", "u0", "--as-of", "2030-01-01", "--json").json["mode"] == "profiled"


def test_a_rating_is_told_once(films, run):
    texts = [r["text"] for item in run("decide", "home", "--user", "u0", "--explain", "--json").json["items"]
             for r in item["reasons"]]  # fmt: skip
    assert any("you rated" in text for text in texts)
    assert not [text for text in texts if text.count("rated") > 1]
    assert ", rated" not in run("profile", "u0").out
