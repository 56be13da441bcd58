"""From a click to the credits in the streaming service: how long people watch, what they finish, how they rate it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bespeak.simulate.crowd.choice import Appeal, Visits, logistic
from bespeak.simulate.crowd.memory import Memory
from bespeak.simulate.doing.acts import Act, ActLog, Stage
from bespeak.simulate.doing.browsing import Looks
from bespeak.simulate.doing.buying import Orders, no_orders
from bespeak.simulate.doing.errands import Errands
from bespeak.simulate.draws import Draws, Purpose
from bespeak.simulate.offer.stock import Stock

COMPLETE_FROM = 0.9
"""Who watched this share of a title has seen it."""
ABANDON_BELOW = 0.1
PLAYS = 2
"""How many titles are started in one visit at most."""
_WATCH_SLOPE, _WATCH_BASE, _WATCH_NOISE = 0.9, 1.6, 0.9
_RESUME_SHARE = 0.5
_RATE_SHARE = 0.15


class Watching:
    """The streaming service's funnel; it has no orders."""

    def __init__(self, stock: Stock, appeal: Appeal, draws: Draws) -> None:
        self._stock = stock
        self._appeal = appeal
        self._draws = draws

    def expected_fraction(
        self, utility: NDArray[np.float64], noise: NDArray[np.float64] | float
    ) -> NDArray[np.float64]:
        """Share of a title that is watched: logistic(0.9 utility + 1.6 + 0.9 noise), noise being standard normal."""
        return logistic(np.asarray(_WATCH_SLOPE * utility + _WATCH_BASE + _WATCH_NOISE * np.asarray(noise)))

    def after(self, visits: Visits, looks: Looks, memory: Memory, log: ActLog, errands: Errands) -> Orders:
        """Plays what follows from the looks of a day's usual visits."""
        self._go_on(visits, memory, log)
        nth = np.arange(len(looks.visit)) - np.searchsorted(looks.visit, looks.visit)
        played = np.flatnonzero(nth < PLAYS)
        visit, item, key = looks.visit[played], looks.item[played], looks.key[played]
        person = visits.person[visit]
        noise = self._draws.normal(Purpose.WATCH, person, visits.day, item)
        fraction = self.expected_fraction(looks.utility[played], noise)
        log.add(Act.STARTED, visit, key, item=item, position=looks.position[played], seconds=5)
        self._end(visit, item, key + 1, fraction, fraction * self._stock.minutes[item], log)
        seen = fraction >= COMPLETE_FROM
        rates = seen & (self._draws.uniform(Purpose.RATING, person, item, 0) < _RATE_SHARE)
        opinion = 3.7 + 0.5 * looks.utility[played] + 0.6 * self._stock.quality[item]
        opinion += 0.6 * self._draws.normal(Purpose.RATING, person, item, 1)
        rating = np.clip(np.floor(opinion + 0.5), 1, 5)
        log.add(Act.RATED, visit[rates], key[rates] + 2, item=item[rates], value=rating[rates], seconds=10)
        left = (fraction > ABANDON_BELOW) & ~seen
        memory.unfinished_item[person[left]] = item[left]
        memory.unfinished_part[person[left]] = fraction[left]
        return no_orders()

    def errand(
        self, visits: Visits, kind: NDArray[np.int64], item: NDArray[np.int64], number: NDArray[np.int64],
        memory: Memory, log: ActLog, errands: Errands, *, first_row: int, first_order: int,
    ) -> Orders:  # fmt: skip
        """Plays the errands that only this world has: none."""
        return no_orders()

    def _go_on(self, visits: Visits, memory: Memory, log: ActLog) -> None:
        """Continue watching: half of the visits begin with what was left unfinished."""
        person = visits.person
        goes_on = self._draws.uniform(Purpose.WATCH, person, visits.day) < _RESUME_SHARE
        rows = np.flatnonzero(goes_on & (memory.unfinished_item[person] >= 0))
        who = person[rows]
        item, part = memory.unfinished_item[who], memory.unfinished_part[who]
        memory.unfinished_item[who] = -1
        log.add(Act.RESUMED, rows, Stage.RESUME, item=item, value=part, seconds=5)
        self._end(
            rows,
            item,
            np.full(len(rows), Stage.RESUME + 1),
            np.ones(len(rows)),
            (1 - part) * self._stock.minutes[item],
            log,
        )

    def _end(
        self, visit: NDArray[np.int64], item: NDArray[np.int64], key: NDArray[np.int64], fraction: NDArray[np.float64],
        minutes: NDArray[np.float64], log: ActLog,
    ) -> None:  # fmt: skip
        for act, chosen in ((Act.COMPLETED, fraction >= COMPLETE_FROM), (Act.STOPPED, fraction < COMPLETE_FROM)):
            log.add(
                act, visit[chosen], key[chosen], item=item[chosen], value=minutes[chosen], seconds=60 * minutes[chosen]
            )
