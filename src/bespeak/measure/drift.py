"""Drift: the day on which people's past stopped telling what they turn to.

How often somebody turns, on a day, to a value (a genre, a brand) that they turned to in the weeks before, less how
often chance would have it: that is how much their past tells. While tastes stay, its mean stays, however long the past
is, so each person's week from a day on is compared with their own week before it: a paired z. The mix of what is
popular may change without drift, and tastes may turn while the mix stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import ndtri

Int64s: TypeAlias = NDArray[np.int64]
Float64s: TypeAlias = NDArray[np.float64]

WEEK = 7
PAST_DAYS = 28
MIN_PEOPLE = 30
ALPHA = 0.001


@dataclass(frozen=True, slots=True)
class Drift:
    """What changed on a day.

    Attributes:
        day: the first day on which it holds.
        before, after: how much more often than by chance people turned to what they had turned to before, as a share of
            what they turned to, in the week before the day and in the week from it on.
        n_people: who was there in both weeks.
        z: of the difference; far below zero.
    """

    day: int
    before: float
    after: float
    n_people: int
    z: float


def find_drift(person: Int64s, value: Int64s, day: Int64s, *, n_looks: int = 1) -> Drift | None:
    """Returns the clearest day on which the past told less than before, or None where no day stands out.

    A day stands out when chance makes so large a fall on any day of any look with a probability of `ALPHA` at most.
    The first week has no past, and a change shows only once a whole week has followed it.

    Args:
        person: who turned to something, int64[n].
        value: which value it has, from 0, int64[n].
        day: on which day, int64[n].
        n_looks: over how many kinds of values one looks.

    Example:
        >>> day, person = (axis.ravel() for axis in np.mgrid[0:30, 0:80])
        >>> liked = np.where(day < 20, person % 4, (person + 1) % 4)
        >>> found = find_drift(person, liked, day)
        >>> found.day, find_drift(person, person % 4, day)
        (20, None)
    """
    if not len(day):
        return None
    first = int(day.min())
    told = _told(np.unique(person, return_inverse=True)[1], value, day - first)
    looks = [_compared(told, at) for at in range(WEEK, told.shape[1] - WEEK + 1)]
    found = [(at, look) for at, look in enumerate(looks, WEEK) if look is not None]
    if not found:
        return None
    at, (before, after, n_people, z) = min(found, key=lambda one: one[1][3])
    if z > ndtri(ALPHA / (len(found) * n_looks)):
        return None
    return Drift(first + at, before, after, n_people, z)


def _told(person: Int64s, value: Int64s, day: Int64s) -> Float64s:
    """How much each person's past told on each day, float64[n_people, n_days]; NaN where one of them is empty."""
    shape = int(person.max()) + 1, int(value.max()) + 1
    order = np.argsort(day, kind="stable")
    n_days = int(day.max()) + 1
    ends = np.searchsorted(day[order], np.arange(n_days + 1))
    usual = np.bincount(value, minlength=shape[1]) / len(value)
    days: list[sparse.csr_matrix] = []
    past = sparse.csr_matrix(shape)
    told = np.full((shape[0], n_days), np.nan)
    for number in range(n_days):
        rows = order[ends[number] : ends[number + 1]]
        today = sparse.csr_matrix((np.ones(len(rows)), (person[rows], value[rows])), shape=shape)
        n_past, n_today = (np.asarray(side.sum(axis=1)).ravel() for side in (past, today))
        who = (n_past > 0) & (n_today > 0)
        again = np.asarray(today.multiply(past).sum(axis=1)).ravel()
        told[who, number] = (again[who] / n_past[who] - (today @ usual)[who]) / n_today[who]
        days.append(today)
        past = past + today
        if number >= PAST_DAYS:
            past = past - days[number - PAST_DAYS]
            past.eliminate_zeros()
    return told


def _compared(told: Float64s, at: int) -> tuple[float, float, int, float] | None:
    """Means of the weeks before and after, people, and z; None where too few were there or nothing varies."""
    before, after = (_means(week) for week in (told[:, at - WEEK : at], told[:, at : at + WEEK]))
    both = ~np.isnan(before) & ~np.isnan(after)
    n = int(both.sum())
    if n < MIN_PEOPLE:
        return None
    change = after[both] - before[both]
    error = float(change.std(ddof=1)) / np.sqrt(n)
    error = max(error, 1e-12)  # everybody changed alike
    return float(before[both].mean()), float(after[both].mean()), n, float(change.mean() / error)


def _means(week: Float64s) -> Float64s:
    """Each person's mean over the days on which they were there, NaN for who was not."""
    n = (~np.isnan(week)).sum(axis=1)
    return np.where(n > 0, np.nansum(week, axis=1) / np.maximum(n, 1), np.nan)
