"""BG/NBD: likelihoods worked out by hand, published figures, planted parameters, and data that would break sums."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import betaln, log_expit

from bespeak.errors import InvalidInput
from bespeak.models.predictors.bg_nbd import BgNbd
from bespeak.models.predictors.repeat_purchases import RepeatPurchases

CDNOW = BgNbd(r=0.2426, alpha=4.4135, a=0.7929, b=2.4258)


def population(model: BgNbd, n: int, age: float, seed: int) -> tuple[RepeatPurchases, np.ndarray]:
    """Customers as the model takes them to be, watched for `age`, and what each buys in as much time again."""
    draw = np.random.default_rng(seed)
    rate, leaving = draw.gamma(model.r, 1 / model.alpha, n), draw.beta(model.a, model.b, n)
    n_steps = 400
    times = np.cumsum(draw.exponential(1 / rate[:, None], (n, n_steps)), axis=1)
    left = draw.random((n, n_steps)) < leaving[:, None]
    is_there = np.cumsum(left, axis=1) - left == 0  # they leave after a purchase, which still counts
    seen, later = is_there & (times <= age), is_there & (times > age) & (times <= 2 * age)
    last = np.where(seen, times, 0.0).max(axis=1)
    return RepeatPurchases(seen.sum(axis=1), last, np.full(n, age)), later.sum(axis=1)


def test_the_likelihood_of_two_customers_worked_out_by_hand():
    # r = alpha = a = b = 1. Never again within 1: 1/2. Once at 1 within 2: 1/2 * 1/9 + 1/2 * 1/4 = 13/72.
    model = BgNbd(1.0, 1.0, 1.0, 1.0)
    customers = RepeatPurchases([0, 1], [0, 1], [1, 2])
    assert model.log_likelihood(customers) == pytest.approx(np.log(1 / 2) + np.log(13 / 72), rel=1e-12)
    assert model.alive(customers) == pytest.approx([1.0, 4 / 13], rel=1e-12)


def test_the_expectation_is_the_published_one():
    assert CDNOW.expected_purchases(RepeatPurchases([2], [30.43], [38.86]), 39)[0] == pytest.approx(1.226, abs=5e-4)


@pytest.mark.parametrize("a", [0.3, 0.999_999_9, 1.0, 1.5, 40.0])
@pytest.mark.parametrize(("x", "t_x"), [(0, 0.0), (1, 3.0), (7, 30.0), (2_000, 38.0)])
@pytest.mark.parametrize("time", [0.5, 39.0, 5_000.0])
def test_the_expectation_equals_its_integral(a, x, t_x, time):
    model = BgNbd(r=0.6, alpha=4.0, a=a, b=0.55)
    customer = RepeatPurchases([x], [t_x], [39.0])

    # Over the log-odds of leaving the integrand is smooth and fades on both sides: equal steps are exact.
    step, odds = 0.01, np.arange(-200.0, 100.0, 0.01)
    log_p, log_rest = log_expit(odds), log_expit(-odds)
    log_density = model.a * log_p + (model.b + x) * log_rest - betaln(model.a, model.b + x)
    bought = -np.expm1(-(model.r + x) * np.log1p(np.exp(log_p) * time / (model.alpha + 39.0))) / np.exp(log_p)
    area = step * float(np.exp(log_density) @ bought)
    assert model.expected_purchases(customer, time)[0] == pytest.approx(area * model.alive(customer)[0], rel=2e-6)


def test_planted_parameters_are_found_and_foretell_what_comes():
    truth = BgNbd(r=0.8, alpha=6.0, a=1.2, b=3.5)
    customers, later = population(truth, 6_000, 40.0, seed=4)
    found = BgNbd.fit(customers)
    assert [found.r, found.alpha] == pytest.approx([0.8, 6.0], rel=0.12)
    assert found.a / (found.a + found.b) == pytest.approx(1.2 / 4.7, rel=0.1)
    assert not found.at_bounds
    ahead = found.log_likelihood(customers) - truth.log_likelihood(customers)
    assert 0 <= 2 * ahead < 13.28  # chi-square with 4 degrees of freedom: 99 % of draws
    assert found.expected_purchases(customers, 40.0).sum() == pytest.approx(later.sum(), rel=0.05)


def test_the_unit_of_time_changes_alpha_alone():
    customers, _ = population(CDNOW, 1_000, 40.0, seed=5)
    weeks = BgNbd.fit(customers)
    days = BgNbd.fit(RepeatPurchases(customers.repeats, customers.recency * 7, customers.age * 7))
    assert [days.r, days.alpha / 7, days.a, days.b] == pytest.approx([weeks.r, weeks.alpha, weeks.a, weeks.b], rel=1e-4)


def test_heavy_buyers_give_finite_figures():
    draw = np.random.default_rng(6)
    x = np.concatenate([draw.poisson(3_000, 200), draw.poisson(1, 200)])
    t_x = np.where(x > 0, draw.uniform(300, 364, 400), 0.0)
    customers = RepeatPurchases(x, t_x, np.full(400, 365.0))
    found = BgNbd.fit(customers)
    ahead = found.expected_purchases(customers, 365.0)
    assert np.isfinite([found.r, found.alpha, found.a, found.b, found.log_likelihood(customers)]).all()
    assert np.isfinite(ahead).all()
    assert ((found.alive(customers) >= 0) & (found.alive(customers) <= 1)).all()


def test_nobody_who_leaves_runs_to_a_bound_and_says_so():
    n = 300
    x = np.random.default_rng(7).poisson(5, n) + 1.0
    found = BgNbd.fit(RepeatPurchases(x, np.full(n, 10.0), np.full(n, 10.0)))
    assert found.at_bounds


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([3] * 19, "customers to learn from: 19;"),
        ([0] * 50, "50 customers 0 bought on a second day"),
        ([], "customers to learn from: 0;"),
    ],
)
def test_too_little_is_refused_with_what_is_needed(x, message):
    x = np.array(x, float)
    with pytest.raises(InvalidInput, match=message):
        BgNbd.fit(RepeatPurchases(x, np.where(x > 0, 5.0, 0.0), np.full(len(x), 9.0)))


def test_a_last_purchase_after_the_end_is_refused():
    with pytest.raises(InvalidInput, match="after the end"):
        RepeatPurchases([1], [5], [4])
    with pytest.raises(InvalidInput, match="finite"):
        RepeatPurchases([1], [float("nan")], [4])
    with pytest.raises(InvalidInput, match="time ahead"):
        CDNOW.expected_purchases(RepeatPurchases([1], [3], [4]), float("inf"))
