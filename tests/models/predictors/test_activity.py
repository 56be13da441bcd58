"""Features at a point in time: counted by hand, and blind to everything later."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.models.predictors.activity import Activity, feature_names, features

CLASSES = ("purchase", "view")
#                                   person      class       day
ACTIVITY = Activity.of(CLASSES, [0, 0, 0, 0, 1], [1, 1, 0, 1, 1], [100, 100, 95, 60, 99], 3)


def named(day: int, person: int = 0) -> dict[str, float]:
    return dict(zip(feature_names(CLASSES), np.expm1(features(ACTIVITY, day)[person]), strict=True))


def test_counts_and_days_worked_out_by_hand():
    held = named(100)
    assert [held[f"view in {window} d"] for window in (1, 7, 30, 90)] == pytest.approx([2, 2, 2, 3])
    assert held["purchase in 1 d"] == pytest.approx(0)
    assert held["purchase in 7 d"] == pytest.approx(1)
    assert held["days since purchase"] == pytest.approx(5)
    assert held["days since anything"] == pytest.approx(0)
    assert held["days known"] == pytest.approx(40)
    assert held["active days"] == pytest.approx(3)
    assert held["usual pauses since"] == pytest.approx(0)
    assert named(110)["usual pauses since"] == pytest.approx(10 * 3 / 51)


def test_nothing_of_a_later_day_is_seen():
    assert named(99)["view in 90 d"] == pytest.approx(1)
    earlier = ACTIVITY.between(0, 99)
    assert features(ACTIVITY, 99).tolist() == features(earlier, 99).tolist()


def test_somebody_who_did_nothing_is_as_far_back_as_anybody_looks():
    held = named(100, person=2)
    assert held["days since anything"] == held["days since view"] == pytest.approx(90)
    assert held["active days"] == 0


def test_classes_that_are_not_there_are_nobody():
    assert not ACTIVITY.of_class("refund").has_any().any()
    assert ACTIVITY.of_class("purchase").has_any().tolist() == [True, False, False]
    assert ACTIVITY.of_class("").has_any().tolist() == [True, True, False]
