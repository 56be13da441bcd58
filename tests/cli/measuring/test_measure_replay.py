"""`measure replay`: the true value of a policy from a file, from every way to say what it does, and clear refusals."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

BANNERS = ["red", "green", "blue"]
RATES = np.array([[0.05, 0.10, 0.20], [0.20, 0.05, 0.10]])
LOGGED = np.array([[0.5, 0.3, 0.2], [0.2, 0.5, 0.3]])
TARGET = np.array([[0.1, 0.1, 0.8], [0.7, 0.2, 0.1]])
TRUTH = float((RATES * TARGET).sum(axis=1).mean())
BEST = float(RATES.max(axis=1).mean())


def columns(n: int = 6_000, seed: int = 1) -> dict[str, list[object]]:
    """Two kinds of visitors, evenly; the log's policy and the other one like other banners."""
    rng = np.random.default_rng(seed)
    kind = np.arange(n) % 2
    took = (LOGGED[kind].cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    found = {
        "click": (rng.random(n) < RATES[kind, took]).astype(int).tolist(),
        "p": LOGGED[kind, took].tolist(),
        "q": TARGET[kind, took].tolist(),
        "banner": [BANNERS[one] for one in took],
        "kind": [f"k{one}" for one in kind],
        "age": rng.normal(40, 9, n).tolist(),
        "wanted": [BANNERS[one] for one in RATES.argmax(axis=1)[kind]],
    }
    return found | {f"q:{name}": TARGET[kind, place].tolist() for place, name in enumerate(BANNERS)}


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    path = tmp_path_factory.mktemp("replay") / "log.parquet"
    pq.write_table(pa.table(columns()), path)
    return path


def replay(run, path, *more, expect=0):
    return run("measure", "replay", path, "--reward", "click", "--propensity", "p", *more, expect=expect)


def only(ran) -> dict[str, object]:
    (found,) = ran.json["estimates"]
    return found


def covers(found, truth: float) -> bool:
    low, high = found["interval"]
    return low < truth < high and high - low < 0.06


def test_a_column_of_chances_is_enough(run, log):
    ran = replay(run, log, "--target", "q", "--json")
    assert list(ran.json) == [
        "assume", "n", "n_decisions", "logged", "estimates", "diagnostics", "refused", "warnings",
    ]  # fmt: skip
    assert ran.json["refused"] is None
    assert ran.json["warnings"] == []
    found = only(ran)
    assert found["estimator"] == "snips"
    assert covers(found, TRUTH)
    assert found["difference_interval"][0] > 0


def test_with_the_chances_of_all_actions_the_reward_model_helps(run, log):
    ran = replay(run, log, "--target", "q", "--action", "banner", "--context", "kind,age", "--estimator", "all", "--json")  # fmt: skip  # noqa: E501
    found = {one["estimator"]: one for one in ran.json["estimates"]}
    assert list(found) == ["ips", "snips", "dm", "dr", "sndr", "switch", "dros"]
    assert all(covers(found[name], TRUTH) for name in ("ips", "snips", "dr", "sndr"))
    assert found["dr"]["standard_error"] < found["ips"]["standard_error"]
    assert abs(found["dm"]["value"] - TRUTH) < 0.02
    assert any("dm is the reward model's word" in text for text in ran.json["warnings"])


def test_a_policy_that_always_takes_one_action_and_one_that_takes_any(run, log):
    best = replay(run, log, "--target-action", "wanted", "--action", "banner", "--context", "kind", "--json")
    assert only(best)["estimator"] == "dr"
    assert covers(only(best), BEST)
    even = replay(run, log, "--target", "uniform", "--action", "banner", "--json")
    assert covers(only(even), float(RATES.mean()))


def test_the_columns_of_all_actions_give_the_chance_of_what_was_taken(run, log, tmp_path):
    path = tmp_path / "without.parquet"
    pq.write_table(pq.read_table(log).drop(["q"]), path)
    both = [replay(run, file, "--target", "q", "--action", "banner", "--json").json for file in (log, path)]
    assert both[0] == both[1]


def test_people_read_who_would_have_won(run, log):
    ran = replay(run, log, "--target", "q", "--action", "banner", "--context", "kind")
    assert "It would have won: 0.1" in ran.out
    assert "mean weight" in ran.err


def slates(path, n: int = 3_000):
    """Two positions drawn one after the other, so that what stands second hangs on what stands first."""
    rng = np.random.default_rng(2)
    logged, target = np.exp([0.3, 0.0, 0.2]), np.exp([1.0, 0.5, -0.5])
    rates = np.array([0.4, 0.3, 0.1])
    lines, truth = [], 0.0
    for first in range(3):
        for second in {0, 1, 2} - {first}:
            chance = target[first] / target.sum() * target[second] / (target.sum() - target[first])
            truth += chance * (rates[first] + 0.6 * rates[second])
    for decision in range(n):
        left = [0, 1, 2]
        for position in (1, 2):
            p, q = logged[left] / logged[left].sum(), target[left] / target[left].sum()
            place = int(rng.choice(len(left), p=p))
            item = left.pop(place)
            click = int(rng.random() < rates[item] * (1.0, 0.6)[position - 1])
            row = {"slate": decision, "place": position, "p": p[place], "q": q[place], "click": click}
            lines.append(json.dumps({**row, "visitor": f"v{decision % 700}"}))
    path.write_text("\n".join(lines) + "\n")
    return truth


def test_slates_drawn_position_by_position_are_valued_under_the_cascade(run, tmp_path):
    path = tmp_path / "slates.jsonl"
    truth = slates(path)
    options = ("--target", "q", "--decision", "slate", "--position", "place", "--unit", "visitor", "--json")
    ran = replay(run, path, *options, "--assume", "cascade", "--estimator", "ips,snips")
    assert ran.json["n_decisions"] == 3_000
    assert len(ran.json["diagnostics"]["effective_by_position"]) == 2
    for found in ran.json["estimates"]:
        low, high = found["interval"]
        assert low < truth < high


def test_a_log_that_says_too_little_is_refused_with_its_diagnostics(run, tmp_path):
    path = tmp_path / "small.parquet"
    pq.write_table(pa.table(columns(n=300)), path)
    ran = replay(run, path, "--target", "q", "--json", expect=1)
    assert ran.json["estimates"] == []
    assert "200 are needed" in ran.json["refused"]
    assert ran.json["diagnostics"]["effective_sample_size"] < 200
    assert "No figure" in ran.err
    assert "would have" not in replay(run, path, "--target", "q", expect=1).out


def test_wrong_propensities_are_named(run, tmp_path):
    held = columns(n=20_000)
    held["p"] = [0.5 * p + 0.5 / 3 for p in held["p"]]
    path = tmp_path / "wrong.parquet"
    pq.write_table(pa.table(held), path)
    ran = replay(run, path, "--target", "q", expect=None)
    assert "the propensities are wrong" in ran.err


def test_figures_of_propensities_that_cannot_be_right_get_no_verdict(run, tmp_path):
    held = columns(n=20_000)
    held["p"] = [0.8 * p for p in held["p"]]
    path = tmp_path / "low.parquet"
    pq.write_table(pa.table(held), path)
    ran = replay(run, path, "--target", "q")
    assert "the propensities are wrong" in ran.err
    assert "No verdict" in ran.out
    assert "would have" not in ran.out


def test_a_log_in_which_nothing_was_ever_earned_is_refused(run, tmp_path):
    path = tmp_path / "still.parquet"
    pq.write_table(pa.table(columns() | {"click": [0] * 6_000}), path)
    ran = replay(run, path, "--target", "q", "--json", expect=1)
    assert ran.json["estimates"] == []
    assert "Every decision earned the same (0)" in ran.json["refused"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "Say what the evaluated policy does"),
        (("--target", "q", "--target-action", "wanted", "--action", "banner"), "Say what the evaluated policy does"),
        (("--target", "nothing"), "no column 'nothing'"),
        (("--target", "uniform"), "needs --action"),
        (("--target", "q", "--decision", "kind"), "--decision and --position go together"),
        (("--target", "q", "--context", "kind"), "need --action"),
        (("--target", "q", "--estimator", "dr"), "needs a reward model"),
        (("--target", "q", "--estimator", "ipss"), "Did you mean 'ips'?"),
        (("--target", "q", "--assume", "magic"), "Allowed: position, cascade"),
        (("--target", "age"), "target probability in line"),
        (("--target", "kind"), "holds no number in line"),
        (("--target", "q", "--action", "banner", "--decision", "kind", "--position", "banner"), "holds no number"),
    ],
)
def test_what_cannot_be_meant_is_refused(run, log, options, said):
    assert said in replay(run, log, *options, expect=1).err


def test_what_is_no_probability_is_named_by_its_line_also_behind_rows_that_were_left_out(run, tmp_path):
    path = tmp_path / "wrong.csv"
    path.write_text("click,p,q\n1,,.2\n,.5,.2\n1,1.5,.2\n" + "1,.5,.5\n" * 10)
    ran = run("measure", "replay", path, "--reward", "click", "--propensity", "p", "--target", "q", expect=1)
    assert "The propensity in line 4 is 1.5, and not above 0 and at most 1." in ran.err


def test_chances_that_do_not_add_up_are_refused(run, tmp_path):
    held = columns(n=500)
    del held["q:red"]
    path = tmp_path / "short.parquet"
    pq.write_table(pa.table(held), path)
    assert "do not add up to 1 in line 1" in replay(run, path, "--target", "q", "--action", "banner", expect=1).err


def test_rows_without_a_value_are_left_out_and_told(run, tmp_path):
    held = columns()
    held["click"] = [None, *held["click"][1:]]
    path = tmp_path / "holes.parquet"
    pq.write_table(pa.table(held), path)
    ran = replay(run, path, "--target", "q", "--json")
    assert ran.json["n"] == 5_999
    assert "1 row lacks a value" in ran.err
