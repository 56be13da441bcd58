"""How the simulated people choose: utility, attention by position, probability of a click.

A person `p` who sees item `i` at position `k` (from 1) clicks it with probability

    P(click) = k^-0.8 * logistic(utility(p, i))

the examination law of a position-based click model times the appeal of the item. `utility` adds taste for category,
brand, colour and hidden style, popularity, quality and price. Nothing here draws: truth is computed, never estimated.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bespeak.simulate.goods import Goods
from bespeak.simulate.people import Person
from bespeak.simulate.ranges import COLOURS

EXAMINATION_EXPONENT = 0.8
"""Attention falls with position as k^-0.8."""

_BASE = -2.5
_CATEGORY, _BRAND, _COLOUR, _STYLE = 1.1, 0.55, 0.25, 0.6
_QUALITY, _PRICE, _POPULARITY = 0.35, 0.5, 0.25


def logistic(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-x)), elementwise; safe for large values.

    Example:
        >>> logistic(np.array([0.0, -2000.0])).tolist()
        [0.5, 0.0]
    """
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * values)))


def examination(n: int) -> NDArray[np.float64]:
    """Probability that each of `n` positions is looked at, float64[n].

    Example:
        >>> examination(3).round(3).tolist()
        [1.0, 0.574, 0.415]
    """
    return np.asarray(np.arange(1, n + 1, dtype=np.float64) ** -EXAMINATION_EXPONENT)


class Appeal:
    """The utilities of a world; row by row, so that a large world needs no people x items matrix."""

    def __init__(self, goods: Goods) -> None:
        self._goods = goods
        colours = {name: index for index, name in enumerate(COLOURS)}
        self._colour = np.array([colours[record["attributes"]["colour"]] for record in goods.records], dtype=np.int64)
        log_popularity = np.log(goods.popularity)
        self._common = (
            _BASE + _QUALITY * goods.quality + _POPULARITY * (log_popularity - log_popularity.mean())
        )  # what everybody agrees on

    def utility(self, person: Person) -> NDArray[np.float64]:
        """The logit of a click on each item, given that it is looked at, float64[n_items]."""
        goods = self._goods
        style = goods.style @ person.style / np.sqrt(len(person.style))
        return np.asarray(
            self._common
            + _CATEGORY * person.taste[goods.category]
            + _BRAND * person.brand_taste[goods.brand]
            + _COLOUR * person.colour_taste[self._colour]
            + _STYLE * style
            - _PRICE * person.price_sensitivity * goods.price_level
        )

    def click_probability(self, person: Person, slate: NDArray[np.int64]) -> NDArray[np.float64]:
        """Exact probability of a click on each position of a slate of item indices, float64[len(slate)]."""
        return np.asarray(examination(len(slate)) * logistic(self.utility(person)[slate]))
