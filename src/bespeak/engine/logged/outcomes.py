"""What came of shown items: an outcome counts for the latest time before it that its item was shown to its person.

Training reads outcomes of people who let models be improved, replays those of people who may be measured; the join is
the same. A signal of no strength, such as a poor rating, is no outcome, and no bot's is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.catalogue.snapshot import CatalogueSnapshot
from bespeak.engine.core import Core
from bespeak.engine.logged.granted import granted_rows
from bespeak.measure.ranks import share_at_most
from bespeak.rules.columns import NumberColumn

Float64s: TypeAlias = npt.NDArray[np.float64]
Int64s: TypeAlias = npt.NDArray[np.int64]

WATCH = "watch"
DURATIONS = ("duration", "duration_seconds", "duration_minutes", "minutes", "runtime", "length")
"""Numbers of an item that say how long it runs, the first that the catalogue has."""

N_BANDS = 10
_COLUMNS = ("person_id", "time_ms", "signal_class", "strength", "item_id", "purposes", "is_bot")


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """What people did with items that were shown, one row each.

    Attributes:
        people, items, times_ms: int64[m].
        classes: int64[m] into `names`, signal classes.
        shares: float64[m], 0..1: 1, or of `watch` the share that was watched as `watched_share` ranks it.
    """

    people: Int64s
    items: Int64s
    times_ms: Int64s
    classes: Int64s
    names: tuple[str, ...]
    shares: Float64s

    @classmethod
    def read(cls, core: Core, items: Mapping[str, int], purpose: str, start_ms: int, until_ms: int) -> Self:
        """Reads the signals about some items that a purpose may use.

        Args:
            core: the open project, its lake up to date.
            items: id -> the code that the rows know it by.
            purpose: what the outcomes are for, `improve` or `measure`: it held then and is not refused now.
            start_ms, until_ms: from when, and the last moment that is known.
        """
        table = core.lake.read("signals", _COLUMNS, "item_id IS NOT NULL AND strength > 0", start_ms=start_ms)
        person, keep = granted_rows(core, table, until_ms, purpose)
        classes = table.column("signal_class").combine_chunks().dictionary_encode()
        ids = table.column("item_id").combine_chunks().dictionary_encode()
        places = ids.indices.to_numpy()
        code = np.array([items.get(i, -1) for i in ids.dictionary.to_pylist()] or [-1], np.int64)[places]
        chosen = np.flatnonzero(keep & (code >= 0))
        names, kind = tuple(classes.dictionary.to_pylist()), classes.indices.to_numpy()[chosen].astype(np.int64)
        shares = np.ones(len(chosen))
        watched = np.flatnonzero(kind == names.index(WATCH)) if WATCH in names else kind[:0]
        if len(watched):
            running = _running(core.world.catalogue, ids.dictionary.to_pylist())[places[chosen[watched]]]
            shares[watched] = watched_share(table.column("strength").to_numpy()[chosen[watched]], running)
        return cls(person[chosen], code[chosen], table.column("time_ms").to_numpy()[chosen], kind, names, shares)

    def rewards(
        self, worth: Mapping[str, float], people: Int64s, items: Int64s, times_ms: Int64s, window_ms: int
    ) -> Float64s:
        """float64[n], 0..1: the most that came of each shown row, as a share of the largest worth.

        Args:
            worth: signal class -> what it is worth.
            people, items, times_ms: int64[n], the rows.
            window_ms: how long after a row its outcomes count.
        """
        of_class = np.array([worth.get(name, 0.0) for name in self.names] or [0.0]) / max(worth.values())
        counts = np.flatnonzero(of_class[self.classes] > 0)
        place = latest_shown(
            people, items, times_ms, self.people[counts], self.items[counts], self.times_ms[counts], window_ms
        )
        value = of_class[self.classes[counts]] * self.shares[counts]
        rewards = np.zeros(len(people))
        np.maximum.at(rewards, place[place >= 0], value[place >= 0])
        return rewards


def latest_shown(
    people: Int64s, items: Int64s, times_ms: Int64s, who: Int64s, what: Int64s, when_ms: Int64s, window_ms: int
) -> Int64s:
    """int64[m]: for each outcome the row that showed the item to the person last before it, -1 for none in the window.

    Args:
        people, items, times_ms: int64[n], the rows.
        who, what, when_ms: int64[m], the outcomes.
        window_ms: how long after a row its outcomes count.

    Example:
        >>> one = np.ones(2, np.int64)
        >>> rows = np.array([10, 20])
        >>> latest_shown(one, one, rows, np.ones(3, np.int64), np.ones(3, np.int64), np.array([9, 15, 90]), 50).tolist()
        [-1, 0, -1]
    """
    n = len(people)
    pairs = np.unique(np.stack([np.append(people, who), np.append(items, what)]), axis=1, return_inverse=True)[1]
    pairs = np.asarray(pairs).reshape(-1)
    begin = int(min(times_ms.min(initial=0), when_ms.min(initial=0)))
    span = int(max(times_ms.max(initial=0), when_ms.max(initial=0))) - begin + 1
    shown, asked = pairs[:n] * span + times_ms - begin, pairs[n:] * span + when_ms - begin
    order = np.argsort(shown, kind="stable")
    before = np.searchsorted(shown[order], asked, side="right") - 1
    place = order[np.maximum(before, 0)]
    is_in_time = (before >= 0) & (pairs[place] == pairs[n:]) & (when_ms - times_ms[place] <= window_ms)
    return np.where(is_in_time, place, -1).astype(np.int64)


def watched_share(strengths: Float64s, running: Float64s) -> Float64s:
    """float64[n], above 0 and at most 1: each watched share ranked among those of items that run about as long.

    Long items are watched to a smaller part than short ones; a rank within tenths of duration says how much somebody
    watched beside what people usually watch (Zhan et al., "Deconfounding duration bias in watch-time prediction",
    2022).

    Args:
        strengths: float64[n], what was watched.
        running: float64[n], how long the item runs; NaN where that is unknown.

    Example:
        >>> watched_share(np.array([0.2, 0.9, 0.1, 0.3]), np.array([10.0, 10.0, 90.0, 90.0])).tolist()
        [0.5, 1.0, 0.5, 1.0]
    """
    known = np.nan_to_num(running, nan=-1.0)
    edges = np.unique(np.quantile(known, np.linspace(0, 1, N_BANDS + 1)[1:-1])) if len(known) else known
    band = np.searchsorted(edges, known, side="left")
    shares = np.ones(len(strengths))
    for one in np.unique(band):
        inside = np.flatnonzero(band == one)
        shares[inside] = share_at_most(strengths[inside])
    return shares


def _running(catalogue: CatalogueSnapshot, item_ids: Sequence[str]) -> Float64s:
    """float64[n]: how long items run, NaN where that is unknown."""
    columns = [catalogue.columns.get(name) for name in DURATIONS]
    found = next((column for column in columns if isinstance(column, NumberColumn)), None)
    places = [catalogue.index.get(item_id, -1) for item_id in item_ids]
    if found is None:
        return np.full(len(places), np.nan)
    return np.array([found.values[place] if place >= 0 else np.nan for place in places], np.float64)
