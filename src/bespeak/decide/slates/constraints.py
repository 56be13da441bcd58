"""What a placement demands of a slate, said of the candidates: pins, groups, caps, shares, a least score, diversity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.catalogue.snapshot import FacetColumn
from bespeak.decide.candidates import Candidates
from bespeak.decide.filters import passing
from bespeak.decide.serving.best import first_eligible
from bespeak.decide.settings.parts import CapSettings, PinSettings, ShareSettings
from bespeak.decide.situation import Situation
from bespeak.decide.slates.slate import Cap, Constraints, Diversity, Pin, Share, Values
from bespeak.decide.world import World

Bools: TypeAlias = npt.NDArray[np.bool_]
Int32s: TypeAlias = npt.NDArray[np.int32]

PINNED = "pinned"
"""The source of items that stand among the candidates because positions may be kept for them."""
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


def wanted(situation: Situation, pins: Sequence[Pinned]) -> list[Bools]:
    """bool[n] each: of what some must be among the candidates so that the demands can be met; only eligible items."""
    owed = (share for share in situation.placement.shares if share.at_least)
    return [
        *(pin.allowed for pin in pins),
        *(passing(share.filter, situation) & situation.eligible for share in owed),
    ]


def with_wanted(candidates: Candidates, wanted: Sequence[Bools], world: World) -> Candidates:
    """The candidates and what is wanted among them; of the many that a filter lets pass, the most popular."""
    if not wanted:
        return candidates
    proposed = [first_eligible(world.counters.by_popularity, allowed, MAX_PROPOSED) for allowed in wanted]
    if not sum(map(len, proposed)):
        return candidates
    rows = np.unique(np.concatenate([candidates.rows, *proposed])).astype(np.int32)
    bits = np.zeros(len(rows), np.int64)
    bits[np.searchsorted(rows, candidates.rows)] = candidates.proposed
    bits[np.isin(rows, np.concatenate(proposed))] |= 1 << len(candidates.names)
    return Candidates(rows, bits, (*candidates.names, PINNED))


def constraints_of(situation: Situation, rows: Int32s, pins: Sequence[Pinned]) -> Constraints:
    """The placement's constraints over the candidates `rows`. A cap on an attribute that no item has never bites."""
    placement, world = situation.placement, situation.world
    caps = tuple(
        Cap(name, cap.limit, _values(column, rows), cap.window)
        if isinstance(cap, CapSettings)
        else Cap(name, cap, _values(column, rows))
        for name, cap in placement.caps.items()
        if (column := world.catalogue.values_of(name)) is not None
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
        shares=tuple(share_of(share, situation, rows) for share in placement.shares),
    )


def share_of(share: ShareSettings, situation: Situation, rows: Int32s) -> Share:
    """A share of the positions that are asked for, said of the candidates `rows`."""
    most = floor(share.at_most * situation.count + 1e-9)
    least = min(ceil(share.at_least * situation.count - 1e-9), most)
    return Share(share.name, passing(share.filter, situation)[rows], least, most)


def _named(pin: PinSettings, situation: Situation) -> Bools:
    if not pin.item:
        return passing(pin.filter, situation)
    named = np.zeros(len(situation.world.catalogue), np.bool_)
    named[situation.world.catalogue.positions((pin.item,))] = True
    return named


def _values(column: FacetColumn, rows: Int32s) -> Values:
    return Values(column.codes[rows], len(column.vocabulary))
