"""Columns as a matrix: what was learned from the training rows holds for all others."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.models.predictors.design import Design, Names


def test_numbers_are_standardised_by_the_training_rows():
    design = Design.of({"age": np.array([10.0, 20.0, 30.0])})
    assert design.matrix({"age": np.array([20.0, 40.0])})[:, 0] == pytest.approx([0.0, 2.449], abs=1e-3)


def test_a_missing_number_is_the_mean_and_says_so():
    design = Design.of({"age": np.array([10.0, 30.0, np.nan, 20.0])})
    assert design.names == ("age", "age is missing")
    held = design.matrix({"age": np.array([np.nan, 20.0])})
    assert held[:, 0].tolist() == [0.0, 0.0]
    assert held[0, 1] > 0 > held[1, 1]


def test_a_long_tail_is_taken_by_its_logarithm():
    money = np.random.default_rng(1).lognormal(3, 1.5, 2_000)
    held = Design.of({"money": money}).matrix({"money": money})[:, 0]
    assert abs(float(np.mean(held**3))) < 0.5
    assert np.argsort(held).tolist() == np.argsort(money).tolist()


def test_rare_unseen_and_missing_names_have_no_column():
    names = Names(["a", "b", "rare"], np.array([0] * 30 + [1] * 30 + [2, -1]))
    design = Design.of({"site": names})
    assert design.names == ("site=a", "site=b")
    other = design.matrix({"site": Names(["b", "new"], np.array([0, 1, -1]))})
    assert (other[0, 1] > 0, other[1, 1] < 0, other[2, 1] < 0) == (True, True, True)


def test_columns_that_never_vary_have_none():
    design = Design.of({"same": np.ones(50), "all": Names(["x"], np.zeros(50, np.int64)), "none": np.full(50, np.nan)})
    assert design.names == ()
    assert design.matrix({"same": np.ones(3), "all": Names([], np.full(3, -1)), "none": np.ones(3)}).shape == (3, 0)
