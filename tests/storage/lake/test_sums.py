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
        ("order_value", [40 / 3, float("nan")]),
        ("return_rate", [1 / 3, float("nan")]),
        ("cart_abandonment", [0.0, 1.0]),
        ("watch_time", [0.0, 60.0]),
        ("retention", [0.0, 0.5]),
    ],
)
def test_a_metric_is_what_its_definition_says(lake, name, expected):
    assert means(lake, name) == pytest.approx(expected, nan_ok=True)


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
