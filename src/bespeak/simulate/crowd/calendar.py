"""When people come: a rate per day with a weekday cycle, a favourite hour, attachment, joining and leaving."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bespeak.simulate.behaviour import Behaviour
from bespeak.simulate.crowd.people import People
from bespeak.simulate.draws import Draws, Purpose
from bespeak.simulate.offer.stock import DAY_MS

WEEKDAY_FACTORS = (0.95, 0.9, 0.9, 0.95, 1.0, 1.2, 1.1)
"""Visits by weekday, Monday first, as multiples of a person's rate."""
EVENING_HOUR = 18.0
MAIL_DAYS = 3
"""For how many days a newsletter moves the rate of visits."""
_HOUR_SPREAD = 2.2
_FIRST_HOUR, _LAST_HOUR = 6.5, 22.8


class Calendar:
    """The days of a world: calendar days in UTC, the first of which may have begun before `start_ms`.

    Args:
        draws: the world's random numbers.
        people: who may come.
        behaviour: hazards.
        start_ms: begin of the world's time.
        end_ms: its end (exclusive).
    """

    def __init__(self, draws: Draws, people: People, behaviour: Behaviour, start_ms: int, end_ms: int) -> None:
        self._draws = draws
        self._people = people
        self._behaviour = behaviour
        self._start_ms = start_ms
        self._end_ms = end_ms
        self._index = np.arange(len(people))

    def weekday(self, day: int) -> int:
        """Monday is 0."""
        return (self._start_ms // DAY_MS + day + 3) % 7  # 1970-01-01 was a Thursday

    def midnight_ms(self, day: int) -> int:
        """Begin of a day."""
        return (self._start_ms // DAY_MS + day) * DAY_MS

    def visit_chance(
        self, day: int, attachment: NDArray[np.float64], mailed_days_ago: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Exact chance that each person comes on a day, given that they joined and have not left, float64[n].

            rate = visits_per_week / 7 * weekday * attachment * exp(mail_effect if mailed lately)
            P(visit) = 1 - exp(-rate)

        Args:
            day: which day.
            attachment: 1 for a new person, float64[n].
            mailed_days_ago: days since the last newsletter, int64[n].
        """
        effect = np.where(mailed_days_ago < MAIL_DAYS, self._people.mail_effect, 0.0)
        rate = self._people.visits_per_week / 7 * WEEKDAY_FACTORS[self.weekday(day)] * attachment * np.exp(effect)
        return np.asarray(-np.expm1(-rate))

    def visitors(
        self, day: int, attachment: NDArray[np.float64], mailed_days_ago: NDArray[np.int64], stays: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Who comes on a day: people by time, begins of their visits in milliseconds, local hours.

        Everybody comes once a day at most. Visits outside of the world's time do not happen.
        """
        chance = self.visit_chance(day, attachment, mailed_days_ago)
        comes = stays & (self._people.join_day <= day) & (self._draws.uniform(Purpose.VISIT, self._index, day) < chance)
        people = np.flatnonzero(comes)
        hours = self._people.favourite_hour[people] + _HOUR_SPREAD * self._draws.normal(Purpose.HOUR, people, day)
        hours = np.clip(hours, _FIRST_HOUR, _LAST_HOUR)
        utc_hours = hours - self._people.utc_offset_hours[people]
        at_ms = self.midnight_ms(day) + (utc_hours * 3_600_000).astype(np.int64)
        inside = (at_ms >= self._start_ms) & (at_ms < self._end_ms)
        people, at_ms, hours = people[inside], at_ms[inside], hours[inside]
        order = np.argsort(at_ms, kind="stable")
        return people[order], at_ms[order], hours[order]

    def leavers(self, day: int, attachment: NDArray[np.float64], stays: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Who leaves for ever after a day: hazard * exp(-2 (attachment - 1))."""
        hazard = self._behaviour.leave_hazard * np.exp(-2.0 * (attachment - 1.0))
        joined = stays & (self._people.join_day <= day)
        return np.flatnonzero(joined & (self._draws.uniform(Purpose.LEAVE, self._index, day) < hazard))
