import numpy as np
import pytest

from bespeak.models import History, Interactions, Trending
from bespeak.models.popular.trending import DAY_MS

NOW_MS = 100 * DAY_MS


def data() -> Interactions:
    return Interactions.from_events(["a", "b"], ["fresh", "two days"], times_ms=[NOW_MS, NOW_MS - 2 * DAY_MS])


def test_growth_is_in_standard_errors_of_the_slow_rate() -> None:
    """By hand: rates ln2 and ln2 / 2 of the fresh vote; ln2 / 4 twice of the one two days ago; prior 2 / 2."""
    model = Trending(fast_half_life_days=1, slow_half_life_days=2, prior_votes=2).fit(data())
    log2 = np.log(2)
    fresh = (log2 - log2 / 2) / np.sqrt((log2 / 2 + 1) * log2 / 2)
    assert model.scores([History.empty()], NOW_MS)[0] == pytest.approx([fresh, 0.0], abs=1e-6)
    assert fresh == pytest.approx(0.5073, abs=1e-4)


def test_at_a_later_moment_it_is_as_if_fitted_with_that_end() -> None:
    model = Trending().fit(data())
    later = Interactions.from_events(
        ["a", "b", "z"],
        ["fresh", "two days", "zz"],
        times_ms=[NOW_MS, NOW_MS - 2 * DAY_MS, NOW_MS + 5 * DAY_MS],
    )
    moment = NOW_MS + 5 * DAY_MS
    refitted = Trending().fit(later).scores([History.empty()], moment)[0, :2]
    np.testing.assert_allclose(model.scores([History.empty()], moment)[0], refitted, rtol=1e-5)


def test_one_person_coming_back_does_not_make_a_trend() -> None:
    times = NOW_MS - np.arange(30) * 1000
    many = Interactions.from_events([f"u{i}" for i in range(30)], ["x"] * 30, times_ms=times)
    bot = Interactions.from_events(["bot"] * 30, ["x"] * 30, times_ms=times)
    score_of_many = Trending().fit(many).scores([History.empty()], NOW_MS)[0, 0]
    score_of_bot = Trending().fit(bot).scores([History.empty()], NOW_MS)[0, 0]
    assert score_of_many > 5 * score_of_bot


def test_what_grows_comes_before_what_is_merely_popular() -> None:
    steady = [("steady", day) for day in range(0, 100) for _ in range(5)]
    rising = [("rising", day) for day in range(96, 100) for _ in range(5)]
    events = steady + rising
    data = Interactions.from_events(
        [f"u{i}" for i in range(len(events))],
        [item for item, _ in events],
        times_ms=[day * DAY_MS for _, day in events],
    )
    assert Trending().fit(data).recommend(["?"], 2).items(0) == ["rising", "steady"]
