"""Trending: what grows faster than it used to, in units of its own noise.

Two exponentially decayed sums of votes per item, a fast one (half-life f) and a slow one (half-life s), each times its
decay rate, estimate votes per day: r_f and r_s. If votes came as a Poisson stream of rate r_s, the fast estimate would
scatter with variance r_s ln2 / (2 f). The score is the growth in those standard errors:

    score_j(now) = (r_f - r_s) / sqrt((r_s + p) ln2 / (2 f)),   p = `prior_votes` / s

The prior keeps an item with two first votes from looking like a sensation. Every person has one vote per item, for or
against, at the time of their latest event with it. Both sums decay on to any later `now_ms`, so the answer is exact at
serve time without a new fit.

Cost: one pass over the events; two numbers per item.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from bespeak.models.base import Model
from bespeak.models.interactions import Float32s, Float64s, History, Int64s, Interactions, ItemContent

DAY_MS = 86_400_000


@dataclass(frozen=True, eq=False)
class Trending(Model):
    """Growth of an item's votes against its own past.

    Args:
        fast_half_life_days: half-life of what counts as now.
        slow_half_life_days: half-life of what counts as usual; must be longer.
        prior_votes: votes that an item is taken to have had; more means steadier.
    """

    name: ClassVar[str] = "trending"
    personal: ClassVar[bool] = False

    fast_half_life_days: float = 2.0
    slow_half_life_days: float = 28.0
    prior_votes: float = 5.0

    def fit(self, interactions: Interactions, items: ItemContent | None = None) -> Self:
        """See `Model.fit`."""
        pairs, ages_days, signed = _latest_votes(interactions)
        arrays = {"reference_ms": np.array([interactions.last_ms], np.int64)}
        for speed, half_life in self._half_lives().items():
            decayed = signed * np.exp2(-ages_days / half_life)
            arrays[speed] = np.bincount(pairs, weights=decayed, minlength=interactions.n_items)
        return self._fitted(interactions.item_ids, arrays, interactions)

    def scores(self, histories: Sequence[History], now_ms: int) -> Float32s:
        """See `Model.scores`: the same row for everybody, at `now_ms` (never before the last training event)."""
        elapsed_days = max(0, now_ms - int(self._array("reference_ms")[0])) / DAY_MS
        fast, slow = (
            np.log(2) / half_life * np.exp2(-elapsed_days / half_life) * self._array(speed)
            for speed, half_life in self._half_lives().items()
        )
        prior = self.prior_votes / self.slow_half_life_days
        noise = np.sqrt((slow.clip(min=0) + prior) * np.log(2) / (2 * self.fast_half_life_days))
        return np.tile(((fast - slow) / noise).astype(np.float32), (len(histories), 1))

    def _half_lives(self) -> dict[str, float]:
        return {"fast": self.fast_half_life_days, "slow": self.slow_half_life_days}


def _latest_votes(interactions: Interactions) -> tuple[Int64s, Float64s, Float64s]:
    """Item, age in days at the end of the data, and vote of every (person, item) pair."""
    net = interactions.net
    rows = np.repeat(np.arange(interactions.n_users), np.diff(net.indptr))
    pair_key = rows * np.int64(max(1, interactions.n_items)) + net.indices
    event_key = interactions.user_index * np.int64(max(1, interactions.n_items)) + interactions.item_index
    latest_ms = np.full(len(pair_key), np.iinfo(np.int64).min)
    np.maximum.at(latest_ms, np.searchsorted(pair_key, event_key), interactions.times_ms)
    ages_days = (interactions.last_ms - latest_ms) / DAY_MS
    return net.indices.astype(np.int64), ages_days, np.clip(net.data, -1, 1).astype(np.float64)
