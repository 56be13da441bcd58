"""How near items are to a place: `near = 10 km / (10 km + distance)`, over the attributes `latitude` and `longitude`.

The place that a request names is rounded to a hundredth of a degree, about a kilometre, before anything is worked out:
the values that a record keeps then tell no address.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.catalogue.snapshot import CatalogueSnapshot
from bespeak.rules.columns import NumberColumn

Float64s: TypeAlias = npt.NDArray[np.float64]

HALF_KM = 10.0
EARTH_KM = 6371.0
_DECIMALS = 2


def distances_km(catalogue: CatalogueSnapshot, place: tuple[float, float]) -> Float64s:
    """float64[n]: great-circle distances (haversine formula); NaN for items without a place.

    Args:
        catalogue: the items.
        place: (latitude, longitude), in degrees.
    """
    columns = [catalogue.columns.get(name) for name in ("latitude", "longitude")]
    found = [np.radians(column.values) for column in columns if isinstance(column, NumberColumn)]
    if len(found) < len(columns):
        return np.full(len(catalogue), np.nan)
    latitude, longitude = (np.radians(round(degrees, _DECIMALS)) for degrees in place)
    half = np.sin((found[0] - latitude) / 2) ** 2
    half += np.cos(latitude) * np.cos(found[0]) * np.sin((found[1] - longitude) / 2) ** 2
    return np.asarray(2 * EARTH_KM * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0))))


def nearness(catalogue: CatalogueSnapshot, place: tuple[float, float]) -> Float64s:
    """float64[n], 0..1: 1 at the place, a half `HALF_KM` away; 0 for items without a place."""
    return np.nan_to_num(HALF_KM / (HALF_KM + distances_km(catalogue, place)), nan=0.0)
