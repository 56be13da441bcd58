import numpy as np
import pytest

from bespeak.models import Interactions, RecentPopularity
from bespeak.models.popular.recent_popularity import DAY_MS


def test_only_the_window_counts_and_older_votes_break_ties() -> None:
    users, items = ["a", "b", "c", "d", "e"], ["old", "old", "new", "older", "new"]
    days = np.array([1, 2, 9, 0, 10])
    model = RecentPopularity(window_days=3).fit(Interactions.from_events(users, items, times_ms=days * DAY_MS))
    assert model.recommend(["?"], 3).items(0) == ["new", "old", "older"]
    assert model.window == 3


@pytest.mark.parametrize(("taste_lasts_days", "shortest", "longest"), [(50, 7, 30), (1000, 60, np.inf)])
def test_the_window_follows_how_fast_taste_moves(taste_lasts_days: int, shortest: float, longest: float) -> None:
    rng = np.random.default_rng(7)
    days = np.sort(rng.uniform(0, 200, 6000))
    items = rng.integers(0, 4, 6000) + 4 * (days // taste_lasts_days).astype(int)
    data = Interactions.from_events(
        [f"u{i}" for i in range(6000)], [f"i{i:02}" for i in items], times_ms=(days * DAY_MS).astype(np.int64)
    )
    assert shortest <= RecentPopularity().fit(data).window <= longest


def test_without_times_it_is_popularity() -> None:
    data = Interactions.from_events(["a", "b", "c"], ["x", "y", "y"])
    model = RecentPopularity().fit(data)
    assert model.window == float("inf")
    assert model.recommend(["?"], 2).items(0) == ["y", "x"]
