"""Lifetime value of subscribers, who tell when they leave: fitted up to a day, held beside what came after it.

Renewing by the shifted beta-geometric, and by a discrete-time hazard where something is known of the subscribers. Value
ahead is the renewals expected times what a subscriber pays for a period, undiscounted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bespeak.errors import InvalidInput
from bespeak.learn.predicting.lifetime import Holdout, held_beside
from bespeak.models.predictors.design import Columns, Names
from bespeak.models.predictors.hazard import Hazard
from bespeak.models.predictors.renewals import Renewals, Subscriptions
from bespeak.models.predictors.repeat_purchases import Float64s, Int64s
from bespeak.models.predictors.shifted_beta_geometric import ShiftedBetaGeometric

AHEAD = 12
"""Periods that are predicted where neither a number nor days after the calibration say how many."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """What one model says of those who are still there at the end of the calibration.

    Attributes:
        holdout: renewals predicted beside those made; None where nothing lies after the calibration.
        money: the same in money, each renewal at what the subscriber paid so far; None without amounts.
    """

    holdout: Holdout | None
    money: Holdout | None


@dataclass(frozen=True, slots=True, eq=False)
class SubscriptionLifetime:
    """What was found.

    Attributes:
        kept, lost: float64[k], renewed and lost at each occasion, up to the end of the calibration.
        n_subscriptions: that began by then; n_active: that went on.
        n_later: that began only after it; they are in no figure.
        by_age: what the shifted beta-geometric says; by_customer: what the hazard says, None without columns.
        n_ahead: how far ahead the predictions reach, in periods.
        mean_paid: for a period, by those who go on; None without amounts.
        place: int64[n_active], places as in the data; made: int64[n_active], their renewals.
        stays: float64[n_active], the probability that they renew at all occasions ahead.
        expected_renewals: float64[n_active].
        expected_value: float64[n_active] or None.
    """

    model: ShiftedBetaGeometric
    log_likelihood: float
    hazard: Hazard | None
    kept: Float64s
    lost: Float64s
    n_subscriptions: int
    n_active: int
    n_later: int
    by_age: Ahead
    by_customer: Ahead | None
    n_ahead: int
    mean_paid: float | None
    place: Int64s
    made: Int64s
    stays: Float64s
    expected_renewals: Float64s
    expected_value: Float64s | None


def fit_subscriptions(
    held: Subscriptions,
    calibration_end: int,
    *,
    end: int,
    n_ahead: int | None = None,
    paid: Float64s | None = None,
    columns: Columns | None = None,
    seed: int = 0,
) -> SubscriptionLifetime:
    """Fits what is known by the end of a day, and sets what it says of the days after it beside what came.

    Args:
        held: all subscriptions.
        calibration_end: last day that the models see (days since 1970).
        end: last day that was watched.
        n_ahead: periods to predict; else those until `end`, or `AHEAD` where the watch ended.
        paid: float64[n], for a period, as known at the end of the calibration; NaN where unknown.
        columns: what was known of each subscription when it began; fits the hazard too, which then predicts.
        seed: of the hazard's folds.

    Raises:
        InvalidInput: too little to learn from, or nobody is left to predict.
    """
    begun = np.flatnonzero(held.begun(calibration_end))
    known = held.renewals(calibration_end)
    then = Renewals(known.made[begun], known.is_lost[begun])
    kept, lost = then.by_occasion()
    model = ShiftedBetaGeometric.fit(kept, lost)
    place = begun[~then.is_lost & ~held.is_over(calibration_end)[begun]]
    if not len(place):
        raise InvalidInput("All subscriptions have ended, so there is nobody to predict.")
    made = known.made[place]
    price = None if paid is None else _price(paid[place])
    hazard = None if columns is None else Hazard.fit(_rows(columns, begun), then, np.random.default_rng(seed))

    n_watched = held.occasions(end)[place] - made if end > calibration_end else None
    later = held.renewals(end).made[place] - made

    def ahead(expected: Float64s) -> Ahead:
        if n_watched is None:
            return Ahead(None, None)
        money = None if price is None else held_beside(expected * price, later * price)
        return Ahead(held_beside(expected, later.astype(np.float64)), money)

    none = np.zeros(len(place), np.int64)
    watched = none if n_watched is None else n_watched
    reach = n_ahead if n_ahead is not None else int(watched.max()) or AHEAD
    far = none + reach
    if hazard is None or columns is None:
        by_customer, stays, expected = None, model.stays(made, far), model.expected_renewals(made, far)
    else:
        theirs = _rows(columns, place)
        by_customer = ahead(hazard.stays(theirs, made, watched)[1])
        stays, expected = hazard.stays(theirs, made, far)
    return SubscriptionLifetime(
        model=model,
        log_likelihood=model.log_likelihood(kept, lost),
        hazard=hazard,
        kept=kept,
        lost=lost,
        n_subscriptions=len(begun),
        n_active=len(place),
        n_later=len(held) - len(begun),
        by_age=ahead(model.expected_renewals(made, watched)),
        by_customer=by_customer,
        n_ahead=reach,
        mean_paid=None if price is None else float(price.mean()),
        place=place,
        made=made,
        stays=stays,
        expected_renewals=expected,
        expected_value=None if price is None else expected * price,
    )


def _rows(columns: Columns, rows: Int64s) -> Mapping[str, Float64s | Names]:
    return {name: column[rows] for name, column in columns.items()}


def _price(paid: Float64s) -> Float64s:
    """What each pays for a period; the mean of the others where it is unknown."""
    known = ~np.isnan(paid)
    if not known.any():
        raise InvalidInput("No subscription that goes on has an amount.", hint="Leave --amount out.")
    return np.where(known, paid, paid[known].mean())
