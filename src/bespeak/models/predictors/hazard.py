"""Discrete-time hazard: how probably a subscription ends at its next renewal, by how old it is and whose it is.

Each subscription is a row at each occasion that it reached: lost there or renewed. A ridge logistic regression of these
rows is a survival model (Singer and Willett 1993, "It's about time", Journal of Educational Statistics 18):

    logit h(t, x) = intercept + beta_0 log t + beta_t + x beta

with a level of its own for each of the first `MOST_LEVELS` occasions. All but the intercept are shrunk, with the
penalty that predicts held-out subscriptions best; so the levels bend the line of log t only where the data say so, and
later occasions follow the line. Rows of one subscription stay in one fold. Unlike the shifted beta-geometric it takes
what is known of a customer, and a retention that falls as time goes by (seasons, a discount that ends).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bespeak.models.predictors.design import Columns, Design, Names
from bespeak.models.predictors.renewals import Renewals
from bespeak.models.predictors.repeat_purchases import Float64s, Int64s
from bespeak.models.predictors.ridge import Ridge, fit_tuned, folds_of

MOST_LEVELS = 24
MOST_ROWS = 2_000_000
"""Rows that are fitted; of more, those of a random part of the subscriptions."""

_OCCASION, _LOG = "occasion", "log occasion"
_LEVELS = [str(t) for t in range(1, MOST_LEVELS + 1)]


@dataclass(frozen=True, slots=True, eq=False)
class Hazard:
    """A fitted hazard.

    Attributes:
        design: how columns become those of the regression; ridge: the regression.
    """

    design: Design
    ridge: Ridge

    @classmethod
    def fit(cls, columns: Columns, renewals: Renewals, rng: np.random.Generator) -> Hazard:
        """Fits occasions that were reached.

        Args:
            columns: what was known of each subscription when it began.
            renewals: what became of them.
            rng: of the folds, and of the part that is drawn.

        Raises:
            InvalidInput: nobody reached an occasion.
        """
        reached = renewals.made + renewals.is_lost
        drawn = rng.permutation(len(renewals))
        drawn = np.sort(drawn[np.cumsum(reached[drawn]) <= MOST_ROWS])
        row, n_rows = np.repeat(drawn, reached[drawn]), reached[drawn]
        occasion = np.arange(len(row)) - np.repeat(np.cumsum(n_rows) - n_rows, n_rows) + 1
        y = (renewals.is_lost[row] & (occasion == reached[row])).astype(np.float64)
        known = _with_time({name: column[row] for name, column in columns.items()}, occasion)
        design = Design.of(known)
        folds = folds_of(len(renewals), rng)[row]
        return cls(design, fit_tuned(design.matrix(known), y, kind="binary", folds=folds))

    def lost(self, columns: Columns, occasion: Int64s) -> Float64s:
        """float64[n]: the probability that each is lost at an occasion (from 1) that it reaches."""
        return self.ridge.predict(self.design.matrix(_with_time(columns, occasion)))

    def stays(self, columns: Columns, made: Int64s, n_ahead: Int64s) -> tuple[Float64s, Float64s]:
        """What the next occasions bring.

        Args:
            columns: what is known of each subscription. made: int64[n], renewals so far.
            n_ahead: int64[n], occasions ahead of each.

        Returns:
            float64[n], the probability that it renews at all of them, and float64[n], the renewals expected.
        """
        still, expected = np.ones(len(made)), np.zeros(len(made))
        for step in range(1, int(n_ahead.max(initial=0)) + 1):
            rows = np.flatnonzero(n_ahead >= step)
            ahead: Mapping[str, Float64s | Names] = {name: column[rows] for name, column in columns.items()}
            still[rows] *= 1.0 - self.lost(ahead, made[rows] + step)
            expected[rows] += still[rows]
        return still, expected


def _with_time(columns: Columns, occasion: Int64s) -> dict[str, Float64s | Names]:
    codes = np.where(occasion <= MOST_LEVELS, occasion - 1, -1)
    return {**columns, _LOG: np.log(occasion), _OCCASION: Names(_LEVELS, codes)}
