"""The check of drift: whether what people turned to before still tells what they turn to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bespeak.engine.checks.finding import WARN, Finding, passed
from bespeak.engine.clock import iso
from bespeak.engine.core import Core
from bespeak.engine.logged.granted import GRANT_COLUMNS, granted_rows
from bespeak.measure.drift import Drift, find_drift
from bespeak.measure.metrics import TURNED_TO
from bespeak.signals.purposes import MEASURE
from bespeak.storage.tables import people
from bespeak.storage.tables.log import DAY_MS

LOOKED_DAYS = 90
MAX_PEOPLE = 20_000
MAX_VALUES = 500
"""A facet with more values than this names items rather than tastes."""

Int64s = NDArray[np.int64]


def drift(core: Core) -> Finding:
    """People's past still tells what they turn to, attribute by attribute."""
    name = f"tastes of {LOOKED_DAYS} days"
    columns = core.world.catalogue.facets
    facets = {facet: column for facet, column in columns.items() if 2 <= len(column.vocabulary) <= MAX_VALUES}
    item, person, day = _turned_to(core)
    found: dict[str, Drift] = {}
    for facet, column in facets.items():
        codes = column.codes[item]
        row, place = np.nonzero(codes < len(column.vocabulary))
        seen = find_drift(person[row], codes[row, place].astype(np.int64), day[row], n_looks=len(facets))
        if seen is not None:
            found[facet] = seen
    if not found:
        return passed(name, f"no day stands out in what {len(np.unique(person)):,} people turned to")
    facet, worst = min(found.items(), key=lambda entry: entry[1].z)
    return Finding(
        name=name,
        status=WARN,
        message=(
            f"since {iso(worst.day * DAY_MS)[:10]} what {worst.n_people:,} people had turned to before tells less of "
            f"{facet}: {worst.before:+.1%} beyond chance in the week before, {worst.after:+.1%} in the week after"
        ),
        n=worst.n_people,
        advice="Look at what changed on that day (catalogue, tracking, season), then train again: old tastes mislead.",
    )


def _turned_to(core: Core) -> tuple[Int64s, Int64s, Int64s]:
    """(place of the item in the catalogue, person, day) of what measured people turned to, once a day each."""
    with core.store.read() as session:
        part = 1 + people.count(session) // MAX_PEOPLE
    end_ms = core.now_ms() + 1
    where = f"({TURNED_TO}) AND person_id % {part} = 0"
    start_ms = end_ms - LOOKED_DAYS * DAY_MS
    table = core.lake.read("signals", (*GRANT_COLUMNS, "item_id"), where, start_ms=start_ms, end_ms=end_ms)
    person, keep = granted_rows(core, table, purpose=MEASURE)
    find = core.world.catalogue.index.get
    item = np.array([find(one, -1) for one in table.column("item_id").to_pylist()], np.int64)
    day = table.column("time_ms").to_numpy() // DAY_MS
    keep &= item >= 0
    rows = np.unique(np.stack([item[keep], person[keep], day[keep]], axis=1), axis=0)
    return rows[:, 0], rows[:, 1], rows[:, 2]
