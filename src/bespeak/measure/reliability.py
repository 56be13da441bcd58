"""Whether probabilities mean what they say: of those who got 30 %, do 30 % do it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bespeak.measure.ranks import average_ranks

Float64s = npt.NDArray[np.float64]
BINS = 10
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Bin:
    """People with alike probabilities.

    Attributes:
        n: how many.
        predicted: their mean probability; observed: the share that did it.
        low, high: 95 % interval of the share (Wilson 1927).
    """

    n: int
    predicted: float
    observed: float
    low: float
    high: float


def reliability(y: npt.ArrayLike, p: npt.ArrayLike, n_bins: int = BINS) -> list[Bin]:
    """Bins of equal numbers of people, from the lowest probability to the highest.

    Args:
        y: float64[n], 0 or 1. p: float64[n], probabilities.

    Example:
        >>> table = reliability([0, 0, 1, 1], [0.1, 0.1, 0.9, 0.9], n_bins=2)
        >>> [(one.n, round(one.predicted, 2), one.observed) for one in table]
        [(2, 0.1, 0.0), (2, 0.9, 1.0)]
    """
    outcomes, told = np.asarray(y, np.float64), np.asarray(p, np.float64)
    order = np.argsort(told, kind="stable")
    return [_bin(outcomes[rows], told[rows]) for rows in np.array_split(order, n_bins) if len(rows)]


def calibration_error(table: Sequence[Bin]) -> float:
    """The mean distance of observed from predicted over people (expected calibration error); 0 without people."""
    n = sum(one.n for one in table)
    return sum(one.n * abs(one.observed - one.predicted) for one in table) / n if n else 0.0


def auc(y: npt.ArrayLike, p: npt.ArrayLike) -> float:
    """How often somebody who did it has the higher probability than somebody who did not; .5 where all are alike.

    Example:
        >>> auc([0, 0, 1], [0.1, 0.4, 0.4])
        0.75
    """
    outcomes = np.asarray(y, np.bool_)
    n1, n0 = int(outcomes.sum()), int((~outcomes).sum())
    if not n1 or not n0:
        return 0.5
    ranks = average_ranks(np.asarray(p, np.float64))
    return float((ranks[outcomes].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def _bin(y: Float64s, p: Float64s) -> Bin:
    n, share = len(y), float(y.mean())
    centre = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    reach = _Z / (1 + _Z**2 / n) * float(np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2)))
    return Bin(n, float(p.mean()), share, max(0.0, centre - reach), min(1.0, centre + reach))
