"""Counter-based random numbers: every draw is a function of its key, so nothing depends on what was drawn before.

A key is the world's seed, what the draw is for, and counters such as person, day and item. Two policies that meet the
same person on the same day therefore meet the same luck, item by item (common random numbers), and a person keeps
theirs in a world of any size. The words come from SplitMix64's finalizer applied once per counter (Steele, Lea & Flood,
2014); the idea of counters instead of a state is Salmon et al.'s "Parallel random numbers: as easy as 1, 2, 3" (2011).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum, auto

import numpy as np
from numpy.typing import ArrayLike, NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


class Purpose(IntEnum):
    """What a draw is for; the second word of every key. New ones go to the end, or every world changes."""

    PERSON = auto()
    TASTE = auto()
    DEVICE = auto()
    HOUSEHOLD = auto()
    JOIN = auto()
    LEAVE = auto()
    CONSENT = auto()
    VISIT = auto()
    HOUR = auto()
    CONTEXT = auto()
    SHELF = auto()
    BROWSE = auto()
    CLICK = auto()
    SHELF_CLICK = auto()
    WANT = auto()
    QUANTITY = auto()
    CHECKOUT = auto()
    AFTER = auto()
    WATCH = auto()
    RATING = auto()
    LOGIN = auto()
    PACE = auto()
    MAIL = auto()
    POLICY = auto()
    ASSIGNMENT = auto()
    FAULT = auto()


class Draws:
    """The random numbers of one world.

    Args:
        seed: the world's seed, not negative.

    Example:
        >>> draws = Draws(7)
        >>> some = draws.uniform(Purpose.VISIT, [3, 4, 5], 11)
        >>> bool(some[1] == draws.uniform(Purpose.VISIT, 4, 11)[0]), some.shape
        (True, (3,))
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def words(self, purpose: Purpose, *counters: ArrayLike) -> NDArray[np.uint64]:
        """Sixty-four random bits per key; the shape is that of the counters broadcast, one-dimensional at least."""
        with np.errstate(over="ignore"):
            word = _mixed(np.array([self._seed % 2**64], dtype=np.uint64) + _GOLDEN * np.uint64(purpose))
            for counter in counters:
                steps = np.atleast_1d(np.asarray(counter)).astype(np.uint64)
                word = _mixed(word + _GOLDEN * (steps + np.uint64(1)))
        return word

    def uniform(self, purpose: Purpose, *counters: ArrayLike) -> NDArray[np.float64]:
        """Uniform in [0, 1), 53 bits each."""
        return np.asarray((self.words(purpose, *counters) >> np.uint64(11)) * 2.0**-53)

    def normal(self, purpose: Purpose, *counters: ArrayLike) -> NDArray[np.float64]:
        """Standard normal (Box & Muller, 1958)."""
        radius = np.sqrt(self.exponential(purpose, *counters, 0) * 2.0)
        return np.asarray(radius * np.cos(2.0 * np.pi * self.uniform(purpose, *counters, 1)))

    def exponential(self, purpose: Purpose, *counters: ArrayLike) -> NDArray[np.float64]:
        """Exponential with mean one."""
        return np.asarray(-np.log1p(-self.uniform(purpose, *counters)))

    def gumbel(self, purpose: Purpose, *counters: ArrayLike) -> NDArray[np.float64]:
        """Standard Gumbel: the largest of (log weight + Gumbel) is drawn in proportion to the weights."""
        return np.asarray(-np.log(self.exponential(purpose, *counters) + 1e-300))

    def choice(self, shares: Sequence[float], purpose: Purpose, *counters: ArrayLike) -> NDArray[np.int64]:
        """An index drawn in proportion to `shares`, which sum to one."""
        return pick(np.asarray(shares, dtype=np.float64), self.uniform(purpose, *counters))


def pick(shares: NDArray[np.float64], uniform: NDArray[np.float64]) -> NDArray[np.int64]:
    """Turns uniform numbers into indices drawn in proportion to shares.

    Args:
        shares: float64[n] for all alike, or float64[m, n] with a row for each number.
        uniform: float64[m].

    Example:
        >>> pick(np.array([0.5, 0.5]), np.array([0.1, 0.7])).tolist()
        [0, 1]
    """
    bounds = np.cumsum(shares, axis=-1)
    if shares.ndim == 1:
        found = np.searchsorted(bounds, uniform * bounds[-1], side="right")
    else:
        found = (uniform[:, None] * bounds[:, -1:] >= bounds).sum(axis=1)
    return np.asarray(np.minimum(found, shares.shape[-1] - 1), dtype=np.int64)


def _mixed(word: NDArray[np.uint64]) -> NDArray[np.uint64]:
    word = (word ^ (word >> np.uint64(30))) * _FIRST
    word = (word ^ (word >> np.uint64(27))) * _SECOND
    return np.asarray(word ^ (word >> np.uint64(31)))
