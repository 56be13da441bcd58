"""Item counters as arrays: how popular each item is, and whether it rises.

Counters are sums per item, signal class and day, without anybody in them. For half-life h and a day d that lies `a`
days before now,

    popularity_h(item) = sum over classes c and days d of weight_c * n(item, c, d) * 0.5 ** (a / h)
    trend(item)        = fast / (slow + prior),  fast = popularity_{3 days},  slow = popularity_{30 days}

Negative classes lower the sum; below zero it counts as zero. `prior` keeps an item with two views from leading: it is
the mean of `slow` over items that have any. Popularity is scaled to 0..1 as log(1 + x) / log(1 + max x): monotone, so
the order is that of the sums, and the tail stays visible beside a hit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Float64s: TypeAlias = npt.NDArray[np.float64]
Int32s: TypeAlias = npt.NDArray[np.int32]

DAY_MS = 86_400_000
POPULAR_HALF_LIFE_DAYS = 14.0
FAST_HALF_LIFE_DAYS = 3.0
SLOW_HALF_LIFE_DAYS = 30.0
WEEK_DAYS = 7
KEPT_DAYS = 400


@dataclass(frozen=True, eq=False)
class ItemCounters:
    """Popularity and trend of every item of one catalogue snapshot at one moment; position = catalogue index.

    Attributes:
        as_of_ms: the moment the decay was computed for.
        popularity: float64[n] in 0..1.
        trend: float64[n] in 0..1; 0 for items that do not rise.
        week: class -> float64[n], plain counts of the last seven days (for sentences).
        by_popularity, by_trend: int32[n], all items best first, ties by lower index.
    """

    as_of_ms: int
    popularity: Float64s
    trend: Float64s
    week: Mapping[str, Float64s]
    by_popularity: Int32s
    by_trend: Int32s

    @classmethod
    def build(
        cls,
        counts: Iterable[tuple[str, str, int, float]],
        index: Mapping[str, int],
        class_weights: Mapping[str, float],
        now_ms: int,
    ) -> ItemCounters:
        """Builds the arrays.

        Args:
            counts: (item id, signal class, day since 1970, count), as `storage.tables.items.counts` returns them;
                unknown items, classes without a weight, and days after `now_ms` are left out.
            index: item id -> catalogue position.
            class_weights: signal class -> weight of one count.
            now_ms: the moment to decay to.

        Example:
            >>> counters = ItemCounters.build([("a", "view", 0, 3.0), ("b", "view", 0, 1.0)], {"a": 0, "b": 1},
            ...                               {"view": 1.0}, 0)
            >>> counters.by_popularity.tolist(), counters.popularity.round(2).tolist()
            ([0, 1], [1.0, 0.5])
        """
        held = DailyCounts()
        held.put(counts)
        return held.counters(index, class_weights, now_ms)

    @classmethod
    def empty(cls, n_items: int) -> ItemCounters:
        """Counters of a catalogue where nothing has happened yet."""
        return cls.build((), {str(position): position for position in range(n_items)}, {}, 0)


class DailyCounts:
    """Counts by item, class and day, kept in columns between looks at the store, so that a look reads only new days."""

    def __init__(self) -> None:
        self._items: dict[str, int] = {}
        self._classes: dict[str, int] = {}
        self._days: dict[int, tuple[Int32s, Int32s, Float64s]] = {}

    def put(self, counts: Iterable[tuple[str, str, int, float]], days: Iterable[int] = ()) -> None:
        """Replaces the counts of every day that `counts` names; those of other `days` are gone."""
        by_day: dict[int, list[tuple[int, int, float]]] = {day: [] for day in days}
        for item_id, name, day, value in counts:
            item = self._items.setdefault(item_id, len(self._items))
            by_day.setdefault(day, []).append((item, self._classes.setdefault(name, len(self._classes)), value))
        for day, rows in by_day.items():
            table = np.array(rows, np.float64).reshape(len(rows), 3)
            self._days[day] = table[:, 0].astype(np.int32), table[:, 1].astype(np.int32), table[:, 2].copy()

    def drop(self, before_day: int) -> None:
        """Forgets the days before one."""
        self._days = {day: columns for day, columns in self._days.items() if day >= before_day}

    def counters(self, index: Mapping[str, int], class_weights: Mapping[str, float], now_ms: int) -> ItemCounters:
        """Returns the counters; arguments and what is left out as in `ItemCounters.build`."""
        n, today = len(index), now_ms // DAY_MS
        place = np.array([index.get(item_id, -1) for item_id in self._items], np.int64)
        weight = np.array([class_weights.get(name, np.nan) for name in self._classes], np.float64)
        days = [day for day in sorted(self._days) if day <= today]
        item, code, value, age = self._columns(days, today)
        known = (place[item] >= 0) & ~np.isnan(weight[code]) if len(item) else np.zeros(0, np.bool_)
        at, code, value, age = place[item[known]], code[known], value[known], age[known]
        weighted = value * weight[code]

        def decayed(half_life_days: float) -> Float64s:
            return np.maximum(np.bincount(at, weighted * 0.5 ** (age / half_life_days), minlength=n), 0.0)

        popularity = _scaled(np.log1p(decayed(POPULAR_HALF_LIFE_DAYS)))
        slow = decayed(SLOW_HALF_LIFE_DAYS)
        prior = float(slow[slow > 0].mean()) if (slow > 0).any() else 1.0
        trend = _scaled(decayed(FAST_HALF_LIFE_DAYS) / (slow + prior))
        is_recent = age < WEEK_DAYS
        week = {
            name: np.bincount(at[chosen], value[chosen], minlength=n).astype(np.float64)
            for name, position in self._classes.items()
            if (chosen := is_recent & (code == position)).any()
        }
        return ItemCounters(now_ms, popularity, trend, week, _order(popularity), _order(trend))

    def _columns(self, days: Sequence[int], today: int) -> tuple[Int32s, Int32s, Float64s, Float64s]:
        """Item, class, count and age in days of all rows of some days."""
        held = [self._days[day] for day in days]
        if not held:
            return np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0), np.zeros(0)
        item, code, value = (np.concatenate(columns) for columns in zip(*held, strict=True))
        age = np.repeat(np.array([today - day for day in days], np.float64), [len(rows) for rows, _, _ in held])
        return item, code, value, age


def _scaled(values: Float64s) -> Float64s:
    top = float(values.max()) if len(values) else 0.0
    return values / top if top > 0 else np.zeros(len(values))


def _order(values: Float64s) -> Int32s:
    return np.argsort(-values, kind="stable").astype(np.int32)
