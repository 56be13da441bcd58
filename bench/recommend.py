"""The lists of everybody: people a second, memory, and what the same people take as single decisions.

    python bench/recommend.py [--people 4000] [--items 4000] [--count 20]

One project, one process. Each person has 20 events; eight models and their features score every list. The decisions
beside it are made of the first 200 people, without the store's part: what they add is reasons and the record.
"""

from __future__ import annotations

import tempfile
import time
from itertools import islice
from pathlib import Path

from bespeak.decide.decide import decide
from bespeak.decide.occasion import Occasion
from bespeak.decide.request import DecideRequest
from bespeak.engine import Engine
from bespeak.engine.people_view import person_view
from bespeak.signals.events import Context
from parts.figures import emit, options, peak_mb, ratio, tell
from parts.shop import fill, make_project, quick_models

EVENTS_EACH = 20
DECIDED = 200


def measure(folder: Path, n_people: int, n_items: int, count: int) -> dict[str, object]:
    """Fills a project and writes its lists."""
    make_project(folder, n_items)
    with Engine.open(folder) as engine:
        fill(engine, n_people * EVENTS_EACH, n_people, n_items)
        engine.models.train(candidates=quick_models())
    with Engine.open(folder) as engine:
        before = peak_mb()
        started = time.perf_counter()
        told = engine.recommend("home", folder / "lists.parquet", count=count)
        seconds = time.perf_counter() - started
        after = peak_mb()
        core, request = engine.core, DecideRequest(placement="home", count=count)
        started = time.perf_counter()
        for person, profile in islice(engine.profiles.all(), DECIDED):
            view = person_view(core.runtime, person, profile, Context(), core.now_ms())
            decide(Occasion(request, view, core.world, core.now_ms(), "d"))
        each = (time.perf_counter() - started) / DECIDED
    return {
        "people": told.n_people,
        "items": n_items,
        "rows": told.n_rows,
        "people_per_second": round(told.n_people / seconds),
        "decisions_per_second": round(1 / each),
        "ratio": ratio(told.n_people / seconds, 1 / each),
        "before_mb": before,
        "more_mb": round(after - before, 1),
        "file_bytes": (folder / "lists.parquet").stat().st_size,
    }


def main() -> None:
    """Runs the benchmark: a line on stderr, one JSON document on stdout."""
    given = options(
        __doc__, people=(4_000, 150, "people"), items=(4_000, 150, "items"), count=(20, 5, "items of each list")
    )
    with tempfile.TemporaryDirectory() as name:
        found = measure(Path(name) / "shop", given.people, given.items, given.count)
    tell(f"{found['people_per_second']:,} people a second, {found['ratio']} of single decisions")
    emit(found)


if __name__ == "__main__":
    main()
