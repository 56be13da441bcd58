"""What came of shown items: each outcome is counted for the last decision before it that showed the item.

Only outcomes of people who may be measured, then and now, count; no bot's does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.engine.core import Core
from bespeak.engine.lake_feed import feed
from bespeak.storage import people

Int64s: TypeAlias = npt.NDArray[np.int64]
Float64s: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Showings:
    """Shown items, one entry for each position of each decision.

    Attributes:
        person: int64[n], as they count today; item: n ids; time_ms: int64[n].
    """

    person: Int64s
    item: Sequence[str]
    time_ms: Int64s


def outcomes_of(core: Core, shown: Showings, signal_class: str, window_ms: int) -> Float64s:
    """float64[n], 1 where a signal of the class about the item followed within the window, else 0.

    Args:
        core: the open project; its lake is brought up to date.
        shown: what was shown, all decisions of the placement, also those that are not evaluated.
        signal_class: what counts.
        window_ms: how long after it was shown.
    """
    found = np.zeros(len(shown.item))
    if not len(found):
        return found
    feed(core)
    start_ms, end_ms = int(shown.time_ms.min()), int(shown.time_ms.max()) + window_ms + 1
    table = core.lake.read(
        "signals",
        ("person_id", "time_ms", "signal_class", "item_id", "purposes", "is_bot"),
        where="item_id IS NOT NULL AND NOT is_bot",
        start_ms=start_ms,
        end_ms=end_ms,
    )
    with core.store.read() as session:
        roots = people.roots(session)
    wanted = np.asarray(table.column("signal_class").to_pylist(), object) == signal_class
    wanted &= (table.column("purposes").to_numpy() & core.config.purposes.measure) != 0
    rows = np.flatnonzero(wanted)
    if not len(rows):
        return found
    person = np.array([roots.get(one, one) for one in table.column("person_id").to_numpy()[rows].tolist()], np.int64)
    items = np.asarray(table.column("item_id").to_pylist(), object)[rows]
    places = last_before(shown, person, items.tolist(), table.column("time_ms").to_numpy()[rows], window_ms)
    found[places[places >= 0]] = 1.0
    return found


def last_before(shown: Showings, person: Int64s, item: Sequence[str], time_ms: Int64s, window_ms: int) -> Int64s:
    """int64[m]: for each outcome the last showing of its item to its person within the window, -1 for none.

    Example:
        >>> shown = Showings(np.array([7, 7]), ["a", "a"], np.array([100, 200]))
        >>> last_before(shown, np.array([7, 7, 8]), ["a", "a", "a"], np.array([150, 900, 150]), 500).tolist()
        [0, -1, -1]
    """
    pairs = _codes(list(zip(shown.person.tolist(), shown.item, strict=True)))
    of_pair = {pair: code for code, pair in enumerate(pairs[0])}
    codes = np.array([of_pair.get(pair, -1) for pair in zip(person.tolist(), item, strict=True)], np.int64)
    start_ms = int(shown.time_ms.min())
    span = max(int(shown.time_ms.max()), int(time_ms.max(initial=0))) - start_ms + 1
    keys = pairs[1] * span + (shown.time_ms - start_ms)
    order = np.argsort(keys, kind="stable")
    asked = codes * span + (time_ms - start_ms)
    at = np.searchsorted(keys[order], asked, side="right") - 1
    places = order[np.maximum(at, 0)]
    is_hit = (codes >= 0) & (time_ms >= start_ms) & (at >= 0) & (pairs[1][places] == codes)
    is_hit &= time_ms - shown.time_ms[places] <= window_ms
    return np.where(is_hit, places, -1)


def _codes(pairs: Sequence[Any]) -> tuple[list[Any], Int64s]:
    """The distinct pairs, and the place of each in them."""
    place: dict[Any, int] = {}
    codes = np.array([place.setdefault(pair, len(place)) for pair in pairs], np.int64)
    return list(place), codes
