"""`bespeak recommend`: a file for everybody, one document for scripts, a word on privacy, nothing replaced unasked."""

from __future__ import annotations

import pyarrow.parquet as pq


def test_everybody_gets_a_list_and_privacy_a_word(project, run, film_files):
    run(
        "import", "events", film_files / "ratings.csv", "--map", "user=user,item=item,rating=rating,timestamp=timestamp"
    )
    ran = run("recommend", "home", "--out", "lists.parquet", "--count", "3")
    assert "for 60 people" in ran.out
    assert "a later erasure cannot reach" in ran.err
    assert pq.read_table("lists.parquet").num_rows == 180
    assert "--yes" in run("recommend", "home", "--out", "lists.parquet", expect=1).err
    told = run("recommend", "home", "--out", "lists.parquet", "--as-of", "2026-01-31", "--yes", "--json").json
    assert (told["placement"], told["n_people"], told["file"]) == ("home", 60, "lists.parquet")


def test_an_empty_project_and_an_unknown_placement_say_what_to_do(project, run):
    assert "bespeak import events" in run("recommend", "home", "--out", "x.parquet", expect=1).err
    assert "Did you mean 'home'" in run("recommend", "hom", "--out", "x.parquet", expect=1).err
    assert not (project / "x.parquet").exists()
