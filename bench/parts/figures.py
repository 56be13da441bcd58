"""Figures: medians, percentiles, ratios, peak memory, and the one JSON document that a benchmark prints."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bespeak.engine.training.machine import peak_bytes


def options(description: str | None, **defaults: tuple[int | float, int | float, str]) -> argparse.Namespace:
    """Reads the command line; every script takes `--short`, which `make bench` gives.

    Args:
        description: the script's docstring.
        defaults: option -> (usual value, value of `--short`, meaning).
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="a small run: shows that it works, not how fast it is")
    parser.add_argument("--full", action="store_true", help="also the sizes that take long, where there are any")
    for name, (usual, _, meaning) in defaults.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(usual), help=f"{meaning} (default {usual})")
    given = parser.parse_args()
    for name, (usual, short, _) in defaults.items():
        if getattr(given, name) is None:
            setattr(given, name, short if given.short else usual)
    return given


def spread(milliseconds: Sequence[float]) -> dict[str, float]:
    """Returns the median and the 99th percentile (nearest rank)."""
    ordered = sorted(milliseconds)
    return {
        "p50_ms": round(statistics.median(ordered), 3),
        "p99_ms": round(ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))], 3),
    }


def median_ms(call: Callable[[], object], rounds: int) -> float:
    """Returns the median milliseconds of a call."""
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        call()
        taken.append((time.perf_counter() - started) * 1000)
    return round(statistics.median(taken), 3)


def peak_mb() -> float:
    """Returns the most memory that this process has held, in MiB."""
    return round(peak_bytes() / 2**20, 1)


def ratio(part: float, whole: float) -> float | None:
    """Returns `part / whole` to three digits, None when there is nothing to compare with."""
    return round(part / whole, 3) if whole else None


def tell(note: object) -> None:
    """Says on stderr how far the benchmark is."""
    print(note, file=sys.stderr, flush=True)


def emit(summary: Mapping[str, Any]) -> None:
    """Prints the summary, the only thing on stdout."""
    print(json.dumps(summary, indent=2))
