import numpy as np
import pytest

from bespeak.models import History, Interactions, PersonalFrequency, Popularity
from bespeak.models.popular.recent_popularity import DAY_MS

EVEN = {"shrinkage": 1e12, "step_decay": 0.0, "day_decay": 0.0}
"""Settings under which every occasion counts the same."""


def test_rates_by_hand() -> None:
    """Two of three people came back to milk, none of two to the tv; with one person of the mean rate 2/5 added."""
    users, items = list("aaabbbc"), ["milk", "tv", "milk", "milk", "tv", "milk", "milk"]
    model = PersonalFrequency(shrinkage=1.0).fit(Interactions.from_events(users, items))
    assert model.arrays()["rates"].tolist() == pytest.approx([(2 + 0.4) / (3 + 1), 0.4 / (2 + 1)])


def test_scores_by_hand() -> None:
    """Milk on the latest occasion and three steps before it, at 0 and 3 days; bread one step before, at 1 day."""
    log = Interactions.from_events(["a"] * 2, ["bread", "milk"], times_ms=[0, DAY_MS])
    model = PersonalFrequency(step_decay=1.0, day_decay=0.5).fit(log)
    history = History.of([1, 0, 0, 1], times_ms=[0, DAY_MS, 2 * DAY_MS, 3 * DAY_MS])
    scores = model.scores([history], 3 * DAY_MS)[0]
    assert scores == pytest.approx([1 / 2 * 2**-0.5 + 1 / 3 * 3**-0.5, 1 + 1 / 4 * 4**-0.5])


def test_an_item_counts_once_per_occasion() -> None:
    log = Interactions.from_events(["a"] * 4, ["x", "x", "x", "y"], times_ms=[0, 1, 2, DAY_MS])
    scores = PersonalFrequency(**EVEN).fit(log).scores([log.history(0)], DAY_MS)[0]
    assert scores[0] == pytest.approx(scores[1])


def test_where_nobody_came_back_all_items_count_the_same() -> None:
    log = Interactions.from_events(["a", "b"], ["x", "y"])
    assert PersonalFrequency().fit(log).arrays()["rates"].tolist() == [1, 1]


def test_only_the_item_itself_explains_its_score() -> None:
    log = Interactions.from_events(["a"] * 3, ["x", "y", "x"])
    model = PersonalFrequency().fit(log)
    told = model.explain(log.history(0), 0)
    assert told.items.tolist() == [0, 1]
    assert told.contributions.tolist() == pytest.approx([model.scores([log.history(0)], 0)[0, 0], 0])


def test_known_repeat_rates_are_found_and_used() -> None:
    """The truth: people buy each item again with its own chance. The next order is asked of the model."""
    rng = np.random.default_rng(8)
    n_people, n_items, n_orders = 400, 30, 6
    chance = np.where(np.arange(n_items) < 15, 0.7, 0.05)
    users, items, times, wanted = [], [], [], np.zeros((n_people, n_items), bool)
    for person in range(n_people):
        tried = rng.permutation(n_items)[:8]
        users += [person] * 8
        items += tried.tolist()
        times += [0] * 8
        for order in range(1, n_orders + 1):
            again = tried[rng.random(8) < chance[tried]]
            if order == n_orders:
                wanted[person, again] = True
                continue
            users += [person] * len(again)
            items += again.tolist()
            times += [order * 7 * DAY_MS] * len(again)
    log = Interactions.from_arrays(
        [f"{p:03}" for p in range(n_people)], [f"{i:02}" for i in range(n_items)], users, items, times_ms=times
    )
    model = PersonalFrequency().fit(log)
    rates = model.arrays()["rates"]
    assert rates[:15].min() > 0.9  # 1 - 0.3^5 of the people buy such an item again within five orders
    assert rates[15:].max() < 0.5
    assert first_is_right(model, log, wanted) > 0.65
    assert first_is_right(Popularity().fit(log), log, wanted) < 0.3


def first_is_right(model: PersonalFrequency | Popularity, log: Interactions, wanted: np.ndarray) -> float:
    """Share of the people whose next order holds the model's first item."""
    best = model.scores(log.histories(), 42 * DAY_MS).argmax(axis=1)
    return float(wanted[np.arange(len(wanted)), best].mean())
