import numpy as np
import pytest

from bespeak.models import History, Interactions, TifuKnn
from bespeak.models.popular.recent_popularity import DAY_MS


def orders(*baskets: str) -> tuple[list[int], list[int]]:
    """Items (a = 0, b = 1, ...) and times of weekly orders, the oldest first."""
    items = [ord(letter) - ord("a") for basket in baskets for letter in basket]
    times = [week * 7 * DAY_MS for week, basket in enumerate(baskets) for _ in basket]
    return items, times


def log_of(*people: tuple[str, ...]) -> Interactions:
    parts = [orders(*baskets) for baskets in people]
    users = [person for person, (items, _) in enumerate(parts) for _ in items]
    return Interactions.from_arrays(
        [f"person {p}" for p in range(len(people))],
        list("abcd"),
        users,
        [item for items, _ in parts for item in items],
        times_ms=[time for _, times in parts for time in times],
    )


def test_a_vector_by_hand() -> None:
    """Orders ab, a, c, groups of two: the latest group is (a, c), before it stands ab alone."""
    model = TifuKnn(own=1.0, group_size=2, basket_decay=0.8, group_decay=0.5).fit(log_of(("ab", "a", "c")))
    items, times = orders("ab", "a", "c")
    scores = model.scores([History.of(items, times_ms=times)], 0)[0]
    late, early = 1 / 2, 0.5 / 2
    assert scores == pytest.approx([late * 0.8 / 2 + early, early, late / 2, 0])


def test_neighbours_by_hand() -> None:
    """The query is one order a. Nearest is person 1 with (a, b) at distance 1, then person 0 with (a, b, c)."""
    log = log_of(("abc",), ("ab",), ("d", "d"))
    query = [History.of([0], times_ms=[0])]
    one = TifuKnn(own=0.5, neighbours=1).fit(log).scores(query, 0)[0]
    assert one == pytest.approx([0.5 + 0.5, 0.5, 0, 0])
    two = TifuKnn(own=0.5, neighbours=2).fit(log).scores(query, 0)[0]
    assert two == pytest.approx([0.5 + 0.5, 0.5, 0.25, 0])


def test_people_who_share_nothing_are_no_neighbours() -> None:
    log = log_of(("ab",), ("d", "d"))
    assert TifuKnn(neighbours=10).fit(log).scores([History.of([0], times_ms=[0])], 0)[0, 3] == 0


def literal(model: TifuKnn, log: Interactions, query: History) -> np.ndarray:
    """The formula of the docstring over dense vectors."""

    def vector(history: History) -> np.ndarray:
        baskets = [history.items[history.times_ms == time] for time in np.unique(history.times_ms)[::-1]]
        n_groups = -(-len(baskets) // model.group_size)
        found = np.zeros(log.n_items)
        for b, basket in enumerate(baskets):
            group, place = divmod(b, model.group_size)
            size = len(baskets[group * model.group_size : (group + 1) * model.group_size])
            found[np.unique(basket)] += model.group_decay**group * model.basket_decay**place / size / n_groups
        return found

    own = vector(query)
    people = [vector(history) for history in log.histories()]
    near = sorted((p for p in people if p @ own > 0), key=lambda p: np.linalg.norm(p - own))[: model.neighbours]
    return model.own * own + (1 - model.own) * np.mean(near, axis=0)


@pytest.mark.parametrize("block_pairs", [10, 8_000_000])
def test_scores_equal_the_formula_taken_literally(block_pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bespeak.models.neighbours.tifu_knn._BLOCK_PAIRS", block_pairs)
    rng = np.random.default_rng(9)
    n_events = 600
    log = Interactions.from_arrays(
        [f"{u:02}" for u in range(40)],
        [str(i) for i in range(12)],
        rng.integers(0, 40, n_events),
        rng.integers(0, 12, n_events),
        times_ms=rng.integers(0, 20, n_events) * DAY_MS,
    )
    model = TifuKnn(neighbours=5, group_size=3).fit(log)
    queries = log.histories(np.arange(6))
    expected = [literal(model, log, query) for query in queries]
    np.testing.assert_allclose(model.scores(queries, 0), expected, rtol=1e-5, atol=1e-7)


def test_a_forgotten_person_speaks_for_nobody_and_leaves_no_bytes() -> None:
    model = TifuKnn(own=0.5).fit(log_of(("abc",), ("ab",), ("d", "d"))).forget(["person 0", "unknown"])
    assert model.arrays()["user_ids_utf8"].tobytes() == b"person 1person 2"
    assert model.scores([History.of([0], times_ms=[0])], 0)[0, 2] == 0
    assert model.arrays()["people_shape"].tolist() == [2, 4]
    assert not TifuKnn(own=0.0).fit(log_of(("a",))).forget(["person 0"]).scores([History.of([0])], 0).any()
