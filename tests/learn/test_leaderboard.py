import numpy as np
import pytest

from bespeak.learn.leaderboard import compare, sampled
from bespeak.learn.splits import calendar, per_person
from bespeak.models import Ease, Popularity, SequenceRules, Trending


def test_rows_come_best_on_the_choosing_cut_first_and_the_winner_is_among_them(tasteful_log) -> None:
    board = compare([Popularity(), Ease(l2=20.0), Trending()], tasteful_log, split=per_person)
    assert [row.choosing for row in board.rows] == sorted((row.choosing for row in board.rows), reverse=True)
    assert board.rows[board.winner].model == "ease"
    assert board.rows[board.baseline].model in {"popularity", "trending"}
    assert board.rows[board.baseline].difference is None


def test_the_difference_is_the_one_of_the_means_on_the_reporting_cut(tasteful_log) -> None:
    board = compare([Popularity(), Ease(l2=20.0)], tasteful_log)
    ease = board.best_of("ease")
    popularity = board.best_of("popularity")
    assert ease.difference.mean == pytest.approx(ease.ndcg.mean - popularity.ndcg.mean)
    assert ease.difference.above_zero
    assert ease.ndcg.low < ease.ndcg.mean < ease.ndcg.high


def test_seconds_come_from_the_stopwatch_given(tasteful_log) -> None:
    ticks = iter(range(1000))
    board = compare([Popularity()], tasteful_log, stopwatch=lambda: float(next(ticks)))
    assert board.rows[0].seconds_fit == board.rows[0].seconds_recommend == 1.0


def test_progress_ends_at_one(tasteful_log) -> None:
    told: list[tuple[str, float]] = []
    compare([Popularity(), SequenceRules()], tasteful_log, progress=lambda *step: told.append(step))
    assert [share for _, share in told] == [0.0, 0.5, 1.0]


def test_a_sample_asks_fewer_people_and_keeps_their_answers(tasteful_log) -> None:
    whole = calendar(tasteful_log)
    part = sampled(whole, 10, seed=1)
    assert len(part) == 10
    place = np.searchsorted(whole.people, part.people)
    np.testing.assert_array_equal(part.truth.toarray(), whole.truth[place].toarray())
    assert sampled(whole, 10_000, seed=1) is whole
