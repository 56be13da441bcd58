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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.catalogue.joined import JoinedFacets
from bespeak.decide.reading import Known
from bespeak.decide.situation import Situation

Bools: TypeAlias = npt.NDArray[np.bool_]
Float64s: TypeAlias = npt.NDArray[np.float64]
Int32s: TypeAlias = npt.NDArray[np.int32]
Family: TypeAlias = Literal["affinity", "session"]

FAMILIES: tuple[Family, ...] = ("affinity", "session")
AFFINITY_PRIOR = 3.0
SESSION_PRIOR = 2.0


@dataclass(frozen=True, eq=False)
class FacetNumbers:
    """A number for every value of the facets that have anything to say.

    Attributes:
        joined: the facets that were asked.
        numbers: float64, by entry of `joined`; 0 pads, and for facets that have nothing to say.
        names: those that have, ascending.
    """

    joined: JoinedFacets
    numbers: Float64s
    names: tuple[str, ...]

    @classmethod
    def shared(cls, joined: JoinedFacets, numbers: Float64s, say: Bools) -> FacetNumbers:
        """Numbers divided by the square root of how many facets say something: more facets are no louder.

        Args:
            joined: the facets.
            numbers: by entry.
            say: bool[F], which have anything to say.
        """
        names = tuple(name for name, says in zip(joined.facets, say.tolist(), strict=True) if says)
        return cls(joined, numbers / np.sqrt(max(len(names), 1)), names)

    def of(self, facet: str) -> Float64s:
        """float64[len(vocabulary) + 1]: the numbers of one facet; the last pads."""
        return self.numbers[self.joined.entries_of(facet)]

    def gathered(self, rows: Int32s) -> dict[str, Float64s]:
        """Facet -> float64[c]: of each item's values the number that is furthest from 0 (of two as far the positive).

        Facets that have nothing to say are left out.
        """
        if not self.names:
            return {}
        found = self.numbers.take(self.joined.codes.take(rows, axis=0).T)
        return {name: _furthest(found[self.joined.columns[name]]) for name in self.names}


@dataclass(frozen=True, eq=False)
class FacetValues:
    """What the person likes, and what they are doing now."""

    affinity: FacetNumbers
    session: FacetNumbers

    def family(self, name: Family) -> FacetNumbers:
        """`affinity` or `session`."""
        return self.affinity if name == "affinity" else self.session


def facet_values(situation: Situation) -> FacetValues:
    """The numbers for one situation; made once."""
    return situation.reading.once(("facet values", situation.facet_names), lambda: _facet_values(situation))


def _furthest(values: Float64s) -> Float64s:
    """float64[c] of float64[width, c].

    Example:
        >>> _furthest(np.array([[0.5, -0.7, 0.0], [-0.7, 0.0, 0.0]])).tolist()
        [-0.7, -0.7, 0.0]
    """
    if len(values) == 1:
        single: Float64s = values[0]
        return single
    high, low = values.max(axis=0), values.min(axis=0)
    furthest: Float64s = np.where(high >= -low, high, low)
    return furthest


def _facet_values(situation: Situation) -> FacetValues:
    joined, person = situation.world.joined_facets(situation.facet_names), situation.person
    if person is None or not joined.facets:
        nothing = FacetNumbers(joined, np.zeros(len(joined.rarity)), ())
        return FacetValues(nothing, nothing)
    liked = [person.affinities.get(name, {}) for name in joined.facets]
    return FacetValues(_affinity(joined, liked), _session(joined, situation.known))


def _affinity(joined: JoinedFacets, liked: Sequence[Mapping[str, float]]) -> FacetNumbers:
    sizes = np.array([len(strengths) for strengths in liked])
    n_values = int(sizes.sum())
    strengths = np.fromiter(chain.from_iterable(one.values() for one in liked), np.float64, n_values)
    found = (
        map(facet.code_of.get, one, repeat(pad))
        for facet, one, pad in zip(joined.facets.values(), liked, joined.pads, strict=True)
    )
    codes = np.fromiter(chain.from_iterable(found), np.int64, n_values)
    codes += np.repeat(joined.starts[:-1], sizes)
    numbers = np.zeros(len(joined.rarity))
    if n_values:
        held = sizes[sizes > 0]
        largest = np.maximum.reduceat(np.abs(strengths), np.cumsum(held) - held)
        numbers[codes] = strengths / np.repeat(largest + AFFINITY_PRIOR, held)
    numbers *= joined.rarity
    return FacetNumbers.shared(joined, numbers, joined.are_any(numbers != 0))


def _session(joined: JoinedFacets, known: Known) -> FacetNumbers:
    steps, strengths = joined.codes[known.session], known.session_strengths
    sums = np.bincount(steps.ravel(), np.repeat(strengths, steps.shape[1]), len(joined.rarity))
    sums[joined.starts[1:] - 1] = 0.0
    numbers = sums * (joined.rarity / (float(np.abs(strengths).sum()) + SESSION_PRIOR))
    return FacetNumbers.shared(joined, numbers, joined.are_any(sums != 0))
