from __future__ import annotations

import math

import pytest

from bespeak.profiles.decay import Decayed, Moments

DAY = 86_400_000
PER_DAY = 1 / DAY


def test_a_half_life_later_half_is_left() -> None:
    views = Decayed(8.0, 0)
    assert views.at(3 * DAY, PER_DAY) == 1.0


def test_a_late_event_is_worth_what_it_would_have_been_in_time() -> None:
    in_time, late = Decayed(1.0, 0), Decayed(3.0, 2 * DAY)
    in_time.add(3.0, 2 * DAY, PER_DAY)
    late.add(1.0, 0, PER_DAY)
    assert in_time == late == Decayed(3.25, 2 * DAY, 2)


def test_a_join_is_the_sum_at_the_later_time_from_either_side() -> None:
    one, other = Decayed(4.0, 0), Decayed(1.0, DAY, 5)
    one.join(Decayed(1.0, DAY, 5), PER_DAY)
    other.join(Decayed(4.0, 0), PER_DAY)
    assert one == other == Decayed(3.0, DAY, 6)


def test_reading_before_the_latest_event_does_not_grow_the_sum() -> None:
    assert Decayed(2.0, 5 * DAY).at(0, PER_DAY) == 2.0


def test_extreme_distances_neither_overflow_nor_turn_into_nonsense() -> None:
    views = Decayed(1e12, 0)
    views.add(1e12, 4 * 10**15, PER_DAY)
    assert views.value == 1e12
    views.add(1e12, -(4 * 10**15), PER_DAY)
    assert views == Decayed(1e12, 4 * 10**15, 3)
    assert views.at(2**62, PER_DAY) == 0.0


def test_moments_weigh_recent_numbers_more() -> None:
    price = Moments(1.0, 10.0, 100.0, 0)
    price.add(40.0, DAY, PER_DAY)
    assert price.mean() == pytest.approx((0.5 * 10 + 40) / 1.5)
    assert price.spread() == pytest.approx(math.sqrt((0.5 * 100 + 1600) / 1.5 - 30.0**2))


def test_the_spread_of_equal_numbers_is_never_below_zero() -> None:
    price = Moments(1.0, 0.1, 0.1 * 0.1, 0)
    for _ in range(50):
        price.add(0.1, 0, PER_DAY)
    assert 0.0 <= price.spread() < 1e-7
