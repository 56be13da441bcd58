"""Reliability: honest probabilities lie in their intervals, boastful ones do not."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.measure.reliability import auc, calibration_error, reliability


def test_honest_probabilities_lie_in_their_intervals():
    draw = np.random.default_rng(1)
    p = draw.beta(2, 5, 20_000)
    table = reliability(draw.random(20_000) < p, p)
    assert sum(one.low <= one.predicted <= one.high for one in table) >= 9
    assert calibration_error(table) < 0.01


def test_boastful_probabilities_are_found_out():
    draw = np.random.default_rng(2)
    p = draw.beta(2, 5, 20_000)
    table = reliability(draw.random(20_000) < p, np.clip(1.5 * p, 0, 1))
    assert sum(one.low <= one.predicted <= one.high for one in table) <= 2
    assert calibration_error(table) > 0.1


def test_the_area_counts_pairs():
    assert auc([1, 0, 1, 0], [0.9, 0.1, 0.4, 0.6]) == pytest.approx(3 / 4)
    assert auc([1, 1], [0.3, 0.9]) == 0.5
    assert reliability([], []) == []
    assert calibration_error([]) == 0.0
