"""Several facets as one: a number for every value of all of them is one array, and so is every item's codes.

So a decision reads and gathers once, not once per facet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.catalogue.snapshot import FacetColumn

Int32s: TypeAlias = npt.NDArray[np.int32]
Int64s: TypeAlias = npt.NDArray[np.int64]
Float64s: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class JoinedFacets:
    """Facets in ascending order of name, one after the other.

    Attributes:
        facets: name -> its values, ascending by name.
        starts: int64[F + 1]: facet f has the entries `starts[f]` to `starts[f + 1]`, one for each of its values; the
            last of them pads.
        codes: int32[n, W], the entries of every item's values, facet by facet.
        columns: name -> its columns of `codes`.
        rarity: float64, by entry: as `FacetColumn.rarity`.
        pads: the code that pads, of each facet: how many values it has.
    """

    facets: Mapping[str, FacetColumn]
    starts: Int64s
    codes: Int32s
    columns: Mapping[str, slice]
    rarity: Float64s
    pads: tuple[int, ...]

    @classmethod
    def of(cls, facets: Mapping[str, FacetColumn], n_items: int) -> Self:
        """Joins facets of the same `n_items` items.

        Example:
            >>> rows = {"genre": [["war"], ["war", "drama"]], "brand": [["b"], []]}
            >>> columns = {name: FacetColumn.from_values(values) for name, values in rows.items()}
            >>> joined = JoinedFacets.of(columns, 2)
            >>> list(joined.facets), joined.starts.tolist(), joined.codes.tolist()
            (['brand', 'genre'], [0, 2, 5], [[0, 2, 4], [1, 2, 3]])
        """
        ordered = {name: facets[name] for name in sorted(facets)}
        starts = np.cumsum([0, *(len(facet.vocabulary) + 1 for facet in ordered.values())])
        ends = np.cumsum([0, *(facet.codes.shape[1] for facet in ordered.values())]).tolist()
        shifted = [
            facet.codes + np.int32(start) for facet, start in zip(ordered.values(), starts.tolist(), strict=False)
        ]
        return cls(
            facets=ordered,
            starts=starts,
            codes=np.concatenate([np.zeros((n_items, 0), np.int32), *shifted], axis=1),
            columns={name: slice(ends[place], ends[place + 1]) for place, name in enumerate(ordered)},
            rarity=np.concatenate([np.zeros(0), *(facet.rarity for facet in ordered.values())]),
            pads=tuple(len(facet.vocabulary) for facet in ordered.values()),
        )

    def entries_of(self, facet: str) -> slice:
        """The entries of one facet."""
        place = list(self.facets).index(facet)
        return slice(int(self.starts[place]), int(self.starts[place + 1]))

    def are_any(self, is_any: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """bool[F]: for which facets any entry of `is_any` is set."""
        return np.logical_or.reduceat(is_any, self.starts[:-1]) if len(self.facets) else np.zeros(0, np.bool_)
