"""People on two devices, who become one the sooner the more they buy: the lift stays what it is.

Buyers log in, so merges go along with the outcome and, where a variant works, with the variant. The first assignment
holds, everybody stays in, and what a person did under either device counts for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from bespeak.engine.clock import VirtualClock
from bespeak.engine.engine import Engine
from bespeak.engine.project import create
from bespeak.engine.views.experiments import experiment_report
from bespeak.storage.lake.datasets import SIGNALS
from bespeak.storage.tables import assignments, people
from bespeak.storage.tables.assignments import Assignment

SEED = 20_260_102
NOW_MS = 1_760_000_000_000
DAY_MS = 86_400_000
N_PEOPLE, N_IDLE = 5_000, 6
RATE, LIFT = 0.2, 0.4
IDLE = [f"idle_{n}" for n in range(N_IDLE)]
ARMS = ("usual", "calm")


class Merged(NamedTuple):
    engine: Engine
    n_mixed: int


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Merged]:
    """One experiment that works, and several on the same people that do nothing."""
    arms = {"usual": {}, "calm": {"settings": {"diversity": 0.5}}}
    asked = {"placement": "home", "secondary": [], "pre_days": 0}
    plan = {name: {**asked, "variants": arms} for name in ["works", *IDLE]}
    root: Path = tmp_path_factory.mktemp("shop") / "p"
    create(root, token_key=("private", ""), settings={"experiments": plan})
    with Engine.open(root, clock=VirtualClock(NOW_MS)) as engine:
        yield Merged(engine, _live(engine, np.random.default_rng(SEED)))


def _live(engine: Engine, draw: np.random.Generator) -> int:
    """Six in ten have a second device from the next day on; who buys, on either, is recognised, others seldom."""
    second = np.flatnonzero(draw.random(N_PEOPLE) < 0.6)
    person = np.concatenate([np.arange(N_PEOPLE), second])
    arm = {name: draw.integers(0, 2, len(person)) for name in ["works", *IDLE]}
    buys = draw.random(N_PEOPLE) < RATE * (1 + LIFT * arm["works"][:N_PEOPLE])
    on_second = draw.random(len(second)) < 0.5
    is_merged = buys[second] | (draw.random(len(second)) < 0.2)
    start_ms = NOW_MS - 20 * DAY_MS + DAY_MS * (np.arange(len(person)) >= N_PEOPLE)
    with engine.core.store.write() as tx:
        ids = np.array(people.create(tx, len(person), NOW_MS - 30 * DAY_MS))
        assignments.assign(tx, [
            Assignment(person=int(ids[n]), experiment=name, variant=ARMS[held[n]], first_ms=int(start_ms[n]))
            for name, held in arm.items() for n in range(len(person))
        ])  # fmt: skip
        where = np.arange(N_PEOPLE)
        where[second[on_second]] = N_PEOPLE + np.flatnonzero(on_second)
        table = _orders(ids[where[buys]])
        engine.core.lake.append(tx, "signals", table, 1, table.num_rows)
        for n in np.flatnonzero(is_merged):
            first, other = int(ids[second[n]]), int(ids[N_PEOPLE + n])
            people.merge(tx, first, other)
            assignments.merge(tx, first, other)
    return int((is_merged & (arm["works"][second] != arm["works"][N_PEOPLE:])).sum())


def _orders(person: np.ndarray) -> pa.Table:
    n = len(person)
    columns = {
        "log_id": 1 + np.arange(n), "person_id": person, "time_ms": np.full(n, NOW_MS - 5 * DAY_MS),
        "received_ms": np.full(n, NOW_MS - 5 * DAY_MS), "name": ["order"] * n, "signal": ["order"] * n,
        "signal_class": ["purchase"] * n, "strength": np.ones(n), "item_id": ["p"] * n, "purposes": np.full(n, 15),
        "is_bot": np.zeros(n, bool), "value_minor": np.full(n, 1000), "currency": ["EUR"] * n,
        "decision_id": pa.nulls(n, pa.string()), "amount": pa.nulls(n, pa.float64()),
    }  # fmt: skip
    return pa.table(columns, schema=SIGNALS)


def test_a_lift_is_not_watered_down_by_merges(shop: Merged) -> None:
    found = experiment_report(shop.engine.core, "works")
    assert not found.is_broken
    assert found.n_mixed == shop.n_mixed > 500
    conversion = found.metrics[0].variants[0]
    low, high = conversion.lift_interval
    assert low < LIFT < high
    assert abs(conversion.lift - LIFT) < (high - low) / 6  # about one standard error of three that it reaches


def test_merges_that_go_along_with_buying_make_no_lift_where_there_is_none(shop: Merged) -> None:
    distances = []
    for name in IDLE:
        conversion = experiment_report(shop.engine.core, name).metrics[0].variants[0]
        low, high = conversion.lift_interval
        assert low < 0 < high
        distances.append(conversion.lift / (high - low))
    # Intervals reach three standard errors to either side: the mean of six such distances is about normal, sd .07.
    assert abs(np.mean(distances)) < 0.14
