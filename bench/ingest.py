"""Durable events per second through HTTP, beside the floor: the same rows in such transactions without HTTP and fold.

    python bench/ingest.py [--seconds 5] [--rounds 3]

One client process sends batches of 100 events over 8 connections, the same number to each worker, bodies encoded
beforehand: 5,000 people, 2,000 items with eight facets. SQLite, and PostgreSQL where its packages are installed. The
summary holds medians over the rounds; everything takes its turn in each round.
"""

from __future__ import annotations

import statistics
import tempfile
from collections import defaultdict
from itertools import count
from pathlib import Path
from typing import Any

from parts.figures import emit, options, ratio, tell
from parts.floor import floor, profile_bytes
from parts.postgres import NewDatabase, postgres
from parts.server import doors, serving
from parts.shop import make_project
from parts.traffic import bodies, flood

N_PEOPLE, N_ITEMS, BATCH, CONNECTIONS = 5_000, 2_000, 100, 8
MOST_PER_SECOND = 25_000
WORKERS = (1, 2)

Figures = dict[str, list[float]]
_SEEDS = count(1)


def measure(folder: Path, url: str, workers: int, seconds: float) -> tuple[float, float]:
    """Returns events per second of all workers, and what the slowest does to what the fastest does."""
    key = make_project(folder, N_ITEMS, url=url).server_key
    warm_up, batches = (
        bodies(int(max(1, MOST_PER_SECOND * span / BATCH)), BATCH, N_PEOPLE, N_ITEMS, next(_SEEDS), key)
        for span in (1.0, seconds)
    )
    with serving(folder, workers) as address:
        by_worker = doors(address, CONNECTIONS // workers, workers)
        flood(by_worker, warm_up, 1.0)
        total, each = flood(by_worker, batches, seconds)
        for held in by_worker.values():
            for door in held:
                door.close()
    return total, min(each.values()) / max(each.values())


def one_round(folder: Path, new_database: NewDatabase | None, seconds: float, figures: Figures) -> None:
    stores: dict[str, Any] = {"sqlite": lambda: ""}
    if new_database is not None:
        stores["postgres"] = new_database
    for store, new in stores.items():
        for workers in WORKERS:
            total, fairness = measure(folder / f"{store}-{workers}", new(), workers, seconds)
            figures[f"{store}, workers {workers}"].append(total)
            if workers > 1:
                figures[f"{store}, fairness"].append(fairness)
        size = profile_bytes(folder / f"{store}-1")
        url = new() or str(folder / "floor.db")
        rate = floor(url, seconds / 2, per_transaction=BATCH * CONNECTIONS, n_people=N_PEOPLE, n_bytes=size)
        figures[f"{store}, floor"].append(rate)


def main() -> None:
    given = options(
        __doc__, seconds=(5.0, 1.0, "seconds of load for each figure"), rounds=(3, 1, "rounds, of which the median")
    )
    figures: Figures = defaultdict(list)
    with postgres() as new_database:
        for _ in range(given.rounds):
            with tempfile.TemporaryDirectory() as name:
                one_round(Path(name), new_database, given.seconds, figures)
            tell({label: round(values[-1], 2) for label, values in figures.items()})
    middle = {label: statistics.median(values) for label, values in figures.items()}
    stores = sorted({label.split(",")[0] for label in middle}, reverse=True)
    emit(
        {
            "events_per_second": {k: round(v) for k, v in middle.items() if "fairness" not in k},
            "one_worker_to_floor": {s: ratio(middle[f"{s}, workers 1"], middle[f"{s}, floor"]) for s in stores},
            "two_workers_to_one": {s: ratio(middle[f"{s}, workers 2"], middle[f"{s}, workers 1"]) for s in stores},
            "slowest_to_fastest_worker": {s: round(middle[f"{s}, fairness"], 3) for s in stores},
        }
    )


if __name__ == "__main__":
    main()
