"""Gamma-Gamma: a likelihood by hand, planted parameters, and the check that it may be used."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.errors import InvalidInput
from bespeak.models.predictors.gamma_gamma import GammaGamma, independence


def test_the_likelihood_worked_out_by_hand():
    # p = q = v = 1, one purchase of 1: G(2) / (G(1) G(1)) * 1 / (1 + 1)^2 = 1/4; two of mean 3: 2 * 3 * 4 / 7^3.
    model = GammaGamma(1.0, 1.0, 1.0)
    assert model.log_likelihood(np.array([1.0]), np.array([1.0])) == pytest.approx(np.log(1 / 4), rel=1e-12)
    assert model.log_likelihood(np.array([2.0]), np.array([3.0])) == pytest.approx(np.log(24 / 343), rel=1e-12)


def test_the_parameters_of_cdnow_expect_what_is_published():
    # The first buyers of the CDNOW sample (repeats and their mean), as the guide of Lifetimes lists them: 24.66, 18.91,
    # 35.17 without a repeat, 71.46 and 27.28.
    model = GammaGamma(p=6.2496, q=3.7442, v=15.4435)
    expected = model.expected_spent([2, 1, 0, 7, 2], [22.35, 11.77, 0, 73.74, 25.55])
    assert expected == pytest.approx([24.66, 18.91, 35.17, 71.46, 27.28], abs=6e-3)


def test_planted_parameters_are_found():
    draw = np.random.default_rng(1)
    x = 1.0 + draw.poisson(2, 6_000)
    mean = draw.gamma(6.0 * x, 1 / (x * draw.gamma(4.0, 1 / 15.0, 6_000)))
    found = GammaGamma.fit(x, mean)
    ahead = found.log_likelihood(x, mean) - GammaGamma(6.0, 4.0, 15.0).log_likelihood(x, mean)
    assert 0 <= 2 * ahead < 11.34  # chi-square with 3 degrees of freedom: 99 % of draws
    assert found.q == pytest.approx(4.0, rel=0.1)
    assert found.mean_spent == pytest.approx(mean.mean(), rel=0.03)
    assert independence(x, mean).holds


def test_cents_and_euros_are_the_same_people():
    draw = np.random.default_rng(2)
    x = 1.0 + draw.poisson(2, 500)
    mean = draw.gamma(3, 10, 500)
    euros, cents = GammaGamma.fit(x, mean), GammaGamma.fit(x, mean * 100)
    assert [cents.p, cents.q, cents.v / 100] == pytest.approx([euros.p, euros.q, euros.v], rel=1e-4)


def test_a_customer_is_pulled_towards_everybody_the_less_is_known():
    model = GammaGamma(6.25, 3.74, 15.44)
    nothing, little, much = model.expected_spent([0, 1, 50], [0, 100, 100])
    assert nothing == pytest.approx(model.mean_spent)
    assert model.mean_spent < little < much < 100


def test_spending_that_goes_along_with_buying_fails_the_check():
    draw = np.random.default_rng(3)
    x = 1.0 + draw.poisson(3, 2_000)
    assert not independence(x, draw.gamma(5, 2, 2_000) * x).holds
    assert not independence(x, draw.gamma(5, 2, 2_000) / x).holds
    assert independence(x[:20], draw.gamma(5, 2, 20)).holds  # too few to say otherwise
    assert independence(np.full(50, 2.0), draw.gamma(5, 2, 50)).correlation == 0.0


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(InvalidInput, match="needs 20"):
        GammaGamma.fit(np.ones(3), np.ones(3))
    with pytest.raises(InvalidInput, match="spend the same"):
        GammaGamma.fit(np.ones(30), np.full(30, 5.0))
    with pytest.raises(InvalidInput, match="above 0"):
        GammaGamma.fit(np.ones(30), np.zeros(30))
