"""Ridge regression: gold values, right on average, and stable where the data are not."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.errors import InvalidInput
from bespeak.models.predictors.ridge import cross_fitted, fit_ridge, fit_tuned, folds_of, loss


@pytest.fixture(scope="module")
def rows():
    draw = np.random.default_rng(3)
    x = draw.normal(size=(2_000, 4))
    p = 1 / (1 + np.exp(-(-1.0 + x @ [1.0, -0.5, 0.0, 0.0])))
    return x, (draw.random(2_000) < p).astype(float), p


def test_two_points_and_a_penalty_worked_out_by_hand():
    # x = -1, 1; y = 0, 4: the slope without penalty is 2; with l2 = 2 it is 4 / (2 + 2) = 1, the intercept stays 2.
    found = fit_ridge(np.array([[-1.0], [1.0]]), np.array([0.0, 4.0]), kind="amount", l2=2.0)
    assert (found.intercept, found.beta.tolist()) == (2.0, [1.0])


def test_the_logistic_fit_has_no_slope_left(rows):
    x, y, _ = rows
    found = fit_ridge(x, y, kind="binary", l2=5.0)
    assert x.T @ (y - found.predict(x)) == pytest.approx(5.0 * found.beta, abs=1e-4)
    assert found.predict(x).mean() == pytest.approx(y.mean(), abs=1e-6)
    assert found.beta[:2] == pytest.approx([1.0, -0.5], abs=0.15)


def test_a_weight_of_two_is_the_row_twice(rows):
    x, y, _ = rows
    for kind in ("binary", "amount"):
        twice = fit_ridge(np.concatenate([x, x[:500]]), np.concatenate([y, y[:500]]), kind=kind, l2=1.0)
        weighed = fit_ridge(x, y, kind=kind, l2=1.0, weights=np.where(np.arange(2_000) < 500, 2.0, 1.0))
        assert weighed.beta == pytest.approx(twice.beta, abs=1e-6)


def test_columns_that_say_nothing_get_the_largest_penalty():
    draw = np.random.default_rng(4)
    x, y = draw.normal(size=(400, 30)), (draw.random(400) < 0.3).astype(float)
    assert fit_tuned(x, y, kind="binary", folds=folds_of(400, draw)).l2 >= 1_000


def test_what_separates_perfectly_stays_finite():
    x = np.linspace(-1, 1, 40)[:, None]
    found = fit_ridge(np.repeat(x, 2, axis=1), (x[:, 0] > 0).astype(float), kind="binary", l2=1e-6)
    assert np.isfinite(found.beta).all()
    assert fit_ridge(x, np.ones(40), kind="binary", l2=1.0).predict(x) == pytest.approx(np.full(40, 40.5 / 41))


def test_a_row_is_never_predicted_by_a_fit_that_saw_it():
    x, folds = np.arange(10.0)[:, None], np.arange(10) % 3
    seen = []

    def fit(learned):
        seen.append(set(np.flatnonzero(learned)))
        return lambda held: np.array([row in seen[-1] for row in held[:, 0]], float)

    assert not cross_fitted(fit, x, folds).any()


def test_the_loss_of_a_sure_mistake_is_finite():
    assert np.isfinite(loss(np.array([1.0]), np.array([0.0]), "binary")).all()


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((2, 1)), np.zeros(3), "equal length"),
        (np.zeros((0, 1)), np.zeros(0), "no row"),
        (np.full((2, 1), np.nan), np.zeros(2), "finite"),
        (np.zeros((2, 1)), np.array([0.0, 2.0]), "between 0 and 1"),
    ],
)
def test_what_cannot_be_fitted_is_refused(x, y, message):
    with pytest.raises(InvalidInput, match=message):
        fit_ridge(x, y, kind="binary", l2=1.0)
