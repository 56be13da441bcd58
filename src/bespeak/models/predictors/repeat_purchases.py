"""What a purchase history is boiled down to: repeats, recency, age, and the average spent.

The models of buying need no more of a customer than that (Fader, Hardie and Lee 2005): the dates between the first and
the last purchase add nothing where purchases come at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bespeak.errors import InvalidInput

Float64s = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class RepeatPurchases:
    """Customers, one a position.

    Attributes:
        repeats: float64[n], days with a purchase after the first (`x`).
        recency: float64[n], from the first purchase to the last, in units of time (`t_x`); 0 without repeats.
        age: float64[n], from the first purchase to now (`T`).

    Raises:
        InvalidInput: lengths differ, or a figure is negative, not finite, or later than now.
    """

    repeats: Float64s
    recency: Float64s
    age: Float64s

    def __post_init__(self) -> None:
        for name in ("repeats", "recency", "age"):
            object.__setattr__(self, name, np.atleast_1d(np.asarray(getattr(self, name), np.float64)))
        if not len(self.repeats) == len(self.recency) == len(self.age):
            raise InvalidInput("repeats, recency and age must be of equal length.")
        held = np.stack([self.repeats, self.recency, self.age])
        if not np.isfinite(held).all() or (held < 0).any():
            raise InvalidInput("repeats, recency and age must be finite and at least 0.")
        if (self.recency > self.age).any():
            raise InvalidInput("A last purchase lies after the end of the observation.", hint="recency <= age holds.")
        if ((self.repeats > 0) & (self.recency == 0)).any() or ((self.repeats == 0) & (self.recency > 0)).any():
            raise InvalidInput("Recency is above 0 exactly where there are repeats.", hint="Merge purchases of a day.")

    def __len__(self) -> int:
        return len(self.repeats)


@dataclass(frozen=True, slots=True, eq=False)
class PurchaseDays:
    """Days on which customers bought, each (customer, day) once, ascending by customer and day.

    Attributes:
        customer: int64[n], the customer's position.
        day: int64[n], days since 1970.
        spent: float64[n], money of that day; NaN where unknown.
        n_customers: how many positions there are.
    """

    customer: Int64s
    day: Int64s
    spent: Float64s
    n_customers: int

    @classmethod
    def of(cls, customer: npt.ArrayLike, day: npt.ArrayLike, spent: npt.ArrayLike | None = None) -> PurchaseDays:
        """Merges purchases of one customer on one day: they count once, their money adds.

        Args:
            customer: int[n], positions from 0.
            day: int[n].
            spent: float[n] or None; NaN is unknown, and a day is unknown where all its purchases are.

        Example:
            >>> bought = PurchaseDays.of([0, 1, 0, 0], [5, 5, 5, 9], [1.0, 2.0, 3.0, 4.0])
            >>> bought.customer.tolist(), bought.day.tolist(), bought.spent.tolist()
            ([0, 0, 1], [5, 9, 5], [4.0, 4.0, 2.0])
        """
        who, when = np.asarray(customer, np.int64), np.asarray(day, np.int64)
        money = np.full(len(who), np.nan) if spent is None else np.asarray(spent, np.float64)
        order = np.lexsort((when, who))
        who, when, money = who[order], when[order], money[order]
        is_new = np.ones(len(who), np.bool_)
        is_new[1:] = (who[1:] != who[:-1]) | (when[1:] != when[:-1])
        place = np.cumsum(is_new) - 1
        n = int(is_new.sum())
        known = ~np.isnan(money)
        total = np.bincount(place, np.where(known, money, 0.0), n)
        is_known = np.bincount(place, known, n) > 0
        return cls(who[is_new], when[is_new], np.where(is_known, total, np.nan), int(who.max()) + 1 if len(who) else 0)

    def until(self, end_day: int) -> PurchaseDays:
        """Those of the days up to and with `end_day`."""
        return self._where(self.day <= end_day)

    def after(self, end_day: int) -> PurchaseDays:
        """Those of the days after `end_day`."""
        return self._where(self.day > end_day)

    def _where(self, chosen: npt.NDArray[np.bool_]) -> PurchaseDays:
        return PurchaseDays(self.customer[chosen], self.day[chosen], self.spent[chosen], self.n_customers)

    def counts(self) -> Int64s:
        """int64[n_customers]: days with a purchase."""
        return np.bincount(self.customer, minlength=self.n_customers).astype(np.int64)

    def first_days(self) -> Int64s:
        """int64[n_customers]: the first day with a purchase; the largest integer where there is none."""
        first = np.full(self.n_customers, np.iinfo(np.int64).max)
        np.minimum.at(first, self.customer, self.day)
        return first

    def repeat_purchases(self, end_day: int, days_per_unit: float) -> tuple[Int64s, RepeatPurchases]:
        """Boils the days up to `end_day` down.

        Returns:
            int64[m], the customers who bought by then, ascending; and their figures in units of `days_per_unit` days.
        """
        seen = self.until(end_day)
        counts, first = seen.counts(), seen.first_days()
        last = np.full(self.n_customers, np.iinfo(np.int64).min)
        np.maximum.at(last, seen.customer, seen.day)
        who = np.flatnonzero(counts > 0)
        return who, RepeatPurchases(
            (counts[who] - 1).astype(np.float64),
            (last[who] - first[who]) / days_per_unit,
            (end_day - first[who]) / days_per_unit,
        )

    def spending(self, end_day: int, *, is_first_counted: bool = False) -> tuple[Int64s, Float64s, Float64s]:
        """What customers spent per purchase up to `end_day`, of days with a known amount above 0.

        Args:
            is_first_counted: whether the first purchase counts, or only those that came again.

        Returns:
            int64[m], the customers with such a day, ascending; float64[m], how many days; float64[m], their mean.
        """
        seen = self.until(end_day)
        first = seen.first_days()
        is_repeat = ((seen.day > first[seen.customer]) | is_first_counted) & (seen.spent > 0)
        n = np.bincount(seen.customer[is_repeat], minlength=self.n_customers).astype(np.float64)
        total = np.bincount(seen.customer[is_repeat], seen.spent[is_repeat], self.n_customers)
        who = np.flatnonzero(n > 0)
        return who, n[who], total[who] / n[who]
