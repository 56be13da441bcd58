"""Personal frequency: what a person keeps coming back to.

Anderson and Schooler, "Reflections of the environment in memory" (1991): how much something is needed again falls with
a power of the time since each of its uses, and the uses add up. Times the share of people who come back to the item:

    score_j = rate_j * sum over the person's occasions with j of (1 + steps)^(-step_decay) (1 + days)^(-day_decay)
    rate_j = (n2_j + shrinkage * mean) / (n1_j + shrinkage)

steps counts the person's occasions since, days the time since. n1_j is the number of people with item j, n2_j of those
with it on two occasions or more, mean the sum of n2 over the sum of n1. An occasion is a visit or an order; in data
without times every event is one. Dislikes are subtracted from the disliked item alone.

It scores nothing new, so it is of use where items that a person knows may be shown again: alone in a placement "buy
again", else in a blend.

Cost: one pass over the events; one number per item.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from bespeak.models.base import Explanation, Model
from bespeak.models.interactions import Float32s, Float64s, History, Interactions, ItemContent
from bespeak.models.linear import dense
from bespeak.models.popular.recent_popularity import DAY_MS
from bespeak.models.sequences.visits import Uses, uses_of, uses_of_log
from bespeak.models.strength import dislikes, stacked


@dataclass(frozen=True, eq=False)
class PersonalFrequency(Model):
    """Decayed counts of a person's own occasions.

    Args:
        step_decay: exponent of the occasions since; 0 counts all of them the same.
        day_decay: exponent of the days since.
        shrinkage: so many people of the mean rate are added to each item.
        gap_minutes: a longer pause begins a new occasion.

    Example:
        >>> data = Interactions.from_events(["a", "a", "a", "b"], ["milk", "tv", "milk", "tv"])
        >>> PersonalFrequency(shrinkage=0.0).fit(data).recommend(["a"], 2, exclude_seen=False).items(0)
        ['milk', 'tv']
    """

    name: ClassVar[str] = "personal_frequency"
    explains: ClassVar[bool] = True

    step_decay: float = 0.5
    day_decay: float = 0.5
    shrinkage: float = 10.0
    gap_minutes: float = 30.0

    def fit(self, interactions: Interactions, items: ItemContent | None = None) -> Self:
        """See `Model.fit`."""
        n_items = interactions.n_items
        uses = uses_of_log(interactions, self.gap_minutes)
        pairs, n_occasions = np.unique(uses.owners * np.int64(max(1, n_items)) + uses.items, return_counts=True)
        users = np.bincount(pairs % max(1, n_items), minlength=n_items)
        again = np.bincount(pairs[n_occasions > 1] % max(1, n_items), minlength=n_items)
        mean = again.sum() / max(1, users.sum())
        # Where nobody ever came back nothing is known of coming back; then all items count the same.
        rates = (
            np.ones(n_items) if not mean else (again + self.shrinkage * mean) / np.maximum(users + self.shrinkage, 1e-9)
        )
        arrays = {"rates": rates.astype(np.float32), "has_times": np.array([interactions.has_times])}
        return self._fitted(interactions.item_ids, arrays, interactions)

    def scores(self, histories: Sequence[History], now_ms: int) -> Float32s:
        """See `Model.scores`; items outside of the history get nothing."""
        shape = (len(histories), len(self.item_ids))
        uses, values = self._values(histories, now_ms)
        cells = uses.owners * np.int64(shape[1]) + uses.items
        sums = np.bincount(cells, values, minlength=shape[0] * shape[1]) if shape[1] else np.zeros(0)
        scores = sums.reshape(shape).astype(np.float32)
        disliked = dislikes(stacked(histories, shape[1], "log"))
        return scores - dense(disliked) if disliked.nnz else scores

    def explain(self, history: History, item: int) -> Explanation:
        """See `Model.explain`: only the item itself adds to its score, as of the last event of the history."""
        known = np.unique(history.items[(history.items >= 0) & (history.items < len(self.item_ids))]).astype(np.int32)
        last_ms = int(history.times_ms[-1]) if len(history) else 0
        score = self.scores([history], last_ms)[0]
        return Explanation(known, np.where(known == item, score[known], 0).astype(np.float32))

    def _values(self, histories: Sequence[History], now_ms: int) -> tuple[Uses, Float64s]:
        """The uses of several people, and what each adds to the score of its item."""
        gap_minutes = self.gap_minutes if self._array("has_times")[0] else None
        uses = uses_of(histories, len(self.item_ids), gap_minutes)
        days = np.maximum(now_ms - uses.times_ms, 0) / DAY_MS
        fading = (1.0 + uses.steps) ** -self.step_decay * (1 + days) ** -self.day_decay
        return uses, self._array("rates")[uses.items] * fading
