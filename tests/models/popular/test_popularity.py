from bespeak.models import History, Interactions, Popularity


def test_every_person_has_one_vote_for_or_against() -> None:
    data = Interactions.from_events(
        ["a", "a", "b", "a", "b", "c", "c"],
        ["x", "x", "x", "y", "y", "y", "z"],
        [1, 5, 0.5, 1, 1, -9, -0.25],
    )
    scores = Popularity().fit(data).scores([History.empty()], 0)
    assert scores.tolist() == [[1.5, 1.0, -0.25]]
