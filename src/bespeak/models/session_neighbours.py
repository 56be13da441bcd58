"""Session neighbours: where visits went that shared items with the present one.

Jannach and Ludewig, "When recurrent neural networks meet the neighborhood for session-based recommendation", RecSys
2017 (V-SkNN: the latest items of the visit count most, rare items count more), with the two decays of Garg, Gupta,
Malhotra, Vig, Shroff, "Sequence and time aware neighborhood for session-based recommendations: STAN", SIGIR 2019. With
the likes i of the query at d(i) steps from its end, and the visits s of the training data:

    similarity(s) = sum over shared i of e^(-d(i) / query_steps) n_i^(-rarity)  *  |s|^(-length) e^(-age(s) / recency)
    score_j = n_j^(-item_rarity) * sum over the `neighbours` most similar s of
              similarity(s) * sum over the places p of j in s of c(p - m(s))
    c(g) = e^(-(g - 1) / ahead) after, e^(-(-g - 1) / behind) before, 1 at the shared item itself

n_i is the number of visits with item i, age(s) the share of all visits that came after s, and m(s) the last place in s
of the shared item that stands latest in the query. An item of the query itself keeps its score: going back is common.
Dislikes choose no neighbours; they are subtracted from the disliked item alone.

The arrays hold the visits of single people, so `forget` takes people out, and a stored version must be rewritten when
one of them is erased. `session_links` is the same idea without people.

Cost: nothing to fit. One answer looks at the latest `visits_per_item` visits of each of `window` items at most, so it
does not grow with the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from bespeak.models.base import Explanation, Model
from bespeak.models.interactions import Float32s, Float64s, History, Int32s, Int64s, Interactions, ItemContent
from bespeak.models.linear import dense
from bespeak.models.packing import pack_strings, unpack_strings
from bespeak.models.strength import dislikes, stacked
from bespeak.models.visits import emphasis_of, latest_likes, spans, visits_of


@dataclass(frozen=True, slots=True, eq=False)
class _Meetings:
    """Shared items of queries and visits.

    Attributes:
        rows: int64[m], the query.
        visits: int64[m].
        items: int32[m], the shared item.
        weights: float64[m], what it adds to the similarity.
        anchors: int32[m], the place m(s) that the decay inside the visit counts from.
    """

    rows: Int64s
    visits: Int64s
    items: Int32s
    weights: Float64s
    anchors: Int32s


@dataclass(frozen=True, eq=False)
class SessionNeighbours(Model):
    """Neighbourhoods of visits.

    Args:
        neighbours: how many visits speak for one query.
        gap_minutes: a longer pause begins a new visit; None makes one visit of all that a person did.
        window: how many latest likes of a history are looked at.
        query_steps: after so many steps back a like of the query counts 1 / e.
        ahead: the same for items after the shared one in a neighbour.
        behind: the same for items before it.
        rarity: exponent of how much a common shared item counts less.
        item_rarity: exponent of how much a common recommended item counts less.
        length: exponent of how much a long visit counts less.
        recency: a visit counts 1 / e once this share of all visits came after it; 0: all ages count the same; None: the
            likeliest for the data.
        visits_per_item: only so many latest visits of an item are looked at.
    """

    name: ClassVar[str] = "session_neighbours"
    holds_people: ClassVar[bool] = True
    explains: ClassVar[bool] = True

    neighbours: int = 500
    gap_minutes: float | None = 30.0
    window: int = 20
    query_steps: float = 2.5
    ahead: float = 6.0
    behind: float = 4.0
    rarity: float = 0.5
    item_rarity: float = 0.2
    length: float = 0.25
    recency: float | None = None
    visits_per_item: int = 2_000

    def fit(self, interactions: Interactions, items: ItemContent | None = None) -> Self:
        """See `Model.fit`. Visits of a single like are not kept."""
        visits = visits_of(interactions, self.gap_minutes)
        emphasis = emphasis_of(visits, interactions.n_items, self.length, self.recency)
        people, owners = np.unique(visits.people, return_inverse=True)
        arrays: dict[str, npt.NDArray[Any]] = {
            "items": visits.items,
            "starts": visits.starts,
            "emphasis": emphasis.astype(np.float32),
            "owners": owners.astype(np.int32),
            "n_visits": visits.n_with(interactions.n_items).astype(np.int32),
        }
        held = pack_strings("user_ids", [interactions.user_ids[row] for row in people.tolist()])
        return self._fitted(interactions.item_ids, arrays | held, interactions)

    def scores(self, histories: Sequence[History], now_ms: int) -> Float32s:
        """See `Model.scores`; the time plays no part."""
        n, n_items = len(histories), len(self.item_ids)
        scores = np.zeros((n, n_items), np.float32)
        met = self._meetings(histories)
        if len(met.rows):
            first = _firsts(met)
            similarity = np.add.reduceat(met.weights, first)
            rows, visits, anchors = met.rows[first], met.visits[first], met.anchors[first]
            lengths = np.diff(self._starts)[visits]
            where = spans(self._starts[visits], lengths)
            gaps = where - np.repeat(self._starts[visits] + anchors, lengths)
            items = self._array("items")[where]
            added = np.repeat(similarity, lengths) * self._closeness(gaps) * self._item_weights[items]
            cells = np.repeat(rows, lengths) * np.int64(n_items) + items
            np.add.at(scores.reshape(-1), cells, added.astype(np.float32))
        disliked = dislikes(stacked(histories, n_items, "log"))
        return scores - dense(disliked) if disliked.nnz else scores

    def explain(self, history: History, item: int) -> Explanation:
        """See `Model.explain`: a shared item gives what it adds to the similarity of each neighbour with `item`."""
        n_items = len(self.item_ids)
        contributions = -dense(dislikes(stacked([history], n_items, "log")))[0].astype(np.float64)
        contributions[np.arange(n_items) != item] = 0
        met = self._meetings([history])
        lengths = np.diff(self._starts)[met.visits]
        where = spans(self._starts[met.visits], lengths)
        gaps = where - np.repeat(self._starts[met.visits] + met.anchors, lengths)
        holds = self._array("items")[where] == item
        added = np.repeat(met.weights, lengths)[holds] * self._closeness(gaps[holds]) * self._item_weights[item]
        np.add.at(contributions, np.repeat(met.items, lengths)[holds], added)
        known = np.unique(history.items[(history.items >= 0) & (history.items < n_items)]).astype(np.int32)
        return Explanation(known, contributions[known].astype(np.float32))

    def forget(self, user_ids: Iterable[str]) -> Self:
        """A copy without these people; those it does not hold are ignored."""
        gone = set(user_ids)
        known = unpack_strings("user_ids", self._arrays)
        stays = np.array([user not in gone for user in known], bool)
        kept = np.flatnonzero(stays[self._array("owners")])
        lengths = np.diff(self._starts)[kept]
        items = self._array("items")[spans(self._starts[kept], lengths)]
        visit = np.repeat(np.arange(len(kept)), lengths)
        n_items = len(self.item_ids)
        pairs = np.unique(visit * np.int64(max(1, n_items)) + items)
        arrays: dict[str, npt.NDArray[Any]] = {
            "items": items,
            "starts": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            "emphasis": self._array("emphasis")[kept],
            "owners": (np.cumsum(stays) - 1).astype(np.int32)[self._array("owners")[kept]],
            "n_visits": np.bincount(pairs % max(1, n_items), minlength=n_items).astype(np.int32),
        }
        held = pack_strings("user_ids", [user for user, stay in zip(known, stays, strict=True) if stay])
        return self._fitted(self.item_ids, arrays | held)

    @property
    def _starts(self) -> Int64s:
        return np.asarray(self._array("starts"))

    @cached_property
    def _item_weights(self) -> Float64s:
        return np.asarray(np.maximum(self._array("n_visits"), 1).astype(np.float64) ** -self.item_rarity)

    @cached_property
    def _by_item(self) -> tuple[Int64s, Int32s, Int32s]:
        """Where the visits of each item start, the visits (newest first), and the last place of the item in each."""
        items, starts = self._array("items"), self._starts
        visits = np.repeat(np.arange(len(starts) - 1, dtype=np.int64), np.diff(starts))
        order = np.lexsort((-np.arange(len(items)), items))  # within an item: newest visit first, last place first
        items, visits, places = items[order], visits[order], (np.arange(len(order)) - starts[visits])[order]
        newest = np.ones(len(items), bool)
        newest[1:] = (items[1:] != items[:-1]) | (visits[1:] != visits[:-1])
        edges = np.searchsorted(items[newest], np.arange(len(self.item_ids) + 1)).astype(np.int64)
        return edges, visits[newest].astype(np.int32), places[newest].astype(np.int32)

    def _meetings(self, histories: Sequence[History]) -> _Meetings:
        """What the queries share with their nearest visits, sorted by query, visit and steps from the query's end."""
        query = latest_likes(histories, len(self.item_ids), self.window)
        edges, visits_of_item, places_of_item = self._by_item
        common = np.maximum(self._array("n_visits")[query.items], 1).astype(np.float64)
        weights = np.exp(-query.steps / self.query_steps) * common**-self.rarity
        counts = np.minimum(np.diff(edges)[query.items], self.visits_per_item)
        where = spans(edges[query.items], counts)
        rows, visits = np.repeat(query.rows, counts), visits_of_item[where].astype(np.int64)
        order = np.argsort(rows * np.int64(max(1, len(self._starts))) + visits, kind="stable")
        rows, visits, places = rows[order], visits[order], places_of_item[where][order]
        met = _Meetings(
            rows=rows,
            visits=visits,
            items=np.repeat(query.items, counts)[order],
            weights=np.repeat(weights, counts)[order] * self._array("emphasis")[visits],
            anchors=places,
        )
        return _nearest(met, len(histories), self.neighbours)

    def _closeness(self, gaps: Int64s) -> Float64s:
        reach = np.where(gaps > 0, self.ahead, self.behind)
        return np.where(gaps == 0, 1.0, np.exp(-(np.abs(gaps) - 1) / reach))


def _firsts(met: _Meetings) -> Int64s:
    """Where each pair of query and visit begins; its first entry is the shared item that stands latest in the query."""
    is_first = np.ones(len(met.rows), bool)
    is_first[1:] = (met.rows[1:] != met.rows[:-1]) | (met.visits[1:] != met.visits[:-1])
    return np.flatnonzero(is_first)


def _nearest(met: _Meetings, n: int, neighbours: int) -> _Meetings:
    """Only the most similar visits of each query; of equals the older ones. All entries get their pair's anchor."""
    if not len(met.rows):
        return met
    first = _firsts(met)
    similarity = np.add.reduceat(met.weights, first)
    order = np.lexsort((-similarity, met.rows[first]))
    sizes = np.bincount(met.rows[first], minlength=n)
    place = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    stays = np.zeros(len(first), bool)
    stays[order[place < neighbours]] = True
    lengths = np.diff(np.append(first, len(met.rows)))
    kept = np.repeat(stays, lengths)
    return _Meetings(
        rows=met.rows[kept],
        visits=met.visits[kept],
        items=met.items[kept],
        weights=met.weights[kept],
        anchors=np.repeat(met.anchors[first], lengths)[kept],
    )
