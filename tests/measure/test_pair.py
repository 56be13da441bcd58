"""Two groups side by side: the delta method by hand, and the dependence that a common covariate brings."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.measure.pair import metric, pair, unit_variance
from bespeak.measure.sums import Sums


def test_the_variance_of_a_ratio_is_that_of_the_published_example():
    # tea-tasting, tests/test_aggr.py: means 5 and 4, variances 3 and 2, covariance 1.
    sums = Sums(100, np.array([5.0, 4.0, 0.0, 1.0]), np.zeros((4, 4)))
    sums.products[:2, :2] = 99 * np.array([[3.0, 1.0], [1.0, 2.0]])
    assert unit_variance(sums) == pytest.approx(0.2265625)


def test_a_ratio_by_hand():
    # Per unit (y - r d) / dbar with r = 2: -1, 0, 1 over dbar 2 -> variance (1 / 2)^2 = .25.
    sums = Sums.of([1.0, 4.0, 7.0], [1.0, 2.0, 3.0])
    assert metric(sums) == 2
    assert unit_variance(sums) == pytest.approx(0.25)


def test_a_proportion_varies_by_p_times_one_minus_p():
    sums = Sums.from_totals(10, [3], [[3]])
    assert unit_variance(sums, is_proportion=True) == pytest.approx(0.3 * 0.7)
    assert unit_variance(sums) == pytest.approx(0.3 * 0.7 * 10 / 9)


def test_without_a_covariate_the_groups_do_not_depend_on_each_other():
    found = pair(Sums.of([1.0, 2.0, 4.0]), Sums.of([2.0, 5.0, 6.0]))
    assert found.covariance == 0
    assert found.difference_variance == pytest.approx(found.control_variance + found.variant_variance)


def test_adjusted_groups_depend_on_each_other_and_their_difference_knows_it():
    draw = np.random.default_rng(2)
    x = draw.normal(size=(2, 300))
    y = 2 * x + draw.normal(size=(2, 300))
    found = pair(Sums.of(y[0], covariate=x[0]), Sums.of(y[1], covariate=x[1]))
    assert found.covariance > 0
    whole = found.control_variance + found.variant_variance - 2 * found.covariance
    assert found.difference_variance == pytest.approx(whole)


def test_a_covariate_that_explains_all_leaves_no_variance():
    x = np.arange(10.0)
    assert pair(Sums.of(3 * x, covariate=x), Sums.of(3 * x + 1, covariate=x)).from_control == 0
