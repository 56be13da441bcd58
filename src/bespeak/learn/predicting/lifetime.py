"""Lifetime value of customers who may buy whenever they like: fitted up to a day, held beside what came after it.

Buying by BG/NBD, spending by Gamma-Gamma; purchases of one customer on one day count once. Value ahead is the purchases
expected times the average expected per purchase, undiscounted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bespeak.errors import InvalidInput
from bespeak.models.predictors.bg_nbd import BgNbd
from bespeak.models.predictors.gamma_gamma import GammaGamma, Independence, independence
from bespeak.models.predictors.repeat_purchases import Float64s, Int64s, PurchaseDays, RepeatPurchases

YEAR_DAYS = 365.25


@dataclass(frozen=True, slots=True)
class Holdout:
    """Predictions beside what happened after the calibration.

    Attributes:
        predicted, actual: sums over customers (days with a purchase, or money).
        mae: mean absolute error of a customer.
        correlation: over customers; None where either does not vary.
    """

    predicted: float
    actual: float
    mae: float
    correlation: float | None


@dataclass(frozen=True, slots=True)
class Spending:
    """What customers spend per purchase.

    Attributes:
        log_likelihood: of the repeat purchases' means.
        n_customers: with a repeat purchase of a known amount.
        mean: of their means.
        independence: whether spending goes along with the number of purchases.
        holdout: money predicted beside money spent; None where nothing lies after the calibration.
    """

    model: GammaGamma
    log_likelihood: float
    n_customers: int
    mean: float
    independence: Independence
    holdout: Holdout | None


@dataclass(frozen=True, slots=True, eq=False)
class Lifetime:
    """What was found.

    Attributes:
        n_customers: who bought by the end of the calibration; n_repeaters: on two days or more.
        n_later: customers who came only after it; they are in no figure.
        time: how far ahead the predictions reach, in units.
        holdout: None where nothing lies after the calibration.
        spending: None without amounts, or where `no_spending` says why not.
        customer: int64[n_customers], positions as in the data.
        purchases: their figures; alive, expected_purchases, expected_spent: float64[n_customers] each.
    """

    model: BgNbd
    log_likelihood: float
    n_customers: int
    n_repeaters: int
    n_later: int
    time: float
    holdout: Holdout | None
    spending: Spending | None
    no_spending: str
    customer: Int64s
    purchases: RepeatPurchases
    alive: Float64s
    expected_purchases: Float64s
    expected_spent: Float64s | None


def fit_lifetime(
    bought: PurchaseDays,
    calibration_end: int,
    *,
    end: int,
    days_per_unit: float = 7.0,
    time: float | None = None,
    has_amounts: bool = False,
) -> Lifetime:
    """Fits both models up to a day, and sets what they say of the days after it beside what came.

    Args:
        bought: all days with a purchase.
        calibration_end: last day that the models see (days since 1970).
        end: last day that was watched.
        days_per_unit: unit of time of parameters and figures.
        time: how far ahead to predict, in units; else until `end`, or a year where the watch ended.
        has_amounts: whether to fit what is spent.

    Raises:
        InvalidInput: too little to learn from.
    """
    who, purchases = bought.repeat_purchases(calibration_end, days_per_unit)
    model = BgNbd.fit(purchases)
    watched = (end - calibration_end) / days_per_unit
    ahead = time if time is not None else watched if watched > 0 else YEAR_DAYS / days_per_unit
    later = bought.until(end).after(calibration_end)
    n_ahead = model.expected_purchases(purchases, watched) if watched > 0 else None
    spending, no_spending, spent = None, "", None
    if has_amounts:
        try:
            spending, spent = _spending(bought, calibration_end, who, n_ahead, later)
        except InvalidInput as error:
            no_spending = str(error)
    return Lifetime(
        model=model,
        log_likelihood=model.log_likelihood(purchases),
        n_customers=len(who),
        n_repeaters=int((purchases.repeats > 0).sum()),
        n_later=int((bought.counts() > 0).sum()) - len(who),
        time=ahead,
        holdout=None if n_ahead is None else held_beside(n_ahead, later.counts()[who].astype(np.float64)),
        spending=spending,
        no_spending=no_spending,
        customer=who,
        purchases=purchases,
        alive=model.alive(purchases),
        expected_purchases=model.expected_purchases(purchases, ahead),
        expected_spent=spent,
    )


def _spending(
    bought: PurchaseDays, calibration_end: int, who: Int64s, n_ahead: Float64s | None, later: PurchaseDays
) -> tuple[Spending, Float64s]:
    spenders, n, mean = bought.spending(calibration_end)
    model = GammaGamma.fit(n, mean)
    known_n, known_mean = (np.zeros(bought.n_customers) for _ in range(2))
    known_n[spenders], known_mean[spenders] = n, mean
    expected = model.expected_spent(known_n[who], known_mean[who])
    if not np.isfinite(expected).all():
        raise InvalidInput("The amounts differ so much that they have no average to expect (q is at most 1).")
    holdout = None
    if n_ahead is not None:
        money = np.bincount(later.customer, np.nan_to_num(later.spent), bought.n_customers).astype(np.float64)
        holdout = held_beside(n_ahead * expected, money[who])
    found = Spending(
        model=model,
        log_likelihood=model.log_likelihood(n, mean),
        n_customers=len(n),
        mean=float(mean.mean()),
        independence=independence(n, mean),
        holdout=holdout,
    )
    return found, expected


def held_beside(predicted: Float64s, actual: Float64s) -> Holdout:
    """What was predicted of each customer beside what came, both float64[n]."""
    varies = bool(np.ptp(predicted) > 0 and np.ptp(actual) > 0)
    return Holdout(
        predicted=float(predicted.sum()),
        actual=float(actual.sum()),
        mae=float(np.abs(predicted - actual).mean()),
        correlation=float(np.corrcoef(predicted, actual)[0, 1]) if varies else None,
    )
