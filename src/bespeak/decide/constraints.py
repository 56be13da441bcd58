"""What a placement demands of a slate, said of the candidates: pins, groups, caps, a least score, diversity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.catalogue.snapshot import FacetColumn
from bespeak.decide.candidates import Candidates, first_eligible
from bespeak.decide.placements import PinSettings
from bespeak.decide.situation import Situation
from bespeak.decide.slate import Cap, Constraints, Diversity, Pin, Values
from bespeak.decide.world import World, rule_of
from bespeak.errors import RuleError
from bespeak.rules.columns import TextColumn, TextsColumn

Bools: TypeAlias = npt.NDArray[np.bool_]
Int32s: TypeAlias = npt.NDArray[np.int32]

PINNED = "pinned"
"""The source of items that stand among the candidates because a position may be kept for them."""
MAX_PROPOSED = 40


@dataclass(frozen=True, eq=False)
class Pinned:
    """A position and the items of the catalogue that it is kept for: bool[n], only those that may be shown."""

    position: int
    allowed: Bools


def pinned(situation: Situation) -> list[Pinned]:
    """The positions of this slate that are kept for items."""
    pins = (pin for pin in situation.placement.pins if pin.position <= situation.count)
    return [Pinned(pin.position, _named(pin, situation) & situation.eligible) for pin in pins]


def with_pinned(candidates: Candidates, pins: Sequence[Pinned], world: World) -> Candidates:
    """The candidates and what positions are kept for; of the many that a filter lets pass, the most popular."""
    if not pins:
        return candidates
    proposed = [first_eligible(world.counters.by_popularity, pin.allowed, MAX_PROPOSED) for pin in pins]
    rows = np.unique(np.concatenate([candidates.rows, *proposed])).astype(np.int32)
    bits = np.zeros(len(rows), np.int64)
    bits[np.searchsorted(rows, candidates.rows)] = candidates.proposed
    bits[np.isin(rows, np.concatenate(proposed))] |= 1 << len(candidates.names)
    return Candidates(rows, bits, (*candidates.names, PINNED))


def constraints_of(situation: Situation, rows: Int32s, pins: Sequence[Pinned]) -> Constraints:
    """The placement's constraints over the candidates `rows`. A cap on an attribute that no item has never bites."""
    placement, world = situation.placement, situation.world
    caps = tuple(
        Cap(name, limit, _values(column, rows))
        for name, limit in placement.caps.items()
        if (column := _column(name, world)) is not None
    )
    diversity = None
    if placement.diversity:
        facets = tuple(_values(column, rows) for column in world.catalogue.facets.values())
        diversity = Diversity(placement.diversity, facets)
    return Constraints(
        groups=world.catalogue.groups[rows] if placement.one_per_group else None,
        caps=caps,
        min_score=placement.min_score,
        pins=tuple(Pin(pin.position, pin.allowed[rows]) for pin in pins),
        diversity=diversity,
    )


def _named(pin: PinSettings, situation: Situation) -> Bools:
    catalogue = situation.world.catalogue
    nothing = np.zeros(len(catalogue), np.bool_)
    if pin.item:
        nothing[catalogue.positions((pin.item,))] = True
        return nothing
    try:
        rule = rule_of(pin.filter, catalogue.schema)
    except RuleError:  # a column that no item has any more is no reason to fail a page; `doctor` names it
        return nothing
    return rule.mask(catalogue.market(situation.market).columns, situation.now_ms)


def _values(column: FacetColumn, rows: Int32s) -> Values:
    return Values(column.codes[rows], len(column.vocabulary))


def _column(name: str, world: World) -> FacetColumn | None:
    facet = world.catalogue.facets.get(name)
    if facet is not None:
        return facet
    column = world.catalogue.columns.get(name)
    if isinstance(column, TextColumn):
        codes = np.where(column.codes < 0, len(column.vocabulary), column.codes).astype(np.int32)
        return FacetColumn(codes[:, None], tuple(column.vocabulary), column.code_of)
    if isinstance(column, TextsColumn):
        ends = column.indptr.tolist()
        rows = [column.codes[start:end].tolist() for start, end in pairwise(ends)]
        return FacetColumn.from_values([[column.vocabulary[code] for code in row] for row in rows])
    return None
