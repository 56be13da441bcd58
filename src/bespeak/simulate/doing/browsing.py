"""What people look at in a visit: the slate that a policy chose, and shelves that are the same for everybody."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bespeak.simulate.crowd.choice import Appeal, Visits, examination, logistic
from bespeak.simulate.crowd.memory import Memory
from bespeak.simulate.crowd.people import People
from bespeak.simulate.doing.acts import Act, ActLog, Stage
from bespeak.simulate.draws import Draws, Purpose, pick
from bespeak.simulate.offer.stock import Stock
from bespeak.simulate.policies import Slates

SHELF = 12
_ARRANGEMENTS = 16  # shelves rotate: that many orders of each shelf a day, and every visit meets one of them
_ROTATION = 0.8
_MAX_SHELVES = 3
_MORE_SHELVES = (0.5, 0.15)  # chance of a second shelf, and of a third
_TASTE_FOCUS = 1.6  # how strongly taste steers which shelf is opened
_ANY_SHELF = 0.15
_SEARCH_SHARE = 0.35
_OPENS_WISH = 0.25


@dataclass(frozen=True, eq=False)
class Looks:
    """Items that were clicked or opened, in the order of visits and keys.

    Attributes:
        visit: row of the day's visits, int64[n].
        item: index of the item, int64[n].
        position: position on slate or shelf, 0 when opened directly, int64[n].
        key: place within the visit, int64[n].
        utility: of the item in this visit, float64[n].
        is_on_slate: the policy showed it, bool[n].
    """

    visit: NDArray[np.int64]
    item: NDArray[np.int64]
    position: NDArray[np.int64]
    key: NDArray[np.int64]
    utility: NDArray[np.float64]
    is_on_slate: NDArray[np.bool_]


class Browsing:
    """The part of a visit that both worlds share."""

    def __init__(self, stock: Stock, people: People, appeal: Appeal, draws: Draws, exponent: float) -> None:
        self._stock = stock
        self._people = people
        self._appeal = appeal
        self._draws = draws
        self._curve = examination(SHELF, exponent)

    def looks(
        self, visits: Visits, slates: Slates, candidates: NDArray[np.int64], memory: Memory, log: ActLog
    ) -> tuple[Looks, NDArray[np.float64]]:
        """Plays the looking part of all visits of a day.

        Returns:
            The looks, and the exact expected number of clicks on each slate, float64[m].
        """
        parts = [self._own(visits, memory)]
        on_slate, expected = self._slate(visits, slates, log)
        parts.append(on_slate)
        parts += self._shelves(visits, candidates, log)
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        order = np.lexsort((columns[3], columns[0]))
        return Looks(*(column[order] for column in columns)), expected

    def _slate(
        self, visits: Visits, slates: Slates, log: ActLog
    ) -> tuple[tuple[NDArray[np.generic], ...], NDArray[np.float64]]:
        everyone = np.arange(len(visits))
        log.add(Act.SHOWN, everyone, Stage.SHOWN, seconds=0.5)
        chance = self._appeal.click_probability(visits, slates.items)
        luck = self._draws.uniform(Purpose.CLICK, visits.person[:, None], visits.day, np.maximum(slates.items, 0))
        rows, places = np.nonzero(luck < chance)
        items = slates.items[rows, places]
        log.add(Act.CLICKED, rows, Stage.SLATE + 10 * places, item=items, position=places + 1, seconds=8.0)
        return self._looked(visits, rows, items, places, Stage.SLATE, is_on_slate=True), chance.sum(axis=1)

    def _looked(
        self,
        visits: Visits,
        rows: NDArray[np.int64],
        items: NDArray[np.int64],
        places: NDArray[np.int64],
        stage: int,
        *,
        is_on_slate: bool = False,
    ) -> tuple[NDArray[np.generic], ...]:
        utility = self._appeal.utility(visits.only(rows), items[:, None])[:, 0].astype(np.float64)
        return rows, items, places + 1, stage + 10 * places + 1, utility, np.full(len(rows), is_on_slate)

    def _own(self, visits: Visits, memory: Memory) -> tuple[NDArray[np.generic], ...]:
        """What people open by themselves: what ran out, and now and then something of the wish list."""
        person = visits.person
        used_up = np.where(memory.restock_day[person] <= visits.day, memory.restock_item[person], -1)
        came = np.flatnonzero(used_up >= 0)
        memory.restock_item[person[came]] = -1
        wishes = memory.wishes[person]
        opens = self._draws.uniform(Purpose.BROWSE, person, visits.day, 50) < _OPENS_WISH
        wished = np.flatnonzero(opens & (wishes[:, 0] >= 0))
        rows = np.concatenate([came, wished])
        items = np.concatenate([used_up[came], wishes[wished, 0]])
        places = np.concatenate([np.zeros_like(came), np.ones_like(wished)])
        found = self._looked(visits, rows, items, places, Stage.OWN)
        return *found[:2], np.zeros(len(rows), dtype=np.int64), *found[3:]

    def _shelves(
        self, visits: Visits, candidates: NDArray[np.int64], log: ActLog
    ) -> list[tuple[NDArray[np.generic], ...]]:
        day, person = visits.day, visits.person
        shelves = self._arranged(day, candidates)
        tastes = next(iter(self._people.tastes_on(day, self._appeal.drift_day).values()))[person]
        focus = np.exp(_TASTE_FOCUS * tastes.astype(np.float64))
        focus = (1 - _ANY_SHELF) * focus / focus.sum(axis=1, keepdims=True) + _ANY_SHELF / focus.shape[1]
        parts: list[tuple[NDArray[np.generic], ...]] = []
        goes_on = np.ones(len(visits), dtype=np.bool_)
        for number in range(_MAX_SHELVES):
            if number:
                goes_on &= self._draws.uniform(Purpose.BROWSE, person, day, number) < _MORE_SHELVES[number - 1]
            rows = np.flatnonzero(goes_on)
            some = visits.only(rows)
            kind = pick(focus[rows], self._draws.uniform(Purpose.BROWSE, some.person, day, 10 + number))
            turn = self._draws.uniform(Purpose.BROWSE, some.person, day, 20 + number) * _ARRANGEMENTS
            shown = shelves[kind, turn.astype(np.int64)]
            is_search = self._draws.uniform(Purpose.BROWSE, some.person, day, 30 + number) < _SEARCH_SHARE
            stage = Stage.SHELVES + 1_000 * number
            word = np.floor(self._draws.uniform(Purpose.BROWSE, some.person, day, 40 + number) * 1_000)
            log.add(Act.SEARCHED, rows[is_search], stage, item=kind[is_search], value=word[is_search], seconds=20)
            log.add(Act.LISTED, rows[~is_search], stage, item=kind[~is_search], seconds=15)
            items = np.maximum(shown, 0)
            utility = self._appeal.utility(some, items).astype(np.float64)
            chance = np.where(shown >= 0, self._curve * logistic(utility), 0.0)
            luck = self._draws.uniform(Purpose.SHELF_CLICK, some.person[:, None], day, number, items)
            hits, places = np.nonzero(luck < chance)
            parts.append(
                (rows[hits], shown[hits, places], places + 1, stage + 10 * places + 1, utility[hits, places],
                 np.zeros(len(hits), dtype=np.bool_))
            )  # fmt: skip
        return parts

    def _arranged(self, day: int, candidates: NDArray[np.int64]) -> NDArray[np.int64]:
        """Shelves by popularity with some rotation, -1 behind their end, int64[kinds, arrangements, SHELF]."""
        log_popularity = self._stock.log_popularity
        kind = self._stock.kind[candidates]
        noise = self._draws.gumbel(Purpose.SHELF, day, np.arange(_ARRANGEMENTS)[:, None], candidates)
        order = log_popularity[candidates] + _ROTATION * noise
        shelves = np.full((len(self._stock.kinds), _ARRANGEMENTS, SHELF), -1, dtype=np.int64)
        for number in range(len(self._stock.kinds)):
            those = np.flatnonzero(kind == number)
            best = those[np.argsort(-order[:, those], axis=1, kind="stable")[:, :SHELF]]
            shelves[number, :, : best.shape[1]] = candidates[best]
        return shelves
