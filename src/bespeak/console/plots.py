"""Where the bars and intervals of server-drawn SVG stand; the shapes are in `templates/console/parts/plots.html`.

Coordinates are percentages without a view box, so that a plot takes the width it is given and its strokes and texts
keep their size on a phone. Colours come from the style sheet through classes. Plots are decoration beside figures in
the same table, so they are hidden from screen readers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec


class Scale(msgspec.Struct, frozen=True):
    """The range of a plot's axis."""

    low: float
    high: float

    def place(self, value: float) -> float:
        """Returns where a value stands, 0 to 100 percent; values outside stand at the edge.

        Example:
            >>> Scale(0.0, 0.5).place(0.25)
            50.0
        """
        span = self.high - self.low
        return min(max(100 * (value - self.low) / span, 0.0), 100.0) if span > 0 else 50.0

    def ticks(self, n: int = 5) -> list[float]:
        """Returns round values inside the range, about `n`.

        Example:
            >>> Scale(0.0, 0.42).ticks()
            [0.0, 0.1, 0.2, 0.3, 0.4]
        """
        span = self.high - self.low
        if span <= 0:
            return [self.low]
        raw = span / n
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
        first = math.ceil(self.low / step)
        return [round(i * step, 10) for i in range(first, math.floor(self.high / step + 1e-9) + 1)]


def scale(values: Sequence[float]) -> Scale:
    """Returns a scale from zero (or below) that all values fit on, with a little air.

    Example:
        >>> scale([0.1, 0.4]).low
        0.0
    """
    low, high = min([0.0, *values]), max([0.0, *values])
    air = 0.06 * (high - low or 1.0)
    return Scale(low - air if low < 0 else 0.0, high + air)


def share(value: float, largest: float) -> float:
    """Returns the length of a bar in percent; the sign of a value is told by its colour.

    Example:
        >>> share(-1.0, 4.0), share(9.0, 4.0), share(1.0, 0.0)
        (25.0, 100.0, 0.0)
    """
    return min(100.0, 100 * abs(value) / largest) if largest > 0 else 0.0
