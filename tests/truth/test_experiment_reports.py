"""The report of an experiment against a world whose truth is known: seeds fixed before the first run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from bespeak.engine.clock import VirtualClock
from bespeak.engine.engine import Engine
from bespeak.engine.project import create
from bespeak.engine.views.experiment_report import ExperimentReport
from bespeak.engine.views.experiments import experiment_report
from bespeak.simulate import WORLDS, play
from bespeak.simulate.doing.acts import Act
from bespeak.simulate.truth import Truth, truth_of
from bespeak.simulate.world import World
from bespeak.storage.lake.datasets import SIGNALS
from bespeak.storage.tables import assignments, people
from bespeak.storage.tables.assignments import Assignment

END_MS = 1_750_000_000_000
DAY_MS = 86_400_000
N_PEOPLE, N_DAYS, FROM_DAY = 3_000, 26, 8
CLASS_OF = {Act.CLICKED: "click", Act.ADDED: "cart", Act.ORDERED: "purchase", Act.REFUNDED: "refund"}
PLAN = {
    "metrics": {"clicked": {"of": "class = 'click'"}, "revenue": {"winsorise": 0}},
    "experiments": {
        "oracle": {
            "placement": "home",
            "variants": {"popular": {}, "oracle": {"settings": {"diversity": 0.1}}},
            "primary": "conversion_rate",
            "secondary": ["clicked", "orders", "revenue"],
        }
    },
}
Told = Callable[..., ExperimentReport]


@pytest.fixture(scope="module")
def world() -> World:
    return WORLDS["shop"](83, N_PEOPLE, 96, N_DAYS, end_ms=END_MS)


@pytest.fixture(scope="module")
def truth(world: World) -> Truth:
    return truth_of(world, {"popular": world.popular, "oracle": world.oracle}, "popular", from_day=FROM_DAY)


@pytest.fixture
def told(world: World, tmp_path: Path) -> Iterator[Told]:
    """Plays an experiment on the world and reports it."""
    opened: list[Engine] = []

    def report(treated: Any = None, **more: Any) -> ExperimentReport:
        create(tmp_path / "p", token_key=("private", ""), settings=PLAN)
        engine = Engine.open(tmp_path / "p", clock=VirtualClock(END_MS))
        opened.append(engine)
        experiment = world.experiment(treated or world.oracle, from_day=FROM_DAY, **more)
        arms = experiment.arm(np.arange(N_PEOPLE))
        start_ms = world.calendar.midnight_ms(FROM_DAY)
        table = pa.concat_tables([_signals(day) for day in play(world, experiment)])
        with engine.core.store.write() as tx:
            ids = people.create(tx, N_PEOPLE, world.start_ms)
            assignments.assign(tx, [
                Assignment(person=one, experiment="oracle", variant=("popular", "oracle")[arm], first_ms=start_ms)
                for one, arm in zip(ids, arms.tolist(), strict=True)
            ])  # fmt: skip
            column = pa.array(np.array(ids)[table.column("person_id").to_numpy()])
            table = table.set_column(table.schema.get_field_index("person_id"), SIGNALS.field("person_id"), column)
            engine.core.lake.append(tx, "signals", table, 1, table.num_rows)
        return experiment_report(engine.core, "oracle")

    yield report
    for engine in opened:
        engine.close()


def _signals(day: Any) -> pa.Table:
    acts = day.acts
    keep = np.isin(acts.kind, list(CLASS_OF))
    n = int(keep.sum())
    classes = [CLASS_OF[Act(kind)] for kind in acts.kind[keep]]
    log_id = day.number * 1_000_000 + np.flatnonzero(keep)
    columns = {
        "log_id": log_id, "person_id": day.visits.person[acts.visit[keep]], "time_ms": acts.at_ms[keep],
        "received_ms": acts.at_ms[keep], "name": classes, "signal": classes, "signal_class": classes,
        "strength": np.ones(n), "item_id": ["p"] * n, "purposes": np.full(n, 15), "is_bot": np.zeros(n, bool),
        "value_minor": np.where(np.isin(acts.kind[keep], (Act.ORDERED, Act.REFUNDED)), acts.value[keep], 0).astype(int),
        "currency": ["EUR"] * n, "decision_id": pa.nulls(n, pa.string()), "amount": pa.nulls(n, pa.float64()),
    }  # fmt: skip
    return pa.table(columns, schema=SIGNALS)


def test_intervals_cover_the_true_lift_and_the_oracle_is_told_to_be_better(told, truth):
    found = {metric.metric: metric.variants[0] for metric in told().metrics}
    for metric, name in {"conversion_rate": "converted", "clicked": "engaged", "orders": "orders"}.items():
        low, high = found[metric].lift_interval
        assert low < truth.lift("oracle", name) < high, metric
        low, high = found[metric].difference_interval
        assert low < truth.difference("oracle", name) < high, metric
    revenue = (truth.difference("oracle", "revenue") - truth.difference("oracle", "refunded")) / 100
    low, high = found["revenue"].difference_interval
    assert low < revenue < high
    assert found["clicked"].is_told
    assert found["clicked"].difference > 0


def test_the_past_takes_variance_away(told):
    orders = next(metric for metric in told().metrics if metric.metric == "orders")
    assert orders.is_adjusted
    assert orders.variance_removed > 0


def test_of_two_arms_that_do_not_differ_nothing_is_told(told, world):
    found = told(world.popular)
    assert not found.is_broken
    assert not [one for metric in found.metrics for one in metric.variants if one.is_told]


def test_a_broken_assignment_blocks_the_report(told):
    found = told(broken_assignment=0.5)
    assert found.is_broken
    assert found.metrics == []
