"""What people do, as columns: one row per act, ordered by time within each visit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, auto

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bespeak.simulate.draws import Draws, Purpose


class Act(IntEnum):
    """Kinds of acts; each becomes one event."""

    CONSENT = auto()
    PAGE = auto()
    ASSIGNED = auto()
    SHOWN = auto()
    CLICKED = auto()
    LOOKED = auto()
    LISTED = auto()
    SEARCHED = auto()
    LOGGED_IN = auto()
    SUBSCRIBED = auto()
    ANSWERED = auto()
    ADDED = auto()
    REMOVED = auto()
    WISHED = auto()
    SHARED = auto()
    CHECKOUT = auto()
    ORDERED = auto()
    REFUNDED = auto()
    RATED = auto()
    STARTED = auto()
    RESUMED = auto()
    STOPPED = auto()
    COMPLETED = auto()
    JOINED = auto()
    CANCELLED = auto()
    MAILED = auto()
    OPENED = auto()
    FOLLOWED = auto()
    UNSUBSCRIBED = auto()


_OWN_PACE_SECONDS = 120


class Stage(IntEnum):
    """Where in a visit acts stand: the begin of each stretch of keys; acts of a visit happen in the order of keys."""

    CONSENT = 0
    MAIL = 10
    PAGE = 100
    RESUME = 110
    SHOWN = 200
    SLATE = 1_000
    LOGIN = 3_000
    OWN = 4_000
    SHELVES = 5_000
    CART = 9_000
    CHECKOUT = 9_100
    END = 9_900


@dataclass(frozen=True, eq=False)
class Acts:
    """The acts of one day; visits stand in the order of their begin, acts in the order in which they happen.

    Attributes:
        visit: row of the day's visits, int64[n].
        kind: an `Act`, int64[n].
        item: index of the item, -1 where there is none, int64[n].
        position: position from 1 where it was clicked, 0 elsewhere, int64[n].
        value: what the kind needs: a rating, minutes, revenue in minor units, a quantity, float64[n].
        order: row of the day's orders, -1 where there is none, int64[n].
        key: place within the visit, int64[n].
        at_ms: when, int64[n].
    """

    visit: NDArray[np.int64]
    kind: NDArray[np.int64]
    item: NDArray[np.int64]
    position: NDArray[np.int64]
    value: NDArray[np.float64]
    order: NDArray[np.int64]
    key: NDArray[np.int64]
    at_ms: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.visit)


class ActLog:
    """Collects the acts of one day, in any order."""

    def __init__(self) -> None:
        self._parts: list[tuple[NDArray[np.float64], ...]] = []

    def add(
        self,
        kind: Act,
        visit: NDArray[np.int64],
        key: ArrayLike,
        *,
        item: ArrayLike = -1,
        position: ArrayLike = 0,
        value: ArrayLike = 0.0,
        order: ArrayLike = -1,
        seconds: ArrayLike = 0.0,
    ) -> None:
        """Adds one act for each visit given; `seconds` pass before it, more or less."""
        if len(visit):
            columns = (visit, int(kind), item, position, value, order, key, seconds)
            self._parts.append(tuple(np.broadcast_to(np.asarray(c, dtype=np.float64), visit.shape) for c in columns))

    def finished(self, begin_ms: NDArray[np.int64], person: NDArray[np.int64], day: int, draws: Draws) -> Acts:
        """The acts in order, with their times.

        Args:
            begin_ms: begin of each visit, int64[m].
            person: who visits, int64[m].
            day: which day.
            draws: the world's random numbers; they vary the pace.
        """
        if not self._parts:
            none = np.zeros(0, dtype=np.int64)
            return Acts(none, none, none, none, none.astype(np.float64), none, none, none)
        visit, kind, item, position, value, order, key, seconds = (
            np.concatenate(column) for column in zip(*self._parts, strict=True)
        )
        sorting = np.lexsort((kind, key, visit))
        visit, kind, item, position, order, key = (
            column[sorting].astype(np.int64) for column in (visit, kind, item, position, order, key)
        )
        pause = seconds[sorting]
        pace = 0.25 + 1.5 * draws.uniform(Purpose.PACE, person[visit], day, key, kind)
        pace[pause > _OWN_PACE_SECONDS] = 1.0  # a film takes as long as it takes
        pause_ms = np.maximum((pause * pace * 1000).astype(np.int64), 1)
        passed = np.cumsum(pause_ms)
        first = np.concatenate([[True], visit[1:] != visit[:-1]])
        passed -= np.maximum.accumulate(np.where(first, passed, 0))  # the first act of a visit is its begin
        return Acts(visit, kind, item, position, value[sorting], order, key, begin_ms[visit] + passed)
