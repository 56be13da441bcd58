"""In a world whose hazards are known, churn is foretold about as well as it can be, by probabilities that hold."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.errors import InvalidInput
from bespeak.learn.predicting.predictions import Question, learn_answers
from bespeak.measure.reliability import auc
from bespeak.models.predictors.activity import Activity

SEED = 20_260_102
DAYS = 240
STAY = 120
CHURN = Question(of="", direction="does not", within_days=30, among_days=60)


def world(n_people: int, seed: int) -> tuple[Activity, np.ndarray]:
    """People join all the time, come at their own rate and leave for good: activity and rates."""
    draw = np.random.default_rng(seed)
    rate, joined = draw.gamma(1.5, 0.1, n_people), draw.integers(-300, DAYS, n_people)
    left = joined + draw.exponential(STAY, n_people)
    days = np.arange(DAYS)
    there = (days >= joined[:, None]) & (days < np.maximum(left, joined + 1)[:, None])
    person, day = np.nonzero(there & (draw.random((n_people, DAYS)) < rate[:, None]))
    kind = (draw.random(len(person)) < 0.1).astype(int)
    return Activity.of(("purchase", "view"), person, 1 - kind, day, n_people), rate


def test_probabilities_of_churn_mean_what_they_say_and_come_close_to_the_truth():
    activity, _ = world(10_000, SEED)
    answers, quality = learn_answers(activity, CHURN, 0, DAYS - 1, np.random.default_rng(SEED))
    # Within noise, but for two points that a straight line on the log-odds cannot bend to.
    assert all(one.low - 0.02 <= one.predicted <= one.high + 0.02 for one in quality.table)
    assert quality.calibration_error < 0.03
    assert quality.log_loss < 0.8 * quality.base_log_loss

    # Against people whom it never saw, beside the best that can be known: Bayes with everybody's own rate.
    fresh, rate = world(4_000, SEED + 1)
    date = DAYS - 31
    asked = fresh.between(date - 59, date).has_any()
    churned = ~fresh.between(date + 1, date + 30).has_any()[asked]
    p, best = answers.probabilities(fresh, date)[asked], bayes(fresh, rate, date)[asked]
    assert auc(churned, best) > 0.85
    assert auc(churned, p) > auc(churned, best) - 0.02
    assert p.mean() == pytest.approx(churned.mean(), abs=0.03)


def bayes(activity: Activity, rate: np.ndarray, date: int) -> np.ndarray:
    """The probability of nothing in 30 days, given the rate, the rate of leaving, and the days since the last visit."""
    last = np.zeros(len(rate))
    seen = activity.between(0, date)
    np.maximum.at(last, seen.person, seen.day)
    both = rate + 1 / STAY

    def silent(days):
        return np.exp(-both * days), (1 - np.exp(-both * days)) / STAY / both

    here, gone = silent(date - last)
    return 1 - here / (here + gone) * (1 - sum(silent(30)))


def test_shuffled_people_cannot_be_foretold():
    activity, _ = world(1_500, SEED)
    draw = np.random.default_rng(SEED)
    before, after = activity.between(0, DAYS - 31), activity.between(DAYS - 30, DAYS)
    other = draw.permutation(1_500)
    parts = [
        np.concatenate([one, two])
        for one, two in (
            (before.person, other[after.person]),
            (before.code, after.code),
            (before.day, after.day),
            (before.n, after.n),
        )
    ]
    mixed = Activity(activity.classes, *parts, 1_500)
    _, quality = learn_answers(mixed, CHURN, 0, DAYS - 1, draw)
    assert quality.auc == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(("days", "n_people", "message"), [(70, 300, "tells of 70 days"), (DAYS, 40, "are too few")])
def test_too_little_is_refused_with_what_is_missing(days, n_people, message):
    activity, _ = world(n_people, SEED)
    with pytest.raises(InvalidInput, match=message):
        learn_answers(activity.between(0, days - 1), CHURN, 0, days - 1, np.random.default_rng(1))
