"""How far off foretold ratings are: asked as in use, beside baselines, with intervals that hold."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.learn.ratings import MIN_RATINGS, are_enough, evaluate_ratings, questions, train_ratings
from bespeak.models.interactions import ItemContent
from bespeak.models.ratings.base import Ratings, RatingScale
from bespeak.models.ratings.biased_factorization import BiasedFactorization

SCALE = RatingScale(1, 5)


def made_up(n_users=80, n_items=40, share=0.6, *, tastes=1.2, noise=0.5, seed=7, timed=True):
    """Two camps with a known law; people come at times of their own."""
    rng = np.random.default_rng(seed)
    user, item = np.nonzero(rng.random((n_users, n_items)) < share)
    law = 3 + tastes * np.where(user % 2 == item % 2, 1, -1) + 0.4 * (item % 3 - 1)
    values = np.clip(law + rng.normal(0, noise, len(user)), 1, 5)
    times = rng.permutation(len(user)) if timed else None
    names = [f"u{n}" for n in range(n_users)], [f"i{n}" for n in range(n_items)]
    return Ratings.of(*names, user, item, values, times, scale=SCALE)


def test_later_ratings_are_asked_and_earlier_ones_of_the_same_person_known():
    told = made_up()
    asked = questions(told)
    edge = asked.fit.times_ms.max()
    assert asked.cut == "live"
    assert len(asked.fit) + len(asked.values) == len(told)
    later = told.select(told.times_ms > edge)
    assert asked.values.tolist() == later.values.tolist()
    for place in (0, 5, len(later) - 1):
        mine = told.select((told.user_index == later.user_index[place]) & (told.times_ms < later.times_ms[place]))
        assert asked.n_known[place] == len(mine)
        assert asked.known.select(asked.known.user_index == place).values.tolist() == mine.values.tolist()


def test_ratings_without_times_are_held_out_at_random():
    told = made_up(timed=False)
    asked = questions(told, seed=1)
    assert asked.cut == "held out"
    assert 0.15 < len(asked.values) / len(told) < 0.25
    assert asked.known is asked.fit
    assert questions(told, seed=1).values.tolist() == asked.values.tolist() != questions(told, seed=2).values.tolist()


def test_of_many_later_ratings_some_are_asked():
    assert len(questions(made_up(), at_most=50).values) == 50


def test_tastes_are_worth_factors_and_the_figures_come_near_the_truth():
    trained = train_ratings(made_up())
    found = trained.evaluation
    used = found.rows[found.in_use]
    assert trained.model.factors == 16
    assert [row.name for row in found.rows][-1] == "biased factorization"
    assert 0.40 < used.rmse.mean < 0.65  # the noise is .5, cut at the ends of the scale
    assert used.rmse.low < used.rmse.mean < used.rmse.high
    assert used.mae.mean < used.rmse.mean
    assert found.difference.below_zero
    assert found.rows[found.baseline].rmse.mean == min(row.rmse.mean for row in found.rows[:-1])


def test_without_tastes_biases_are_enough():
    assert train_ratings(made_up(tastes=0.0)).model.factors == 0


def test_what_was_foretold_is_what_was_given():
    found = train_ratings(made_up()).evaluation
    assert len(found.calibration) == 10
    assert sum(part.n for part in found.calibration) == found.n_asked
    foretold = [part.foretold for part in found.calibration]
    assert foretold == sorted(foretold)
    assert found.calibration_error < 0.2
    assert 0.7 < found.within_80 < 0.9
    assert np.mean([part.given.low <= part.foretold <= part.given.high for part in found.calibration]) >= 0.6


def test_a_model_that_is_sure_of_the_wrong_thing_is_seen():
    # Fitted on a log whose late ratings fall by one and a half stars, nothing foretells them: the bins must say so.
    told = made_up(noise=0.3)
    late = told.times_ms > np.quantile(told.times_ms, 0.8)
    shifted = Ratings.of(
        told.user_ids, told.item_ids, told.user_index, told.item_index,
        np.clip(told.values - 1.5 * late, 1, 5), told.times_ms, scale=SCALE,
    )  # fmt: skip
    found = evaluate_ratings(shifted, None, BiasedFactorization(factors=4))
    assert found.calibration_error > 0.4
    assert found.within_80 < 0.7


def test_bands_part_all_questions_by_what_was_known():
    found = train_ratings(made_up()).evaluation
    for bands in (found.activity, found.items):
        assert sum(band.n for band in bands) == found.n_asked
        assert all(len(band.rmse) == len(found.rows) for band in bands)
    assert [band.fewest for band in found.activity][-1] == 20


def test_new_items_are_foretold_by_their_attributes():
    told = made_up(tastes=0.0, noise=0.2, n_items=60)
    content = ItemContent(told.item_ids, attributes={"third": [[str(n % 3)] for n in range(60)]})
    # Items 50 to 59 come only after the cut.
    times = told.times_ms + 100_000 * (told.item_index >= 50)
    told = Ratings.of(
        told.user_ids, told.item_ids, told.user_index, told.item_index, told.values, times, scale=SCALE
    )  # fmt: skip
    found = evaluate_ratings(told, content, BiasedFactorization(factors=0))
    new = next(band for band in found.items if band.most == 0)
    assert new.rmse[found.in_use].mean < 0.8 * min(figure.mean for figure in new.rmse[:-1])


def test_one_seed_gives_one_answer():
    one, two = (train_ratings(made_up(), seed=3) for _ in range(2))
    assert one.evaluation.rows == two.evaluation.rows
    assert one.evaluation.calibration == two.evaluation.calibration
    assert all(np.array_equal(array, two.model.arrays()[name]) for name, array in one.model.arrays().items())


@pytest.mark.parametrize("too_few", [made_up(n_users=20), made_up(n_users=60, n_items=15)])
def test_few_ratings_or_people_are_not_enough(too_few):
    assert not are_enough(too_few)
    assert train_ratings(too_few) is None


def test_equal_ratings_are_not_enough():
    told = made_up()
    same = Ratings.of(
        told.user_ids, told.item_ids, told.user_index, told.item_index, np.full(len(told), 4.0), scale=SCALE
    )
    assert len(same) > MIN_RATINGS
    assert not are_enough(same)


def test_the_sentences_name_the_figures_and_the_verdict():
    said = " ".join(train_ratings(made_up()).evaluation.sentences())
    assert "RMSE" in said
    assert "better" in said
    assert "80 % intervals" in said
