"""Who will end their subscription: a discrete-time hazard over dates, by how old it is and by what people did lately.

A subscription that goes on at a date is a row: ended within the days after it, or not. That is the hazard of `hazard`
with periods of so many days of the calendar, whose features may change from date to date.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bespeak.models.predictors.activity import Activity
from bespeak.models.predictors.renewals import Subscriptions
from bespeak.models.predictors.repeat_purchases import Float64s, Int64s


def age_features(age_days: Float64s, days_per_period: float) -> Float64s:
    """float64[n, 2]: the logarithm of one plus the age, and the share of the running period that is over."""
    return np.stack([np.log1p(age_days), age_days / days_per_period % 1.0], axis=-1)


@dataclass(frozen=True, slots=True, eq=False)
class Cancelling:
    """The question whether a subscription ends.

    Attributes:
        subscriptions: of the people, whose positions are those of their activity.
        within_days: after the date.
    """

    subscriptions: Subscriptions
    within_days: int

    @property
    def behind_days(self) -> int:
        """Days before a date without which it cannot be asked."""
        return self.within_days

    def people(self, activity: Activity, date: int) -> Int64s:
        """int64[n]: whose subscription goes on at the end of the date."""
        del activity
        held = self.subscriptions
        return np.unique(held.customer[held.begun(date) & ~held.is_over(date)])

    def came_true(self, activity: Activity, date: int, people: Int64s) -> npt.NDArray[np.bool_]:
        """bool[n]: whose subscription ended in the days after the date."""
        del activity
        return self.subscriptions.is_over(date + self.within_days)[self._latest(date, people)]

    def more(self, date: int, people: Int64s) -> Float64s:
        """float64[n, 2]: `age_features` of the subscription."""
        held = self.subscriptions
        age = (date - held.start[self._latest(date, people)]).astype(np.float64)
        return age_features(age, held.days_per_period)

    def _latest(self, date: int, people: Int64s) -> Int64s:
        """int64[n]: the places of the subscriptions that each began last."""
        held = self.subscriptions
        begun = np.flatnonzero(held.begun(date))
        order = begun[np.lexsort((held.start[begun], held.customer[begun]))]
        return order[np.searchsorted(held.customer[order], people, side="right") - 1]
