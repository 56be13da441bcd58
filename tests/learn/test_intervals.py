import numpy as np
import pytest
from scipy import stats

from bespeak.learn.intervals import SHARE, difference_interval, mean_interval, mean_intervals, sign_flip_p


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


def test_many_columns_have_the_intervals_that_each_has_alone() -> None:
    values = np.random.default_rng(7).random((80, 3))
    together = mean_intervals(values, np.random.default_rng(8))
    for column, interval in enumerate(together):
        alone = mean_interval(values[:, column], np.random.default_rng(8))
        assert (interval.mean, interval.n) == (pytest.approx(alone.mean), 80)
        assert (interval.low, interval.high) == (pytest.approx(alone.low), pytest.approx(alone.high))
        assert interval.standard_error == pytest.approx(alone.standard_error)


def test_a_figure_that_is_unknown_of_a_person_leaves_them_out_of_that_column_alone() -> None:
    values = np.array([[1.0, np.nan, np.nan], [0.0, 0.5, np.nan], [1.0, 0.7, np.nan]])
    first, second, third = mean_intervals(values, np.random.default_rng(1))
    assert (first.n, second.n, third.n) == (3, 2, 0)
    assert second.mean == pytest.approx(0.6)
    assert 0.5 <= second.low <= second.high <= 0.7
    assert mean_intervals(np.zeros((0, 2)), np.random.default_rng(1))[1].n == 0


def test_random_signs_find_what_a_t_test_finds() -> None:
    rng = np.random.default_rng(9)
    differences = rng.normal([0.0, 0.03, 0.1], 0.2, size=(300, 3))
    exact = stats.ttest_1samp(differences, 0).pvalue
    found = sign_flip_p(differences, np.random.default_rng(10))
    assert found[:2] == pytest.approx(exact[:2], abs=0.02)
    assert found[2] < 0.001


def test_models_that_are_alike_differ_as_often_as_the_level_says() -> None:
    rng = np.random.default_rng(11)
    p = sign_flip_p(rng.normal(0, 1, size=(60, 400)), rng, draws=999)
    assert 0.02 < (p < 0.05).mean() < 0.09


def test_signs_of_few_people_can_prove_little() -> None:
    """Two people have four ways of signs; two of them are as far from zero as the one seen."""
    assert sign_flip_p(np.array([[0.5], [0.7]]), np.random.default_rng(0))[0] == pytest.approx(0.5, abs=0.02)
    assert sign_flip_p(np.zeros((0, 1)), np.random.default_rng(0)).tolist() == [1.0]


def test_people_asked_several_times_are_drawn_with_all_their_questions() -> None:
    """Every figure four times over: taken for independent, the interval would be half as wide."""
    values = np.random.default_rng(4).normal(0.3, 1.0, 400)
    alone = mean_interval(values, np.random.default_rng(1))
    groups = np.repeat(np.arange(400), 4)
    together = mean_interval(np.repeat(values, 4), np.random.default_rng(1), groups=groups)
    apart = mean_interval(np.repeat(values, 4), np.random.default_rng(1))
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high))
    assert apart.standard_error == pytest.approx(together.standard_error / 2, rel=0.1)


@pytest.mark.parametrize(("n", "hits"), [(1, 0), (1, 1), (10, 0), (10, 3), (29, 29)])
def test_of_few_people_with_hits_or_none_the_interval_is_that_of_clopper_and_pearson(n: int, hits: int) -> None:
    values = np.repeat([1.0, 0.0], [hits, n - hits])
    found = mean_interval(values, np.random.default_rng(1), bounds=SHARE, draws=40_000)
    exact = stats.binomtest(hits, n).proportion_ci(0.95)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=0.006)


@pytest.mark.parametrize("n", [2, 5, 15])
def test_few_people_cover_the_truth_at_least_as_often_as_it_says(n: int) -> None:
    """Mostly nothing and now and then a figure, as NDCG is; the bootstrap would cover .2 to .9 of the time."""
    rng = np.random.default_rng(n)
    covered = []
    for _ in range(300):
        values = np.where(rng.random(n) < 0.2, rng.random(n), 0.0)
        found = mean_interval(values, rng, bounds=SHARE, draws=400)
        covered.append(found.low <= 0.1 <= found.high)
    assert np.mean(covered) >= 0.94


def test_one_person_leaves_the_whole_range_and_a_few_alike_prove_nothing() -> None:
    one = mean_interval(np.array([0.289]), np.random.default_rng(0), bounds=SHARE)
    assert one.low < 0.01
    assert one.high > 0.97
    gain = difference_interval(np.full(4, 0.4), np.zeros(4), np.random.default_rng(0), bounds=SHARE)
    assert gain.low < 0 < gain.high <= 1
    columns = mean_intervals(np.array([[0.289, 5.0]]), np.random.default_rng(0), bounds=[SHARE, None])
    assert columns[0].high > 0.97
    assert columns[1].high == 5.0


def test_few_people_asked_often_are_still_few() -> None:
    values, groups = np.zeros(80), np.repeat(np.arange(4), 20)
    found = mean_interval(values, np.random.default_rng(0), groups=groups, bounds=SHARE)
    assert found.high == pytest.approx(1 - 0.025**0.25, abs=0.02)
