import numpy as np
import pytest

from bespeak.learn.intervals import difference_interval, mean_interval


def test_the_interval_is_that_of_the_normal_law_for_many_people() -> None:
    values = np.random.default_rng(1).normal(0.3, 0.2, 4000)
    interval = mean_interval(values, np.random.default_rng(2))
    half = 1.96 * values.std() / np.sqrt(4000)
    assert interval.mean == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - half, abs=half / 8)
    assert interval.high == pytest.approx(values.mean() + half, abs=half / 8)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    covered = [
        interval.low <= 0.2 <= interval.high
        for interval in (mean_interval((rng.random(150) < 0.2).astype(float), rng, draws=400) for _ in range(300))
    ]
    assert 0.90 <= np.mean(covered) <= 0.98


def test_pairing_takes_out_what_both_have_in_common() -> None:
    hard = np.random.default_rng(4).random(200)
    paired = difference_interval(hard + 0.01, hard, np.random.default_rng(5))
    assert paired.above_zero
    assert paired.mean == pytest.approx(0.01)
    shuffled = np.random.default_rng(6).permutation(hard)
    assert not difference_interval(hard + 0.01, shuffled, np.random.default_rng(5)).above_zero


def test_a_seed_gives_the_same_interval_again() -> None:
    values = np.arange(10.0)
    assert mean_interval(values, np.random.default_rng(6)) == mean_interval(values, np.random.default_rng(6))


@pytest.mark.parametrize("values", [[], [0.7]])
def test_too_few_people_never_prove_anything(values: list[float]) -> None:
    interval = mean_interval(np.array(values), np.random.default_rng(0))
    assert interval.n == len(values)
    assert not interval.above_zero
    assert not interval.below_zero
