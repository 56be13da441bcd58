"""What people did, by day, as features at a point in time: nothing of a later day is in them.

The same function makes the rows that are learned from and the row of a live profile, so that both cannot differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bespeak.models.predictors.repeat_purchases import Float64s, Int64s

WINDOWS = (1, 7, 30, 90)
REACH_DAYS = 90
"""Older days are not looked at, so that the first months of a log are as good to learn from as later ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Activity:
    """Counts of signals by person, class and day, each combination once.

    Attributes:
        person: int64[n], positions; code: int64[n], a place in `classes`; day: int64[n], since 1970; n: float64[n].
        n_people: how many positions there are.
    """

    classes: Sequence[str]
    person: Int64s
    code: Int64s
    day: Int64s
    n: Float64s
    n_people: int

    @classmethod
    def of(
        cls, classes: Sequence[str], person: npt.ArrayLike, code: npt.ArrayLike, day: npt.ArrayLike, n_people: int
    ) -> Activity:
        """Counts signals, one a row."""
        who, what, when = (np.asarray(part, np.int64) for part in (person, code, day))
        first = int(when.min()) if len(when) else 0
        n_days = int(when.max()) - first + 1 if len(when) else 1
        held, n = np.unique((who * len(classes) + what) * n_days + when - first, return_counts=True)
        pair, since = np.divmod(held, n_days)
        return cls(classes, *np.divmod(pair, max(len(classes), 1)), since + first, n.astype(np.float64), n_people)

    def between(self, first_day: int, last_day: int) -> Activity:
        """What was done from one day to another, both counted."""
        chosen = (self.day >= first_day) & (self.day <= last_day)
        return Activity(
            self.classes, self.person[chosen], self.code[chosen], self.day[chosen], self.n[chosen], self.n_people
        )

    def of_class(self, name: str) -> Activity:
        """What was done of one class; everything for an empty name."""
        if not name:
            return self
        chosen = self.code == (list(self.classes).index(name) if name in self.classes else -1)
        return Activity(
            self.classes, self.person[chosen], self.code[chosen], self.day[chosen], self.n[chosen], self.n_people
        )

    def has_any(self) -> npt.NDArray[np.bool_]:
        """bool[n_people]: who did anything."""
        found = np.zeros(self.n_people, np.bool_)
        found[self.person] = True
        return found


_OF_ALL = ("days since anything", "days known", "active days", "usual pauses since")


def feature_names(classes: Sequence[str]) -> list[str]:
    """The columns of `features`, in their order."""
    counted = [f"{name} in {window} d" for window in WINDOWS for name in classes]
    return [*counted, *(f"days since {name}" for name in classes), *_OF_ALL]


def features(activity: Activity, day: int) -> Float64s:
    """float64[n_people, columns], as of the end of a day: logarithms of one plus counts and days.

    Counts of each class within each of `WINDOWS`, days since its latest (`REACH_DAYS` for never), days since anything,
    days since the first, the number of days with anything, and how many of their usual pauses they are away now.
    """
    seen = activity.between(day - REACH_DAYS + 1, day)
    n_people, n_classes = activity.n_people, len(activity.classes)
    size, place = n_people * n_classes, seen.person * n_classes + seen.code
    age = (day - seen.day).astype(np.float64)
    parts = [np.bincount(place, seen.n * (age < window), size).reshape(n_people, n_classes) for window in WINDOWS]
    since = np.full(size, float(REACH_DAYS))
    np.minimum.at(since, place, age)
    latest, first = np.full(n_people, float(REACH_DAYS)), np.zeros(n_people)
    np.minimum.at(latest, seen.person, age)
    np.maximum.at(first, seen.person, age)
    days = np.unique(seen.person * (REACH_DAYS + 1) + age.astype(np.int64)) // (REACH_DAYS + 1)
    active = np.bincount(days, minlength=n_people).astype(np.float64)
    pauses = latest * active / (first + 1.0)
    parts += [since.reshape(n_people, n_classes), np.stack([latest, first, active, pauses], axis=1)]
    return np.log1p(np.concatenate(parts, axis=1))
