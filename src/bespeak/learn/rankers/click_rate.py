"""How often each item brings something where it is looked at, smoothed: what popularity cannot tell of a placement.

    rate_i  = (rewards of i + PRIOR) / (how often i was looked at + PRIOR / mean rate)
    value_i = log(rate_i / mean rate) / log(4), cut to -1..1

An item that was hardly looked at stands at the mean, 0; four times the mean is 1. Looks count by examination, so an
item is not judged by the position that it was given.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.learn.rankers.shown import ShownItems

Float64s: TypeAlias = npt.NDArray[np.float64]

PRIOR = 3.0
MIN_PEOPLE = 5
"""Of an item that fewer people were shown, nothing is said: a figure speaks of nobody."""

_FULL = np.log(4.0)


def click_rates(shown: ShownItems, examination: Float64s) -> Float64s:
    """float64[m], -1..1, by item code; 0 for an item that fewer than `MIN_PEOPLE` were shown.

    Args:
        shown: the rows; m is one more than the largest of `shown.items`.
        examination: float64[n], how likely each row was looked at.
    """
    n_items = int(shown.items.max()) + 1 if len(shown) else 0
    looks = np.bincount(shown.items, examination, n_items)
    rewards = np.bincount(shown.items, shown.rewards, n_items)
    if not rewards.any():
        return np.zeros(n_items)
    mean = rewards.sum() / looks.sum()
    values = np.log((rewards + PRIOR) / (looks + PRIOR / mean) / mean) / _FULL
    pairs = np.unique(np.stack([shown.items.astype(np.int64), shown.people]), axis=1)[0]
    n_people = np.bincount(pairs, minlength=n_items)
    return np.where(n_people >= MIN_PEOPLE, np.clip(values, -1, 1), 0.0)
