import numpy as np
import pytest

from bespeak.learn.choosing.beyond_noise import first_choice, sure_gain
from bespeak.models import Ease, ItemNeighbours, Popularity, RecentPopularity


def test_gains_of_one_person_are_no_independent_witnesses() -> None:
    gains = np.random.default_rng(0).normal(0.1, 1.0, 150)
    alone = sure_gain(gains, np.arange(150))
    assert alone == pytest.approx(gains.mean() - gains.std(ddof=1) / np.sqrt(150))
    assert sure_gain(np.repeat(gains, 9), np.repeat(np.arange(150), 9)) == pytest.approx(alone)
    assert sure_gain(np.repeat(gains, 9), np.arange(1350)) > alone + 0.04


def test_one_person_proves_no_gain_however_often_asked() -> None:
    assert sure_gain(np.ones(40), np.zeros(40, np.int32)) == 0
    assert sure_gain(np.r_[1.0, np.zeros(9)], np.arange(10)) <= 0, "one hit among ten"


def test_equal_gains_of_three_people_prove_nothing() -> None:
    assert sure_gain(np.full(3, 0.2), np.arange(3)) == 0
    assert sure_gain(np.full(5, 0.2), np.arange(5)) == pytest.approx(0.2)


def test_what_is_simpler_stands_until_it_is_beaten_beyond_noise() -> None:
    rng = np.random.default_rng(1)
    plain = rng.random(400) * 0.2
    lucky = plain + rng.normal(0.01, 0.5, 400)
    sure = plain + rng.normal(0.1, 0.5, 400)
    people = np.arange(400)
    assert first_choice([Ease(), Popularity()], [lucky - lucky.mean() + plain.mean() + 0.01, plain], people) == 1
    assert first_choice([Ease(), Popularity()], [sure, plain], people) == 0
    assert first_choice([RecentPopularity(), Popularity()], [sure, plain], people) == 0
    assert first_choice([Ease(), RecentPopularity(), Popularity()], [sure + 0.001, sure, plain], people) == 0
    jitter = rng.normal(0, 0.2, 400)
    nearly = sure + 0.001 + jitter - jitter.mean()
    assert first_choice([Ease(), RecentPopularity(), Popularity()], [nearly, sure, plain], people) == 1


def test_without_a_kind_of_popularity_the_best_is_taken() -> None:
    assert first_choice([Ease(), ItemNeighbours()], [np.ones(3), np.zeros(3)], np.zeros(3, np.int32)) == 0
