"""Logs cut into visits: what one person liked in one go, in order.

A visit ends where a person does nothing for longer than a gap. Data without times has one visit per person (a file of
sessions is such data: its people are the sessions). Visits of a single like are left out: they say nothing of what goes
with what.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bespeak.models.interactions import Float32s, Float64s, History, Int32s, Int64s, Interactions

_MINUTE_MS = 60_000
_LATEST_PART = 10
_RECENCIES = (0.0, 2.0, 1.0)
"""What is tried; of equals the first. Shorter ones suit popularity, but they leave too few visits to tell of pairs."""


@dataclass(frozen=True, slots=True, eq=False)
class Visits:
    """Visits of at least two likes, oldest first.

    Attributes:
        items: int32[m], the liked items of all visits in a row, each visit in its own order.
        starts: int64[n + 1]: visit v has the items from `starts[v]` to `starts[v + 1]`.
        people: int32[n], whose visit it was (index).
    """

    items: Int32s
    starts: Int64s
    people: Int32s

    def __len__(self) -> int:
        return len(self.people)

    @property
    def lengths(self) -> Int64s:
        """int64[n]: likes per visit."""
        return np.diff(self.starts)

    def ages(self) -> Float32s:
        """float32[n]: the share of all visits that came later, 0 for the newest."""
        return (np.arange(len(self), 0, -1) / max(1, len(self)) - 1 / max(1, len(self))).astype(np.float32)

    def n_with(self, n_items: int) -> Int64s:
        """int64[n_items]: how many visits hold each item."""
        visit = np.repeat(np.arange(len(self)), self.lengths)
        pairs = np.unique(visit * np.int64(max(1, n_items)) + self.items)
        return np.bincount(pairs % max(1, n_items), minlength=n_items)


def visits_of(interactions: Interactions, gap_minutes: float | None) -> Visits:
    """The visits of a log.

    Args:
        interactions: the log; only events of positive weight count.
        gap_minutes: a longer pause begins a new visit; None makes one visit of all that a person did.

    Visits are in the order of their last event; without times, in the order in which they begin in the input.

    Example:
        >>> log = Interactions.from_events(list("aaaabb"), list("xyzxzy"), times_ms=[1, 2, 10**8, 10**8 + 1, 5, 6])
        >>> visits = visits_of(log, gap_minutes=30)
        >>> visits.items.tolist(), visits.starts.tolist(), visits.people.tolist()
        ([0, 1, 2, 1, 2, 0], [0, 2, 4, 6], [0, 1, 0])
    """
    liked = interactions.select(interactions.weights > 0)
    begins = np.ones(len(liked), bool)
    begins[1:] = liked.user_index[1:] != liked.user_index[:-1]
    if gap_minutes is not None:
        begins[1:] |= np.diff(liked.times_ms) > gap_minutes * _MINUTE_MS
    edges = np.append(np.flatnonzero(begins), len(liked))
    first, stop = edges[:-1], edges[1:]
    useful = stop - first > 1
    first, stop = first[useful], stop[useful]
    order = np.lexsort((liked.source_rows[first], liked.times_ms[stop - 1]))
    first, stop = first[order], stop[order]
    starts = np.concatenate([[0], np.cumsum(stop - first)]).astype(np.int64)
    return Visits(liked.item_index[spans(first, stop - first)], starts, liked.user_index[first])


def emphasis_of(visits: Visits, n_items: int, length: float, recency: float | None) -> Float64s:
    """float64[n]: how much each visit counts, likes^(-length) e^(-age / recency).

    Args:
        visits: of the training data.
        n_items: size of the catalogue.
        length: exponent of how much a long visit counts less.
        recency: a visit counts 1 / e once this share of all visits came after it; 0: all ages count the same; None:
            the likeliest (see `likeliest_recency`).
    """
    chosen = likeliest_recency(visits, n_items) if recency is None else recency
    emphasis: Float64s = np.maximum(visits.lengths, 1).astype(np.float64) ** -length
    return emphasis * _fading(visits.ages().astype(np.float64), chosen)


def likeliest_recency(visits: Visits, n_items: int) -> float:
    """The recency under whose fading popularity the items of the latest tenth of the visits were most likely.

    Where the order of visits means nothing, as in a file sorted by person, old ones tell as much as new ones, and 0
    comes out: all ages count the same.
    """
    n_past = len(visits) - len(visits) // _LATEST_PART
    if n_past == len(visits):
        return 0.0
    edge = visits.starts[n_past]
    wanted = np.bincount(visits.items[edge:], minlength=n_items)
    visit = np.repeat(np.arange(n_past), visits.lengths[:n_past])
    ages = np.arange(n_past - 1, -1, -1) / n_past

    def likelihood(recency: float) -> float:
        seen = 1 + np.bincount(visits.items[:edge], _fading(ages, recency)[visit], minlength=n_items)
        return float(wanted @ np.log(seen / seen.sum()))

    return max(_RECENCIES, key=likelihood)


def _fading(ages: Float64s, recency: float) -> Float64s:
    return np.exp(-ages / recency) if recency else np.ones(len(ages))


def spans(starts: Int64s, lengths: Int64s) -> Int64s:
    """All positions of several spans, one after the other.

    Example:
        >>> import numpy as np
        >>> spans(np.array([5, 0]), np.array([2, 3])).tolist()
        [5, 6, 0, 1, 2]
    """
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total, dtype=np.int64) + np.repeat(starts - ends + lengths, lengths)


@dataclass(frozen=True, slots=True, eq=False)
class LatestLikes:
    """The latest distinct likes of several histories, each item at its latest place.

    Attributes:
        rows: int64[q], whose like it is, ascending.
        items: int32[q], the latest first within a row.
        steps: int64[q], how many likes came after it (repeats count as steps too).
    """

    rows: Int64s
    items: Int32s
    steps: Int64s


def latest_likes(histories: Sequence[History], n_items: int, window: int) -> LatestLikes:
    """The likes among the last `window` of each history; unknown items take no place.

    Example:
        >>> found = latest_likes([History.of([4, 2, 4, 99])], n_items=5, window=10)
        >>> found.items.tolist(), found.steps.tolist()
        ([4, 2], [0, 1])
    """
    sizes = np.fromiter((len(history) for history in histories), np.int64, count=len(histories))
    rows = np.repeat(np.arange(len(histories)), sizes)
    items = np.concatenate([h.items for h in histories]) if histories else np.zeros(0, np.int32)
    weights = np.concatenate([h.weights for h in histories]) if histories else np.zeros(0, np.float32)
    liked = (items >= 0) & (items < n_items) & (weights > 0)
    rows, items = rows[liked][::-1], items[liked][::-1]
    lengths = np.bincount(rows, minlength=len(histories))
    after = np.cumsum(lengths[::-1])[::-1] - lengths  # rows stand backwards, so later people come first
    steps = np.arange(len(rows)) - after[rows]
    _, newest = np.unique(rows * np.int64(max(1, n_items)) + items, return_index=True)
    kept = newest[steps[newest] < window]
    kept = kept[np.lexsort((steps[kept], rows[kept]))]
    return LatestLikes(rows[kept].astype(np.int64), items[kept], steps[kept])


def occasions(owners: Int64s | Int32s, times_ms: Int64s, gap_minutes: float | None) -> Int64s:
    """int64[e]: how many occasions of the same person came after that of each event, 0 for the latest one.

    An occasion (an order, a visit) ends with a pause longer than the gap. Without a gap every event is its own.

    Args:
        owners: whose event it is; events of one person stand together, in order of time.
        times_ms: of the events.
        gap_minutes: the longest pause inside an occasion, or None.

    Example:
        >>> import numpy as np
        >>> occasions(np.array([0, 0, 0, 1]), np.array([0, 0, 9 * 60_000, 5]), gap_minutes=5).tolist()
        [1, 1, 0, 0]
    """
    if not len(owners):
        return np.zeros(0, np.int64)
    is_new_owner = owners[1:] != owners[:-1]
    begins = np.ones(len(owners), np.int64)
    if gap_minutes is not None:
        begins[1:] = is_new_owner | (np.diff(times_ms) > gap_minutes * _MINUTE_MS)
    number = np.cumsum(begins)
    ends = np.append(np.flatnonzero(is_new_owner), len(owners) - 1)
    lasts = np.repeat(number[ends], np.diff(ends, prepend=-1))
    return np.asarray(lasts - number, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Uses:
    """Who liked which item on which occasion: each item once per occasion.

    Attributes:
        owners: int64[m], ascending.
        items: int64[m].
        steps: int64[m], how many occasions of the same person came after, 0 for the latest one.
        times_ms: int64[m], of the item's last like on the occasion.
    """

    owners: Int64s
    items: Int64s
    steps: Int64s
    times_ms: Int64s


def uses_of_log(interactions: Interactions, gap_minutes: float) -> Uses:
    """The uses of everybody in a log; without times every event is an occasion of its own."""
    liked = interactions.select(interactions.weights > 0)
    gap = gap_minutes if interactions.has_times else None
    return _uses(liked.user_index.astype(np.int64), liked.item_index, liked.times_ms, gap)


def uses_of(histories: Sequence[History], n_items: int, gap_minutes: float | None) -> Uses:
    """The uses of several people; unknown items are left out."""
    sizes = np.fromiter((len(history) for history in histories), np.int64, count=len(histories))
    owners = np.repeat(np.arange(len(histories)), sizes)
    items = np.concatenate([np.zeros(0, np.int32), *(history.items for history in histories)])
    weights = np.concatenate([np.zeros(0, np.float32), *(history.weights for history in histories)])
    times_ms = np.concatenate([np.zeros(0, np.int64), *(history.times_ms for history in histories)])
    liked = (items >= 0) & (items < n_items) & (weights > 0)
    return _uses(owners[liked], items[liked], times_ms[liked], gap_minutes)


def _uses(owners: Int64s, items: Int32s, times_ms: Int64s, gap_minutes: float | None) -> Uses:
    steps = occasions(owners, times_ms, gap_minutes)
    order = np.lexsort((-times_ms, items, steps, owners))
    owners, found, steps, times_ms = owners[order], items[order].astype(np.int64), steps[order], times_ms[order]
    first = np.ones(len(order), bool)
    first[1:] = (owners[1:] != owners[:-1]) | (steps[1:] != steps[:-1]) | (found[1:] != found[:-1])
    return Uses(owners[first], found[first], steps[first], times_ms[first])
