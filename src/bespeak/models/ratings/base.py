"""Ratings, and the contract of models that foretell their value. (A model that ranks is a `Model`: see `base`.)

RatingScale   from the lowest to the highest rating that can be given
Ratings       who rated which item how highly, and when: the latest word of each person about each item
Predictions   values on the scale, each with its spread
RatingModel   the contract
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from bespeak.errors import InvalidInput
from bespeak.models.fitted import Fitted
from bespeak.models.interactions import Bools, Float64s, Int32s, Int64s, ItemContent


@dataclass(frozen=True, slots=True)
class RatingScale:
    """The lowest and the highest rating that can be given.

    Example:
        >>> RatingScale(1, 5).from_centred([-1.0, 0.5]).tolist()
        [1.0, 4.0]
    """

    low: float = 1.0
    high: float = 5.0

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise InvalidInput(f"A scale goes from low to high, got {self.low:g} to {self.high:g}.")

    def from_centred(self, strengths: npt.ArrayLike) -> Float64s:
        """Ratings of signal strengths: -1 is the lowest, 1 the highest."""
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        return np.asarray(middle + half * np.asarray(strengths, np.float64), np.float64)

    def clipped(self, values: Float64s) -> Float64s:
        """The values within the scale."""
        return np.clip(values, self.low, self.high)


@dataclass(frozen=True, eq=False)
class Ratings:
    """The latest rating of each person of each item, sorted by person, then time.

    Attributes:
        user_ids: the people, position = index.
        item_ids: the items, position = index. May hold items that nobody rated.
        user_index: int32[r].
        item_index: int32[r].
        values: float64[r], on the scale.
        times_ms: int64[r], all zero when the data has no times.
        scale: what can be given.
    """

    user_ids: Sequence[str]
    item_ids: Sequence[str]
    user_index: Int32s
    item_index: Int32s
    values: Float64s
    times_ms: Int64s
    scale: RatingScale

    @classmethod
    def of(
        cls,
        user_ids: Sequence[str],
        item_ids: Sequence[str],
        user_index: npt.ArrayLike,
        item_index: npt.ArrayLike,
        values: npt.ArrayLike,
        times_ms: npt.ArrayLike | None = None,
        *,
        scale: RatingScale,
    ) -> Ratings:
        """Builds ratings from index arrays in any order. Of several of one pair the latest stays, of ties the last.

        Raises:
            InvalidInput: the arrays differ in length, an index is out of range, or a value is not on the scale.

        Example:
            >>> told = Ratings.of(["a"], ["x", "y"], [0, 0, 0], [0, 1, 0], [2, 4, 5], [1, 2, 3], scale=RatingScale())
            >>> told.item_index.tolist(), told.values.tolist()
            ([1, 0], [4.0, 5.0])
        """
        users, items = np.asarray(user_index, np.int32).reshape(-1), np.asarray(item_index, np.int32).reshape(-1)
        given = np.asarray(values, np.float64).reshape(-1)
        times = np.zeros(len(users), np.int64) if times_ms is None else np.asarray(times_ms, np.int64).reshape(-1)
        if len({len(users), len(items), len(given), len(times)}) > 1:
            raise InvalidInput("The lists of ratings differ in length.", hint="Give one entry per rating.")
        for name, index, size in (("user_index", users, len(user_ids)), ("item_index", items, len(item_ids))):
            if len(index) and not 0 <= index.min() <= index.max() < size:
                raise InvalidInput(f"{name} must lie in 0..{size - 1}, found {index.min()}..{index.max()}.")
        wrong = ~((given >= scale.low) & (given <= scale.high))
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise InvalidInput(
                f"Rating {row} is {given[row]:g}, outside of {scale.low:g} to {scale.high:g}.",
                hint="Give the scale that the ratings were given on.",
            )
        order = np.lexsort((times, items, users))
        is_last = np.ones(len(order), bool)
        is_last[:-1] = (np.diff(users[order]) != 0) | (np.diff(items[order]) != 0)
        kept = order[is_last]
        kept = kept[np.lexsort((kept, times[kept], users[kept]))]
        return cls(user_ids, item_ids, users[kept], items[kept], given[kept], times[kept], scale)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def has_times(self) -> bool:
        """Whether the ratings carry times that differ."""
        return len(self) > 0 and bool(self.times_ms.max() > self.times_ms.min())

    @cached_property
    def row_starts(self) -> Int64s:
        """int64[n_users + 1]: the ratings of person u are `row_starts[u]` to `row_starts[u + 1]`."""
        return np.searchsorted(self.user_index, np.arange(len(self.user_ids) + 1)).astype(np.int64)

    def select(self, mask: Bools) -> Ratings:
        """The ratings where `mask` (bool[r]) is true; people and items stay as they are."""
        return replace(
            self,
            user_index=self.user_index[mask],
            item_index=self.item_index[mask],
            values=self.values[mask],
            times_ms=self.times_ms[mask],
        )

    def known_before(self, rows: npt.ArrayLike) -> Ratings:
        """What was known at the moment of each of these ratings: row k of them is person k of the answer.

        Known are the same person's ratings of strictly earlier times.

        Example:
            >>> told = Ratings.of(["a"], ["x", "y"], [0, 0], [0, 1], [2, 4], [1, 2], scale=RatingScale())
            >>> before = told.known_before([0, 1])
            >>> before.user_index.tolist(), before.values.tolist()
            ([1], [2.0])
        """
        chosen = np.asarray(rows, np.int64).reshape(-1)
        is_later = np.ones(len(self), bool)
        is_later[1:] = (np.diff(self.user_index) != 0) | (np.diff(self.times_ms) != 0)
        first_of_moment = np.maximum.accumulate(np.where(is_later, np.arange(len(self)), 0))
        starts = self.row_starts[self.user_index[chosen]]
        lengths = first_of_moment[chosen] - starts
        person = np.repeat(np.arange(len(chosen)), lengths)
        ends = np.cumsum(lengths)
        source = np.arange(int(lengths.sum())) - np.repeat(ends - lengths, lengths) + np.repeat(starts, lengths)
        return Ratings(
            tuple(str(number) for number in range(len(chosen))),
            self.item_ids,
            person.astype(np.int32),
            self.item_index[source],
            self.values[source],
            self.times_ms[source],
            self.scale,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What people would give.

    Attributes:
        values: float64[n], within the scale.
        spreads: float64[n], standard deviation of what they give around that, their own whims included.
    """

    values: Float64s
    spreads: Float64s


class RatingModel(Fitted):
    """Foretells ratings. It holds item-side parameters only: people are known by the ratings given at the call."""

    @abstractmethod
    def fit(self, ratings: Ratings, items: ItemContent | None = None) -> Self:
        """A fitted copy; `self` stays unfitted. Same input, same settings: same arrays, bit for bit."""

    @abstractmethod
    def predict(self, known: Ratings, user_index: npt.ArrayLike, item_index: npt.ArrayLike) -> Predictions:
        """What person `user_index[j]` would give item `item_index[j]`.

        Args:
            known: the ratings that may be used; its items are the model's. A person without any counts as new.
            user_index: int[n], people of `known`.
            item_index: int[n], -1 for an item that the model does not know.
        """
