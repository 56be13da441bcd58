"""Subscribers of many starts, fitted up to a day that falls on no renewal: what is foretold is what comes."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.errors import InvalidInput
from bespeak.learn.predicting.subscriptions import fit_subscriptions
from bespeak.models.predictors.design import Names
from bespeak.models.predictors.renewals import NEVER, Subscriptions

N = 12_000
MONTH = 365.25 / 12
FIRST = np.datetime64("2023-01", "M")
CALIBRATED, END = (int(np.datetime64(day).astype(int)) for day in ("2024-03-31", "2024-12-15"))


def subscribers(seed: int, probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int64[N] twice: first day, always the first of a month, and last day; watched until 2024 is over."""
    draw = np.random.default_rng(seed)
    lost_at, began = draw.geometric(probability), draw.integers(0, 20, len(probability))
    start = (FIRST + began).astype("datetime64[D]").astype(int)
    end = (FIRST + began + np.minimum(lost_at, 200)).astype("datetime64[D]").astype(int)
    return start, np.where(began + lost_at < 24, end, NEVER)


def test_the_day_of_the_calibration_takes_sides_with_neither_those_who_leave_nor_those_who_stay():
    # On 31 March those who will leave on 1 April and those who will renew look alike: counting either is a bias.
    start, end = subscribers(1, np.random.default_rng(2).beta(0.8, 3.0, N))
    found = fit_subscriptions(Subscriptions.of_spans(np.arange(N), start, end, MONTH), CALIBRATED, end=END)
    assert (found.model.alpha, found.model.beta) == pytest.approx((0.8, 3.0), rel=0.1)
    assert found.by_age.holdout.predicted == pytest.approx(found.by_age.holdout.actual, rel=0.025)
    assert found.n_later > 0
    assert found.by_customer is None


def test_what_is_known_of_subscribers_tells_them_apart():
    draw = np.random.default_rng(3)
    plan = Names(["basic", "pro"], draw.integers(0, 2, N))
    start, end = subscribers(4, np.where(plan.codes == 1, 0.04, 0.2))
    paid = np.where(plan.codes == 1, 20.0, 10.0)
    paid[::10] = np.nan
    held = Subscriptions.of_spans(np.arange(N), start, end, MONTH)
    found = fit_subscriptions(held, CALIBRATED, end=END, paid=paid, columns={"plan": plan}, n_ahead=6)
    assert found.by_customer.holdout.predicted == pytest.approx(found.by_customer.holdout.actual, rel=0.025)
    assert found.by_customer.holdout.correlation > found.by_age.holdout.correlation
    is_pro = plan.codes[found.place] == 1
    assert found.stays[is_pro].mean() == pytest.approx(0.96**6, abs=0.03)
    assert found.stays[~is_pro].mean() == pytest.approx(0.8**6, abs=0.03)
    known = ~np.isnan(paid[found.place])
    assert found.expected_value[known] == pytest.approx((found.expected_renewals * paid[found.place])[known])
    assert np.isfinite(found.expected_value).all()


def test_who_has_cancelled_is_not_foretold_even_before_the_period_is_over():
    start = np.zeros(60, np.int64)
    end = np.concatenate([np.full(30, 31), [95] * 10, [NEVER] * 20])
    found = fit_subscriptions(Subscriptions.of_spans(np.arange(60), start, end, 31), 100, end=100)  # fmt: skip
    assert found.place.tolist() == list(range(40, 60))
    assert found.by_age.holdout is None


def test_nobody_left_and_amounts_of_nobody_are_refused():
    gone = Subscriptions.of_spans(np.arange(30), np.zeros(30), np.full(30, 31), 31)
    with pytest.raises(InvalidInput, match="nobody to predict"):
        fit_subscriptions(gone, 100, end=100)
    end = np.where(np.arange(40) < 30, 31, NEVER)
    held = Subscriptions.of_spans(np.arange(40), np.zeros(40), end, 31)
    with pytest.raises(InvalidInput, match="has an amount"):
        fit_subscriptions(held, 100, end=100, paid=np.full(40, np.nan))
