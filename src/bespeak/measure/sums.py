"""What is kept of the units of one variant: sums that add, so that parts can be read apart and joined in any order.

A unit is what was randomised, mostly a person. Every metric is a ratio of two sums over units, value / denominator; a
mean is a ratio whose denominator is 1 for each unit. A covariate, known before the experiment, is a ratio as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bespeak.errors import InvalidInput

Float64s = npt.NDArray[np.float64]

_COLUMNS = ("value", "denominator", "covariate", "covariate denominator")
_CONSTANTS = (0.0, 1.0, 0.0, 1.0)
"""What a column that is not given holds for every unit."""

_ROUNDING, _WRONG = 1e-14, 1e-9
"""Share of a sum of squares that rounding may leave where nothing varies, and that it never takes away."""

_LARGEST = 1e100
"""Products of four larger numbers than this leave the range of a float."""


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Count, means and centred products of the columns value, denominator, covariate and covariate denominator.

    Joining (Chan, Golub and LeVeque 1983) is exact but for rounding, and stays so where the spread is small beside the
    mean; raw sums of squares would lose it.

    Attributes:
        n: units.
        means: float64[4].
        products: float64[4, 4], the sums over units of the products of two columns' distances from their means.

    Example:
        >>> whole, first = Sums.of([1.0, 2.0, 6.0]), Sums.of([1.0, 2.0])
        >>> joined = first + Sums.of([6.0])
        >>> joined.n, float(joined.means[0]), float(joined.products[0, 0]) == float(whole.products[0, 0])
        (3, 3.0, True)
    """

    n: int
    means: Float64s
    products: Float64s

    @classmethod
    def none(cls) -> Sums:
        """Sums over no units: adding them changes nothing."""
        return cls(0, np.array(_CONSTANTS), np.zeros((4, 4)))

    @classmethod
    def of(
        cls,
        value: npt.ArrayLike,
        denominator: npt.ArrayLike | None = None,
        covariate: npt.ArrayLike | None = None,
        covariate_denominator: npt.ArrayLike | None = None,
    ) -> Sums:
        """Sums over units: one finite number a unit in each column, in the same order.

        Raises:
            InvalidInput: columns of different lengths, or a value that is no finite number or beyond 1e100.
        """
        given = (value, denominator, covariate, covariate_denominator)
        n = np.asarray(value).size
        if n == 0:
            return cls.none()
        rows = np.empty((4, n))
        for place, column in enumerate(given):
            held = np.asarray(_CONSTANTS[place] if column is None else column, np.float64)
            if column is not None and held.shape != (n,):
                raise InvalidInput(f"The {_COLUMNS[place]} has not one number for each of the {n} units.")
            rows[place] = held
        largest = np.abs(rows).max(axis=1)
        if not np.isfinite(largest).all():
            worst = _COLUMNS[int(np.argmin(np.isfinite(largest)))]
            raise InvalidInput(f"A {worst} is not a finite number.", hint="Leave out units whose value is missing.")
        if (largest > _LARGEST).any():
            worst = _COLUMNS[int(np.argmax(largest))]
            raise InvalidInput(
                f"A {worst} lies beyond {_LARGEST:g}; its square cannot be summed.",
                hint="Correct it, or write all of them in a larger unit.",
            )
        means = rows.mean(axis=1)
        apart = rows - means[:, None]
        return cls(n, means, apart @ apart.T)

    @classmethod
    def from_totals(cls, n: int, totals: Sequence[float], products: Sequence[Sequence[float]]) -> Sums:
        """The same from plain sums, as a database returns them; a spread below a ten-millionth of the mean is lost.

        Args:
            n: units.
            totals: the sum of each column, in their order; columns left out at the end are constant.
            products: for each two columns the sum of their products.

        Raises:
            InvalidInput: shapes that do not fit, or sums that no numbers have.

        Example:
            >>> found = Sums.from_totals(3, [1 + 2 + 6], [[1 + 4 + 36]])
            >>> float(found.means[0]), float(found.products[0, 0])
            (3.0, 14.0)
        """
        k = len(totals)
        raw = np.asarray(products, np.float64)
        if n < 1 or not 1 <= k <= len(_COLUMNS) or raw.shape != (k, k):
            raise InvalidInput(f"{k} totals of {n} units need {k} times {k} products, of at least one unit.")
        means = np.array(_CONSTANTS)
        means[:k] = np.asarray(totals, np.float64) / n
        apart = raw - n * np.outer(means[:k], means[:k])
        squares = np.diag(raw)
        if not np.isfinite(apart).all() or (np.diag(apart) < -_WRONG * squares).any():
            raise InvalidInput("A sum of squares is smaller than its sum allows.", hint="Check the query that summed.")
        centred = np.zeros((4, 4))
        centred[:k, :k] = np.where(np.abs(apart) > _ROUNDING * np.sqrt(np.outer(squares, squares)), apart, 0)
        np.fill_diagonal(centred, np.maximum(np.diag(centred), 0))
        return cls(n, means, centred)

    def __add__(self, other: Sums) -> Sums:
        """Sums over the units of both."""
        if not self.n or not other.n:
            return self if self.n else other
        n = self.n + other.n
        apart = other.means - self.means
        means = self.means + apart * (other.n / n)
        products = self.products + other.products + np.outer(apart, apart) * (self.n * other.n / n)
        return Sums(n, means, products)
