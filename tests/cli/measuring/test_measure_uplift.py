"""`measure uplift`: the JSON that was promised, names of groups, and refusals in words."""

from __future__ import annotations

import csv

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest


@pytest.fixture(scope="module")
def mailing(tmp_path_factory):
    draw = np.random.default_rng(9)
    n = 2_400
    group = draw.choice(["none", "mail", "call"], n, p=[0.45, 0.45, 0.1])
    site, spent = draw.choice(["north", "south"], n), draw.lognormal(3, 1, n).round(2)
    moved = (group == "mail") * (site == "north") * 0.15
    bought = draw.random(n) < 0.1 + moved
    table = pa.table(
        {
            "group": group,
            "mailed": (group == "mail").astype(int),
            "site": site,
            "spent": spent,
            "bought": bought,
            "paid": np.where(bought, draw.gamma(4, 10, n), 0.0),
        }
    )
    path = tmp_path_factory.mktemp("mail") / "people.parquet"
    pq.write_table(table, path)
    return path


def uplift(run, path, *more, outcome="bought", expect=0):
    return run("measure", "uplift", path, "--outcome", outcome, *more, expect=expect)


NAMED = ("--treatment", "group", "--treated", "mail", "--control", "none", "--features", "site,spent")


def test_the_answer_has_the_promised_shape_and_finds_the_planted_effect(run, mailing):
    answer = uplift(run, mailing, *NAMED, "--json").json
    assert list(answer) == [
        "treatment", "outcome", "kind", "n_train", "n_test", "n_folds", "features", "average", "models", "best",
    ]  # fmt: skip
    assert [model["name"] for model in answer["models"]] == ["t_learner", "dr_learner", "response", "random"]
    assert answer["kind"] == "binary"
    assert answer["average"]["interval"][0] < 0.075 < answer["average"]["interval"][1]
    learned = answer["models"][1]
    assert learned["qini_interval"][0] > 0
    assert [at["share"] for at in learned["uplift_at"]] == [0.1, 0.2, 0.3]


def test_the_same_seed_gives_the_same_answer(run, mailing):
    assert uplift(run, mailing, *NAMED, "--json").out == uplift(run, mailing, *NAMED, "--json").out


def test_people_are_told_in_words_and_get_a_file(run, mailing, tmp_path):
    out = tmp_path / "uplift.csv"
    ran = uplift(run, mailing, *NAMED, "--out", out)
    assert "its order is better than chance" in ran.out
    assert "are of other groups" in ran.err
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["line", "uplift"]
    sites = pq.read_table(mailing)["site"].to_pylist()
    north = [float(row["uplift"]) for row in rows if sites[int(row["line"]) - 1] == "north"]
    south = [float(row["uplift"]) for row in rows if sites[int(row["line"]) - 1] == "south"]
    assert np.mean(north) > np.mean(south) + 0.05


def test_what_the_treatment_changed_is_left_out_with_a_warning(run, mailing):
    ran = uplift(run, mailing, "--treatment", "mailed", "--json")
    assert "paid" not in ran.json["features"]
    assert "'group' is left out" in ran.err


def test_amounts_go_by_auuc(run, mailing):
    ran = uplift(run, mailing, *NAMED, outcome="paid")
    assert "go by AUUC" in ran.err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--treatment", "group"], "Say which two"),
        (["--treatment", "group", "--treated", "mail"], "belong together"),
        (["--treatment", "group", "--treated", "fax", "--control", "none"], "No row of 'group' is 'fax'"),
        (["--treatment", "spent"], "other values than 0 and 1"),
        (["--treatment", "mailed", "--features", "sit"], "no column 'sit'"),
        (["--treatment", "mailed", "--features", "mailed"], "named twice"),
        (["--treatment", "mailed", "--out", "x.txt"], "neither .csv nor .parquet"),
    ],
)
def test_what_cannot_be_is_refused(run, mailing, more, message):
    assert message in uplift(run, mailing, *more, expect=1).err


def test_too_few_rows_are_refused_in_words(run, tmp_path):
    path = tmp_path / "few.csv"
    path.write_text("t,x,bought\n" + "1,2,1\n0,3,0\n1,4,0\n0,1,1\n" * 5)
    assert "An arm has" in uplift(run, path, "--treatment", "t", expect=1).err
    path.write_text("t,x,bought\n1,2,1\n0,3,1\n")
    assert "never varies" in uplift(run, path, "--treatment", "t", expect=1).err
    path.write_text("t,x,bought\n")
    assert "No row has both" in uplift(run, path, "--treatment", "t", expect=1).err
