"""Ranks of values with ties, in two lines of NumPy: `scipy.stats` has them too and takes a second to import."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def average_ranks(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """float64[n], from 1 ascending; equal values share the mean of their places.

    Example:
        >>> average_ranks(np.array([3.0, 1.0, 3.0])).tolist()
        [2.5, 1.0, 2.5]
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place], np.float64)


def share_at_most(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """float64[n]: of each value, the share of all values that are no larger.

    Example:
        >>> share_at_most(np.array([3.0, 1.0, 3.0, 7.0])).tolist()
        [0.75, 0.25, 0.75, 1.0]
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) / len(values))[place], np.float64)
