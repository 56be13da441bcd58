"""Candidates: several sources propose items, and their union, cut to a budget, is scored.

Every source proposes only eligible items, best first. When the union is larger than the budget, an item's place is its
best rank over the sources divided by the source's weight, so that no source is crowded out by another's long tail.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.decide.reading import BOUGHT_TOGETHER
from bespeak.decide.scoring.affinity import FacetNumbers, Family, facet_values
from bespeak.decide.scoring.past_items import PAST_SOURCES, past_items
from bespeak.decide.scoring.similarity import pull_of
from bespeak.decide.serving.best import best_of, first_eligible
from bespeak.decide.settings.parts import SourceSettings
from bespeak.decide.situation import Situation

Bools: TypeAlias = npt.NDArray[np.bool_]
Int32s: TypeAlias = npt.NDArray[np.int32]
Float64s: TypeAlias = npt.NDArray[np.float64]
Proposals: TypeAlias = list[tuple[str, Int32s, float]]

BUDGET = 500
N_TOP_VALUES = 3


@dataclass(frozen=True, eq=False)
class Candidates:
    """The items to score.

    Attributes:
        rows: int32[c], catalogue indices, ascending.
        proposed: int64[c], bit i is set when source i of `names` proposed the item.
        names: the sources that proposed anything.
    """

    rows: Int32s
    proposed: npt.NDArray[np.int64]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def sources_of(self, position: int) -> tuple[str, ...]:
        """The sources that proposed one candidate."""
        bits = int(self.proposed[position])
        return tuple(name for place, name in enumerate(self.names) if bits >> place & 1)


def gather(situation: Situation, budget: int = BUDGET) -> Candidates:
    """Asks the placement's sources (or takes the caller's list, or the query's matches) and fuses what they propose."""
    proposals = _proposals(situation)
    candidates = fuse(proposals, budget)
    wanted = min(situation.count, budget, int(np.count_nonzero(situation.eligible)))
    if situation.placement.fill and len(candidates) < wanted:  # a short slate only when nothing else may be shown
        candidates = fuse([*proposals, ("popular", _popular(situation, 2 * situation.count), 1.0)], budget)
    return candidates


def fuse(proposals: Proposals, budget: int) -> Candidates:
    """Unites (source, items best first, weight); the same source may come twice.

    Example:
        >>> both = fuse([("a", np.array([3, 1], np.int32), 1.0), ("b", np.array([1, 2], np.int32), 1.0)], budget=2)
        >>> both.rows.tolist(), both.sources_of(0)
        ([1, 3], ('a', 'b'))
    """
    filled = [(name, rows, weight) for name, rows, weight in proposals if len(rows)]
    names = tuple(dict.fromkeys(name for name, _, _ in filled))
    if not filled:
        return Candidates(np.zeros(0, np.int32), np.zeros(0, np.int64), ())
    rows = np.concatenate([items for _, items, _ in filled])
    if len(filled) == 1 and len(rows) <= budget:
        found = np.unique(rows)
        return Candidates(found, np.ones(len(found), np.int64), names)
    sizes = [len(items) for _, items, _ in filled]
    places = np.arange(1, len(rows) + 1) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    ranks = places / np.repeat([weight for _, _, weight in filled], sizes)
    bits = np.repeat(np.array([1 << names.index(name) for name, _, _ in filled], np.int64), sizes)
    n_items = int(rows.max()) + 1
    proposed, best = np.zeros(n_items, np.int64), np.full(n_items, np.inf)
    np.bitwise_or.at(proposed, rows, bits)
    np.minimum.at(best, rows, ranks)
    found = np.flatnonzero(proposed != 0)  # an eighth of the time that it takes on the integers themselves
    if len(found) > budget:
        found = found[_smallest(best[found], budget)]
    return Candidates(found.astype(np.int32), proposed[found], names)


def _smallest(values: Float64s, n: int) -> npt.NDArray[np.int64]:
    """int64[n]: the places of the n smallest values, ascending; at the edge the first of equals."""
    edge = np.partition(values, n - 1)[n - 1]
    within = np.flatnonzero(values <= edge)
    if len(within) > n:
        ties = np.flatnonzero(values[within] == edge)
        within = np.delete(within, ties[n - len(within) :])
    return within


def _proposals(situation: Situation) -> Proposals:
    if situation.listed is not None:
        rows, _ = situation.listed
        return [("listed", rows[situation.eligible[rows]], 1.0)]
    if situation.match is not None:
        return [("match", best_of(situation.match, situation.eligible, BUDGET), 1.0)]
    proposals: Proposals = []
    for source in situation.placement.sources:
        if source.name == "models":
            proposals += _of_models(situation, source)
        elif source.name.startswith("model."):
            proposals += _of_models(situation, source, source.name.removeprefix("model."))
        elif source.name in SOURCES:  # `match` proposes nothing without a query
            proposals.append((source.name, SOURCES[source.name](situation, source.limit), source.weight))
    return proposals


def _of_models(situation: Situation, source: SourceSettings, only: str = "") -> Proposals:
    names = [name for name in situation.model_scores if not only or name == only]
    found = situation.model_scores.best(names, situation.eligible, source.limit)
    return [(f"model.{name}", rows, source.weight) for name, rows in zip(names, found, strict=True)]


