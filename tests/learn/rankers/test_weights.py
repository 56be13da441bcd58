"""Learned weights: better where there is something to learn, the defaults where there is not, never from nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.special import expit

from bespeak.learn.rankers.position_bias import position_bias
from bespeak.learn.rankers.shown import ShownItems, choice_likelihood, no_rows, reordered_gain
from bespeak.learn.rankers.weights import LearnedWeights, Sign, fit_score, learn_weights, missing_rows
from bespeak.measure.reliability import auc

NAMES = ("model.ease", "affinity.genre", "popular", "repeat", "noise")
USUAL = np.array([1.5, 1.0, 0.4, -0.6, 0.0])
TRUE = np.array([0.3, 2.0, 0.4, -0.6, 0.0])
HOUR_MS = 3_600_000
SIZE = 6


def shown_to(
    n_decisions: int,
    *,
    seed: int = 0,
    true: np.ndarray = TRUE,
    policy: np.ndarray = USUAL,
    exponent: float = 0.8,
    explore: float = 0.2,
    n_people: int = 120,
) -> ShownItems:
    """Slates of `SIZE` out of 30 candidates by a policy that explores, and the clicks of a position-based model."""
    rng = np.random.default_rng(seed)
    columns: dict[str, list[float]] = {name: [] for name in ("reward", "decision", "item", "position", "p", "score")}
    values = []
    for decision in range(n_decisions):
        candidates = rng.random((30, len(NAMES)))
        scores, is_open = candidates @ policy, np.ones(30, bool)
        for position in range(1, SIZE + 1):
            chances = np.where(is_open, explore / is_open.sum(), 0.0)
            chances[np.argmax(np.where(is_open, scores, -np.inf))] += 1 - explore
            item = int(rng.choice(30, p=chances))
            is_open[item] = False
            chance = position**-exponent * expit(-2.5 + 1.2 * candidates[item] @ true)
            values.append(candidates[item])
            row = (float(rng.random() < chance), decision, item, position, chances[item], scores[item])
            for name, value in zip(columns, row, strict=True):
                columns[name].append(value)
    decisions = np.array(columns["decision"], np.int64)
    return ShownItems(
        names=NAMES,
        values=np.array(values),
        rewards=np.array(columns["reward"]),
        decisions=decisions,
        people=decisions % n_people,
        items=np.array(columns["item"], np.int32),
        positions=np.array(columns["position"], np.int32),
        devices=np.zeros(len(decisions), np.int32),
        device_names=("mobile",),
        propensities=np.array(columns["p"]),
        scores=np.array(columns["score"]),
        times_ms=decisions * HOUR_MS,
    )


SHOWN = shown_to(4000)


def learned(shown: ShownItems, *, current: np.ndarray = USUAL, signs: dict[str, Sign] | None = None) -> LearnedWeights:
    return learn_weights(shown, USUAL, shown.values @ current, window_ms=HOUR_MS, signs=signs)


def test_planted_weights_are_found_in_units_of_the_default_score() -> None:
    found = learned(SHOWN)
    scaled = TRUE * 1.2 / found.score.slope
    errors = np.maximum(found.score.standard_errors, 1e-9)
    assert (np.abs(found.score.weights - scaled)[:4] < 4 * errors[:4] + 0.1).all()
    assert found.is_better
    assert found.auc > found.current_auc
    assert found.gain.mean > -0.01


def test_probabilities_are_calibrated() -> None:
    found = learned(SHOWN)
    for part in found.calibration:
        assert part.observed == pytest.approx(part.predicted, abs=0.05)
    later = shown_to(1500, seed=9)
    looked = found.bias.examination_of(later)
    chances = looked * found.score.probabilities(later.values)
    assert chances.mean() == pytest.approx(later.rewards.mean(), abs=0.015)


def test_weights_that_are_right_already_are_not_replaced() -> None:
    found = learned(SHOWN, current=TRUE)
    assert not found.is_better


def test_shuffled_rewards_teach_nothing() -> None:
    rng = np.random.default_rng(1)
    few, areas = SHOWN.select(SHOWN.decisions < 1500), []
    for _ in range(8):
        rewards = rng.permutation(few.rewards)
        mixed = ShownItems(**{**{f: getattr(few, f) for f in few.__dataclass_fields__}, "rewards": rewards})
        found = learned(mixed)
        areas.append(found.auc)
        assert found.likelier.low < 0.01
    assert np.mean(areas) == pytest.approx(0.5, abs=0.02)


def test_with_little_data_the_weights_stay_near_the_defaults() -> None:
    few = shown_to(60, seed=3)
    score = fit_score(few, USUAL, ["positive"] * 3 + ["negative", "free"], position_bias(few))
    assert np.abs(score.weights - USUAL).max() < 0.5


def test_signs_hold_unless_the_placement_frees_them_and_fixed_holds_the_weight() -> None:
    against = shown_to(3000, seed=4, true=np.array([1.5, 1.0, -2.0, -0.6, 0.0]))
    kept = learned(against)
    place = NAMES.index("popular")
    assert kept.score.weights[place] == 0.0
    assert any("popular" in warning and "positive" in warning for warning in kept.warnings)
    free = learned(against, signs={"popular": "free"})
    assert free.score.weights[place] < -0.5
    fixed = learned(against, signs={"popular": "fixed", "model.*": "fixed"})
    assert fixed.score.weights[place] == pytest.approx(USUAL[place])
    assert fixed.score.weights[0] == pytest.approx(USUAL[0])


def test_a_warning_names_the_signal_that_says_the_same() -> None:
    rng = np.random.default_rng(7)
    shown = shown_to(3000, seed=7, true=np.array([3.0, 0.0, 0.4, -0.6, 0.0]))
    values = shown.values.copy()
    values[:, 1] = values[:, 0] + 0.05 * rng.normal(size=len(shown))
    rewards = (rng.random(len(shown)) < expit(-2 + 4 * values[:, 0] - 2.5 * values[:, 1])).astype(float)
    alike = ShownItems(
        **{**{f: getattr(shown, f) for f in shown.__dataclass_fields__}, "values": values, "rewards": rewards}
    )
    found = learned(alike)
    assert any("affinity.genre says much the same as model.ease" in warning for warning in found.warnings)
    assert found.score.weights[1] == 0.0


def test_what_is_missing_is_counted() -> None:
    assert missing_rows(no_rows(), HOUR_MS) == "1,000 shown items, 100 outcomes and 30 people are missing"
    assert missing_rows(SHOWN, HOUR_MS) == ""
    assert missing_rows(SHOWN, 4000 * HOUR_MS).startswith("more days are missing")


def test_learned_weights_in_use_are_judged_by_what_came_after_them() -> None:
    until_ms = int(SHOWN.times_ms.max()) // 2
    found = learn_weights(SHOWN, USUAL, SHOWN.values @ TRUE, window_ms=HOUR_MS, since_ms=until_ms)
    judged = sum(part.n for part in found.calibration)
    assert judged == np.count_nonzero(SHOWN.times_ms > until_ms)
    assert not found.is_better
    assert (
        missing_rows(SHOWN, HOUR_MS, int(SHOWN.times_ms.max()))
        == "more outcomes since those in use were learned are missing"
    )


def test_the_cut_keeps_open_windows_out_of_the_first_part() -> None:
    earlier, later = map(SHOWN.select, SHOWN.cut(0.5, 10 * HOUR_MS))
    assert later.decisions.min() == 2000
    assert earlier.decisions.max() == 1989
    assert len(later) == 2000 * SIZE


def rows(scores: Sequence[float], rewards: Sequence[float], decisions: Sequence[int]) -> ShownItems:
    n = len(scores)
    empty = no_rows(("x",))
    return ShownItems(
        **{
            **{f: getattr(empty, f) for f in empty.__dataclass_fields__},
            "values": np.array(scores)[:, None],
            "rewards": np.array(rewards),
            "decisions": np.array(decisions, np.int64),
            "people": np.array(decisions, np.int64) * 10,
            "positions": np.ones(n, np.int32),
        }
    )


def test_the_gain_of_an_order_by_hand() -> None:
    shown = rows([3, 2, 1, 1, 5], [0, 1, 0, 0, 0], [1, 1, 1, 2, 2])
    found = reordered_gain(shown, shown.values[:, 0], np.ones(5))
    assert found.tolist() == [pytest.approx(1 / np.log2(3)), 0.0]
    # a reward at a place that a quarter looks at counts four times
    found = reordered_gain(shown, shown.values[:, 0], np.array([1.0, 0.25, 1.0, 1.0, 1.0]))
    assert found[0] == pytest.approx(4 / np.log2(3))


def test_the_likelihood_of_a_choice_by_hand() -> None:
    shown = rows([0, 0, 0, 0, 0], [0, 1, 0, 0, 0], [1, 1, 1, 2, 2])
    logs, people = choice_likelihood(shown, np.array([0.5, 0.75, 0.5, 0.1, 0.1]))
    assert logs.tolist() == [pytest.approx(np.log(3 / 5))]
    assert people.tolist() == [10]
    twice, _ = choice_likelihood(shown, np.array([1 / 3, 0.6, 1 / 3, 0.1, 0.1]))  # odds halved: the choice as likely
    assert twice[0] == pytest.approx(logs[0])


def test_area_under_curve_by_hand() -> None:
    assert auc(np.array([0.0, 1.0, 0.0, 1.0]), np.array([1.0, 2.0, 2.0, 3.0])) == 3.5 / 4
    assert auc(np.array([0.0, 1.0, 0.0, 1.0]), np.ones(4)) == 0.5
    assert auc(np.zeros(2), np.ones(2)) == 0.5


@pytest.mark.parametrize("sign", ["positive", "negative", "free", "fixed"])
def test_any_sign_can_be_forced(sign: Sign) -> None:
    found = learned(shown_to(600, seed=8), signs={"noise": sign})
    weight = found.score.weights[NAMES.index("noise")]
    assert {"positive": weight >= 0, "negative": weight <= 0, "free": True, "fixed": weight == 0}[sign]


def test_a_planted_cross_raises_what_slates_bring() -> None:
    """Half of the visits are on phones, where dear things are passed over."""
    rng = np.random.default_rng(11)
    plain = shown_to(3000, seed=11, true=USUAL)
    is_mobile = (plain.decisions % 2 == 0).astype(float)
    price = rng.uniform(-1, 1, len(plain))
    looked = plain.positions**-0.8
    chances = looked * expit(-2.5 + 1.2 * (plain.values @ USUAL) - 2.0 * is_mobile * price)
    columns = {f: getattr(plain, f) for f in plain.__dataclass_fields__}
    columns["rewards"] = (rng.random(len(plain)) < chances).astype(float)
    columns["names"] = (*NAMES, "cross.device=mobile*price")
    columns["values"] = np.column_stack([plain.values, is_mobile * price])
    crossed = ShownItems(**columns)
    found = learn_weights(crossed, np.append(USUAL, 0.0), plain.values @ USUAL, window_ms=HOUR_MS)
    assert found.score.weights[-1] < -0.5
    assert found.is_better
    assert found.gain.low > 0
