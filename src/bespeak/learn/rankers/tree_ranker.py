"""Whether boosted trees on top of a linear score are worth their place: grown, weighed and judged on different days.

Of the first part of the decisions (see `learn.weights`) most are grown on; the rest says how far to trust the trees:

    logit = intercept + a * linear + b * trees,    a and b at least 0, b ~ N(1/2, 1/2)

The later part judges linear + (b / a) * trees against the linear score alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from bespeak.decide.rankers.forest import Forest
from bespeak.learn.intervals import Interval
from bespeak.learn.rankers.position_bias import PositionBias
from bespeak.learn.rankers.shown import Float64s, ShownItems
from bespeak.learn.rankers.trees import grow
from bespeak.learn.rankers.weights import FITTED_SHARE, gain_by, likelier_by
from bespeak.models.predictors.logistic import LogisticFit, Rows, fit_logistic
from bespeak.models.predictors.newton import Prior

GROWN_SHARE = 0.8
MIN_REWARDED = 50
_LEAST_TRUST = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class LearnedTrees:
    """Trees beside the linear score that they start from.

    Attributes:
        forest: grown on everything.
        weight: of their sum, in units of the score; 0 where they are not trusted at all.
        likelier: how much likelier they make what people later chose than the linear score alone, as `LearnedWeights`.
        gain: likewise.
        tried: grown on the earlier part alone, `weight` being its own: what the comparisons are about.
        judged_from_ms: the first moment of what judges them.
    """

    forest: Forest
    weight: float
    likelier: Interval
    gain: Interval
    tried: Forest
    judged_from_ms: int

    @property
    def is_better(self) -> bool:
        """Whether they tell what people choose better than the linear score alone, and order no worse."""
        return self.weight > 0 and self.likelier.above_zero and not self.gain.below_zero


def learn_trees(
    shown: ShownItems, scores: Float64s, slope: float, bias: PositionBias, *, window_ms: int, seed: int = 0
) -> LearnedTrees | None:
    """Grows trees on top of a linear score and judges them; None where a part of the days has too few outcomes.

    Args:
        shown: the rows.
        scores: float64[n], the linear score of each.
        slope: what a unit of it is worth on the logit scale.
        bias: how likely positions are looked at.
        window_ms: the attribution window.
        seed: of the library and of the bootstrap.

    Raises:
        RuntimeError: the extra `trees` is not there.
    """
    looked = bias.examination_of(shown)
    is_earlier, is_later = shown.cut(FITTED_SHARE, window_ms)
    is_grown, is_weighed = (is_earlier & part for part in shown.cut(FITTED_SHARE * GROWN_SHARE, window_ms))
    if min(np.count_nonzero(shown.rewards[part]) for part in (is_grown, is_weighed, is_later)) < MIN_REWARDED:
        return None
    logits = slope * scores
    tried = grow(shown.select(is_grown), logits[is_grown], looked[is_grown], seed=seed)
    given = np.column_stack([logits, tried.scores(shown.names, shown.values)])
    trust = _trust(Rows.of(given[is_weighed], shown.rewards[is_weighed], looked[is_weighed]))
    alone = fit_logistic(Rows.of(given[is_weighed, :1], shown.rewards[is_weighed], looked[is_weighed]), Prior.none(1))
    later, seen = shown.select(is_later), looked[is_later]
    chances, held = (seen * expit(fit.logits(given[is_later, : len(fit.weights)])) for fit in (trust, alone))
    share = float(trust.weights[1] / max(trust.weights[0], _LEAST_TRUST))
    together = given[is_later, 0] + share * given[is_later, 1]
    return LearnedTrees(
        forest=grow(shown, logits, looked, seed=seed),
        weight=share / slope,
        likelier=likelier_by(later, chances, held, seed),
        gain=gain_by(later, together, given[is_later, 0], seen, seed),
        tried=tried,
        judged_from_ms=int(later.times_ms.min()),
    )


def _trust(rows: Rows) -> LogisticFit:
    spreads = np.array([np.inf, 0.5])
    return fit_logistic(rows, Prior(np.array([1.0, 0.5]), spreads, np.zeros(2), np.full(2, np.inf)))
