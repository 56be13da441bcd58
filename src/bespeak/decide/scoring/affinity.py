"""Affinities as lookup tables: one number for every value of every facet, so that a whole slate is gathered at once.

For a facet value v of one facet:

    affinity(v) = strength(v) / (max over values |strength| + 3) * rarity(v) / sqrt(F)
    session(v)  = m(v) / (M + 2) * rarity(v) / sqrt(F)
    m(v)        = sum over the latest steps with v of class weight * strength * 2^(-age / 2 h)
    M           = sum over the latest steps of |class weight * strength| * 2^(-age / 2 h)

F is how many facets have anything to say, rarity(v) the share of the catalogue's items without v: three views of
dramas say less than three views of westerns where half of all films are dramas. The first says who somebody is: the
favourite of a well-known person comes close to 1, that of a person with three views to 0.5. The second says what they
are doing now: three views of a few minutes ago give up to 0.6, whatever the past.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.decide.situation import Situation

Float64s: TypeAlias = npt.NDArray[np.float64]
Int32s: TypeAlias = npt.NDArray[np.int32]

AFFINITY_PRIOR = 3.0
SESSION_PRIOR = 2.0


@dataclass(frozen=True, eq=False)
class FacetValues:
    """Facet -> float64[len(vocabulary) + 1]; the last entry is 0 and pads. No evidence, no table."""

    affinity: Mapping[str, Float64s]
    session: Mapping[str, Float64s]

    def family(self, name: str) -> Mapping[str, Float64s]:
        """`affinity` or `session`."""
        return self.affinity if name == "affinity" else self.session


def facet_values(situation: Situation) -> FacetValues:
    """The tables for one situation; made once."""
    return situation.reading.once(("facet values", situation.facet_names), lambda: _facet_values(situation))


def gathered(table: Float64s, codes: Int32s) -> Float64s:
    """float64[c]: of each item's values the one that is furthest from 0 (the positive one of two that are as far).

    Args:
        table: float64[v], a number for every value.
        codes: int32[width, c], the values of each item.

    Example:
        >>> gathered(np.array([0.5, -0.7, 0.0]), np.array([[0, 1, 2], [1, 2, 2]], np.int32)).tolist()
        [-0.7, -0.7, 0.0]
    """
    values = table.take(codes)
    if len(values) == 1:
        single: Float64s = values[0]
        return single
    high, low = values.max(axis=0), values.min(axis=0)
    furthest: Float64s = np.where(high >= -low, high, low)
    return furthest


def _facet_values(situation: Situation) -> FacetValues:
    person, known = situation.person, situation.known
    affinities: dict[str, Float64s] = {}
    session: dict[str, Float64s] = {}
    if person is None:
        return FacetValues(affinities, session)
    n_steps = float(np.abs(known.session_strengths).sum())
    for name in situation.facet_names:
        facet = situation.world.catalogue.facets[name]
        strange = len(facet.vocabulary)
        liked = person.affinities.get(name)
        if liked:
            strengths = np.fromiter(liked.values(), np.float64, len(liked))
            codes = np.fromiter(map(facet.code_of.get, liked, repeat(strange)), np.int64, len(liked))
            table = np.zeros(strange + 1)
            table[codes] = strengths / (max(strengths.max(), -strengths.min()) + AFFINITY_PRIOR)
            table *= facet.rarity
            if table.any():
                affinities[name] = table
        if len(known.session):
            steps = facet.codes[known.session]
            sums = np.bincount(steps.ravel(), np.repeat(known.session_strengths, steps.shape[1]), minlength=strange + 1)
            sums[strange] = 0.0
            if sums.any():
                session[name] = sums * (facet.rarity / (n_steps + SESSION_PRIOR))
    return FacetValues(_shared(affinities), _shared(session))


def _shared(tables: dict[str, Float64s]) -> dict[str, Float64s]:
    """The tables divided by the square root of how many they are, so that a catalogue with more facets is no louder."""
    loudness = np.sqrt(len(tables))
    return {name: table / loudness for name, table in tables.items()}
