import math

import numpy as np
import pytest

from bespeak.models import History, Interactions
from bespeak.models.sequences.visits import (
    emphasis_of,
    latest_likes,
    likeliest_recency,
    occasions,
    uses_of,
    uses_of_log,
    visits_of,
)

MINUTE_MS = 60_000


def test_a_pause_longer_than_the_gap_begins_a_new_visit() -> None:
    times = [0, 30 * MINUTE_MS, 60 * MINUTE_MS + 1, 61 * MINUTE_MS]
    log = Interactions.from_events(["a"] * 4, ["p", "q", "r", "s"], times_ms=times)
    assert visits_of(log, 30).items.tolist() == [0, 1, 2, 3]
    assert visits_of(log, 30).starts.tolist() == [0, 2, 4]
    assert visits_of(log, None).starts.tolist() == [0, 4]


def test_visits_of_one_like_are_left_out_and_dislikes_are_not_part_of_any() -> None:
    log = Interactions.from_events(["a", "a", "b", "b", "b"], ["p", "q", "p", "q", "r"], [1, -1, 1, -1, 1])
    visits = visits_of(log, None)
    assert visits.items.tolist() == [0, 2]
    assert visits.people.tolist() == [1]


def test_visits_stand_in_the_order_of_their_last_event() -> None:
    log = Interactions.from_events(["a", "a", "b", "b"], ["p", "q", "r", "s"], times_ms=[1, 9, 2, 3])
    assert visits_of(log, None).people.tolist() == [1, 0]


def test_without_times_visits_stand_in_the_order_of_the_input() -> None:
    log = Interactions.from_events(["z", "z", "a", "a"], ["p", "q", "r", "s"])
    assert [log.user_ids[person] for person in visits_of(log, None).people] == ["z", "a"]
    assert visits_of(log, None).ages().tolist() == [0.5, 0.0]


def test_an_item_that_comes_twice_in_a_visit_counts_as_one_visit_with_it() -> None:
    log = Interactions.from_events(["a", "a", "a", "b", "b"], ["p", "q", "p", "p", "q"])
    assert visits_of(log, None).n_with(2).tolist() == [2, 2]


def test_an_empty_log_has_no_visits() -> None:
    visits = visits_of(Interactions.from_events([], []), 30)
    assert len(visits) == 0
    assert visits.starts.tolist() == [0]
    assert visits.ages().tolist() == []


def test_latest_likes_of_several_people_do_not_mix() -> None:
    histories = [History.of([3, 1, 3]), History.empty(), History.of([2, 0, 1], [1, -1, 1])]
    found = latest_likes(histories, n_items=4, window=10)
    assert found.rows.tolist() == [0, 0, 2, 2]
    assert found.items.tolist() == [3, 1, 1, 2]
    assert found.steps.tolist() == [0, 1, 0, 1]


def test_the_window_counts_likes_from_the_end() -> None:
    found = latest_likes([History.of([3, 1, 3, 0])], n_items=4, window=2)
    assert np.column_stack([found.items, found.steps]).tolist() == [[0, 0], [3, 1]]


def test_occasions_are_counted_back_from_each_persons_last() -> None:
    owners, times = np.array([0, 0, 0, 2, 2]), np.array([0, 6, 6, 1, 9]) * MINUTE_MS
    assert occasions(owners, times, gap_minutes=5).tolist() == [1, 0, 0, 1, 0]
    assert occasions(owners, times, gap_minutes=None).tolist() == [2, 1, 0, 1, 0]


def test_an_item_is_used_once_per_occasion_at_its_last_time() -> None:
    log = Interactions.from_events(["a"] * 4, ["x", "x", "y", "x"], times_ms=[0, 1, 2, 60 * MINUTE_MS])
    uses = uses_of_log(log, gap_minutes=30)
    assert uses.items.tolist() == [0, 0, 1]
    assert uses.steps.tolist() == [0, 1, 1]
    assert uses.times_ms.tolist() == [60 * MINUTE_MS, 1, 2]


def test_the_uses_of_a_log_and_of_its_histories_are_the_same() -> None:
    rng = np.random.default_rng(3)
    log = Interactions.from_arrays(
        list("abcd"), list("xyz"), rng.integers(0, 4, 50), rng.integers(0, 3, 50), times_ms=rng.integers(0, 10**8, 50)
    )
    of_log, of_people = uses_of_log(log, 60), uses_of(log.histories(), 3, 60)
    for name in ("owners", "items", "steps", "times_ms"):
        np.testing.assert_array_equal(getattr(of_log, name), getattr(of_people, name))


def test_age_counts_where_tastes_drift_and_not_where_the_order_means_nothing() -> None:
    rng = np.random.default_rng(7)
    n_visits, n_items = 2000, 200
    drifting = (np.arange(n_visits)[:, None] // 20 + rng.integers(0, 100, (n_visits, 3))) % n_items
    shuffled = drifting[rng.permutation(n_visits)]

    def recency(items: np.ndarray) -> float:
        people = [f"{p:04}" for p in range(n_visits)]
        log = Interactions.from_arrays(people, list(map(str, range(n_items))), np.repeat(np.arange(n_visits), 3), items)
        return likeliest_recency(visits_of(log, None), n_items)

    assert recency(drifting) == 1.0
    assert recency(shuffled) == 0.0


def test_emphasis_by_hand() -> None:
    log = Interactions.from_events(["a"] * 4 + ["b"] * 2, list("pqrspq"))
    visits = visits_of(log, None)
    assert emphasis_of(visits, 4, length=0.5, recency=0.5).tolist() == pytest.approx([0.5 * math.exp(-1), 2**-0.5])
    assert emphasis_of(visits, 4, length=0.0, recency=None).tolist() == [1, 1]
