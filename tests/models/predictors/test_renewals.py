"""Subscriptions as renewals: what is known of them on which day, from spans and from payments."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.errors import InvalidInput
from bespeak.models.predictors.renewals import NEVER, Renewals, Subscriptions

MONTH = 365.25 / 12


def told(held: Subscriptions, day: int) -> list[tuple[int, bool]]:
    renewals = held.renewals(day)
    return list(zip(renewals.made.tolist(), renewals.is_lost.tolist(), strict=True))


def test_a_span_is_renewed_until_the_occasion_that_it_missed():
    held = Subscriptions.of_spans([0, 1, 2], [0, 0, 20], [75, NEVER, NEVER], MONTH)
    assert held.lost_at.tolist() == [3, 0, 0]
    assert told(held, 70) == [(2, False), (2, False), (1, False)]
    assert told(held, 95) == [(2, True), (3, False), (2, False)]
    assert told(held, 126) == [(2, True), (4, False), (3, False)]


def test_an_end_counts_when_renewing_would_so_that_neither_is_counted_too_early():
    held = Subscriptions.of_spans([0, 1], [0, 0], [31, NEVER], 31)
    assert told(held, 33) == [(0, False), (0, False)]
    assert held.is_over(33).tolist() == [True, False]
    assert told(held, 35) == [(0, True), (1, False)]


def test_months_of_any_length_end_at_their_renewal():
    starts = np.array([np.datetime64(f"2024-{month:02}-01") for month in range(1, 13)]).astype(int)
    ends = np.array([np.datetime64(f"{2024 + month // 12}-{month % 12 + 1:02}-01") for month in range(1, 13)]).astype(
        int
    )
    held = Subscriptions.of_spans(np.arange(12), starts, ends, MONTH)
    assert held.lost_at.tolist() == [1] * 12


def test_who_does_not_pay_for_half_a_month_has_ended_and_one_who_comes_back_begins_anew():
    held = Subscriptions.of_payments([0, 0, 0, 0, 1], [0, 30, 61, 180, 5], MONTH)
    assert held.customer.tolist() == [0, 0, 1]
    assert held.start.tolist() == [0, 180, 5]
    assert held.lost_at.tolist() == [3, 1, 1]
    assert told(held, 106)[0] == (2, False), "late, and perhaps still to pay"
    assert told(held, 107)[0] == (2, True)
    assert held.is_over(106).tolist() == [False, False, True]
    assert held.is_over(107).tolist() == [True, False, True]


def test_a_payment_that_may_still_come_is_no_renewal_yet():
    held = Subscriptions.of_payments([0, 0], [0, 31], MONTH)
    assert told(held, 45) == [(0, False)]
    assert told(held, 46) == [(1, False)]
    assert told(held, 31 + 30) == [(1, False)]


def test_a_cancellation_that_is_planned_counts_when_it_comes():
    held = Subscriptions.of_spans([0], [0], [90], MONTH)
    assert (told(held, 45), held.is_over(45).tolist()) == ([(1, False)], [False])
    assert (told(held, 95), held.is_over(95).tolist()) == ([(2, True)], [True])


def test_counts_by_occasion_add_up():
    kept, lost = Renewals([3, 0, 1, 3], [False, True, True, True]).by_occasion()
    assert kept.tolist() == [3, 2, 2, 0]
    assert lost.tolist() == [1, 1, 0, 1]
    kept, lost = Renewals([], []).by_occasion()
    assert len(kept) == len(lost) == 0


def test_none_are_none():
    for held in (Subscriptions.of_payments([], [], MONTH), Subscriptions.of_spans([], [], [], MONTH)):
        assert (
            len(held) == len(held.renewals(5)) == len(held.mean_paid(*(np.zeros(0, np.int64),) * 2, np.zeros(0))) == 0
        )


def test_what_was_paid_is_that_of_the_subscription_it_was_paid_in():
    held = Subscriptions.of_spans([1, 0, 1], [300, 5, 0], [NEVER, NEVER, 90], MONTH)
    who, day = np.array([1, 1, 1, 0, 1]), np.array([0, 31, 300, 5, 330])
    paid = held.mean_paid(who, day, np.array([10.0, 20.0, 7.0, np.nan, np.nan]))
    assert paid == pytest.approx([7.0, np.nan, 15.0], nan_ok=True)


def test_what_cannot_be_is_refused():
    with pytest.raises(InvalidInput, match="1 subscriptions end before they begin"):
        Subscriptions.of_spans([0, 1], [5, 5], [4, 9], 30)
    with pytest.raises(InvalidInput, match="equal length"):
        Renewals([1], [True, False])
    with pytest.raises(InvalidInput, match="fewer than 0"):
        Renewals([-1], [True])
