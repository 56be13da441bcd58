"""Orders by falling value, of equals the first first.

A stable sort goes by branches that no processor foresees in values it has not met before: 700 of them take 35 us, the
same 700 over and over 9. NumPy's usual sort has no such branches but leaves equals in any order. So equals are told
apart otherwise: by their place in the lower half of an integer, or by a stable sort where there are any.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Float32s: TypeAlias = npt.NDArray[np.float32]
Float64s: TypeAlias = npt.NDArray[np.float64]
Int64s: TypeAlias = npt.NDArray[np.int64]

_PLACE_BITS = 32
_PLACES = (1 << _PLACE_BITS) - 1


def best_first(values: Float64s) -> Int64s:
    """int64[n]: the places of the values, the largest first, of equals the first; NaN comes last.

    Example:
        >>> best_first(np.array([1.0, 3.0, 2.0, 3.0])).tolist()
        [1, 3, 2, 0]
    """
    order = np.argsort(-values)
    found = values[order]
    if (found[1:] < found[:-1]).all():
        return order
    return np.argsort(-values, kind="stable")


def best_positive_first(places: Int64s, values: Float32s) -> Int64s:
    """int64[n]: places in the order of their values, the largest first, of equals the lowest place.

    Args:
        places: int64[n], from 0 up to 2^32.
        values: float32[n], above 0: such numbers order as the integers that their bits are.

    Example:
        >>> best_positive_first(np.array([4, 5, 7, 9]), np.array([1.0, 3.0, 2.0, 3.0], np.float32)).tolist()
        [5, 9, 7, 4]
    """
    keys = np.bitwise_invert(values.view(np.uint32)).astype(np.int64)
    keys <<= _PLACE_BITS
    keys |= places
    keys.sort()
    keys &= _PLACES
    return keys
