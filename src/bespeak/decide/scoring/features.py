"""Features: one matrix for all candidates. Every column is vectorised; a column without any value is left out.

model.NAME          the model's score, -1..1, as `MappedModel.scores` scales it
affinity.FACET      how the person stands to the item's values of a facet, -1..1 (`affinity`)
session.FACET       the same for what they are doing now
fit.NAME            closeness of a number (price, rating) to what the person usually chooses, 0..1
popular, trending   from the item counters, 0..1
fresh               1 for an item that came out now, halving every two weeks
just_viewed         pull of the latest items, 0..1
cart                pull of what is in the cart, 0..1
bought_with         pull of what is in the cart by what was bought together alone, 0..1
similar, alike      pull of the item asked about; share of its facets with a common value
click_rate          how often the item brings something where it is looked at here, -1..1 (`learn.click_rate`)
repeat              how often they touched the item before: log(1 + n) / log(11), at most 1
fatigue             how often the item was shown to them before, likewise
match               relevance to the query, 0..1
listed              relevance in the caller's list, 0..1
near                1 where the request is `near` the item's latitude and longitude, a half 10 km away (`nearness`)
viewed, bought      where the placement names the source of this name (`past_items`): how lately they turned to it;
started, next       how due it is; how lately they stopped in the middle, or finished the episode before: 0..1
context.KEY         1 where the item's attribute KEY has the value that the caller declared
cross.WHEN*WHAT     what counts only in some circumstances (`crosses`)
trees               how signals work together, where a placement's ranker is `trees` (`forest`)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.decide.rankers.forest import TREES
from bespeak.decide.reading import BOUGHT_TOGETHER
from bespeak.decide.scoring.affinity import FAMILIES, facet_values
from bespeak.decide.scoring.crosses import crossed
from bespeak.decide.scoring.nearness import nearness
from bespeak.decide.scoring.past_items import PAST_SOURCES, past_items
from bespeak.decide.scoring.similarity import Pull, pull_of
from bespeak.decide.situation import Situation
from bespeak.rules.columns import TextColumn, TextsColumn

Int32s: TypeAlias = npt.NDArray[np.int32]
Float64s: TypeAlias = npt.NDArray[np.float64]
Column: TypeAlias = tuple[str, npt.NDArray[np.floating]]

FIT_PRIOR = 3.0
FIT_WIDTH = 0.25
REPEAT_FULL = 10
SHOWN = "exposure"
"""The signal class of what somebody was shown."""


@dataclass(frozen=True, eq=False)
class FeatureMatrix:
    """Features of all candidates.

    Attributes:
        names: f columns.
        values: float64[c, f], finite.
        pulls: name -> what stands behind `just_viewed`, `cart` and `similar`, for the reasons.
    """

    names: tuple[str, ...]
    values: Float64s
    pulls: Mapping[str, Pull]


def compute(situation: Situation, rows: Int32s, beside: Int32s | None = None) -> FeatureMatrix:
    """Computes every feature that this situation has.

    Args:
        situation: whose features.
        rows: int32[c], catalogue indices of the candidates.
        beside: int32, ascending, the candidates of all situations of one reading, these among them: what hangs on no
            placement is then worked out once for all of them. None for a situation that stands alone.
    """
    pulls = _pulls(situation)
    columns: list[Column] = [
        *(_of_reading(situation, rows) if beside is None else _taken(situation, rows, beside)),
        *_of_placement(situation, rows),
        *((name, found.values[rows]) for name, found in pulls.items()),
        *_of_person(situation, rows),
        *_of_request(situation, rows),
    ]
    if situation.placement.crosses:
        columns += crossed(situation, rows, dict(columns))
    values = np.empty((len(columns), len(rows)))
    for place, (_, column) in enumerate(columns):
        values[place] = column
    used = np.flatnonzero(values.any(axis=1))
    names = tuple(columns[place][0] for place in used.tolist())
    kept = values if len(used) == len(values) else values[used]
    forest = situation.weights.forest
    if forest is not None:
        names, kept = (*names, TREES), np.vstack([kept, forest.scores(names, kept.T)])
    return FeatureMatrix(names, kept.T, pulls)


def _pulls(situation: Situation) -> dict[str, Pull]:
    cart = tuple(situation.known.cart.tolist())
    seeds = {"just_viewed": tuple(situation.known.anchors.tolist()), "cart": cart}
    if situation.about >= 0:
        seeds["similar"] = (situation.about,)
    pulls = {name: pull_of(situation, chosen) for name, chosen in seeds.items() if chosen}
    if cart and situation.world.models.named(BOUGHT_TOGETHER) is not None:
        pulls["bought_with"] = pull_of(situation, cart, (BOUGHT_TOGETHER,))
    return pulls


def _of_reading(situation: Situation, rows: Int32s) -> Iterator[Column]:
    """What hangs on nothing but the person, the moment, the item, and which facets are heeded."""
    yield from _of_models(situation, rows)
    yield from _of_facets(situation, rows)
    yield from _of_numbers(situation, rows)
    yield from _of_items(situation, rows)


def _taken(situation: Situation, rows: Int32s, beside: Int32s) -> Iterator[Column]:
    """As `_of_reading`, out of the columns of all candidates beside; a reading has one such set."""
    key = ("columns", situation.facet_names)
    names, table = situation.reading.once(key, lambda: _table(_of_reading(situation, beside), len(beside)))
    return zip(names, table.take(np.searchsorted(beside, rows), axis=1), strict=True)


def _table(columns: Iterator[Column], n_rows: int) -> tuple[tuple[str, ...], Float64s]:
    """The names, and float64[f, n] the columns."""
    found = list(columns)
    return tuple(name for name, _ in found), np.array([column for _, column in found]).reshape(len(found), n_rows)


def _of_models(situation: Situation, rows: Int32s) -> Iterator[Column]:
    for name, scores in situation.model_scores.columns(rows):
        yield f"model.{name}", scores


def _of_facets(situation: Situation, rows: Int32s) -> Iterator[Column]:
    values = facet_values(situation)
    for family in FAMILIES:
        found = values.family(family).gathered(rows)
        for name in situation.facet_names:
            if name in found:
                yield f"{family}.{name}", found[name]


def _of_numbers(situation: Situation, rows: Int32s) -> Iterator[Column]:
    if situation.person is None:
        return
    catalogue = situation.world.catalogue
    for name, typical in situation.person.numbers.items():
        numbers = catalogue.numbers.get(name)
        if numbers is None or typical.weight <= 0:
            continue
        width = typical.spread + FIT_WIDTH * catalogue.spreads[name]
        if width > 0:
            distance = (numbers[rows] - typical.mean) / width
            closeness = np.exp(-0.5 * distance * distance) * (typical.weight / (typical.weight + FIT_PRIOR))
            closeness[np.isnan(closeness)] = 0.0
            yield f"fit.{name}", closeness


def _of_items(situation: Situation, rows: Int32s) -> Iterator[Column]:
    counters = situation.world.counters
    yield "popular", counters.popularity[rows]
    yield "trending", counters.trend[rows]
    yield "fresh", situation.world.freshness(rows, situation.now_ms)


def _of_placement(situation: Situation, rows: Int32s) -> Iterator[Column]:
    rates = situation.world.click_rates.get(situation.request.placement)
    if rates is not None:
        yield "click_rate", rates[rows]


def _of_person(situation: Situation, rows: Int32s) -> Iterator[Column]:
    touched = situation.touched
    for source in situation.placement.sources:
        if source.name in PAST_SOURCES:
            found = past_items(situation.reading, source.name)
            values = np.zeros(len(situation.eligible))
            values[found.rows] = found.values
            yield source.name, values[rows]
    if not len(touched.rows):
        return
    yield "repeat", _times(situation, "repeat")[rows]
    if SHOWN in touched.names:
        yield "fatigue", _times(situation, "fatigue")[rows]


def _times(situation: Situation, name: Literal["repeat", "fatigue"]) -> Float64s:
    """float64[n]: the feature of every item; of most it is 0."""
    return situation.reading.once(("times", name), lambda: _read_times(situation, name))


def _read_times(situation: Situation, name: Literal["repeat", "fatigue"]) -> Float64s:
    touched = situation.touched
    rows, counts = touched.rows, touched.counts
    if name == "fatigue":
        is_shown = touched.classes == touched.names.index(SHOWN)
        rows, counts = rows[is_shown], counts[is_shown]
    times: Float64s = np.asarray(np.bincount(rows, counts, minlength=len(situation.eligible)), np.float64)
    times[rows] = np.minimum(np.log1p(times[rows]) / np.log1p(REPEAT_FULL), 1.0)  # of an item that stands twice as well
    return times


def _of_request(situation: Situation, rows: Int32s) -> Iterator[Column]:
    if situation.match is not None:
        yield "match", situation.match[rows]
    if situation.listed is not None:
        listed, relevance = situation.listed
        given = np.zeros(len(situation.eligible))
        given[listed] = relevance
        yield "listed", given[rows]
    place = situation.request.near
    if place is not None:
        catalogue = situation.world.catalogue
        yield "near", situation.reading.once(("near", place), lambda: nearness(catalogue, place))[rows]
    if situation.about >= 0:
        yield "alike", _alike(situation, rows)
    columns = situation.world.catalogue.columns
    for key, value in situation.request.context.declared.items():
        column = columns.get(key) if isinstance(value, str) else None
        if isinstance(column, TextColumn):
            yield f"context.{key}", (column.codes[rows] == column.code_of.get(value, -2)).astype(np.float64)
        elif isinstance(column, TextsColumn):
            yield f"context.{key}", column.holds(value)[rows].astype(np.float64)


def _alike(situation: Situation, rows: Int32s) -> Float64s:
    """The share of the facets of the item asked about in which a candidate has one of its values."""
    shared, n_facets = np.zeros(len(rows)), 0
    for facet in situation.world.catalogue.facets.values():
        own = [code for code in facet.codes[situation.about].tolist() if code < len(facet.vocabulary)]
        if own:
            n_facets += 1
            is_own = np.zeros(len(facet.vocabulary) + 1, np.bool_)
            is_own[own] = True
            shared += is_own[facet.codes[rows]].any(axis=1)
    return shared / max(n_facets, 1)
