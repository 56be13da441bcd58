"""Shifted beta-geometric: the published example to its digits, planted parameters, and the edges of its range."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.errors import InvalidInput
from bespeak.models.predictors.shifted_beta_geometric import ShiftedBetaGeometric

# Fader and Hardie (2007), table 1: percent of customers who survived, years 1 to 12; the first seven are fitted.
# The log-likelihoods are those of a second optimiser (Nelder-Mead on the beta functions).
HIGH_END = [86.9, 74.3, 65.3, 59.3, 55.1, 51.7, 49.1, 46.8, 44.5, 42.7, 40.9, 39.4]
REGULAR = [63.1, 46.8, 38.2, 32.6, 28.9, 26.2, 24.1, 22.3, 20.7, 19.4, 18.3, 17.3]


def of_thousand(percent: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Kept and lost of 1,000 customers in the seven years that are fitted."""
    there = np.round(np.array([100.0, *percent[:7]]) * 10)
    return there[1:], -np.diff(there)


@pytest.mark.parametrize(
    ("percent", "alpha", "beta", "log_likelihood"),
    [(HIGH_END, 0.668, 3.806, -1611.2), (REGULAR, 0.704, 1.182, -1680.3)],
)
def test_the_published_example_comes_out_to_its_digits(percent, alpha, beta, log_likelihood):
    kept, lost = of_thousand(percent)
    found = ShiftedBetaGeometric.fit(kept, lost)
    assert (found.alpha, found.beta) == pytest.approx((alpha, beta), abs=5e-4)
    assert found.log_likelihood(kept, lost) == pytest.approx(log_likelihood, abs=0.05)
    assert 100 * found.survival(np.arange(8, 13)) == pytest.approx(percent[7:], abs=1.7), "the years that were not seen"


def test_the_projected_survival_of_the_high_end_is_the_one_others_print():
    found = ShiftedBetaGeometric.fit(*of_thousand(HIGH_END))
    assert found.survival(np.arange(8, 13)) == pytest.approx([0.460, 0.436, 0.414, 0.395, 0.378], abs=5e-4)


def test_one_and_one_worked_out_by_hand():
    # alpha = beta = 1: half leave at the first occasion, a third of the rest at the second: S = 1/2, 1/3, 1/4.
    model = ShiftedBetaGeometric(1.0, 1.0)
    assert model.retention([1, 2, 3]) == pytest.approx([1 / 2, 2 / 3, 3 / 4])
    assert model.survival([0, 1, 2, 3]) == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4])
    assert model.stays([1], [2]) == pytest.approx([(1 / 4) / (1 / 2)])
    assert model.expected_renewals([0], [3]) == pytest.approx([1 / 2 + 1 / 3 + 1 / 4], abs=1e-6)
    assert model.log_likelihood(np.array([1.0]), np.array([1.0])) == pytest.approx(2 * np.log(1 / 2))


@pytest.mark.parametrize("alpha", [0.05, 0.7, 0.999_999_9, 1.0, 1.5, 40.0, 9_000.0])
@pytest.mark.parametrize(("made", "n_ahead"), [(0, 1), (3, 12), (200, 600), (5, 0)])
def test_expected_renewals_are_the_sum_of_the_survivals_ahead(alpha, made, n_ahead):
    model = ShiftedBetaGeometric(alpha, 2.5)
    summed = sum(float(model.stays([made], [step])[0]) for step in range(1, n_ahead + 1))
    assert model.expected_renewals([made], [n_ahead])[0] == pytest.approx(summed, rel=1e-6, abs=1e-9)


def test_planted_parameters_are_found_whatever_the_starts():
    draw = np.random.default_rng(1)
    lost_at = draw.geometric(draw.beta(0.8, 3.0, 20_000))
    seen = draw.integers(1, 19, 20_000)  # subscriptions of eighteen starts, all watched until the same day
    kept = np.array([np.sum((np.minimum(lost_at - 1, seen)) >= t) for t in range(1, 19)], float)
    lost = np.array([np.sum((lost_at == t) & (t <= seen)) for t in range(1, 19)], float)
    found = ShiftedBetaGeometric.fit(kept, lost)
    assert (found.alpha, found.beta) == pytest.approx((0.8, 3.0), rel=0.07)
    ahead = found.log_likelihood(kept, lost) - ShiftedBetaGeometric(0.8, 3.0).log_likelihood(kept, lost)
    assert 0 <= 2 * ahead < 9.21  # chi-square with 2 degrees of freedom: 99 % of draws


def test_customers_who_do_not_differ_have_large_parameters_and_the_same_retention_throughout():
    found = ShiftedBetaGeometric.fit(np.array([900.0, 810.0, 729.0]), np.array([100.0, 90.0, 81.0]))
    assert found.alpha + found.beta > 1_000
    assert found.retention([1, 2, 3]) == pytest.approx([0.9] * 3, abs=2e-3)


def test_a_retention_that_falls_runs_to_the_bound_and_says_so():
    found = ShiftedBetaGeometric.fit(np.array([950.0, 800.0, 500.0]), np.array([50.0, 150.0, 300.0]))
    assert found.at_bounds


@pytest.mark.parametrize(
    ("kept", "lost", "message"),
    [
        ([10.0], [9.0], "19 subscriptions came to their first renewal"),
        ([40.0, 30.0], [4.0, 0.0], "4 subscriptions ended"),
        ([], [], "0 subscriptions"),
        ([10.0], [9.0, 1.0], "equal length"),
    ],
)
def test_too_little_is_refused_with_what_is_needed(kept, lost, message):
    with pytest.raises(InvalidInput, match=message):
        ShiftedBetaGeometric.fit(np.array(kept), np.array(lost))
