"""Purchase histories: one day counts once, and the calibration sees nothing that comes after it."""

from __future__ import annotations

from bespeak.models.predictors.repeat_purchases import PurchaseDays

BOUGHT = PurchaseDays.of(
    [0, 0, 0, 1, 2, 0, 1],
    [10, 10, 24, 12, 40, 45, 13],
    [1.0, 2.0, 8.0, 5.0, 9.0, 7.0, float("nan")],
)


def test_purchases_of_a_day_are_one_and_their_money_adds():
    assert BOUGHT.customer.tolist() == [0, 0, 0, 1, 1, 2]
    assert BOUGHT.day.tolist() == [10, 24, 45, 12, 13, 40]
    assert BOUGHT.spent.tolist()[:3] == [3.0, 8.0, 7.0]


def test_repeats_recency_and_age_are_counted_from_the_first_day_to_the_calibration_end():
    who, held = BOUGHT.repeat_purchases(31, 7.0)
    assert who.tolist() == [0, 1]
    assert held.repeats.tolist() == [1, 1]
    assert held.recency.tolist() == [2.0, 1 / 7]
    assert held.age.tolist() == [3.0, 19 / 7]


def test_spending_leaves_out_the_first_day_and_unknown_amounts():
    who, n, mean = BOUGHT.spending(31)
    assert (who.tolist(), n.tolist(), mean.tolist()) == ([0], [1.0], [8.0])
    who, n, mean = BOUGHT.spending(31, is_first_counted=True)
    assert (who.tolist(), n.tolist(), mean.tolist()) == ([0, 1], [2.0, 1.0], [5.5, 5.0])
    assert BOUGHT.after(31).counts().tolist() == [1, 0, 1]
