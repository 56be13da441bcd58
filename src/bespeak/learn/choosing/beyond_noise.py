"""Which gains are more than luck, and which model stands where none is.

Of a dozen families with their settings the best figure is partly luck, and the more so the fewer people were asked. So
a gain counts only beyond one standard error of the paired difference over people, and what has less to be lucky with
stands until something beats it so: popularity before its recent kinds, those before a model with lists for each person.
This is the one-standard-error rule of Breiman and others ("Classification and Regression Trees", 1984). With hundreds
of people a difference that matters is many errors wide, and the best figure is taken.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bespeak.learn.intervals import group_sums
from bespeak.learn.splits import Split
from bespeak.models.base import Model
from bespeak.models.interactions import Float64s, Int32s
from bespeak.models.popular.popularity import Popularity

_BEYOND_NOISE = 1.0
"""Standard errors that a gain has to exceed to be worth a place. On made-up shops of 10 to 100 people two lost a part
of what personal models bring, and none fell below popularity where nobody had a taste."""

_FEWEST = 5
"""People below whom nothing is sure: the gains of two or three are easily equal, and then seem to be without error."""


def sure_gain(gains: Float64s, groups: Int32s) -> float:
    """The mean gain less the standard errors that could be noise; of two gains the surer one is taken.

    Args:
        gains: float64[n].
        groups: int32[n], whose gain each is: those of one person are no independent witnesses.

    Returns:
        Above zero where the gain is beyond noise; 0 for fewer than five people, who prove nothing.
    """
    sums, _ = group_sums(gains - gains.mean(), groups)
    if len(sums) < _FEWEST:
        return 0.0
    error = np.sqrt(len(sums) / (len(sums) - 1) * np.square(sums).sum()) / len(gains)
    return float(gains.mean() - _BEYOND_NOISE * error)


def first_choice(models: Sequence[Model], figures: Sequence[Float64s], groups: Int32s) -> int:
    """Which model has the first say: the simplest, unless the best of the less simple ones is surely better.

    Args:
        models: at least one.
        figures: of each model float64[n], what it reached at each question; the best on average first.
        groups: int32[n], who was asked each question.

    Example:
        >>> from bespeak.models import Ease
        >>> lucky, popular = np.array([0.0, 0.0, 1.0]), np.array([0.3, 0.2, 0.3])
        >>> first_choice([Ease(), Popularity()], [lucky, popular], np.arange(3, dtype=np.int32))
        1
    """
    steps = [_simplicity(model) for model in models]
    first, *others = (steps.index(step) for step in sorted(set(steps)))
    for place in others:
        if sure_gain(figures[place] - figures[first], groups) > 0:
            first = place
    return first


def _simplicity(model: Model) -> int:
    return 2 if model.personal else int(model.name != Popularity.name)


def groups_of(cuts: Sequence[Split]) -> Int32s:
    """int32[n]: who is asked in each row; somebody who is asked on several cuts is one person."""
    return np.concatenate([cut.people if cut.groups is None else cut.groups for cut in cuts])
