"""What is due on a later day: reviews, refunds, late orders, mail that is read. The delay between act and reward."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bespeak.simulate.doing.acts import Act

Columns = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


class Errands:
    """A diary of short visits for one purpose each.

    One person runs one errand a day at most, and none on a day with a usual visit: what cannot be done waits a day.
    """

    def __init__(self) -> None:
        self._due: defaultdict[int, list[Columns]] = defaultdict(list)

    def plan(
        self, day: NDArray[np.int64], kind: Act, person: NDArray[np.int64], item: ArrayLike = -1, number: ArrayLike = 0
    ) -> None:
        """Plans errands.

        Args:
            day: when each is due, int64[m].
            kind: what it is about.
            person: whose, int64[m].
            item: about which item.
            number: what the kind needs: the number of an order, a rating, an answer to a mail.
        """
        columns = tuple(
            np.broadcast_to(np.asarray(column, dtype=np.int64), person.shape)
            for column in (int(kind), person, item, number)
        )
        for one in np.unique(day):
            chosen = day == one
            kinds, people, items, numbers = (column[chosen] for column in columns)
            self._due[int(one)].append((kinds, people, items, numbers))

    def due(self, day: int, is_busy: NDArray[np.bool_], stays: NDArray[np.bool_]) -> Columns:
        """Takes out what is done on a day: kind, person, item and number of each errand, ordered by person.

        Args:
            day: which day.
            is_busy: who has a usual visit on it, bool[n].
            stays: who has not left; the errands of others are dropped, bool[n].
        """
        parts = self._due.pop(day, [])
        none = np.zeros(0, dtype=np.int64)
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)] if parts else [none] * 4
        order = np.argsort(columns[1], kind="stable")
        order = order[stays[columns[1][order]] | (columns[0][order] == Act.CANCELLED)]
        kind, person, item, number = (column[order] for column in columns)
        is_first = np.concatenate([[True], person[1:] != person[:-1]])[: len(person)]
        now = is_first & ~is_busy[person]
        if not now.all():
            self._due[day + 1].append((kind[~now], person[~now], item[~now], number[~now]))
        return kind[now], person[now], item[now], number[now]
