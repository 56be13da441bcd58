"""What the world remembers of everybody from one day to the next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bespeak.simulate.crowd.choice import MEMORY
from bespeak.simulate.crowd.identities import SLOTS
from bespeak.simulate.crowd.people import NEVER, People

CART = 6
"""How many different items a cart holds."""
OWNED = 8
WISHES = 3


class Memory:
    """State of all people, a row each; bounded per person, so a world's memory grows with its people only.

    Attributes:
        stays: has not left for ever, bool[n].
        attachment: factor of the rate of visits, 1 at first, float64[n].
        recent: items looked at lately, the latest first, -1 where none, int64[n, MEMORY].
        login_epoch: epoch of the device in which the person logged in, -1: not, int64[n, SLOTS].
        told: what was last said about consent on a device: epoch * 8 + consent, -1: nothing, int64[n, SLOTS].
        is_known: has logged in at least once, bool[n].
        is_assigned: was told the arm of the experiment, bool[n].
        subscribed: takes the newsletter, bool[n].
        mailed_day: day of the last newsletter, far in the past at first, int64[n].
        cart, wishes, owned: items, -1 where none, int64[n, CART | WISHES | OWNED].
        n_orders: orders so far, int64[n].
        reminded_day: day on which an abandoned cart is bought after all, int64[n].
        restock_item, restock_day: what will be used up, and when, int64[n].
        unfinished_item, unfinished_part: what was not watched to the end, and how far it was watched.
    """

    def __init__(self, people: People) -> None:
        n = len(people)
        self.stays = np.ones(n, dtype=np.bool_)
        self.attachment = np.ones(n)
        self.recent = np.full((n, MEMORY), -1, dtype=np.int64)
        self.login_epoch = np.full((n, SLOTS), -1, dtype=np.int64)
        self.told = np.full((n, SLOTS), -1, dtype=np.int64)
        self.is_known = np.zeros(n, dtype=np.bool_)
        self.is_assigned = np.zeros(n, dtype=np.bool_)
        self.subscribed = people.newsletter.copy()
        self.mailed_day = np.full(n, -NEVER, dtype=np.int64)
        self.cart = np.full((n, CART), -1, dtype=np.int64)
        self.wishes = np.full((n, WISHES), -1, dtype=np.int64)
        self.owned = np.full((n, OWNED), -1, dtype=np.int64)
        self.n_orders = np.zeros(n, dtype=np.int64)
        self.reminded_day = np.full(n, NEVER, dtype=np.int64)
        self.restock_item = np.full(n, -1, dtype=np.int64)
        self.restock_day = np.full(n, NEVER, dtype=np.int64)
        self.unfinished_item = np.full(n, -1, dtype=np.int64)
        self.unfinished_part = np.zeros(n)


def by_visit(visit: NDArray[np.int64], values: NDArray[np.int64], n_visits: int, width: int) -> NDArray[np.int64]:
    """Lays values out as one row per visit, -1 where there are fewer than `width`; those beyond it are left out.

    Args:
        visit: row of each value, ascending.
        values: the values.
        n_visits: rows.
        width: columns.

    Example:
        >>> by_visit(np.array([0, 2, 2]), np.array([5, 6, 7]), 3, 2).tolist()
        [[5, -1], [-1, -1], [6, 7]]
    """
    rows = np.full((n_visits, width), -1, dtype=np.int64)
    place = np.arange(len(visit)) - np.searchsorted(visit, visit)
    fits = place < width
    rows[visit[fits], place[fits]] = values[fits]
    return rows


def first_distinct(values: NDArray[np.int64], width: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Keeps the first `width` different values of each row, moved to the left.

    Args:
        values: int64[m, k]; -1 is no value.
        width: at most k.

    Returns:
        The rows, int64[m, width], and which entries were kept, bool[m, k].

    Example:
        >>> rows, kept = first_distinct(np.array([[4, -1, 4, 9, 5]]), 2)
        >>> rows.tolist(), kept.tolist()
        ([[4, 9]], [[True, False, False, True, False]])
    """
    kept = values >= 0
    for column in range(1, values.shape[1]):
        kept[:, column] &= ~(values[:, :column] == values[:, column, None]).any(axis=1)
    kept &= np.cumsum(kept, axis=1) <= width
    left = np.argsort(~kept, axis=1, kind="stable")[:, :width]
    rows = np.take_along_axis(np.where(kept, values, -1), left, axis=1)
    return rows, kept
