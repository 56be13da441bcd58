"""A cap on values that would drown all others: one order of a million moves a mean, and its interval, at will.

The cap is a high quantile of the values that are not zero, over all groups together: 99.9 % unless said otherwise,
which is what commercial tools do. A quantile of each group alone would hide an effect on large values; zeros would
make the cap depend on how many buy. Take the cap from earlier data, or before anybody has seen a result, and keep it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bespeak.errors import InvalidInput
from bespeak.measure.sums import Float64s

QUANTILE = 0.999


def winsor_cap(values: npt.ArrayLike, quantile: float = QUANTILE) -> float:
    """The quantile of the values that are not zero; infinite where there are none, which caps nothing.

    Raises:
        InvalidInput: the quantile does not lie between 0 and 1.

    Example:
        >>> winsor_cap([0, 0, *range(1, 102)], 0.9)
        91.0
    """
    if not 0 < quantile < 1:
        raise InvalidInput(f"The quantile {quantile} must lie between 0 and 1.")
    held = np.asarray(values, np.float64)
    held = held[held != 0]
    return float(np.quantile(held, quantile)) if held.size else float("inf")


def winsorised(values: npt.ArrayLike, cap: float) -> Float64s:
    """float64[n]: the values, those above the cap lowered to it.

    Example:
        >>> winsorised([1.0, 500.0], 90.0).tolist()
        [1.0, 90.0]
    """
    return np.minimum(np.asarray(values, np.float64), cap)
