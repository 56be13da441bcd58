"""What a world offers: item records, and beside them the hidden numbers that behaviour depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

DAY_MS = 86_400_000
STYLE_DIMENSIONS = 4
"""Length of the hidden style vectors: taste that no attribute of an item shows."""
ZIPF_EXPONENT = 0.8


@dataclass(frozen=True)
class Kind:
    """One value of a world's first facet (a department, a genre) and who leans towards it.

    Attributes:
        key: the facet's value.
        words: what people search for.
        older: how much more people of 65 like it than people of 25 (in standard deviations of taste).
        feminine: how much more women like it than men (same unit).
        evening: how much better it does after 18 o'clock (feature of the choice model).
    """

    key: str
    words: tuple[tuple[str, str], ...]
    older: float
    feminine: float
    evening: float


@dataclass(frozen=True, eq=False)
class Stock:
    """All items of a world; row `i` of every array belongs to `ids[i]`.

    Attributes:
        ids: item ids.
        records: the items as the catalogue takes them.
        kinds: the values of the first facet.
        facets: facet -> index of the item's value, int64[n]; the first one is that of `kinds`.
        n_values: facet -> how many values there are.
        style: hidden style, float64[n, STYLE_DIMENSIONS].
        quality: hidden quality, standard normal, float64[n].
        popularity: share of attention, a Zipf law, sums to one, float64[n].
        price: price in minor units, 0 for what is not sold by the piece, int64[n].
        price_level: log price, standardized within the first facet, float64[n].
        minutes: how long it runs, 0 for what does not, float64[n].
        consumable: bought again when used up, bool[n].
        published_ms: launch, int64[n].
        available: can be had, bool[n].
    """

    ids: tuple[str, ...]
    records: tuple[dict[str, Any], ...]
    kinds: tuple[Kind, ...]
    facets: Mapping[str, NDArray[np.int64]]
    n_values: Mapping[str, int]
    style: NDArray[np.float64]
    quality: NDArray[np.float64]
    popularity: NDArray[np.float64]
    price: NDArray[np.int64]
    price_level: NDArray[np.float64]
    minutes: NDArray[np.float64]
    consumable: NDArray[np.bool_]
    published_ms: NDArray[np.int64]
    available: NDArray[np.bool_]

    @property
    def kind(self) -> NDArray[np.int64]:
        """Index into `kinds`, int64[n]."""
        return next(iter(self.facets.values()))

    @property
    def log_popularity(self) -> NDArray[np.float64]:
        """Centred log popularity, float64[n]."""
        logged = np.log(self.popularity)
        return np.asarray(logged - logged.mean())

    def on_offer(self, at_ms: int) -> NDArray[np.int64]:
        """Which items can be shown at `at_ms` (published and available), ascending."""
        return np.flatnonzero(self.available & (self.published_ms <= at_ms))


def zipf(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """Shares of attention in random order: the r-th most popular has r^-0.8 of the first; they sum to one."""
    weights = (1.0 + rng.permutation(n)) ** -ZIPF_EXPONENT
    return np.asarray(weights / weights.sum())
