"""`measure compare`: the published answer from a file, the same from every format, and clear refusals."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

KEYS = ["metric", "kind", "control", "variants", "sample_ratio"]
VARIANT_KEYS = [
    "name", "n", "mean", "difference", "difference_interval", "lift", "lift_interval", "p_value",
]  # fmt: skip


@pytest.fixture(scope="module")
def cookie_cats(tmp_path_factory):
    """The published counts of Cookie Cats, a row for each player."""
    rows = {"gate_30": (44_700, 8_502), "gate_40": (45_489, 8_279)}
    table = pa.table(
        {
            "version": pa.array([name for name, (n, _) in rows.items() for _ in range(n)]).dictionary_encode(),
            "retention_7": np.concatenate([np.arange(n) < stayed for n, stayed in rows.values()]),
        }
    )
    path = tmp_path_factory.mktemp("games") / "players.parquet"
    pq.write_table(table, path)
    return path


@pytest.fixture(scope="module")
def orders():
    """2,000 visitors in groups A, B and C: visits, orders, spending, and spending before; B and C earn more."""
    draw = np.random.default_rng(8)
    group = np.array(list("ABC"))[draw.integers(0, 3, 2_000)]
    before = draw.gamma(2, 10, 2_000).round(2)
    visits = 1 + draw.poisson(2, 2_000)
    bought = draw.binomial(visits, np.where(group == "C", 0.35, 0.25))
    spent = (before + 3 * (group != "A") + draw.normal(0, 3, 2_000)).round(2)
    return {"group": group, "visits": visits, "orders": bought, "spent": spent, "before": before}


def csv(columns: dict[str, np.ndarray], path, delimiter: str = ","):
    lines = [delimiter.join(columns), *(delimiter.join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def compare(run, path, *more, variant="group", control="A", metric="spent", expect=0):
    return run("measure", "compare", path, "--variant", variant, "--control", control, "--metric", metric, *more, expect=expect)  # fmt: skip  # noqa: E501


def figures(answer) -> list[float]:
    """All numbers of an answer, in their order."""
    held = [answer["control"], *answer["variants"], answer["sample_ratio"]]
    values = [value for one in held for value in one.values() if not isinstance(value, str)]
    return [number for value in values for number in (value if isinstance(value, list) else [value])]


def test_cookie_cats_comes_out_as_published(run, cookie_cats):
    ran = compare(run, cookie_cats, "--json", variant="version", control="gate_30", metric="retention_7")
    assert list(ran.json) == KEYS
    assert ran.json["metric"] == "retention_7"
    assert ran.json["kind"] == "proportion"
    assert ran.json["control"] == {"name": "gate_30", "n": 44_700, "mean": pytest.approx(0.19020, abs=5e-6)}
    (found,) = ran.json["variants"]
    assert list(found) == VARIANT_KEYS
    assert (found["name"], found["n"]) == ("gate_40", 45_489)
    assert found["difference"] == pytest.approx(-0.00820, abs=5e-6)
    assert found["difference_interval"] == pytest.approx([-0.01328, -0.00312], abs=5e-6)
    assert found["lift"] == pytest.approx(-0.0431, abs=5e-5)
    assert found["p_value"] == pytest.approx(0.00156, abs=5e-6)
    assert ran.json["sample_ratio"] == {"p_value": pytest.approx(0.00861, abs=5e-6)}
    assert "doubtful (p = 0.0086)" in ran.err


def test_people_are_told_in_words(run, cookie_cats):
    ran = compare(run, cookie_cats, variant="version", control="gate_30", metric="retention_7")
    assert "gate_40 converts 4.3 % less often than gate_30 (retention_7: 18.20 % instead of 19.02 %" in ran.out
    assert "-1.328% to -0.312%" in ran.out


def test_every_other_value_is_set_beside_the_control_and_the_words_know_how_many(run, orders, tmp_path):
    path = csv(orders, tmp_path / "orders.csv")
    found = compare(run, path, "--json").json
    assert found["kind"] == "mean"
    assert [one["name"] for one in found["variants"]] == ["B", "C"]
    for one in found["variants"]:
        values = orders["spent"][orders["group"] == one["name"]]
        assert one["n"] == len(values)
        assert one["mean"] == pytest.approx(values.mean())
        assert one["difference"] == pytest.approx(one["mean"] - found["control"]["mean"])
        assert one["lift"] == pytest.approx(one["mean"] / found["control"]["mean"] - 1)
    ran = compare(run, path)
    assert "p of 2" in ran.out
    assert "spent is" in ran.out


def test_csv_jsonl_gzip_and_parquet_give_the_same_answer(run, orders, tmp_path):
    paths = [csv(orders, tmp_path / "a.csv"), csv(orders, tmp_path / "b.csv", ";"), tmp_path / "c.csv.gz"]
    paths[2].write_bytes(gzip.compress(paths[0].read_bytes()))
    paths += [tmp_path / "d.parquet", tmp_path / "e.jsonl"]
    pq.write_table(pa.table(orders), paths[3], row_group_size=300)
    rows = zip(*(column.tolist() for column in orders.values()), strict=True)
    paths[4].write_text("\n".join(json.dumps(dict(zip(orders, row, strict=True))) for row in rows) + "\n")
    answers = [compare(run, path, "--json", "--covariate", "before").json for path in paths]
    for answer in answers[1:]:
        assert list(answer["variants"][0]) == VARIANT_KEYS
        for name in VARIANT_KEYS[1:]:
            assert answer["variants"][0][name] == pytest.approx(answers[0]["variants"][0][name])


def test_a_covariate_narrows_the_interval_and_leaves_the_means(run, orders, tmp_path):
    path = csv(orders, tmp_path / "orders.csv")
    plain, adjusted = compare(run, path, "--json").json, compare(run, path, "--json", "--covariate", "before").json
    for one, other in zip(plain["variants"], adjusted["variants"], strict=True):
        low, high = one["difference_interval"]
        narrow_low, narrow_high = other["difference_interval"]
        assert narrow_high - narrow_low < 0.3 * (high - low)
        assert narrow_low < 3 < narrow_high
        assert other["mean"] == one["mean"]
    assert adjusted["control"] == plain["control"]


def test_a_ratio_is_of_sums_over_units(run, orders, tmp_path):
    path = csv(orders, tmp_path / "orders.csv")
    found = compare(run, path, "--json", "--kind", "ratio:visits", metric="orders").json
    assert found["kind"] == "ratio:visits"
    is_c = orders["group"] == "C"
    assert found["variants"][1]["mean"] == pytest.approx(orders["orders"][is_c].sum() / orders["visits"][is_c].sum())
    assert found["variants"][1]["p_value"] < 1e-6
    assert "orders / visits is" in compare(run, path, "--kind", "ratio:visits", metric="orders").out


def test_intervals_that_hold_at_every_look_are_wider(run, orders, tmp_path):
    path = csv(orders, tmp_path / "orders.csv")
    once, always = compare(run, path, "--json").json, compare(run, path, "--json", "--sequential").json
    for one, other in zip(once["variants"], always["variants"], strict=True):
        assert other["difference"] == one["difference"]
        assert other["difference_interval"][0] < one["difference_interval"][0]
        assert other["p_value"] > one["p_value"]


def test_fixed_figures_that_tell_a_difference_warn_of_looking_again_and_again(run, cookie_cats):
    asked = ("--variant", "version", "--control", "gate_30", "--metric", "retention_7")
    warned = "finds in 3 of 10 tests what is not there"
    assert warned in " ".join(run("measure", "compare", cookie_cats, *asked).err.split())
    assert warned not in " ".join(run("measure", "compare", cookie_cats, *asked, "--sequential").err.split())


def test_always_valid_intervals_of_few_conversions_come_with_a_warning(run, tmp_path):
    path = tmp_path / "few.csv"
    path.write_text("g,won\n" + "a,1\na,0\na,0\n" * 20 + "b,1\nb,0\n" * 30)
    ran = compare(run, path, "--sequential", variant="g", control="a", metric="won")
    assert "'a' has only 20 units with the rarer outcome; the intervals hold from about 100 on." in ran.err


@pytest.mark.parametrize("more", [(), ("--unit", "who")])
def test_a_mean_over_units_of_whom_hardly_any_has_a_value_comes_with_a_note(run, tmp_path, more):
    path = tmp_path / "spent.csv"
    spent = [*(f"a,{20 + n % 7}" for n in range(30)), *["b,40"] * 4, *["a,0", "b,0"] * 300]
    path.write_text("who,g,spent\n" + "".join(f"u{n},{row}\n" for n, row in enumerate(spent)))
    ran = compare(run, path, *more, variant="g", control="a", metric="spent")
    assert "'b' has only 4 units whose spent is not 0; the intervals hold from about 10 on." in ran.err
    assert "'a' has only" not in ran.err


def test_a_broken_assignment_blocks_the_verdict_and_says_so_loudly(run, tmp_path):
    path = tmp_path / "lost.csv"
    path.write_text("g,won\n" + "a,1\na,0\na,0\n" * 300 + "b,1\nb,0\n" * 300)
    ran = compare(run, path, variant="g", control="a", metric="won")
    assert "No verdict: the groups are not as large as they should be" in ran.out
    assert "more often" not in ran.out
    assert "SAMPLE RATIO MISMATCH (p = " in ran.err
    ran = compare(run, path, "--expected", "a=0.6,b=0.4", variant="g", control="a", metric="won")
    assert "MISMATCH" not in ran.err
    assert "b converts 50.0 % more often than a" in ran.out
    found = compare(run, path, "--json", "--expected", "a=3,b=2", variant="g", control="a", metric="won").json
    assert found["sample_ratio"]["p_value"] == 1


def test_missing_values_are_left_out_counted_and_stay_in_the_sample_ratio(run, tmp_path):
    path = tmp_path / "gaps.csv"
    path.write_text("g,x\n" + "a,1\na,2\na,\nb,3\nb,NaN\nb,4\n" * 40 + ",9\nNULL,9\n")
    ran = compare(run, path, "--json", variant="g", control="a", metric="x")
    assert (ran.json["control"]["n"], ran.json["control"]["mean"]) == (80, 1.5)
    assert (ran.json["variants"][0]["n"], ran.json["variants"][0]["mean"]) == (80, 3.5)
    assert ran.json["sample_ratio"]["p_value"] == 1
    assert "80 units lack a number: left out" in ran.err
    assert "2 rows have no variant" in ran.err
    assert "more often in some groups" not in ran.err


def test_values_that_are_missing_more_often_in_one_group_are_named(run, tmp_path):
    path = tmp_path / "gaps.csv"
    path.write_text("g,x\n" + "a,1\na,2\nb,\nb,4\nb,\nb,3\na,2\na,2\n" * 100)
    assert "missing more often in some groups" in compare(run, path, variant="g", control="a", metric="x").err


@pytest.mark.parametrize(
    ("kind", "variants", "control"),
    [
        ("whole numbers", pa.array([0, 1] * 50), "0"),
        ("whole numbers with gaps", pa.array([0.0, 1.0, None, float("nan")] * 25), "0"),
        ("truth", pa.array([False, True] * 50), "false"),
    ],
)
def test_variants_may_be_numbers_or_truth(run, tmp_path, kind, variants, control):
    pq.write_table(pa.table({"t": variants, "y": np.arange(100.0)}), tmp_path / "t.parquet")
    found = compare(run, tmp_path / "t.parquet", "--json", variant="t", control=control, metric="y").json
    assert (found["control"]["name"], found["variants"][0]["name"]) == (control, {"0": "1", "false": "true"}[control])


def test_a_variant_may_be_called_none(run, tmp_path):
    (tmp_path / "x.csv").write_text("mail,y\n" + "none,1\nnone,2\nmen,2\nmen,4\n,9\n" * 10)
    found = compare(run, tmp_path / "x.csv", "--json", variant="mail", control="none", metric="y").json
    assert (found["control"]["n"], found["variants"][0]["n"]) == (20, 20)


def test_words_for_truth_are_a_proportion_and_bad_lines_cost_only_themselves(run, tmp_path):
    path = tmp_path / "words.csv"
    path.write_text("g,won\n" + "a,true\na,FALSE\nb,True\nb,true\nb,false\na,false\n" * 20 + "a,true,oops\n")
    ran = compare(run, path, "--json", variant="g", control="a", metric="won")
    assert ran.json["kind"] == "proportion"
    assert ran.json["control"]["mean"] == pytest.approx(1 / 3)
    assert "1 line could not be read, the first is line 122" in ran.err


def test_the_kind_can_be_said(run, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("g,won\n" + "a,1\na,0\nb,1\nb,1\nb,0\na,0\n" * 20)
    assert compare(run, path, "--json", "--kind", "mean", variant="g", control="a", metric="won").json["kind"] == "mean"


@pytest.mark.parametrize(
    "more", [("--metric", "spent"), ("--metric", "spent", "--covariate", "before"), ("--kind", "ratio:visits")]
)
def test_rows_of_a_unit_are_joined_so_that_repeating_them_tells_no_more(run, orders, tmp_path, more):
    n = len(orders["spent"])
    once = csv(orders | {"who": np.arange(n)}, tmp_path / "once.csv")
    thrice = {name: np.repeat(column, 3) for name, column in (orders | {"who": np.arange(n)}).items()}
    many = csv(thrice, tmp_path / "thrice.csv")
    plain = compare(run, once, "--json", *more).json
    for path in (once, many):
        joined = compare(run, path, "--json", *more, "--unit", "who").json
        assert figures(joined) == pytest.approx(figures(plain), rel=1e-9)
    assert compare(run, many, "--json", *more).json["control"]["n"] == 3 * plain["control"]["n"]


def test_rows_of_a_unit_are_found_again_in_every_block(run, orders, tmp_path, monkeypatch):
    who = np.arange(len(orders["spent"])).astype(float)
    who[::50] = np.nan  # so that Parquet holds 1.0 where a block without a gap would hold 1
    twice = {name: np.tile(column, 2) for name, column in (orders | {"who": who}).items()}
    path = tmp_path / "twice.parquet"
    pq.write_table(pa.table(twice), path)
    whole = compare(run, path, "--json", "--unit", "who").json
    monkeypatch.setattr("bespeak.cli.measuring.columns.BLOCK_ROWS", 37)
    assert figures(compare(run, path, "--json", "--unit", "who").json) == pytest.approx(figures(whole), rel=1e-9)


def test_a_unit_of_several_variants_is_in_none(run, tmp_path):
    path = tmp_path / "x.csv"
    rows = [f"{'ab'[n % 2]},{n},{n % 7 == 0:d}" for n in range(400)]
    path.write_text("\n".join(["g,who,x", *rows, "b,0,1", "a,1,0", ",3,1", "a,,1"]) + "\n")
    ran = compare(run, path, "--json", "--unit", "who", variant="g", control="a", metric="x")
    assert (ran.json["control"]["n"], ran.json["variants"][0]["n"]) == (199, 199)
    assert ran.json["kind"] == "proportion"
    assert "2 units have rows of several variants" in ran.err
    assert "2 rows have no variant or no unit" in ran.err
    ran = compare(run, path, "--unit", "x", variant="g", control="a", metric="who", expect=1)
    assert "2 units have rows of several variants" in ran.err


def test_a_group_whose_values_are_all_the_same_is_named(run, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("g,x\n" + "a,1\na,2.5\nb,7\n" * 20)
    ran = compare(run, path, "--expected", "a=2,b=1", variant="g", control="a", metric="x")
    assert "'b' has the same value throughout" in ran.err
    assert "<0.0001" in ran.out


def test_what_has_no_answer_is_null(run, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("g,x\n" + "a,0\na,0\nb,1\nb,0\nc,0\n" * 20 + "d,1\n")
    ran = compare(run, path, "--json", variant="g", control="a", metric="x")
    b, c, d = ran.json["variants"]
    assert (b["lift"], b["lift_interval"]) == (None, None)
    assert b["difference"] == 0.5
    assert (c["difference"], c["difference_interval"], c["p_value"]) == (0, None, None)
    assert d == {**dict.fromkeys(VARIANT_KEYS), "name": "d", "n": 1}
    assert "'d' has fewer than two rows" in ran.err
    ran = compare(run, path, variant="g", control="a", metric="x", expect=0)
    assert "No verdict" in ran.out


REFUSALS = {
    "column that is not there": (("--metric", "spnt"), "There is no column 'spnt'. Did you mean 'spent'? Known: group"),
    "control that is not there": (("--control", "Z"), "There is no variant 'Z'. Known: A, B, C."),
    "metric of words": (("--metric", "group", "--variant", "orders", "--control", "0"), "holds no number in line 2"),
    "same column twice": (("--covariate", "spent"), "The column 'spent' is named twice."),
    "proportion of amounts": (("--kind", "proportion"), "'spent' holds values other than 0 and 1."),
    "kind that is none": (("--kind", "median"), "--kind median is none. Allowed: mean, proportion, ratio:COL."),
    "ratio of nothing": (("--kind", "ratio:"), "--kind ratio: is none."),
    "column of ids": (("--variant", "before", "--control", "1"), "holds more than 100 values"),
    "share without a number": (("--expected", "A=half"), "--expected reads name=share"),
    "share of a stranger": (("--expected", "A=1,B=1,C=1,D=1"), "There is no variant 'D'."),
    "share that lacks": (("--expected", "A=1,B=1"), "The expected share of 'C' must be above zero."),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_what_cannot_be_asked_is_refused_in_words(run, orders, tmp_path, what):
    more, says = REFUSALS[what]
    ran = compare(run, csv(orders, tmp_path / "orders.csv"), *more, expect=1)
    assert ran.err.startswith("Error: ")
    assert says in " ".join(ran.err.split())
    assert ran.out == ""


FILES = {
    "nothing": ("", "is empty"),
    "a header": ("g,x\n", "holds no row with a variant"),
    "no variant": ("g,x\n,1\n,2\n", "holds no row with a variant"),
    "one variant": ("g,x\na,1\na,2\n", "All rows are of 'a'. A comparison needs a second variant."),
    "a control of one": ("g,x\na,1\nb,1\nb,2\n", "'a' has fewer than two rows with a value of 'x'"),
    "a variant of one": ("g,x\na,1\na,3\nb,2\n", "'b' has fewer than two rows with a value of 'x'"),
    "no values": ("g,x\na,\na,\nb,\nb,\n", "'a' has fewer than two rows with a value of 'x'"),
    "one value": ("g,x\na,0.1\na,0.1\nb,0.1\nb,0.1\nb,0.1\n", "The metric does not vary within any group."),
    "an amount beyond all": ("g,x\na,1\na,inf\nb,1\nb,2\n", "'x' is infinite in line 3"),
    "an amount whose square no float holds": ("g,x\na,1\na,2e150\nb,1\nb,2\n", "A value lies beyond 1e+100"),
    "a comma in a number": ("g;x\na;1,5\na;2,5\nb;1\nb;2\n", "'x' holds no number in line 2"),
}


@pytest.mark.parametrize("what", FILES)
def test_a_file_that_says_nothing_is_refused_in_words(run, tmp_path, what):
    text, says = FILES[what]
    (tmp_path / "x.csv").write_text(text)
    ran = compare(run, tmp_path / "x.csv", variant="g", control="a", metric="x", expect=1)
    assert says in " ".join(ran.err.split())


def test_a_file_that_is_not_there_or_holds_times_is_refused(run, tmp_path):
    assert "cannot be read" in compare(run, tmp_path / "none.csv", expect=1).err
    pq.write_table(
        pa.table({"group": ["A", "B"], "spent": pa.array([0, 1], pa.timestamp("ms"))}), tmp_path / "t.parquet"
    )
    assert "'spent' holds no numbers (timestamp[ms])" in compare(run, tmp_path / "t.parquet", expect=1).err


def test_damaged_files_and_columns_of_lists_are_refused(run, tmp_path, cookie_cats):
    whole = cookie_cats.read_bytes()
    damaged = tmp_path / "damaged.parquet"
    damaged.write_bytes(whole[:300] + bytes(200) + whole[500:])
    ran = compare(run, damaged, variant="version", control="gate_30", metric="retention_7", expect=1)
    assert "damaged.parquet is " in ran.err
    pq.write_table(pa.table({"group": [["A"], ["B"]], "spent": [1, 2]}), tmp_path / "lists.parquet")
    assert "'group' holds no names (list<" in compare(run, tmp_path / "lists.parquet", expect=1).err


def test_a_denominator_that_is_zero_throughout_is_refused(run, tmp_path):
    (tmp_path / "x.csv").write_text("g,x,d\na,1,0\na,2,0\nb,1,0\nb,2,1\n")
    ran = compare(run, tmp_path / "x.csv", "--kind", "ratio:d", variant="g", control="a", metric="x", expect=1)
    assert "denominators of a group sum to zero" in ran.err
