"""The transparent score: `score = sum over signals of value * weight`.

The default weights below hold until a placement's own are learned (`learn.weights`), and for signals that were not met
then. They are chosen so that what a person just did moves the very next slate (session terms), a rich history is led by
the model that won the comparison, and a person about whom nothing is known gets what is popular, rising and new. A
term's name may match a rule ending in `.*`, and `*` matches every term; the most exact rule wins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from bespeak.decide.rankers.forest import Forest
from bespeak.decide.rankers.order import best_first

Float64s: TypeAlias = npt.NDArray[np.float64]
Int64s: TypeAlias = npt.NDArray[np.int64]

MAX_KNOWN = 4_096
"""Weights of so many names are kept: names of crosses hold words of requests, so there is no end of them."""

PRIOR_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "model.best": 1.5,
        "model.*": 0.5,
        "model.popularity": 0.2,
        "model.recent_popularity": 0.3,
        "model.trending": 0.1,
        "model.segment_popularity": 2.0,
        "model.attribute_factors": 1.0,
        "affinity.*": 1.0,
        "session.*": 3.5,
        "fit.*": 0.2,
        "context.*": 0.5,
        "popular": 0.4,
        "trending": 0.2,
        "fresh": 0.2,
        "click_rate": 0.3,
        "just_viewed": 0.3,
        "cart": 0.8,
        "repeat": -0.6,
        "fatigue": -0.05,
        "cross.*": 0.0,
        "match": 3.0,
        "listed": 1.0,
        "near": 1.0,
        "similar": 2.0,
        "alike": 0.5,
        "bought_with": 1.0,
        "viewed": 1.0,
        "bought": 1.0,
        "started": 1.0,
        "next": 1.0,
    }
)


@dataclass(frozen=True)
class Weights:
    """Weights of the linear score.

    Attributes:
        table: signal, or `family.*`, -> weight.
        version: 0 for the default weights; a learned set has its own.
        learned: signal -> weight, learned for one placement; it wins over the placement's and the table's.
        forest: trees whose sum is one more signal, `trees`; None where there are none.
        intercept, slope: of learned weights: the chance of a reward is logistic(intercept + slope * score).
    """

    table: Mapping[str, float] = field(default_factory=lambda: PRIOR_WEIGHTS)
    version: int = 0
    learned: Mapping[str, float] = field(default_factory=dict)
    forest: Forest | None = None
    intercept: float = 0.0
    slope: float = 0.0
    _known: dict[object, dict[str, float]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def of(self, names: Sequence[str], best_model: str, own: Mapping[str, float] = MappingProxyType({})) -> Float64s:
        """float64: the weight of each signal; 0 for one that no rule names.

        Args:
            names: the signals.
            best_model: the model that `model.best` stands for.
            own: a placement's weights; they win over the table's.

        Example:
            >>> Weights().of(["model.ease", "model.content", "popular"], "ease", {"popular": 1.0}).tolist()
            [1.5, 0.5, 1.0]
        """
        known = self._known.setdefault((best_model, *own.items()), {})
        if len(known) > MAX_KNOWN:
            known.clear()
        found = []
        for name in names:
            weight = known.get(name)
            if weight is None:
                weight = known[name] = self._weight(name, best_model, own)
            found.append(weight)
        return np.array(found, np.float64)

    def probabilities(self, scores: Float64s) -> Float64s | None:
        """float64: the chance that an item which is looked at brings a reward; None where no weights were learned.

        Example:
            >>> Weights(learned={"popular": 2.0}, intercept=-1.0, slope=0.5).probabilities(np.array([2.0])).tolist()
            [0.5]
        """
        return np.asarray(expit(self.intercept + self.slope * scores)) if self.slope > 0 else None

    def _weight(self, name: str, best_model: str, own: Mapping[str, float]) -> float:
        family = name.partition(".")[0] + ".*"
        exact = (name, "model.best") if best_model and name == f"model.{best_model}" else (name,)
        for table in (self.learned, own, self.table):
            for key in (*exact, family, "*"):
                if key in table:
                    return float(table[key])
        return 0.0


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores and the terms they are made of.

    Attributes:
        scores: float64[c].
        contributions: float64[c, f], value times weight; a row's terms add up to its score within 1e-12.
        weights: float64[f].
    """

    scores: Float64s
    contributions: Float64s
    weights: Float64s

    @cached_property
    def best_first(self) -> Int64s:
        """int64[c]: the candidates by falling score; of equals the first comes first."""
        return best_first(self.scores)


def linear(values: Float64s, weights: Float64s) -> Scored:
    """Scores all candidates: `values` float64[c, f], `weights` float64[f]."""
    contributions = values * weights
    return Scored(contributions.sum(axis=1), contributions, weights)
