"""p-values raised for having looked at many.

Twenty comparisons of equals give one p below .05. Which correction:

* Holm where each claim is acted upon: the variants of one metric, the subgroups of one effect. The probability of even
  one false claim stays below alpha, whatever depends on what. The default here, because these are few.
* Benjamini and Hochberg where many figures are screened, such as all secondary metrics: of what is claimed, a share of
  alpha is false on average. It holds for independent or positively dependent figures, which metrics of one experiment
  mostly are.

The one metric that was named before the experiment needs none of this for itself.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bespeak.errors import InvalidInput
from bespeak.measure.sums import Float64s


def holm(p_values: npt.ArrayLike) -> list[float]:
    """p-values raised by Holm's step-down method (1979), in the order given; compare each with alpha.

    Raises:
        InvalidInput: a value outside 0 to 1.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    p = _checked(p_values)
    order = np.argsort(p, kind="stable")
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return _in_place(raised, order)


def benjamini_hochberg(p_values: npt.ArrayLike) -> list[float]:
    """p-values raised by the step-up method of Benjamini and Hochberg (1995), in the order given.

    Raises:
        InvalidInput: a value outside 0 to 1.

    Example:
        >>> benjamini_hochberg([0.005, 0.06])
        [0.01, 0.06]
    """
    p = _checked(p_values)
    order = np.argsort(p, kind="stable")
    raised = p[order] * len(p) / np.arange(1, len(p) + 1)
    return _in_place(np.minimum.accumulate(raised[::-1])[::-1], order)


def _checked(p_values: npt.ArrayLike) -> Float64s:
    p = np.asarray(p_values, np.float64).reshape(-1)
    if not ((p >= 0) & (p <= 1)).all():
        raise InvalidInput("A p-value lies outside 0 to 1.", hint="Leave out comparisons that have none.")
    return p


def _in_place(raised: Float64s, order: np.ndarray[tuple[int], np.dtype[np.intp]]) -> list[float]:
    found = np.empty(len(raised))
    found[order] = np.minimum(raised, 1)
    return [float(value) for value in found]
