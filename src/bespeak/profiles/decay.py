"""Sums that fade: an aggregate halves every half-life, and late events are as exact as punctual ones.

A decayed sum at time T is `sum_i s_i * 2^(-(T - t_i) / half_life)`. It is kept as its value at the time of the latest
event, the *reference*. A later event moves the reference and fades what is there; an earlier one is faded itself and
then added. So the order of arrival does not matter, up to rounding, and two sums of disjoint events join by addition
at the later reference. Rates are halvings per millisecond: `1 / (half_life_days * 86_400_000)`.
"""

from __future__ import annotations

from math import exp2, sqrt

import msgspec

MAX_STRENGTH = 1e12
"""Strengths are cut to this size, so that no sum of them can overflow."""


class Decayed(msgspec.Struct, array_like=True, gc=False):
    """A decayed sum.

    Attributes:
        value: the sum at `last_ms`.
        last_ms: time of the latest event, the reference of `value`.
        count: how many events, unfaded.
    """

    value: float
    last_ms: int
    count: int = 1

    def add(self, strength: float, time_ms: int, rate: float) -> None:
        """Adds one event of any time.

        Example:
            >>> per_day = 1 / 86_400_000
            >>> views = Decayed(1.0, 0)
            >>> views.add(1.0, 86_400_000, per_day)
            >>> views
            Decayed(value=1.5, last_ms=86400000, count=2)
        """
        elapsed = time_ms - self.last_ms
        if elapsed > 0:
            self.value = self.value * exp2(-elapsed * rate) + strength
            self.last_ms = time_ms
        elif elapsed:
            self.value += strength * exp2(elapsed * rate)
        else:
            self.value += strength
        self.count += 1

    def join(self, other: Decayed, rate: float) -> None:
        """Adds the sum of other events; `other` is left as it is."""
        elapsed = other.last_ms - self.last_ms
        if elapsed > 0:
            self.value = self.value * exp2(-elapsed * rate) + other.value
            self.last_ms = other.last_ms
        else:
            self.value += other.value * exp2(elapsed * rate)
        self.count += other.count

    def at(self, now_ms: int, rate: float) -> float:
        """Returns the sum at `now_ms`; a time before the latest event reads as that event's time, so nothing grows.

        Example:
            >>> Decayed(4.0, 0).at(2 * 86_400_000, 1 / 86_400_000)
            1.0
        """
        elapsed = now_ms - self.last_ms
        return self.value * exp2(-elapsed * rate) if elapsed > 0 else self.value


class Moments(msgspec.Struct, array_like=True, gc=False):
    """Decayed count, sum and sum of squares of a number: its mean and spread, recent events counting more.

    Attributes:
        weight: the decayed number of events at `last_ms`; `total` and `squares` are the decayed sums.
        count: how many events, unfaded.
    """

    weight: float
    total: float
    squares: float
    last_ms: int
    count: int = 1

    def add(self, number: float, time_ms: int, rate: float) -> None:
        """Adds one event of any time."""
        self.join(Moments(1.0, number, number * number, time_ms), rate)

    def join(self, other: Moments, rate: float) -> None:
        """Adds the moments of other events; `other` is left as it is."""
        elapsed = other.last_ms - self.last_ms
        mine, theirs = (exp2(-elapsed * rate), 1.0) if elapsed > 0 else (1.0, exp2(elapsed * rate))
        self.weight = self.weight * mine + other.weight * theirs
        self.total = self.total * mine + other.total * theirs
        self.squares = self.squares * mine + other.squares * theirs
        self.last_ms = max(self.last_ms, other.last_ms)
        self.count += other.count

    def mean(self) -> float:
        """Returns the decayed mean; fading cancels out of it."""
        return self.total / self.weight

    def spread(self) -> float:
        """Returns the decayed standard deviation (population form, 0 for one event).

        Example:
            >>> Moments(2.0, 6.0, 20.0, 0, 2).spread()
            1.0
        """
        mean = self.mean()
        return sqrt(max(0.0, self.squares / self.weight - mean * mean))
