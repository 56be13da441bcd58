"""What grows with people, items and events: bytes of store and lake, time to open, time of a decision.

    python bench/growth.py [--full] [--base 400]

1x is 400 people, 400 items and 8,000 events; 10x and, with --full, 100x are that many times of each. Ratios compare
with the size before: 10 grows with the data, 1 does not grow. Every size has a project of its own, opened and asked in
one process. "per person" sizes show whether a person costs more in a larger shop.
"""

from __future__ import annotations

import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import apsw

from bespeak.engine import Engine
from bespeak.storage.tables import records
from parts.figures import emit, median_ms, options, ratio, tell
from parts.shop import fill, make_project, quick_models

EVENTS_EACH = 20
N_TABLES = 8
ROUNDS = 60


def table_bytes(path: Path) -> dict[str, int]:
    """Returns the bytes of the largest tables, their indexes included."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    rows = connection.execute(
        "SELECT s.tbl_name, sum(d.pgsize) FROM dbstat d JOIN sqlite_schema s ON s.name = d.name"
        " GROUP BY 1 ORDER BY 2 DESC LIMIT ?",
        (N_TABLES,),
    )
    found = {str(name): int(n) for name, n in rows}
    connection.close()
    return found


def stored(engine: Engine, n_events: int) -> dict[str, Any]:
    """Returns what the project takes on disk, per event and per profile."""
    with engine.core.store.read() as session:
        n_profiles, body = session.row("SELECT count(*), sum(length(body)) FROM profiles") or (0, 0)
        lake = session.row("SELECT sum(n_bytes), count(*) FROM lake_files WHERE state = 'live'") or (0, 0)
        models = sum(version.version > 0 for version in records.models(session))
    per_table = table_bytes(engine.core.folder.root / "data" / "bespeak.db")
    return {
        "store_bytes": engine.core.store.size_bytes(),
        "store_bytes_per_event": round(engine.core.store.size_bytes() / n_events, 1),
        "log_bytes_per_event": round((per_table["events"] + per_table["message_ids"]) / n_events, 1),
        "profile_bytes": round(int(body or 0) / max(1, int(n_profiles or 0)), 1),
        "lake_bytes_per_event": round(int(lake[0] or 0) / n_events, 1),
        "lake_files": lake[1],
        "model_sets": models,
        "model_bytes": sum(path.stat().st_size for path in _files(engine, "models")),
        "bytes_by_table": per_table,
    }


def _files(engine: Engine, kind: str) -> list[Path]:
    return [path for path in (engine.core.folder.blobs / kind).rglob("*") if path.is_file()]


def measure(folder: Path, n: int) -> dict[str, Any]:
    """Makes a project of one size and returns its figures."""
    n_people, n_items, n_events = n, n, n * EVENTS_EACH
    make_project(folder, n_items)
    with Engine.open(folder) as engine:
        started = time.perf_counter()
        fill(engine, n_events, n_people, n_items)
        filled = time.perf_counter() - started
        started = time.perf_counter()
        engine.models.train(candidates=quick_models())
        trained = time.perf_counter() - started

    def opening() -> None:
        with Engine.open(folder) as opened:
            assert len(opened.core.world.catalogue) == n_items

    open_ms = median_ms(opening, 5)
    with Engine.open(folder) as engine:
        on_disk = stored(engine, n_events)
        users = iter(f"u{k * 7919 % n_people}" for k in range(10 * ROUNDS))
        for _ in range(10):
            engine.decide("home", user_id=next(users))
        decide_ms = median_ms(lambda: engine.decide("home", user_id=next(users)), ROUNDS)
        search_ms = median_ms(lambda: engine.decide("search", user_id=next(users), query="a"), ROUNDS)
        engine.core.drain()
        with engine.core.store.read() as session:
            per_decision = session.row("SELECT avg(length(body)) FROM decisions WHERE placement = 'home'") or (0,)
        return {
            "people": n_people,
            "items": n_items,
            "events": n_events,
            "events_per_second": round(n_events / filled),
            "train_seconds": round(trained, 2),
            "open_ms": open_ms,
            "decide_p50_ms": decide_ms,
            "search_p50_ms": search_ms,
            "decision_bytes": round(float(per_decision[0] or 0)),
            **on_disk,
        }


def main() -> None:
    given = options(__doc__, base=(400, 60, "people and items of the smallest size"))
    sizes = [1, 10, *([100] if given.full else [])]
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as name:
        for times in sizes:
            found[f"{times}x"] = measure(Path(name) / f"shop-{times}", given.base * times)
            tell({f"{times}x": found[f"{times}x"]})
    growth = {
        f"{larger}x to {smaller}x": {
            key: ratio(value, found[f"{smaller}x"][key])
            for key, value in found[f"{larger}x"].items()
            if isinstance(value, int | float)
        }
        for smaller, larger in pairwise(sizes)
    }
    emit({"sizes": found, "growth": growth})


if __name__ == "__main__":
    main()
