"""In worlds whose hazards are known, cancelling is foretold by probabilities that hold, from age and from behaviour."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.learn.predicting.cancelling import Cancelling
from bespeak.learn.predicting.predictions import learn_answers
from bespeak.measure.reliability import auc
from bespeak.models.predictors.activity import Activity
from bespeak.models.predictors.renewals import NEVER, Subscriptions, occasions_ahead
from bespeak.models.predictors.ridge import loss
from bespeak.models.predictors.shifted_beta_geometric import ShiftedBetaGeometric

SEED = 20_260_103
N, DAYS, PERIOD, WITHIN = 5_000, 300, 30, 30


def world(by_behaviour: bool) -> tuple[Activity, Subscriptions]:
    """People subscribe all the time: their activity and subscriptions.

    Either each leaves at a renewal with a probability of their own, whatever they do, or they lose interest at some
    time, come seldom from then on, and leave at each renewal with .5, before that with .05.
    """
    draw = np.random.default_rng(SEED)
    start, theta = draw.integers(0, DAYS, N), draw.beta(0.8, 3.0, N)
    interested_days = draw.exponential(90, N)
    end = np.full(N, NEVER)
    for month in range(DAYS // PERIOD + 1):
        due = start + PERIOD * (month + 1)
        p = np.where(due - start > interested_days, 0.5, 0.05) if by_behaviour else theta
        end = np.where((end == NEVER) & (draw.random(N) < p) & (due < DAYS), due, end)
    day = np.arange(DAYS)
    visits = np.where(day - start[:, None] > interested_days[:, None], 0.05, 0.3)
    there = (day >= start[:, None]) & (day < end[:, None])
    who, when = np.nonzero(there & (draw.random((N, DAYS)) < visits))
    who, when = np.append(who, np.arange(N)), np.append(when, start)
    kind = np.append(np.ones(len(who) - N, np.int64), np.zeros(N, np.int64))
    activity = Activity.of(("subscription", "view"), who, kind, when, N)
    return activity, Subscriptions.of_spans(np.arange(N), start, end, PERIOD)


def by_age(held: Subscriptions, date: int, people: np.ndarray) -> np.ndarray:
    """The probabilities of the shifted beta-geometric, fitted up to the date."""
    model = ShiftedBetaGeometric.fit(*held.renewals(date).by_occasion())
    return 1 - model.stays(*occasions_ahead(date - held.start[people], WITHIN, PERIOD))


@pytest.mark.parametrize("by_behaviour", [True, False])
def test_probabilities_of_cancelling_mean_what_they_say_and_use_what_there_is_to_know(by_behaviour):
    activity, held = world(by_behaviour)
    question = Cancelling(held, WITHIN)
    last = DAYS - 2
    _, quality = learn_answers(activity, question, 0, last, np.random.default_rng(SEED))
    assert all(one.low - 0.05 <= one.predicted <= one.high + 0.05 for one in quality.table)
    assert quality.calibration_error < 0.05

    date = last - WITHIN  # the date that was held back
    people = question.people(activity, date)
    truth = question.came_true(activity, date, people)
    age_alone = float(loss(truth.astype(float), by_age(held, date, people), "binary").mean())
    if by_behaviour:
        assert quality.auc > 0.65 > auc(truth, by_age(held, date, people))
        assert quality.log_loss < 0.95 * age_alone
    else:
        assert quality.log_loss < 1.03 * age_alone, "nothing but age tells, and it is not lost among the features"


def test_who_cancelled_or_never_subscribed_is_not_asked_of():
    held = Subscriptions.of_spans([0, 1, 1, 3], [0, 0, 50, 40], [30, 20, NEVER, NEVER], PERIOD)
    activity = Activity.of(("view",), np.arange(5), np.zeros(5), np.zeros(5), 5)
    question = Cancelling(held, WITHIN)
    assert question.people(activity, 10).tolist() == [0, 1]
    assert question.came_true(activity, 10, np.array([0, 1])).tolist() == [True, True]
    assert question.people(activity, 60).tolist() == [1, 3]
    assert question.more(60, np.array([1, 3])) == pytest.approx(np.array([[np.log(11), 1 / 3], [np.log(21), 2 / 3]]))
