"""What a subscription is boiled down to: how often it was renewed, and whether it has ended.

Time is counted in occasions: at the end of each period a subscription is renewed or it is not. The first occasion is
the end of the first period, and a subscription that ended within its first period was not renewed at the first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bespeak.errors import InvalidInput
from bespeak.models.predictors.repeat_purchases import Float64s, Int64s

Bools = npt.NDArray[np.bool_]

NEVER = np.iinfo(np.int64).max
"""The day on which something ended that goes on."""

SLACK = 0.1
"""Of a period that an end may lie off its occasion: months are not of equal length."""

LATE = 0.5
"""Of a period that a payment may be late; after that a subscription was not renewed."""


@dataclass(frozen=True, slots=True, eq=False)
class Renewals:
    """Subscriptions, one a position.

    Attributes:
        made: int64[n], renewals.
        is_lost: bool[n], whether the occasion after these was missed; else it is still to come.

    Raises:
        InvalidInput: lengths differ, or fewer than 0 renewals.
    """

    made: Int64s
    is_lost: Bools

    def __post_init__(self) -> None:
        object.__setattr__(self, "made", np.atleast_1d(np.asarray(self.made, np.int64)))
        object.__setattr__(self, "is_lost", np.atleast_1d(np.asarray(self.is_lost, np.bool_)))
        if len(self.made) != len(self.is_lost):
            raise InvalidInput("Renewals made and ends must be of equal length.")
        if (self.made < 0).any():
            raise InvalidInput("Nobody renews fewer than 0 times.")

    def __len__(self) -> int:
        return len(self.made)

    def by_occasion(self) -> tuple[Float64s, Float64s]:
        """float64[k] twice: how many were renewed, and how many were lost, at the first, second ... occasion.

        Example:
            >>> kept, lost = Renewals([0, 2, 2], [True, False, True]).by_occasion()
            >>> kept.tolist(), lost.tolist()
            ([2.0, 2.0, 0.0], [1.0, 0.0, 1.0])
        """
        n = int((self.made + self.is_lost).max()) if len(self) else 0
        lost = np.bincount(self.made[self.is_lost], minlength=n).astype(np.float64)
        reached = np.bincount(self.made, minlength=n + 1)[::-1].cumsum()[::-1].astype(np.float64)
        return reached[1 : n + 1], lost


@dataclass(frozen=True, slots=True, eq=False)
class Subscriptions:
    """When subscriptions began, which occasion each missed, and since which day that is known.

    Attributes:
        customer: int64[n], the customer's position; one may have subscribed several times.
        start: int64[n], first day (days since 1970).
        lost_at: int64[n], the occasion that was missed, from 1; 0 for those that go on.
        known: int64[n], the day from which on the end is known; `NEVER` for those that go on.
        days_per_period: float.
        late: share of a period after an occasion until its outcome counts, whatever it was: if ends counted sooner
            than renewals, or later, retention would come out too low or too high.
        first_row: int64[n], the place of its first row in what it was read from.
    """

    customer: Int64s
    start: Int64s
    lost_at: Int64s
    known: Int64s
    days_per_period: float
    late: float
    first_row: Int64s

    @classmethod
    def of_spans(
        cls, customer: npt.ArrayLike, start: npt.ArrayLike, end: npt.ArrayLike, days_per_period: float
    ) -> Subscriptions:
        """Reads subscriptions with a first and a last day.

        Args:
            customer: int[n], positions from 0. start: int[n], days. end: int[n], days; `NEVER` where it goes on.
            days_per_period: length of a period.

        Raises:
            InvalidInput: one ends before it begins.

        Example:
            >>> held = Subscriptions.of_spans([0, 1, 2], [0, 0, 0], [31, 45, NEVER], 30.4)
            >>> held.lost_at.tolist()
            [1, 2, 0]
        """
        who, first, last = (np.asarray(part, np.int64) for part in (customer, start, end))
        if (last < first).any():
            raise InvalidInput(
                f"{int((last < first).sum()):,} subscriptions end before they begin.",
                hint="The first day comes before the last one, and the last is empty where a subscription goes on.",
            )
        is_over = last < NEVER
        periods = np.where(is_over, last - first, 0) / days_per_period
        lost_at = np.where(is_over, np.maximum(np.ceil(periods - SLACK), 1), 0).astype(np.int64)
        return cls(who, first, lost_at, last, days_per_period, SLACK, np.arange(len(who)))

    @classmethod
    def of_payments(cls, customer: npt.ArrayLike, day: npt.ArrayLike, days_per_period: float) -> Subscriptions:
        """Reads payments, one for each period. Who pays `LATE` of a period too late has ended one and begins another.

        Args:
            customer: int[n], positions from 0. day: int[n]; several payments on a day are one.
            days_per_period: length of a period.

        Example:
            >>> held = Subscriptions.of_payments([0, 0, 0, 0], [0, 31, 59, 365], 30.4)
            >>> held.start.tolist(), held.lost_at.tolist()
            ([0, 365], [3, 1])
        """
        order = np.lexsort((np.asarray(day), np.asarray(customer)))
        who, when = np.asarray(customer, np.int64)[order], np.asarray(day, np.int64)[order]
        is_first = np.ones(len(who), np.bool_)
        is_first[1:] = (who[1:] != who[:-1]) | (np.diff(when) > (1 + LATE) * days_per_period)
        first = np.flatnonzero(is_first)
        last = np.append(first[1:], len(who))[: len(first)] - 1
        lost_at = np.rint((when[last] - when[first]) / days_per_period).astype(np.int64) + 1
        known = np.floor(when[last] + (1 + LATE) * days_per_period).astype(np.int64) + 1
        return cls(who[first], when[first], lost_at, known, days_per_period, LATE, order[first])

    def __len__(self) -> int:
        return len(self.start)

    def occasions(self, day: int) -> Int64s:
        """int64[n]: occasions whose outcome counts by the end of a day; 0 before the first."""
        passed = (day - self.start) / self.days_per_period - self.late
        return np.maximum(np.floor(passed), 0).astype(np.int64)

    def begun(self, day: int) -> Bools:
        """bool[n]: those that began by the end of a day."""
        return self.start <= day

    def is_over(self, day: int) -> Bools:
        """bool[n]: those that are known to have ended by the end of a day, also before their occasion counts."""
        return self.known <= day

    def mean_paid(self, customer: Int64s, day: Int64s, amount: Float64s) -> Float64s:
        """float64[n]: the mean of the known amounts that were paid from the start of each to the next one's.

        Args:
            customer, day, amount: a payment each, not before the customer's first subscription; NaN is unknown.
        """
        order = np.lexsort((self.start, self.customer))
        known = ~np.isnan(amount)
        begun = _key(self.customer[order], self.start[order])
        place = order[np.searchsorted(begun, _key(customer[known], day[known]), side="right") - 1]
        n, total = np.bincount(place, minlength=len(self)), np.bincount(place, amount[known], len(self))
        return np.where(n > 0, total / np.maximum(n, 1), np.nan)

    def renewals(self, day: int) -> Renewals:
        """All of them, up to the last occasion that counts by the end of a day."""
        made = self.occasions(day)
        is_lost = (self.lost_at > 0) & (self.lost_at <= made)
        return Renewals(np.where(is_lost, self.lost_at - 1, made), is_lost)


def occasions_ahead(age_days: npt.ArrayLike, within_days: float, days_per_period: float) -> tuple[Int64s, Int64s]:
    """int64[n] twice: the occasions that lie behind subscriptions of that age, and those of the days ahead.

    Example:
        >>> [found.tolist() for found in occasions_ahead([0, 29, 45], 60, 30)]
        [[0, 0, 1], [2, 2, 2]]
    """
    age = np.atleast_1d(np.asarray(age_days, np.float64))
    made = np.floor(age / days_per_period).astype(np.int64)
    return made, np.floor((age + within_days) / days_per_period).astype(np.int64) - made


def _key(customer: Int64s, day: Int64s) -> Int64s:
    """int64[n]: ascends as (customer, day) do."""
    return (customer << 23) + day
