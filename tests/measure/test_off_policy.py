"""Estimators on cases worked out by hand, their identities, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.errors import InvalidInput, UnknownName
from bespeak.measure.choices import Choices
from bespeak.measure.off_policy import ESTIMATORS, evaluate
from bespeak.measure.overlap import overlap


def column(*values: float) -> np.ndarray:
    return np.array(values, np.float64)


def repeated(n: int, *, assumption: str = "position", **columns: np.ndarray) -> Choices:
    """The same few rows n times, so that there are enough; decisions are numbered anew."""
    size = len(columns["reward"])
    decision = columns.pop("decision", None)
    many = {name: np.tile(held, n) for name, held in columns.items()}
    if decision is not None:
        many["decision"] = np.tile(decision, n) + np.repeat(np.arange(n), size) * (int(decision.max()) + 1)
    return Choices(**many, assumption=assumption)


SINGLE = {
    "reward": column(1, 0, 1, 0),
    "propensity": column(0.5, 0.5, 0.25, 1.0),
    "target": column(0.25, 1.0, 0.5, 0.5),  # weights .5, 2, 2, .5: mean 1.25
    "predicted": column(0.8, 0.2, 0.6, 0.4),
    "expected": column(0.5, 0.3, 0.7, 0.1),
}


def test_values_of_single_choices_are_those_worked_out_by_hand():
    found = evaluate(repeated(200, **SINGLE), list(ESTIMATORS)).estimates
    assert found["ips"].value == pytest.approx((0.5 + 2) / 4)
    assert found["snips"].value == pytest.approx((0.5 + 2) / 5)
    assert found["dm"].value == pytest.approx(1.6 / 4)
    rest = 0.5 * 0.2 + 2 * -0.2 + 2 * 0.4 + 0.5 * -0.4
    assert found["dr"].value == pytest.approx(1.6 / 4 + rest / 4)
    assert found["sndr"].value == pytest.approx(1.6 / 4 + rest / 5)
    assert found["dr"].difference == pytest.approx(1.6 / 4 + rest / 4 - 0.5)


def test_standard_errors_are_those_of_the_terms():
    log = repeated(200, **SINGLE)
    found = evaluate(log, ["ips", "snips"]).estimates
    terms = log.weights * log.reward
    assert found["ips"].standard_error == pytest.approx(terms.std(ddof=1) / np.sqrt(800))
    around = log.weights * (log.reward - found["snips"].value) / log.weights.mean()
    assert found["snips"].standard_error == pytest.approx(around.std(ddof=1) / np.sqrt(800))
    paired = terms - log.reward
    assert found["ips"].difference_error == pytest.approx(paired.std(ddof=1) / np.sqrt(800))


SLATES = {
    "decision": np.array([0, 0, 1, 1]),
    "position": np.array([1, 2, 1, 2]),
    "reward": column(1, 1, 0, 1),
    "propensity": column(0.5, 0.5, 0.5, 0.25),
    "target": column(0.5, 1.0, 0.25, 0.5),  # ratios 1, 2 and .5, 2
    "predicted": column(0.6, 0.5, 0.4, 0.3),
    "expected": column(0.7, 0.2, 0.5, 0.4),
}


def test_values_of_slates_add_up_positions():
    found = evaluate(repeated(300, **SLATES), ["ips", "snips", "dm", "dr"]).estimates
    assert found["ips"].value == pytest.approx((1 + 2 + 0 + 2) / 2)
    assert found["snips"].value == pytest.approx(1 / 1.5 + 4 / 4)
    assert found["dm"].value == pytest.approx(1.8 / 2)
    rest = 0.4 + 2 * 0.5 + 0.5 * -0.4 + 2 * 0.7
    assert found["dr"].value == pytest.approx((1.8 + rest) / 2)


def test_under_the_cascade_weights_are_products_down_to_the_row():
    log = repeated(300, **SLATES, assumption="cascade")
    assert log.weights[:4].tolist() == [1, 2, 0.5, 1]
    assert log.weights_before[:4].tolist() == [1, 1, 1, 0.5]
    found = evaluate(log, ["ips", "dm", "dr"]).estimates
    assert found["ips"].value == pytest.approx((1 + 2 + 0 + 1) / 2)
    assert found["dm"].value == pytest.approx((0.7 + 0.5) / 2)
    model = 0.7 + 1 * 0.2 + 0.5 + 0.5 * 0.4
    rest = 1 * 0.4 + 2 * 0.5 + 0.5 * -0.4 + 1 * 0.7
    assert found["dr"].value == pytest.approx((model + rest) / 2)


def test_the_logs_own_policy_is_valued_at_what_it_earned():
    rng = np.random.default_rng(3)
    chances = rng.uniform(0.1, 1, 2_000)
    reward = rng.normal(size=2_000)
    found = evaluate(Choices(reward, chances, chances), ["ips", "snips"])
    for estimate in found.estimates.values():
        assert estimate.value == pytest.approx(reward.mean())
        assert estimate.difference == pytest.approx(0, abs=1e-12)
        assert estimate.difference_interval == pytest.approx((0, 0), abs=1e-12)


def test_a_perfect_model_leaves_dr_without_correction():
    rng = np.random.default_rng(4)
    reward = rng.normal(size=1_000)
    target = rng.uniform(0.2, 0.8, 1_000)
    log = Choices(reward, np.full(1_000, 0.5), target, predicted=reward, expected=reward)
    found = evaluate(log, ["dr", "sndr", "switch", "dros", "dm"]).estimates
    assert {round(estimate.value, 12) for estimate in found.values()} == {round(float(reward.mean()), 12)}


def test_rows_of_a_person_count_as_one():
    rng = np.random.default_rng(5)
    person = np.repeat(np.arange(300), 4)
    reward = np.repeat(rng.random(300), 4)
    even = np.full(1_200, 0.5)
    alone = evaluate(Choices(reward, even, even), ["ips"]).logged
    together = evaluate(Choices(reward, even, even, unit=person), ["ips"]).logged
    assert together.standard_error == pytest.approx(2 * alone.standard_error, rel=0.01)


def test_without_skewness_the_interval_is_students():
    reward = np.tile([0.0, 1.0], 500)
    even = np.full(1_000, 0.5)
    found = evaluate(Choices(reward, even, even), ["ips"]).logged
    assert found.interval.high - 0.5 == pytest.approx(0.5 - found.interval.low)
    assert found.interval.high - 0.5 == pytest.approx(1.9623 * found.standard_error, rel=1e-4)


def test_too_few_effective_choices_are_refused_without_a_figure():
    log = repeated(30, **SINGLE)
    found = evaluate(log, ["ips"])
    assert not found.estimates
    assert "200 are needed" in found.refusal


def test_a_policy_that_does_what_was_never_tried_is_refused():
    log = repeated(300, **SINGLE, unsupported=column(0.2, 0, 0, 0.04))
    found = evaluate(log, ["ips"])
    assert not found.estimates
    assert found.refusal.startswith("6.0% of what the policy would do was never tried")


@pytest.mark.parametrize("reward", [0.0, 1.0])
def test_rewards_that_are_all_the_same_tell_nothing(reward):
    found = evaluate(Choices(np.full(4_000, reward), np.full(4_000, 0.5), np.tile([0.6, 0.4], 2_000)), ["ips"])
    assert not found.estimates
    assert "earned the same" in found.refusal


def test_a_mean_weight_far_below_one_is_refused_where_the_log_does_not_tell_why():
    log = Choices(np.zeros(4_000), np.full(4_000, 0.5), np.tile([0.45, 0.35], 2_000))
    found = evaluate(log, ["ips"])
    assert not found.estimates
    assert "about 20%" in found.refusal


def test_wrong_propensities_are_named():
    rng = np.random.default_rng(6)
    took = rng.random(5_000) < 0.4
    reward, target = rng.random(5_000), np.where(took, 0.7, 0.3)
    true, wrong = np.where(took, 0.4, 0.6), np.where(took, 0.35, 0.65)
    assert overlap(Choices(reward, true, target)).suspicion == ""
    found = overlap(Choices(reward, wrong, target))
    assert found.has_wrong_propensities
    assert found.suspicion.endswith("the propensities are wrong.")


def test_the_weakest_position_decides():
    few = np.where(np.arange(1_000) < 100, 1.0, 0.0)
    log = Choices(
        np.ones(2_000),
        np.repeat([0.5, 0.1], 1_000),
        np.concatenate([np.full(1_000, 0.5), few]),
        decision=np.tile(np.arange(1_000), 2),
        position=np.repeat([1, 2], 1_000),
    )
    found = overlap(log)
    assert found.effective_by_position == pytest.approx((1_000, 100))
    assert "at position 2" in found.refusal


ONE, HALF = np.ones(3), np.full(3, 0.5)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"reward": np.zeros(0), "propensity": np.zeros(0), "target": np.zeros(0)}, "no choice"),
        ({"reward": np.array([1, np.nan, 0])}, "reward"),
        ({"propensity": np.array([0.5, 0.0, 0.5])}, "propensity of row 2"),
        ({"propensity": np.array([0.5, 0.5, 1.2])}, "propensity of row 3"),
        ({"target": np.array([-0.1, 0.5, 0.5])}, "row 1"),
        ({"target": HALF[:2]}, "target"),
        ({"predicted": HALF}, "reward model"),
        ({"decision": np.arange(3)}, "position"),
        ({"decision": np.zeros(3, np.int64), "position": np.array([1, 2, 2])}, "twice"),
    ],
)
def test_a_log_that_cannot_be_is_refused(columns, said):
    with pytest.raises(InvalidInput, match=said):
        Choices(**{"reward": ONE, "propensity": HALF, "target": HALF, **columns})


def test_what_cannot_be_estimated_is_said():
    log = repeated(300, **SLATES, assumption="cascade")
    with pytest.raises(UnknownName, match="ipss"):
        evaluate(log, ["ipss"])
    with pytest.raises(InvalidInput, match="cascade"):
        evaluate(log, ["switch"])
    with pytest.raises(InvalidInput, match="reward model"):
        evaluate(Choices(ONE, HALF, HALF), ["dr"])
    with pytest.raises(InvalidInput, match="one decision"):
        evaluate(Choices(ONE, HALF, HALF, unit=np.zeros(3, np.int64)), ["ips"])


def test_the_digits_example_of_the_open_bandit_pipeline_to_its_digits():
    """Its README: logistic regression logs with alpha .8, a random forest is evaluated; seed 12345 throughout.

    The rows are counted as that example makes them (run once with scikit-learn 1.9.1): what the log's policy prefers is
    taken with .82, anything else with .02. The forest is right on 1,212 of 1,258 digits.
    """
    rows = {  # (is preferred, the forest takes it too, is right) -> how many
        (0, 0, 0): 221, (0, 0, 1): 1, (0, 1, 0): 1, (0, 1, 1): 1,
        (1, 0, 0): 34, (1, 0, 1): 18, (1, 1, 0): 11, (1, 1, 1): 971,
    }  # fmt: skip
    preferred, target, reward = np.repeat(np.array(list(rows), float), list(rows.values()), axis=0).T
    log = Choices(reward, np.where(preferred > 0, 0.82, 0.02), target, unsupported=np.zeros(len(reward)))
    truth = 1212 / len(reward)
    assert truth == 0.9634340222575517
    found = evaluate(log, ["ips"]).estimates["ips"]
    assert abs(found.value - truth) / truth == pytest.approx(0.01827255896321327, abs=1e-14)
    assert found.interval.low < truth < found.interval.high
