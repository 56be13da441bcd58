"""`measure lifetime`: the JSON that was promised, the same from every format, and warnings that do not stop it."""

from __future__ import annotations

import csv

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

START = np.datetime64("2024-01-01")


def purchases(*, dependent: bool = False) -> dict[str, np.ndarray]:
    """Two years of 600 customers: each buys at an own rate until they leave, for about an own amount."""
    draw = np.random.default_rng(11)
    who, when, spent = [], [], []
    for customer in range(600):
        first, rate = draw.integers(0, 180), draw.gamma(1.2, 0.02) + 0.001
        usual, n_stays = draw.gamma(4, 8), draw.geometric(draw.beta(1, 4))
        gaps = np.cumsum(draw.exponential(1 / rate, min(n_stays, 300)))
        days = first + np.concatenate([[0], gaps[gaps < 730 - first]])
        usual *= len(days) if dependent else 1
        who += [f"c{customer}"] * len(days)
        when += list(START + days.astype(int))
        spent += list(np.round(usual * draw.gamma(5, 0.2, len(days)), 2))
    return {"buyer": np.array(who), "on": np.array(when), "paid": np.array(spent)}


@pytest.fixture(scope="module")
def bought():
    return purchases()


@pytest.fixture(scope="module")
def parquet(bought, tmp_path_factory):
    path = tmp_path_factory.mktemp("shop") / "orders.parquet"
    pq.write_table(pa.table(bought), path)
    return path


def lifetime(run, path, *more, end="2024-12-31", expect=0):
    return run("measure", "lifetime", path, "--customer", "buyer", "--date", "on", "--calibration-end", end, *more, expect=expect)  # fmt: skip  # noqa: E501


def test_the_answer_has_the_promised_shape(run, parquet):
    answer = lifetime(run, parquet, "--amount", "paid", "--json").json
    assert list(answer) == ["parameters", "log_likelihood", "n_customers", "holdout", "spend"]
    assert list(answer["parameters"]) == ["r", "alpha", "a", "b"]
    assert list(answer["holdout"]) == ["predicted", "actual", "mae", "correlation"]
    assert answer["n_customers"] == 600
    assert answer["holdout"]["predicted"] == pytest.approx(answer["holdout"]["actual"], rel=0.25)
    assert answer["spend"]["independence"]["holds"] is True
    assert answer["spend"]["holdout"]["predicted"] == pytest.approx(answer["spend"]["holdout"]["actual"], rel=0.3)


def test_csv_with_times_gives_the_same_as_parquet_with_dates(run, bought, parquet, tmp_path):
    path = tmp_path / "orders.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["buyer", "on", "paid"])
        for buyer, day, paid in zip(*bought.values(), strict=True):
            writer.writerow([buyer, f"{day}T09:30:00Z", paid])
            writer.writerow([buyer, f"{day} 23:59:59", 0])  # twice a day is once
    ours = lifetime(run, path, "--amount", "paid", "--json").json
    assert ours == lifetime(run, parquet, "--amount", "paid", "--json").json


def test_without_amounts_there_is_no_spend_and_without_a_holdout_none(run, parquet):
    answer = lifetime(run, parquet, "--json", end="2026-12-31").json
    assert answer["spend"] is None
    assert answer["holdout"] is None


def test_a_failed_independence_check_warns_and_still_answers(run, tmp_path):
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table(purchases(dependent=True)), path)
    ran = lifetime(run, path, "--amount", "paid", "--json")
    assert ran.json["spend"]["independence"]["holds"] is False
    assert ran.json["spend"]["parameters"]["p"] > 0
    assert "independence check fails" in ran.err


def test_people_are_told_in_words_and_get_a_file_of_customers(run, parquet, tmp_path):
    out = tmp_path / "customers.csv"
    ran = lifetime(run, parquet, "--amount", "paid", "--unit", "month", "--ahead", "12", "--out", out)
    assert "600 customers, of whom" in ran.out
    assert "12 months ahead" in ran.err
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 600
    assert list(rows[0]) == [
        "customer", "repeats", "recency", "age", "alive", "expected_purchases", "expected_spent", "expected_value",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--calibration-end", "soon"], "is no date"),
        (["--calibration-end", "2020-01-01"], "customers to learn from: 0;"),
        (["--unit", "moon"], "Allowed: day, week, month, year"),
        (["--amount", "price"], "no column 'price'"),
        (["--amount", "on"], "named twice"),
        (["--end", "2024-01-05"], "lies before"),
        (["--out", "x.json"], "neither .csv nor .parquet"),
    ],
)
def test_what_cannot_be_is_refused(run, parquet, more, message):
    assert message in lifetime(run, parquet, *more, expect=1).err


def test_one_customer_and_no_rows_are_refused_in_words(run, tmp_path):
    path = tmp_path / "one.csv"
    path.write_text("buyer,on\nme,2024-01-01\nme,2024-02-01\n")
    assert "customers to learn from: 1;" in lifetime(run, path, expect=1).err
    path.write_text("buyer,on\n")
    assert "no purchases" in lifetime(run, path, expect=1).err
    path.write_text("buyer,on\nme,last summer\n")
    assert "holds no date in line 2" in lifetime(run, path, expect=1).err
