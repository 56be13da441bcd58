import math

import numpy as np
import pytest

from bespeak.models import History, Interactions, SessionNeighbours

PLAIN = {"gap_minutes": None, "rarity": 0.0, "item_rarity": 0.0, "length": 0.0, "recency": 0.0}


def three_visits() -> Interactions:
    """Visits x y z, y z and z x, in this order."""
    return Interactions.from_events(list("aaabbcc"), list("xyzyzzx"))


def test_scores_by_hand() -> None:
    """The query is x, then y. Its similarities: visit a meets both, 1 + 1/e at y; b meets y: 1; c meets x: 1/e."""
    model = SessionNeighbours(**PLAIN, query_steps=1.0, ahead=1e9, behind=1e9)
    scores = model.fit(three_visits()).scores([History.of([0, 1])], 0)[0]
    past = math.exp(-1)
    a, b, c = 1 + past, 1.0, past
    assert scores == pytest.approx([a + c, a + b, a + b + c])


def test_the_decay_inside_a_neighbour_counts_from_the_shared_item_that_stands_latest_in_the_query() -> None:
    """In the visit x y z w the query x, y is met at y: z is one step ahead, w two steps, x one step behind."""
    log = Interactions.from_events(list("aaaa"), list("xyzw"))
    model = SessionNeighbours(**PLAIN, query_steps=1.0, ahead=2.0, behind=0.5).fit(log)
    scores = dict(zip("wxyz", model.scores([History.of([1, 2])], 0)[0].tolist(), strict=True))
    both = 1 + math.exp(-1)
    assert scores == pytest.approx({"x": both, "y": both, "z": both, "w": both * math.exp(-0.5)})


def test_only_the_most_similar_visits_speak() -> None:
    model = SessionNeighbours(**PLAIN, query_steps=1.0, neighbours=1, ahead=1e9, behind=1e9).fit(three_visits())
    assert model.scores([History.of([0, 1])], 0)[0] == pytest.approx([1 + math.exp(-1)] * 3)


def test_only_the_latest_visits_of_an_item_are_looked_at() -> None:
    model = SessionNeighbours(**PLAIN, visits_per_item=1, ahead=1e9, behind=1e9).fit(three_visits())
    assert model.scores([History.of([0])], 0)[0].tolist() == [1, 0, 1]


def test_newer_visits_count_more() -> None:
    log = Interactions.from_events(list("aabb"), list("xyxz"))
    scores = SessionNeighbours(gap_minutes=None, recency=0.5).fit(log).scores([History.of([0])], 0)[0]
    assert scores[2] > scores[1] > 0


def literal(model: SessionNeighbours, log: Interactions, query: list[int]) -> list[float]:
    """The formula of the docstring, one visit at a time."""
    visits = [log.history(user).items.tolist() for user in range(log.n_users)]  # people come in the order of the input
    visits = [visit for visit in visits if len(visit) > 1]
    n_with = [max(1, sum(item in visit for visit in visits)) for item in range(log.n_items)]
    steps = {item: query[::-1].index(item) for item in query}
    found = []
    for position, visit in enumerate(visits):
        shared = sorted(set(visit) & set(query), key=lambda item: steps[item])
        if shared:
            similarity = sum(math.exp(-steps[i] / model.query_steps) * n_with[i] ** -model.rarity for i in shared)
            age = (len(visits) - 1 - position) / len(visits)
            similarity *= len(visit) ** -model.length * math.exp(-age / model.recency)
            anchor = max(place for place, item in enumerate(visit) if item == shared[0])
            found.append((similarity, visit, anchor))
    scores = [0.0] * log.n_items
    for similarity, visit, anchor in sorted(found, key=lambda entry: -entry[0])[: model.neighbours]:
        for place, item in enumerate(visit):
            gap = place - anchor
            reach = model.ahead if gap > 0 else model.behind
            closeness = math.exp(-(abs(gap) - 1) / reach) if gap else 1.0
            scores[item] += similarity * closeness * n_with[item] ** -model.item_rarity
    return scores


@pytest.mark.parametrize("neighbours", [3, 500])
def test_scores_equal_the_formula_taken_literally(neighbours: int) -> None:
    rng = np.random.default_rng(4)
    users = np.repeat(np.arange(30), rng.integers(1, 8, 30))
    log = Interactions.from_arrays(
        [f"{user:02}" for user in range(30)], [str(item) for item in range(9)], users, rng.integers(0, 9, len(users))
    )
    model = SessionNeighbours(gap_minutes=None, neighbours=neighbours, recency=0.7).fit(log)
    for query in ([3], [1, 2], [4, 4, 0], [0, 1, 2, 3, 2, 5]):
        assert model.scores([History.of(query)], 0)[0] == pytest.approx(literal(model, log, query), rel=1e-5)


def test_a_disliked_item_leads_to_no_neighbours() -> None:
    model = SessionNeighbours(gap_minutes=None).fit(three_visits())
    assert model.scores([History.of([1], [-1.0])], 0)[0].tolist() == [0, -1, 0]


def test_a_forgotten_person_speaks_for_nobody_and_leaves_no_bytes() -> None:
    model = SessionNeighbours(**PLAIN, ahead=1e9, behind=1e9).fit(three_visits())
    without = model.forget(["a", "unknown"])
    assert without.scores([History.of([0])], 0)[0].tolist() == [1, 0, 1]
    assert without.arrays()["user_ids_utf8"].tobytes() == b"bc"
    assert without.arrays()["items"].tolist() == [1, 2, 2, 0]
    assert without.arrays()["n_visits"].tolist() == [1, 1, 2]


def test_forgetting_is_like_never_having_known_where_age_plays_no_part() -> None:
    log = three_visits()
    model = SessionNeighbours(gap_minutes=None, recency=0.0)
    left_out = model.fit(log.select(log.user_index != 1)).arrays()
    forgotten = model.fit(log).forget(["b"]).arrays()
    assert left_out.keys() == forgotten.keys()
    for name, array in left_out.items():
        assert array.tobytes() == forgotten[name].tobytes(), name


def test_all_can_be_forgotten() -> None:
    assert not SessionNeighbours(gap_minutes=None).fit(three_visits()).forget("abc").scores([History.of([1])], 0).any()
