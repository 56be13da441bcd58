"""Recent popularity: how many people liked an item in the last days before the end of the training data.

score_j = votes_j(last `window_days`) + 0.001 * votes_j(all) / max votes(all), votes as in `popularity`; the small
second term only orders what nobody touched lately. The window is an argument, or chosen from the data: of a few
windows the one under which the latest tenth of the events was most likely (smoothed log-likelihood, each window ending
where that tenth begins).

Cost: a few passes over the events; one number per item.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from bespeak.models.base import Model
from bespeak.models.interactions import Float32s, Float64s, History, Interactions, ItemContent
from bespeak.models.popular.popularity import votes

DAY_MS = 86_400_000
WINDOWS_DAYS = (1.0, 3.0, 7.0, 14.0, 30.0, 60.0, 90.0, 180.0, 365.0)
_LATEST_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class RecentPopularity(Model):
    """Distinct people who liked an item lately.

    Args:
        window_days: length of the window; chosen from the data when None (then read it from `window`).

    Example:
        >>> data = Interactions.from_events(["a", "b", "c"], ["old", "old", "new"], times_ms=[0, 1, 10 * DAY_MS])
        >>> RecentPopularity(window_days=7).fit(data).recommend(["?"], 2).items(0)
        ['new', 'old']
    """

    name: ClassVar[str] = "recent_popularity"
    personal: ClassVar[bool] = False

    window_days: float | None = None

    def fit(self, interactions: Interactions, items: ItemContent | None = None) -> Self:
        """See `Model.fit`."""
        window = self.window_days if self.window_days is not None else likeliest_window(interactions)
        overall = votes(interactions)
        recent = votes(latest(interactions, window))
        scores = recent + 0.001 * overall / max(1.0, float(np.abs(overall).max(initial=0)))
        return self._fitted(
            interactions.item_ids,
            {"votes": scores.astype(np.float32), "window_days": np.array([window], np.float64)},
            interactions,
        )

    @property
    def window(self) -> float:
        """The window in days that the fit used."""
        return float(self._array("window_days")[0])

    def scores(self, histories: Sequence[History], now_ms: int) -> Float32s:
        """See `Model.scores`: the same row for everybody, as of the end of the training data."""
        return np.tile(self._array("votes"), (len(histories), 1))


def latest(interactions: Interactions, days: float) -> Interactions:
    """The events of the last `days` before the latest event; the latest event itself is always among them."""
    if np.isinf(days):
        return interactions
    return interactions.select(interactions.times_ms > interactions.last_ms - days * DAY_MS)


def likeliest_window(interactions: Interactions) -> float:
    """The window in days that explains the latest tenth of the events best; infinite when the data cannot tell."""
    if not interactions.has_times:
        return float("inf")
    boundary = int(np.quantile(interactions.times_ms, 1 - _LATEST_SHARE, method="lower"))
    past = interactions.before(boundary)
    wanted = votes(interactions.select(interactions.times_ms >= boundary)).clip(min=0)
    if not len(past) or not wanted.any():
        return float("inf")
    span_days = (past.last_ms - int(past.times_ms.min())) / DAY_MS
    windows = [window for window in WINDOWS_DAYS if window < span_days] + [float("inf")]
    return max(windows, key=lambda window: _likelihood(votes(latest(past, window)), wanted))


def _likelihood(seen: Float64s, wanted: Float64s) -> float:
    """Mean log-probability of the wanted items under add-one smoothed popularity."""
    smoothed = seen.clip(min=0) + 1.0
    return float(wanted @ np.log(smoothed / smoothed.sum()) / wanted.sum())
