"""How people choose: features, planted weights, attention by position, probability of a click.

A person who sees item `i` at position `k` (from 1) clicks it with probability

    P(click) = k^-exponent * logistic(base + sum(weight * feature))

the examination law of a position-based click model times the appeal of the item. Nothing here draws: truth is computed,
never estimated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bespeak.simulate.behaviour import Behaviour, Weights
from bespeak.simulate.crowd.calendar import EVENING_HOUR
from bespeak.simulate.crowd.people import People
from bespeak.simulate.offer.stock import Stock

MEMORY = 8
"""How many looks a person remembers."""


def logistic(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-x)), elementwise; safe for large values.

    Example:
        >>> logistic(np.array([0.0, -2000.0])).tolist()
        [0.5, 0.0]
    """
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * values)))


def examination(n: int, exponent: float) -> NDArray[np.float64]:
    """Probability that each of `n` positions is looked at, float64[n].

    Example:
        >>> examination(3, 0.8).round(3).tolist()
        [1.0, 0.574, 0.415]
    """
    return np.asarray(np.arange(1, n + 1, dtype=np.float64) ** -exponent)


@dataclass(frozen=True, eq=False)
class Visits:
    """Visits of one day, ordered by time: all that a policy may know of them, and who it really is.

    Attributes:
        day: day of the world's time.
        person: who, int64[m]; behind the ids, so a policy that is not an oracle must not look.
        at_ms: begin, int64[m].
        hour: local hour, float64[m].
        device: place among the person's devices, int64[m].
        is_mobile: a phone, bool[m].
        campaign: index of what brought them here, int64[m].
        recent: the items they looked at lately, -1 where none, int64[m, MEMORY].
        epoch: how often the device's browser has forgotten its id, int64[m].
        is_logged_in: the site knows them at the begin of the visit, bool[m].
    """

    day: int
    person: NDArray[np.int64]
    at_ms: NDArray[np.int64]
    hour: NDArray[np.float64]
    device: NDArray[np.int64]
    is_mobile: NDArray[np.bool_]
    campaign: NDArray[np.int64]
    recent: NDArray[np.int64]
    epoch: NDArray[np.int64]
    is_logged_in: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.person)

    @property
    def is_evening(self) -> NDArray[np.bool_]:
        """After 18 o'clock local time, bool[m]."""
        return self.hour >= EVENING_HOUR

    def only(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> Visits:
        """Some of the visits."""
        arrays = ("person", "at_ms", "hour", "device", "is_mobile", "campaign", "recent", "epoch", "is_logged_in")
        return replace(self, **{name: getattr(self, name)[chosen] for name in arrays})


class Appeal:
    """The choice model of a world.

    Args:
        stock: the items.
        people: everybody.
        behaviour: drift day and position curve.
        weights: the planted weights.
    """

    def __init__(self, stock: Stock, people: People, behaviour: Behaviour, weights: Weights) -> None:
        self.weights = weights
        self._stock = stock
        self._people = people
        self.drift_day = behaviour.drift_day
        self.position_exponent = behaviour.position_exponent
        self._evening = np.array([kind.evening for kind in stock.kinds])[stock.kind].astype(np.float32)
        self._quality = stock.quality.astype(np.float32)
        self._log_popularity = stock.log_popularity.astype(np.float32)
        self._price_level = stock.price_level.astype(np.float32)
        self._style = (stock.style / np.sqrt(stock.style.shape[1])).astype(np.float32)
        common = weights.base + weights.quality * stock.quality + weights.popularity * stock.log_popularity
        self._common = common.astype(np.float32)

    def features(self, visits: Visits, items: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
        """The planted features of items in visits: name -> float32[m, k]; the names are those of the weights.

        Args:
            visits: who, when and on what.
            items: indices of items, int64[m, k].
        """
        who = visits.person[:, None]
        tastes = self._people.tastes_on(visits.day, self.drift_day)
        found = {facet: tastes[facet][who, values[items]] for facet, values in self._stock.facets.items()}
        level = self._price_level[items]
        found["style"] = np.einsum("mkd,md->mk", self._style[items], self._people.style[visits.person])
        found["quality"] = self._quality[items]
        found["popularity"] = self._log_popularity[items]
        found["price"] = -self._people.price_sensitivity.astype(np.float32)[who] * level
        found["evening"] = visits.is_evening[:, None] * self._evening[items]
        found["mobile_price"] = visits.is_mobile[:, None] * level
        found["fatigue"] = _times_in(items, visits.recent).astype(np.float32)
        return found

    def utility(self, visits: Visits, items: NDArray[np.int64]) -> NDArray[np.float32]:
        """The logit of a click on items in visits, given that they are looked at, float32[m, k]."""
        total = self._common[items]
        features = self.features(visits, items)
        for name, weight in self.weights.by_feature().items():
            if name not in ("quality", "popularity") and weight:
                total = total + np.float32(weight) * features[name]
        return np.asarray(total)

    def click_probability(self, visits: Visits, slates: NDArray[np.int64]) -> NDArray[np.float64]:
        """Exact probability of a click at each position of slates, float64[m, k]; 0 where a slate ends (-1)."""
        curve = examination(slates.shape[1], self.position_exponent)
        shown = np.maximum(slates, 0)
        chance = curve * logistic(self.utility(visits, shown).astype(np.float64))
        return np.where(slates >= 0, chance, 0.0)


def _times_in(items: NDArray[np.int64], recent: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often each item stands among the recent ones, int64[m, k]."""
    found = np.zeros(items.shape, dtype=np.int64)
    for column in range(recent.shape[1]):
        found += items == recent[:, column, None]
    return found