def _popular(situation: Situation, limit: int) -> Int32s:
    return first_eligible(situation.world.counters.by_popularity, situation.eligible, limit)


def _trending(situation: Situation, limit: int) -> Int32s:
    counters = situation.world.counters
    rows = first_eligible(counters.by_trend, situation.eligible, limit)
    return rows[counters.trend[rows] > 0]


def _recent(situation: Situation, limit: int) -> Int32s:
    return first_eligible(situation.world.catalogue.newest_first, situation.eligible, limit)


def _neighbours(situation: Situation, limit: int) -> Int32s:
    return _pulled(situation, "item_neighbours", limit)


def _content(situation: Situation, limit: int) -> Int32s:
    return _pulled(situation, "content", limit)


def _pulled(situation: Situation, table: str, limit: int) -> Int32s:
    seeds = _seeds(situation)
    if not seeds:
        return np.zeros(0, np.int32)
    return best_of(pull_of(situation, tuple(seeds), (table,)).values, situation.eligible, limit)


def _cart(situation: Situation, limit: int) -> Int32s:
    """What is bought together with what is in the cart; where too few orders tell, what is liked together with it."""
    seeds = tuple(situation.known.cart.tolist())
    tables = (BOUGHT_TOGETHER, "item_neighbours")
    found = [best_of(pull_of(situation, seeds, (name,)).values, situation.eligible, limit) for name in tables]
    return np.array(list(dict.fromkeys(np.concatenate(found).tolist()))[:limit], np.int32)


def _value(situation: Situation, limit: int) -> Int32s:
    """The most popular items with the value that the placement is about."""
    if situation.subject.value is None:
        return np.zeros(0, np.int32)
    facet, code = situation.subject.value
    items, starts = situation.world.popular_of(facet)
    return first_eligible(items[starts[code] : starts[code + 1]], situation.eligible, limit)


def _past(source: str) -> Callable[[Situation, int], Int32s]:
    def of(situation: Situation, limit: int) -> Int32s:
        return first_eligible(past_items(situation.reading, source).rows, situation.eligible, limit)

    return of


def _seeds(situation: Situation) -> list[int]:
    if situation.about >= 0:
        return [situation.about]
    return list(dict.fromkeys([*situation.known.anchors.tolist(), *situation.known.cart.tolist()]))


def _affinity(situation: Situation, limit: int) -> Int32s:
    return _of_facets(situation, "affinity", limit)


def _session(situation: Situation, limit: int) -> Int32s:
    return _of_facets(situation, "session", limit)


def _of_facets(situation: Situation, family: Family, limit: int) -> Int32s:
    """The most popular items of the person's strongest facet values, value by value."""
    found = facet_values(situation).family(family)
    strongest = situation.reading.once(("strongest", family, situation.facet_names), lambda: _strongest(found))
    share = max(1, limit // max(len(strongest), 1))
    proposed = [np.zeros(0, np.int32)]
    for name, code in strongest:
        items, starts = situation.world.popular_of(name)
        proposed.append(first_eligible(items[starts[code] : starts[code + 1]], situation.eligible, share))
    return np.concatenate(proposed)


def _strongest(found: FacetNumbers) -> list[tuple[str, int]]:
    """(facet, code) of the largest positive numbers, at most `N_TOP_VALUES` of a facet and twice as many in all.

    Ties go by the facet's name, then by lower code.
    """
    if not found.names:
        return []
    positive = np.flatnonzero(found.numbers > 0)
    best_first = positive[np.argsort(-found.numbers[positive], kind="stable")]  # many are equal
    names, starts = tuple(found.joined.facets), found.joined.starts.tolist()
    strongest: list[tuple[str, int]] = []
    left = dict.fromkeys(names, N_TOP_VALUES)
    for entry in best_first.tolist():
        place = bisect_right(starts, entry) - 1
        if left[names[place]]:
            left[names[place]] -= 1
            strongest.append((names[place], entry - starts[place]))
            if len(strongest) == 2 * N_TOP_VALUES:
                break
    return strongest


def _alike(situation: Situation, limit: int) -> Int32s:
    """Items that share facet values with the item that the placement is about, the most shared first."""
    if situation.about < 0:
        return np.zeros(0, np.int32)
    shared = np.zeros(len(situation.eligible), np.float32)
    for facet in situation.world.catalogue.facets.values():
        items, starts = facet.items_of
        for code in facet.codes[situation.about].tolist():
            if code < len(facet.vocabulary):
                shared[items[starts[code] : starts[code + 1]]] += 1
    return best_of(shared, situation.eligible, limit)


SOURCES: Mapping[str, Callable[[Situation, int], Int32s]] = MappingProxyType(
    {
        "popular": _popular,
        "trending": _trending,
        "recent": _recent,
        "neighbours": _neighbours,
        "content": _content,
        "affinity": _affinity,
        "session": _session,
        "alike": _alike,
        "cart": _cart,
        "value": _value,
        **{name: _past(name) for name in PAST_SOURCES},
    }
)
"""Sources by name, beside `models` (all loaded ones), `model.NAME`, and `match` and `listed`, which requests bring."""
