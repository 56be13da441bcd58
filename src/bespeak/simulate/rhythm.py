"""When a simulated person visits: a Poisson process with a weekday cycle around their favourite hour."""

from __future__ import annotations

import numpy as np

from bespeak.simulate.goods import DAY_MS
from bespeak.simulate.people import Person

_WEEKDAY_FACTORS = np.array([0.95, 0.9, 0.9, 0.95, 1.0, 1.2, 1.1])  # Monday first
_JOINS_LATER_SHARE = 0.45
_LEAVES_EARLY_SHARE = 0.15
_HOUR_SPREAD = 2.2


def visit_times(person: Person, rng: np.random.Generator, start_ms: int, end_ms: int) -> list[int]:
    """Begins of visits in [start_ms, end_ms), ascending; empty for somebody who never comes.

    Some people join in the middle and some leave before the end, so that growth and churn exist.
    """
    days = np.arange(start_ms // DAY_MS, (end_ms - 1) // DAY_MS + 1)
    if rng.random() < _JOINS_LATER_SHARE:
        days = days[int(rng.integers(len(days))) :]
    if rng.random() < _LEAVES_EARLY_SHARE:
        days = days[: 1 + int(rng.integers(len(days)))]
    rate = person.visits_per_week / 7 * _WEEKDAY_FACTORS[(days + 3) % 7]  # 1970-01-01 was a Thursday
    day_of_visit = np.repeat(days, rng.poisson(rate))
    local_hours = np.clip(rng.normal(person.favourite_hour, _HOUR_SPREAD, len(day_of_visit)), 6.5, 23.5)
    times = np.sort(day_of_visit * DAY_MS + ((local_hours - person.utc_offset_hours) * 3_600_000).astype(np.int64))
    return [int(at_ms) for at_ms in times if start_ms <= at_ms < end_ms]
