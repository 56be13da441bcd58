"""The report of an experiment over many exposures, with five metrics, on DuckDB; and that of a launch beside it.

    python bench/report.py [--exposures 2000000] [--people 100000]     `--full` is ten million of half a million people

An exposure is a row of the lake; one of twenty is clicked, one of two hundred ordered. The figure is the seconds of the
whole report: people and consents from the store, one query over the lake, statistics, words.
"""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np
import pyarrow as pa

from bespeak.engine.clock import VirtualClock
from bespeak.engine.engine import Engine
from bespeak.engine.project import create
from bespeak.engine.views.experiments import experiment_report
from bespeak.engine.views.launches import launch_reports
from bespeak.storage.lake.datasets import SIGNALS
from bespeak.storage.tables import assignments, people
from bespeak.storage.tables.assignments import Assignment
from parts.figures import emit, options, peak_mb, tell

Report = TypeVar("Report")

DAY_MS = 86_400_000
NOW_MS = 1_760_000_000_000 // DAY_MS * DAY_MS
N_DAYS = 28
CLASSES = np.array(["exposure", "click", "purchase"])
METRICS = ("conversion_rate", "engagement_rate", "click_rate", "revenue", "orders")
PLAN = {
    "placements": {"similar": {"launch": 0.5}},
    "experiments": {
        "bench": {
            "placement": "home",
            "variants": {"a": {}, "b": {"settings": {"diversity": 0.5}}},
            "primary": METRICS[0],
            "secondary": list(METRICS[1:]),
        }
    },
}


def rows(day: int, n: int, persons: np.ndarray, draw: np.random.Generator, first_id: int) -> pa.Table:
    """One day's exposures with what came of them."""
    kind = draw.choice(3, n, p=[0.9455, 0.0495, 0.005])
    at_ms = NOW_MS - (N_DAYS - day) * DAY_MS + draw.integers(0, DAY_MS, n)
    columns = {
        "log_id": first_id + np.arange(n),
        "person_id": draw.choice(persons, n),
        "time_ms": at_ms,
        "received_ms": at_ms,
        "name": CLASSES[kind],
        "signal": CLASSES[kind],
        "signal_class": CLASSES[kind],
        "strength": np.ones(n),
        "item_id": pa.array(np.char.add("p", draw.integers(0, 5_000, n).astype("U5"))),
        "purposes": np.full(n, 15),
        "is_bot": draw.random(n) < 0.02,
        "value_minor": np.where(kind == 2, draw.integers(500, 20_000, n), 0),
        "currency": pa.array(np.full(n, "EUR")),
        "decision_id": pa.array(np.char.add("d", draw.integers(0, 10**6, n).astype("U7"))),
        "amount": pa.nulls(n, pa.float64()),
    }
    return pa.table(columns, schema=SIGNALS)


def fill(engine: Engine, n_exposures: int, n_people: int) -> None:
    """Everybody is assigned in the first days; exposures are spread over four weeks."""
    draw = np.random.default_rng(7)
    with engine.core.store.write() as tx:
        persons = np.array(people.create(tx, n_people, NOW_MS - 60 * DAY_MS), np.int64)
        starts = NOW_MS - N_DAYS * DAY_MS + draw.integers(0, 10 * DAY_MS, n_people)
        arms = draw.integers(0, 2, n_people)
        for experiment, variants in (("bench", "ab"), ("similar-launch", ("control", "personalized"))):
            assignments.assign(tx, (
                Assignment(person=person, experiment=experiment, variant=variants[arm], first_ms=start)
                for person, arm, start in zip(persons.tolist(), arms.tolist(), starts.tolist(), strict=True)
            ))  # fmt: skip
    done = 0
    for day in range(N_DAYS):
        n = n_exposures * (day + 1) // N_DAYS - done
        with engine.core.store.write() as tx:
            engine.core.lake.append(tx, "signals", rows(day, n, persons, draw, done), done + 1, done + n)
        done += n


def timed(report: Callable[[], Report]) -> tuple[list[float], list[float], Report]:
    """Seconds and processor seconds of three reports, and the last of them."""
    seconds, processor = [], []
    for _ in range(3):
        started, cpu = time.perf_counter(), time.process_time()
        found = report()
        seconds.append(time.perf_counter() - started)
        processor.append(time.process_time() - cpu)
    return seconds, processor, found


def main() -> None:
    """Runs it."""
    given = options(
        __doc__, exposures=(2_000_000, 50_000, "rows of the lake"), people=(100_000, 5_000, "who are assigned")
    )
    n_exposures, n_people = (10_000_000, 500_000) if given.full else (given.exposures, given.people)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "p"
        create(root, token_key=("private", ""), settings=PLAN)
        with Engine.open(root, clock=VirtualClock(NOW_MS)) as engine:
            fill(engine, n_exposures, n_people)
            seconds, processor, found = timed(lambda: experiment_report(engine.core, "bench"))
            launch_seconds, launch_processor, _ = timed(lambda: launch_reports(engine.core))
    told = f"{median(seconds):.2f} s, of a launch {median(launch_seconds):.2f} s"
    tell(f"{n_exposures:,} exposures, {n_people:,} people: {told}")
    emit(
        {
            "machine": platform.platform(),
            "exposures": n_exposures,
            "people": n_people,
            "metrics": [metric.metric for metric in found.metrics],
            "seconds": [round(value, 3) for value in seconds],
            "median_seconds": round(median(seconds), 3),
            "median_processor_seconds": round(median(processor), 3),
            "launch_median_seconds": round(median(launch_seconds), 3),
            "launch_median_processor_seconds": round(median(launch_processor), 3),
            "peak_mb": peak_mb(),
        }
    )


if __name__ == "__main__":
    main()
