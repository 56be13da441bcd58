import numpy as np

from bespeak.learn.choosing.spaces import default_spaces
from bespeak.learn.cold_people import cold_cut, judge_traits
from bespeak.learn.train import train
from bespeak.models.base import Interactions, PersonTraits

DAY_MS = 86_400_000
N_PEOPLE, N_ITEMS = 400, 60


def log(*, follow_traits: bool, dated: bool = True, share_told: float = 1.0) -> Interactions:
    """People of two countries, each with eight of sixty items; where they follow traits, mostly of their country's."""
    rng = np.random.default_rng(3)
    country = rng.integers(0, 2, N_PEOPLE)
    users, items, times = [], [], []
    for person in range(N_PEOPLE):
        likely = 1.0 / np.arange(2, N_ITEMS + 2)
        if follow_traits:
            likely[np.arange(N_ITEMS) % 2 == country[person]] *= 6
        chosen = rng.choice(N_ITEMS, 8, replace=False, p=likely / likely.sum())
        users += [f"{person:03}"] * 8
        items += [f"{item:02}" for item in chosen.tolist()]
        times += [(person * 10 + step) * DAY_MS // 10 for step in range(8)]
    told = [["DE"] if c else ["FR"] for c in country.tolist()]
    told = [values if place < share_told * N_PEOPLE else [] for place, values in enumerate(told)]
    data = Interactions.from_events(users, items, times_ms=times if dated else None)
    return data.with_traits(PersonTraits(data.user_ids, {"country": told}))


def test_traits_that_people_follow_are_found_to_help() -> None:
    for dated in (True, False):
        found = judge_traits(log(follow_traits=True, dated=dated), k=5)
        assert found is not None
        assert found.helps
        assert found.ndcg.mean > found.baseline_ndcg.mean + 0.05
        assert "they help and are used" in found.sentence()


def test_traits_that_say_nothing_are_found_not_to_help() -> None:
    found = judge_traits(log(follow_traits=False), k=5)
    assert found is not None
    assert not found.helps
    assert "they do not help beyond noise and are not used" in found.sentence()


def test_the_same_data_gives_the_same_finding() -> None:
    first, second = (judge_traits(log(follow_traits=True), k=5, seed=7) for _ in range(2))
    assert first.sentence() == second.sentence()
    assert first.difference == second.difference


def test_asked_by_date_are_people_with_traits_whose_first_row_comes_after_the_cut() -> None:
    cut = cold_cut(log(follow_traits=True), "positive", 0)
    assert cut.name == "calendar"
    assert len(cut) == N_PEOPLE // 5
    assert all(len(history) == 0 and history.traits for history in cut.histories(slice(0, len(cut))))
    assert not np.isin(cut.people, cut.fit.user_index).any()
    assert cut.fit.last_ms <= cut.now_ms


def test_without_dates_whole_people_are_kept_back() -> None:
    cut = cold_cut(log(follow_traits=True, dated=False), "positive", 0)
    assert 0.1 * N_PEOPLE < len(cut) < 0.3 * N_PEOPLE
    assert not np.isin(cut.people, cut.fit.user_index).any()
    assert (np.diff(cut.truth.indptr) == 8).all()


def test_too_few_people_with_traits_tell_nothing() -> None:
    assert judge_traits(log(follow_traits=True, share_told=0.05), k=5) is None


def test_families_that_read_traits_are_tried_only_where_there_are_some() -> None:
    with_traits = log(follow_traits=True)
    without = Interactions.from_events(["a", "b"], ["x", "y"])
    reading = {"segment_popularity", "attribute_factors"}
    assert reading <= {space.start.name for space in default_spaces(with_traits, None)}
    assert not reading & {space.start.name for space in default_spaces(without, None)}


def test_training_says_what_traits_are_worth_and_keeps_a_model_for_new_people_only_where_they_help() -> None:
    for follow_traits in (True, False):
        data = log(follow_traits=follow_traits)
        trained = train(data, seed=1)
        assert trained.traits is not None
        assert trained.traits.helps == follow_traits
        assert trained.traits.sentence() in trained.sentences()
        used = {member["name"] for member in getattr(trained.model, "members", [])} | {trained.model.name}
        name = trained.traits.model.name
        assert (name in trained.members) == (follow_traits or name in used)
    assert train(Interactions.from_events(["a", "b"], ["x", "y"])).traits is None
