"""What a person did before, as sources of candidates in an order of their own.

viewed    what they turned to last, the latest first: any class that weighs at least half as much as a view
bought    what they bought, the one that is most due first
started   what they played a part of, the latest first: more than 5 % and less than 95 %
next      what comes next in a series of which they finished the episode before, the latest first

A source gives every item a value of 0 to 1, which is also a feature where the placement names the source: the share of
its items that do not come before it, and for what was bought how due it is,

    due = n / (n + 1) * min(r, 1 / r),   r = days since the last time / interval
    interval = (days from the first to the last time + 30) / n

n is how many times they bought it, on different days; the 30 days stand for what is not known of a single purchase. So
an item that is bought every month is due after a month, and one that they gave up a year ago no longer is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.catalogue.counters import DAY_MS
from bespeak.decide.reading import Reading

Int32s: TypeAlias = npt.NDArray[np.int32]
Float64s: TypeAlias = npt.NDArray[np.float64]

STARTED_ABOVE = 0.05
FINISHED_FROM = 0.95
TURNED_TO_WEIGHT = 0.5
USUAL_INTERVAL_DAYS = 30.0
PURCHASE = "purchase"


@dataclass(frozen=True, eq=False)
class PastItems:
    """The items of a source.

    Attributes:
        rows: int32[m], distinct catalogue indices, best first.
        values: float64[m], above 0 and at most 1, falling.
        causes: row -> the item that led to it, for those of `next`.
    """

    rows: Int32s
    values: Float64s
    causes: Mapping[int, int]

    @classmethod
    def in_order(cls, rows: list[int], causes: Mapping[int, int] = MappingProxyType({})) -> Self:
        """Items whose place alone counts.

        Example:
            >>> PastItems.in_order([7, 3]).values.tolist()
            [1.0, 0.5]
        """
        distinct = list(dict.fromkeys(rows))
        places = 1.0 - np.arange(len(distinct)) / max(len(distinct), 1)
        return cls(np.array(distinct, np.int32), places, causes)


def past_items(reading: Reading, source: str) -> PastItems:
    """The items of a source, worked out once."""
    return reading.once(("past items", source), lambda: PAST_SOURCES[source](reading))


def _viewed(reading: Reading) -> PastItems:
    touched, classes = reading.touched, reading.world.classes
    turns = [
        (known := classes.get(name)) is not None and known.prior_weight >= TURNED_TO_WEIGHT for name in touched.names
    ]
    entries = np.flatnonzero(np.array(turns, np.bool_)[touched.classes]) if turns else np.zeros(0, np.int64)
    latest = entries[np.lexsort((touched.rows[entries], -touched.last_ms[entries]))]
    return PastItems.in_order(touched.rows[latest].tolist())


def _bought(reading: Reading) -> PastItems:
    if reading.person is None:
        return PastItems.in_order([])
    days = _purchase_days(reading)
    today = reading.now_ms / DAY_MS
    due = {row: due_of(sorted(held), today) for row, held in days.items()}
    rows = sorted((row for row, value in due.items() if value > 0), key=lambda row: (-due[row], row))
    return PastItems(np.array(rows, np.int32), np.array([due[row] for row in rows], np.float64), {})


def _purchase_days(reading: Reading) -> dict[int, set[int]]:
    """Catalogue index -> the days since 1970 on which they bought it, as far as they are remembered."""
    assert reading.person is not None
    find = reading.world.catalogue.index.get
    days: dict[int, set[int]] = {}
    for item_id, touches in reading.person.items.items():
        row = find(item_id)
        if row is not None and PURCHASE in touches:
            days[row] = {touches[PURCHASE].last_ms // DAY_MS}
    for step in reading.person.recent:
        row = find(step.item_id) if step.signal_class == PURCHASE else None
        if row is not None:
            days.setdefault(row, set()).add(step.time_ms // DAY_MS)
    return days


def due_of(days: list[int], today: float) -> float:
    """How due an item is that was bought on these days (ascending), 0 to 1.

    Example:
        >>> [round(due_of([0, 30, 60], today), 2) for today in (61, 90, 120, 400)]
        [0.03, 0.75, 0.38, 0.07]
    """
    n = len(days)
    interval = (days[-1] - days[0] + USUAL_INTERVAL_DAYS) / n
    since = today - days[-1]
    if since <= 0:
        return 0.0
    ratio = since / interval
    return n / (n + 1) * min(ratio, 1 / ratio)


def _started(reading: Reading) -> PastItems:
    return PastItems.in_order([row for row, part in _played(reading) if STARTED_ABOVE < part < FINISHED_FROM])


def _next(reading: Reading) -> PastItems:
    following, groups = reading.world.catalogue.next_in_group, reading.world.catalogue.groups
    finished = {row for row, part in _played(reading) if part >= FINISHED_FROM}
    seen_groups: set[int] = set()
    causes: dict[int, int] = {}
    for row, _ in _played(reading):
        group = int(groups[row])
        if group in seen_groups:
            continue
        seen_groups.add(group)  # only the latest episode of a series tells where they are
        if row in finished:
            after = int(following[row])
            while after in finished:
                after = int(following[after])
            if after >= 0:
                causes[after] = row
    return PastItems.in_order(list(causes), causes)


def _played(reading: Reading) -> list[tuple[int, float]]:
    """(catalogue index, part that was played), the latest first."""
    if reading.person is None:
        return []
    find = reading.world.catalogue.index.get
    told = sorted(reading.person.progress.items(), key=lambda entry: (-entry[1].time_ms, entry[0]))
    return [(row, line.fraction) for item_id, line in told if (row := find(item_id)) is not None]


PAST_SOURCES: Mapping[str, Callable[[Reading], PastItems]] = MappingProxyType(
    {"viewed": _viewed, "bought": _bought, "started": _started, "next": _next}
)
"""The sources by name; each also names the feature that holds its values."""
