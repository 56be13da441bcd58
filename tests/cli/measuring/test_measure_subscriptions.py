"""`measure lifetime` of subscribers: spans and payments tell the same, and what cannot be is refused."""

from __future__ import annotations

import csv
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

START = np.datetime64("2023-01", "M")
N = 900


def subscribers() -> list[tuple[str, np.datetime64, int | None, str, float]]:
    """Who, first month, renewal that is missed, plan, price; watched for 24 months."""
    draw = np.random.default_rng(8)
    found = []
    for n in range(N):
        plan = str(draw.choice(["basic", "pro"]))
        lost_at = int(draw.geometric(draw.beta(0.8, 3.0) * (1.0 if plan == "basic" else 0.5)))
        first = int(draw.integers(0, 20))
        found.append((f"c{n}", START + first, lost_at if first + lost_at < 24 else None, plan, 10.0 if plan == "basic" else 20.0))  # fmt: skip  # noqa: E501
    return found


@pytest.fixture(scope="module")
def spans(tmp_path_factory):
    rows = subscribers()
    path = tmp_path_factory.mktemp("paper") / "spans.parquet"
    table = {
        "who": [row[0] for row in rows],
        "began": np.array([first for _, first, *_ in rows]).astype("datetime64[D]"),
        "ended": np.array(
            [np.datetime64("NaT") if lost is None else first + lost for _, first, lost, *_ in rows], "datetime64[D]"
        ),
        "plan": [row[3] for row in rows],
        "paid": [row[4] for row in rows],
    }
    pq.write_table(pa.table(table), path)
    return path


@pytest.fixture(scope="module")
def payments(tmp_path_factory):
    path = tmp_path_factory.mktemp("paper") / "payments.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["who", "began", "plan", "paid"])
        for who, first, lost_at, plan, paid in subscribers():
            months = range((START + 24 - first).astype(int) if lost_at is None else lost_at)
            writer.writerows([who, (first + month).astype("datetime64[D]"), plan, paid] for month in months)
        writer.writerow(["c0", "2023-12-05", "", "-5"])  # a refund is no payment
    return path


def lifetime(run, path, *more, end="2024-03-31", expect=0):
    return run("measure", "lifetime", path, "--customer", "who", "--date", "began", "--calibration-end", end, *more, expect=expect)  # fmt: skip  # noqa: E501


def test_the_answer_has_the_promised_shape(run, spans):
    more = ("--ended", "ended", "--amount", "paid", "--features", "plan", "--end", "2024-12-31", "--json")
    answer = lifetime(run, spans, *more).json
    assert list(answer) == [
        "parameters", "log_likelihood", "n_subscriptions", "n_active", "retention", "holdout", "hazard", "spend",
    ]  # fmt: skip
    assert list(answer["parameters"]) == ["alpha", "beta"]
    assert list(answer["retention"][0]) == ["renewal", "renewed", "lost", "predicted"]
    for held in (answer["holdout"], answer["hazard"]["holdout"], answer["spend"]["holdout"]):
        assert list(held) == ["predicted", "actual", "mae", "correlation"]
        assert held["predicted"] == pytest.approx(held["actual"], rel=0.12)
    assert answer["hazard"]["features"] == ["plan"]
    assert 10 < answer["spend"]["mean"] < 20
    first = answer["retention"][0]
    assert first["renewed"] / (first["renewed"] + first["lost"]) == pytest.approx(first["predicted"], abs=0.03)


def test_payments_tell_what_spans_tell(run, spans, payments):
    by_span = lifetime(run, spans, "--ended", "ended", "--end", "2024-12-15", "--json").json
    by_payment = lifetime(run, payments, "--subscription", "--end", "2024-12-15", "--amount", "paid", "--json").json
    for name, value in by_span["parameters"].items():
        assert by_payment["parameters"][name] == pytest.approx(value, rel=0.15)
    assert by_payment["n_subscriptions"] == by_span["n_subscriptions"]
    assert [row["lost"] for row in by_payment["retention"]] == [row["lost"] for row in by_span["retention"]]


def test_people_are_told_in_words_and_get_a_file_of_subscribers(run, payments, tmp_path):
    out = tmp_path / "who.csv"
    more = ("--subscription", "--amount", "paid", "--features", "plan", "--ahead", "12", "--out", out)
    ran = lifetime(run, payments, *more)
    assert "subscriptions, of which" in ran.out
    assert "renewals, by age and features" in ran.out
    assert "12 months ahead" in ran.err
    assert "1 row with an amount below 0, refunds and no payments: left out" in ran.err
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["customer", "start", "renewals", "stays", "expected_renewals", "expected_value"]
    assert all(0 < float(row["stays"]) < 1 and float(row["expected_renewals"]) < 12 for row in rows)


def test_nothing_after_the_calibration_is_no_holdout(run, spans):
    answer = lifetime(run, spans, "--ended", "ended", "--json", end="2025-06-30").json
    assert (answer["holdout"], answer["hazard"], answer["spend"]) == (None, None, None)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--ended", "gone"], "no column 'gone'"),
        (["--ended", "began"], "named twice"),
        (["--subscription", "--unit", "moon"], "Allowed: day, week, month, year"),
        (["--subscription", "--ahead", "1.5"], "whole periods"),
        (["--subscription", "--ahead", "1e9"], "at most 1,200 periods"),
        (["--ended", "ended", "--end", "2023-01-05"], "lies before"),
        (["--features", "plan"], "is for subscriptions"),
        (["--subscription", "--unit", "year", "--end", "2024-04-01"], "subscriptions came to their first renewal"),
        (["--ended", "ended", "--amount", "plan"], "holds no number"),
        (["--ended", "plan"], "holds no date"),
    ],
)
def test_what_cannot_be_is_refused(run, spans, more, message):
    end = "2023-03-31" if "year" in more else "2024-03-31"
    assert message in lifetime(run, spans, *more, end=end, expect=1).err


def test_subscriptions_that_end_before_they_begin_and_none_at_all_are_refused(run, tmp_path):
    path = tmp_path / "few.csv"
    path.write_text("who,began,ended\na,2024-02-01,2024-01-01\n")
    assert "end before they begin" in lifetime(run, path, "--ended", "ended", expect=1).err
    path.write_text("who,began,ended\n,2024-02-01,\n")
    assert "no subscriptions" in lifetime(run, path, "--ended", "ended", expect=1).err


def test_json_is_json_in_a_pipe(run, spans):
    assert json.loads(lifetime(run, spans, "--ended", "ended", "--json").out)["n_active"] > 0
