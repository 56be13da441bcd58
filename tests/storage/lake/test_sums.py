"""Sums over units, against the same sums made by hand from a handful of rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from bespeak.measure.metrics import BUILT_IN, metrics_from, sums_of
from bespeak.storage.base import Store
from bespeak.storage.blobs import Blobs
from bespeak.storage.lake import Lake
from bespeak.storage.lake.datasets import SIGNALS
from bespeak.storage.lake.sums import MEMBERS, unit_sums
from bespeak.storage.statistics import Group, SumsRequest

DAY_MS = 86_400_000
START_MS = 1_700_000_000_000 // DAY_MS * DAY_MS
MEASURE = 4


def row(person: int, days: float, signal_class: str, **more: object) -> dict[str, object]:
    """One signal, so many days after the start."""
    filled = {
        "log_id": more.pop("log_id", 0) or id(more), "person_id": person, "time_ms": START_MS + round(days * DAY_MS),
        "received_ms": START_MS, "name": signal_class, "signal": signal_class, "signal_class": signal_class,
        "strength": 1.0, "item_id": "p1", "purposes": 7, "is_bot": False, "value_minor": 0, "currency": None,
        "decision_id": None, "amount": None,
    }  # fmt: skip
    return {**filled, **more}


ROWS = [
    # person 1: bought for 20 before, for 30 (two items, one order) and 10 since, sent 5 back
    row(1, -3, "purchase", value_minor=2000, currency="EUR", log_id=1),
    row(1, 1, "purchase", value_minor=1000, currency="EUR", log_id=2),
    row(1, 1, "purchase", value_minor=2000, currency="EUR", log_id=2),
    row(1, 2, "purchase", value_minor=1000, currency="EUR", log_id=3),
    row(1, 5, "refund", value_minor=500, currency="EUR", log_id=4),
    # person 2, known as 22 before: another currency is left out of sums
    row(22, 1, "cart", log_id=5),
    row(2, 3, "purchase", value_minor=9000, currency="USD", log_id=6),
    # person 3: left a cart; what a bot did, what may not be measured and what came too late does not count
    row(3, 2, "cart", log_id=7),
    row(3, 2, "purchase", value_minor=100, currency="EUR", is_bot=True, log_id=8),
    row(3, 2, "purchase", value_minor=100, currency="EUR", purposes=3, log_id=9),
    row(3, 31, "purchase", value_minor=100, currency="EUR", log_id=10),
    # person 4 watched for two minutes, a week later
    row(4, 8, "watch", amount=120.0, log_id=11),
    # person 9 is in no arm
    row(9, 1, "purchase", value_minor=77700, currency="EUR", log_id=12),
]


@pytest.fixture
def lake(sqlite_store: Store, tmp_path: Path) -> Lake:
    lake = Lake(sqlite_store, Blobs(tmp_path / "blobs"))
    with sqlite_store.write() as tx:
        lake.append(tx, "signals", pa.Table.from_pylist(ROWS, schema=SIGNALS), 1, 12)
    return lake


def asked(lake: Lake, *names: str, end_days: float = 30, own: dict | None = None):
    metrics = metrics_from(own or {})
    wanted = tuple(metrics[name].wanted(14) for name in names)
    request = SumsRequest(wanted, MEASURE, "EUR", 2, START_MS + round(end_days * DAY_MS))
    people = [(1, 1), (2, 2), (22, 2), (3, 3), (4, 4)]
    members = pa.table([[p for p, _ in people], [u for _, u in people], [START_MS] * len(people)], schema=MEMBERS)
    units = pa.table({
        "unit": np.array([1, 2, 3, 4]), "start_ms": np.full(4, START_MS), "arm": np.array([0, 0, 1, 1]),
        "is_new": np.array([1, 0, 0, 0]),
    })  # fmt: skip
    found = unit_sums(lake, request, members, units, ("is_new",))
    return {w.name: w for w in wanted}, found


def means(lake: Lake, name: str, **more) -> list[float]:
    """The metric in both arms."""
    _, found = asked(lake, name, **more)
    raws = [found[Group(arm)][name] for arm in (0, 1)]
    return [raw.totals[0] / raw.totals[1] if raw.totals[1] else float("nan") for raw in raws]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("conversion_rate", [1.0, 0.0]),
        ("engagement_rate", [1.0, 1.0]),
        ("orders", [1.5, 0.0]),
        ("order_value", [20.0, float("nan")]),
        ("return_rate", [1 / 3, float("nan")]),
        ("cart_abandonment", [0.0, 1.0]),
        ("watch_time", [0.0, 60.0]),
        ("retention", [0.0, 0.5]),
    ],
)
def test_a_metric_is_what_its_definition_says(lake, name, expected):
    assert means(lake, name) == pytest.approx(expected, nan_ok=True)


SHOWN = [
    # person 1 saw four items under decisions, clicked one of them twice and one that no decision showed
    *(row(1, 1 + n / 10, "exposure", log_id=20 + n, decision_id="d1") for n in range(4)),
    row(1, 1.5, "click", log_id=24, decision_id="d1"),
    row(1, 1.6, "click", log_id=25, decision_id="d1"),
    row(1, 1.7, "click", log_id=26),
    # person 2, known as 22 before, saw two, told two friends in one go, and was asked twice; one answer is none
    row(22, 2, "exposure", log_id=30, decision_id="d2"),
    row(2, 3, "exposure", log_id=31, decision_id="d2"),
    row(2, 4, "share", log_id=32),
    row(2, 4, "share", log_id=32),
    row(2, 5, "survey", amount=5.0, log_id=33),
    row(2, 6, "survey", amount=2.0, log_id=34),
    row(2, 6, "survey", amount=-1.0, log_id=35),
    # person 3 bought for 100, came back on the 9th day, sent 30 back, and bought for 50 half a year later
    row(3, 1, "purchase", value_minor=10_000, currency="EUR", log_id=40),
    row(3, 9, "refund", value_minor=3_000, currency="EUR", log_id=41),
    row(3, 9.5, "view", log_id=44),
    row(3, 181.9, "purchase", value_minor=5_000, currency="EUR", log_id=42),
    row(3, 182.1, "purchase", value_minor=70_000, currency="EUR", log_id=43),
    # person 4 read and watched, and came back too late for the second week, in which a mail was sent
    row(4, 0.5, "read", amount=40.0, log_id=50),
    row(4, 6.9, "watch", amount=20.0, log_id=51),
    row(4, 14.1, "view", log_id=52),
    row(4, 8, "delivery", log_id=53),
    # what a robot saw, heard and said
    *(row(4, 1, kind, amount=9.0, is_bot=True, decision_id="d9", log_id=60) for kind in ("click", "survey", "share")),
]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("click_rate", [2 / 6, float("nan")]),
        ("referrals", [0.5, 0.0]),
        ("satisfaction", [3.5, float("nan")]),
        ("lifetime_value", [0.0, (100 - 30 + 50) / 2]),
        ("roi", [0.0, (100 - 30 + 50 + 700) / 2]),
        ("watch_time", [0.0, 30.0]),
        ("retention", [0.0, 0.5]),
        ("return_rate", [float("nan"), 1 / 3]),
        ("order_value", [float("nan"), 850 / 3]),
        ("engagement_rate", [1.0, 1.0]),
        ("conversion_rate", [0.0, 0.5]),
    ],
)
def test_a_metric_over_half_a_year_is_what_its_definition_says(sqlite_store, tmp_path, name, expected):
    lake = Lake(sqlite_store, Blobs(tmp_path / "blobs"))
    with sqlite_store.write() as tx:
        lake.append(tx, "signals", pa.Table.from_pylist(SHOWN, schema=SIGNALS), 1, 60)
    plain = {held: {"winsorise": 0} for held in ("lifetime_value", "watch_time")}
    assert means(lake, name, end_days=200, own=plain) == pytest.approx(expected, nan_ok=True)


def test_every_built_in_metric_is_worked_out_by_hand_here():
    both = (test_a_metric_is_what_its_definition_says, test_a_metric_over_half_a_year_is_what_its_definition_says)
    told = [mark for test in both for mark in test.pytestmark]
    named = {name for mark in told for name, _ in mark.args[1]}
    assert named | {"revenue"} == set(BUILT_IN)


def test_an_attribution_window_counts_what_came_within_it(lake):
    own = {"soon": {"like": "orders", "window_days": 1.5}, "late": {"like": "orders", "after_days": 1.5, "window_days": 9}}  # fmt: skip  # noqa: E501
    assert means(lake, "soon", own=own) == [0.5, 0.0]
    assert means(lake, "late", own=own) == [1.0, 0.0]


def test_a_rule_may_ask_for_money_in_major_units(lake):
    dear = {"dear": {"of": "class = 'purchase' AND value >= 15", "aggregate": "count"}}
    assert means(lake, "dear", own=dear) == [0.5, 0.0]


def test_refunds_are_taken_off_the_revenue_and_its_past_is_the_covariate(lake):
    wanted, found = asked(lake, "revenue", own={"revenue": {"winsorise": 0}})
    raw = found[Group(0)]["revenue"]
    assert raw.totals == (35.0, 2.0, 20.0, 2.0)
    assert raw.products[0] == (35.0**2, 35.0, 35.0 * 20, 35.0)
    assert raw.n_nonzero == 1
    sums = sums_of(raw, wanted["revenue"], is_adjusted=True)
    assert sums.n == 2
    assert sums.means.tolist() == [17.5, 1.0, 10.0, 1.0]


def test_values_above_the_quantile_of_all_arms_are_capped(lake):
    own = {"mine": {"of": "class = 'purchase'", "aggregate": "count", "winsorise": 0.5}}
    _, found = asked(lake, "mine", own=own)
    assert found[Group(0)]["mine"].totals[0] == 3.0  # person 1 bought three times, person 2 once: the median is 2


def test_parts_add_up_to_their_arm(lake):
    _, found = asked(lake, "conversion_rate")
    parts = [found[Group(0, "is_new", value)]["conversion_rate"] for value in (0, 1)]
    assert sum(raw.n for raw in parts) == found[Group(0)]["conversion_rate"].n == 2
    assert sum(raw.totals[0] for raw in parts) == found[Group(0)]["conversion_rate"].totals[0]


def test_people_whose_window_is_open_do_not_count(lake):
    _, found = asked(lake, "retention", "conversion_rate", end_days=10)
    assert "retention" not in found[Group(1)]
    assert found[Group(1)]["conversion_rate"].n == 2


def test_several_metrics_come_of_one_query(lake):
    names = list(BUILT_IN)
    _, found = asked(lake, *names)
    assert set(found[Group(0)]) == set(names) - {"lifetime_value"}
