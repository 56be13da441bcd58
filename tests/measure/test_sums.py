"""Sums: parts add to the whole in any order, from values and from totals, also where the spread is tiny."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bespeak.errors import InvalidInput
from bespeak.measure.sums import Sums

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)
ROWS = st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=0, max_size=30)


def of(rows: list[tuple[float, float, float]]) -> Sums:
    columns = np.array(rows, np.float64).reshape(-1, 3).T
    return Sums.of(columns[0], columns[1], columns[2])


def assert_same(left: Sums, right: Sums) -> None:
    assert left.n == right.n
    np.testing.assert_allclose(left.means, right.means, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(left.products, right.products, rtol=1e-8, atol=1e-2)


@given(ROWS, ROWS, ROWS)
def test_parts_add_to_the_whole_in_any_order(a, b, c):
    whole = of(a + b + c)
    assert_same(of(a) + of(b) + of(c), whole)
    assert_same(of(c) + (of(b) + of(a)), whole)


@given(ROWS)
def test_nothing_added_changes_nothing(rows):
    assert (of(rows) + Sums.none()).n == len(rows)
    assert (Sums.none() + of(rows)).means.tolist() == of(rows).means.tolist()


def test_means_and_products_are_those_of_numpy():
    draw = np.random.default_rng(3).normal(size=(4, 50))
    found = Sums.of(*draw)
    np.testing.assert_allclose(found.means, draw.mean(axis=1))
    np.testing.assert_allclose(found.products / 49, np.cov(draw))


def test_totals_of_a_database_give_the_same_as_values():
    draw = np.random.default_rng(4).integers(0, 9, size=(3, 80)).astype(float)
    assert_same(Sums.from_totals(80, draw.sum(axis=1), draw @ draw.T), Sums.of(*draw))


def test_columns_that_are_left_out_are_constant():
    found = Sums.of([1.0, 2.0])
    assert found.means.tolist() == [1.5, 1.0, 0.0, 1.0]
    assert found.products[1:].tolist() == [[0.0] * 4] * 3


def test_a_spread_that_is_tiny_beside_the_mean_is_kept():
    # Sums of squares in 64 bits would lose it: (1e9)^2 has no room for 1.
    values = 1e9 + np.array([0.0, 1.0, 2.0, 3.0])
    parts = Sums.of(values[:2]) + Sums.of(values[2:])
    assert parts.products[0, 0] == pytest.approx(5.0, rel=1e-12)


def test_numbers_whose_squares_have_no_room_are_refused():
    assert Sums.of([1e100, -1e100]).n == 2
    for beyond in (1e101, -1e308):
        with pytest.raises(InvalidInput, match=r"A covariate lies beyond 1e\+100"):
            Sums.of([1.0, 2.0], covariate=[3.0, beyond])


@pytest.mark.parametrize(("n", "value"), [(3, 0.1), (3, 0.3), (6, 0.7), (1_000_003, 1.1)])
def test_totals_of_a_constant_leave_no_trace_of_a_spread(n, value):
    assert not Sums.from_totals(n, [n * value], [[n * value * value]]).products.any()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Sums.of([1.0, float("nan")]), "A value is not a finite number"),
        (lambda: Sums.of([1.0, 2.0], [1.0, float("inf")]), "A denominator is not a finite number"),
        (lambda: Sums.of([1.0, 2.0], covariate=[1.0]), "covariate has not one number for each of the 2 units"),
        (lambda: Sums.from_totals(3, [9.0], [[9.0]]), "smaller than its sum allows"),
        (lambda: Sums.from_totals(3, [9.0, 3.0], [[41.0]]), "2 totals of 3 units need 2 times 2 products"),
        (lambda: Sums.from_totals(0, [0.0], [[0.0]]), "at least one unit"),
    ],
)
def test_what_cannot_be_is_refused(make, says):
    with pytest.raises(InvalidInput, match=says):
        make()
