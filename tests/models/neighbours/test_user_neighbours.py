import pytest

from bespeak.models import History, Interactions, UserNeighbours


def data() -> Interactions:
    return Interactions.from_events(
        ["a", "a", "b", "b", "b", "c", "d"], ["x", "y", "x", "z", "w", "z", "y"], [1, 1, 1, 1, -1, 1, -1]
    )


def test_scores_by_hand() -> None:
    """The history is x alone: a = (x, y) and b = (x, z) are each at cosine 1 / sqrt 2; b dislikes w."""
    scores = dict(zip(["w", "x", "y", "z"], UserNeighbours().fit(data()).scores([History.of([1])], 0)[0], strict=True))
    half = 0.5**0.5
    assert scores == pytest.approx({"w": -half, "x": 2 * half, "y": half, "z": half})


def test_a_forgotten_person_speaks_for_nobody_and_leaves_no_bytes() -> None:
    model = UserNeighbours().fit(data()).forget(["a", "unknown"])
    assert model.scores([History.of([1])], 0)[0, 2] == 0
    assert not any(b"a" in array.tobytes() for name, array in model.arrays().items() if name == "user_ids_utf8")
    assert model.arrays()["people_shape"].tolist() == [2, 4]


def test_people_without_a_like_are_not_kept() -> None:
    assert UserNeighbours().fit(data()).arrays()["user_ids_utf8"].tobytes() == b"abc"


def test_all_can_be_forgotten() -> None:
    assert not UserNeighbours().fit(data()).forget("abcd").scores([History.of([1])], 0).any()
