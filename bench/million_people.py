"""Every family through a million people who did two things each: seconds and peak memory.

    python bench/million_people.py [--people 1000000] [--items 10000] [--minutes 10] [--families ease,slist] [--full]

Each family, with its usual settings, is fitted in a process of its own, so that its peak memory is its own, and is
then asked for the scores of 256 people. `before` is what that process held with the log alone, `fit` and `ask` are
what came on top. A family that is not done after --minutes is ended and listed as such. People, items and their
attributes are made from a seed: twenty tastes, Zipf popularity. The transformer is fitted with --full only: its
passes take an hour.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

import numpy as np

from bespeak.errors import BespeakError
from bespeak.models.base import Interactions, ItemContent
from bespeak.models.blend import Blend
from bespeak.models.families import FAMILIES, model_class
from bespeak.models.sequences.transformer import Transformer
from parts.figures import emit, options, peak_mb, tell

EVENTS_EACH = 2
MINUTE_MS = 60_000
ASKED = 256
TASTES = 20


def made_up(n_people: int, n_items: int) -> tuple[Interactions, ItemContent]:
    """The log, and what the items are: their taste, and a word of two hundred."""
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(n_people), EVENTS_EACH)
    place = np.minimum((n_items ** rng.random(len(people))).astype(np.int64), n_items - 1)
    own = rng.random(len(people)) < 0.75
    items = np.where(own, (place // TASTES * TASTES + people % TASTES) % n_items, place)
    names = tuple(map(str, range(n_people))), tuple(map(str, range(n_items)))
    times = rng.integers(0, 60 * 1440, len(people)) * MINUTE_MS
    log = Interactions.from_arrays(*names, people, items, times_ms=times)
    attributes = {"taste": [[f"t{n % TASTES}"] for n in range(n_items)]}
    return log, ItemContent(names[1], texts=[f"word{n % 200}" for n in range(n_items)], attributes=attributes)


def measure(family: str, n_people: int, n_items: int) -> dict[str, object]:
    """Fits one family in this process."""
    log, content = made_up(n_people, n_items)
    _ = log.matrix, log.dislikes
    before = peak_mb()
    started = time.perf_counter()
    model = model_class(family)().fit(log, content)
    fitted, fit_mb = time.perf_counter(), peak_mb()
    model.scores(log.histories(np.arange(ASKED)), log.last_ms)
    return {
        "fit_seconds": round(fitted - started, 1),
        "ask_ms_each": round((time.perf_counter() - fitted) * 1000 / ASKED, 3),
        "before_mb": before,
        "fit_mb": round(fit_mb - before, 1),
        "ask_mb": round(peak_mb() - fit_mb, 1),
        "model_mb": round(sum(array.nbytes for array in model.arrays().values()) / 2**20, 1),
    }


def in_its_own_process(family: str, n_people: int, n_items: int, minutes: float) -> dict[str, object]:
    """The figures of one family, or why there are none."""
    sizes = ["--people", str(n_people), "--items", str(n_items)]
    command = [sys.executable, __file__, "--families", family, "--alone", "1", *sizes]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60 * minutes, check=False)
    except subprocess.TimeoutExpired:
        return {"stopped": f"not done after {minutes:g} minutes"}
    if ran.returncode:
        return {"stopped": (ran.stderr.strip().splitlines() or [f"ended with {ran.returncode}"])[-1]}
    return dict(json.loads(ran.stdout))


def main() -> None:
    """Runs the benchmark: a line per family on stderr, one JSON document on stdout."""
    given = options(
        __doc__,
        people=(1_000_000, 3_000, "people"),
        items=(10_000, 300, "items"),
        minutes=(10.0, 1.0, "after which a family is ended"),
        families=("", "", "only these, separated by commas"),
        alone=(0, 0, "1 measures one family in this very process"),
    )
    if given.alone:
        try:
            emit(measure(given.families, given.people, given.items))
        except BespeakError as error:
            sys.exit(error.message)
        return
    left_out = {Blend.name} if given.full else {Blend.name, Transformer.name}
    names = given.families.split(",") if given.families else [name for name in FAMILIES if name not in left_out]
    rows = []
    tell(f"{'family':<20} {'fit s':>8} {'fit MB':>8} {'ask ms':>8} {'model MB':>9}")
    for name in names:
        row = in_its_own_process(name, given.people, given.items, given.minutes)
        rows.append({"family": name, **row})
        figures = [row.get(key, "-") for key in ("fit_seconds", "fit_mb", "ask_ms_each", "model_mb")]
        tell(f"{name:<20} {figures[0]:>8} {figures[1]:>8} {figures[2]:>8} {figures[3]:>9} {row.get('stopped', '')}")
    emit({"people": given.people, "items": given.items, "events": given.people * EVENTS_EACH, "rows": rows})


if __name__ == "__main__":
    main()
