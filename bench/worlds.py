"""How fast the simulator is: acts a second of the vectorised worlds, and events a second once they are written as JSON.

    python bench/worlds.py [--short] [--people 100000] [--days 60]

An act becomes one event. `acts_per_second` is the world alone, under the popular and under the random policy, by the
clock on the wall and by the processor's (one thread); memory is the process's peak. `as_json` writes a tenth of the
people as Segment-shaped lines.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

from bespeak.simulate import WORLDS, play
from bespeak.simulate.events import events_of
from bespeak.simulate.world import World
from parts.figures import emit, options, peak_mb, tell

SEED = 7
END_MS = 1_750_000_000_000
N_ITEMS = 240


def lived(world: World, policy: str) -> dict[str, Any]:
    """Plays a world and returns how fast."""
    started, cpu = time.perf_counter(), time.process_time()
    n_acts = n_visits = 0
    for day in play(world, getattr(world, policy)):
        n_acts += len(day.acts)
        n_visits += day.n_usual
    seconds = time.perf_counter() - started
    return {
        "visits": n_visits,
        "acts": n_acts,
        "seconds": round(seconds, 2),
        "acts_per_second": round(n_acts / seconds),
        "acts_per_cpu_second": round(n_acts / (time.process_time() - cpu)),
        "peak_mb": peak_mb(),
    }


def written(world: World) -> dict[str, Any]:
    """Writes a world's events as JSON and returns how fast."""
    started, cpu = time.perf_counter(), time.process_time()
    encode = msgspec.json.Encoder().encode
    n_events = n_bytes = 0
    for event in events_of(world):
        n_events += 1
        n_bytes += len(encode(event))
    seconds = time.perf_counter() - started
    return {
        "events": n_events,
        "mb": round(n_bytes / 2**20, 1),
        "events_per_second": round(n_events / seconds),
        "events_per_cpu_second": round(n_events / (time.process_time() - cpu)),
    }


def main() -> None:
    given = options(__doc__, people=(100_000, 2_000, "people in a world"), days=(60, 14, "days it lives"))
    summary: dict[str, Any] = {"people": given.people, "days": given.days, "items": N_ITEMS}
    for name, kind in WORLDS.items():
        tell(f"{name}: {given.people:,} people, {given.days} days")
        started = time.perf_counter()
        world = kind(SEED, given.people, N_ITEMS, given.days, end_ms=END_MS)
        made = round(time.perf_counter() - started, 2)
        small = kind(SEED, max(1, given.people // 10), N_ITEMS, max(1, given.days // 4), end_ms=END_MS)
        summary[name] = {
            "seconds_to_make": made,
            "popular": lived(world, "popular"),
            "random": lived(world, "random"),
            "as_json": written(small),
        }
    emit(summary)


if __name__ == "__main__":
    main()
