"""Walking a record again: the logged propensities come out, and another policy's chances are what they must be."""

from __future__ import annotations

from itertools import permutations

import msgspec
import numpy as np
import pytest

from bespeak.decide.decide import decide
from bespeak.decide.occasion import Occasion
from bespeak.decide.rankers.forest import Forest
from bespeak.decide.rankers.score import PRIOR_WEIGHTS, Weights
from bespeak.decide.request import DecideRequest
from bespeak.decide.settings.parts import BoostSettings, PinSettings
from bespeak.decide.settings.placements import HOME, Placement
from bespeak.decide.slates.exploration import Exploration
from bespeak.decide.slates.slate import Constraints
from bespeak.decide.trying.rewalk import Walk, rewalked

REQUEST = DecideRequest(placement="home", count=4)
HARD = {
    "caps": {"brand": 2},
    "diversity": 0.2,
    "pins": (PinSettings(position=2, item="war3"), PinSettings(position=3, filter="genre = 'comedy'")),
    "min_score": -5.0,
}


def placed(**settings) -> Placement:
    return msgspec.structs.replace(HOME, **{"explore": 0.3, "temperature": 0.2, "record_features": 1.0, **settings})


@pytest.fixture(scope="module")
def logged(build_world, person, now_ms):
    def of(decision_id: str, placement: Placement):
        world = build_world(placements={"home": placement})
        someone = person(("drama1", "view", 1.0), ("drama2", "click", 2.0))
        return decide(Occasion(REQUEST, someone, world, now_ms, decision_id)), world

    return of


@pytest.mark.parametrize(
    "settings", [{}, {"temperature": 0.0}, HARD, {"explore_new_days": 10.0}, {"one_per_group": False}]
)
def test_the_policy_of_the_record_gives_the_propensities_of_the_record(logged, settings):
    placement = placed(**settings)
    for n in range(15):
        decision, world = logged(f"d{n}", placement)
        found = rewalked(decision, placement, placement, world)
        assert found.is_faithful
        chances = found.logged.after(found.shown)
        assert chances.sum(axis=1) == pytest.approx(1)
        assert np.array_equal(found.target.after(found.shown), chances)


def test_the_first_positions_alone_have_the_same_chances(logged):
    for settings in ({}, HARD):
        placement = placed(**settings)
        decision, world = logged("d1", placement)
        found = rewalked(decision, placement, placement, world)
        whole, first = found.logged.after(found.shown), found.logged.first(2).after(found.shown)
        assert np.array_equal(whole[:2], first[:2])


def test_a_record_that_other_settings_made_is_not_faithful(logged):
    decision, world = logged("d1", placed())
    assert not rewalked(decision, placed(explore=0.4), placed(), world).is_faithful


def test_a_record_without_candidates_or_with_items_that_are_gone_is_passed_over(logged, build_world, build_items):
    decision, world = logged("d1", placed())
    bare = msgspec.structs.replace(decision, candidate_features=None)
    assert rewalked(bare, placed(), placed(), world) is None
    gone = build_world([item for item in build_items(40) if item.id != decision.items[0].item_id])
    assert rewalked(decision, placed(), placed(), gone) is None


def test_other_weights_make_other_scores_of_the_logged_features(logged):
    decision, world = logged("d1", placed())
    kept = decision.candidate_features
    other = placed(explore=0.0, weights={"popular": 1.0, **dict.fromkeys(set(kept.columns) - {"popular"}, 0.0)})
    found = rewalked(decision, placed(), other, world)
    assert found.target.scores.tolist() == list(kept.columns["popular"])
    first = found.target.at_position(0, "d1")[0]
    assert first.sum() == 1
    assert np.argmax(first) == np.argmax(kept.columns["popular"])


def test_a_record_scored_again_by_its_own_policy_has_its_own_scores(build_world, person, now_ms):
    """Boosts and trees are worked out anew: they belong to the policy, not to the record."""
    stump = Forest(
        names=("popular",),
        features=np.array([[0]]),
        thresholds=np.array([[0.3]]),
        leaves=np.array([[0.1, 0.7]]),
        covers=np.array([[20.0, 20.0]]),
    )
    placement = placed(boosts=(BoostSettings(name="calm", filter="mood = 'calm'", add=0.2),), ranker="trees")
    weights = Weights({**PRIOR_WEIGHTS, "trees": 1.0}, version=1, forest=stump)
    world = build_world(placements={"home": placement}, learned={"home": weights})
    someone = person(("drama1", "view", 1.0))
    decision = decide(Occasion(REQUEST, someone, world, now_ms, "d1"))
    kept = decision.candidate_features
    assert {"trees", "boost.calm"} <= kept.columns.keys()
    found = rewalked(decision, placement, placement, world)
    assert found.is_faithful
    assert found.target.scores == pytest.approx(kept.scores, abs=1e-12)
    bare = rewalked(decision, placement, placed(learn=False), world).target.scores
    assert not np.allclose(bare, kept.scores)


def test_a_policy_that_knows_nobody_scores_nothing_personal(logged):
    decision, world = logged("d1", placed())
    kept = decision.candidate_features
    personal = {name for name in kept.columns if name.split(".")[0] in {"affinity", "session"}}
    assert personal
    forgotten = {name: (9.0,) * len(kept.item_ids) if name in personal else c for name, c in kept.columns.items()}
    changed = msgspec.structs.replace(decision, candidate_features=msgspec.structs.replace(kept, columns=forgotten))
    plain = [rewalked(one, placed(), placed(), world, is_personal=False) for one in (decision, changed)]
    known = [rewalked(one, placed(), placed(), world) for one in (decision, changed)]
    assert np.array_equal(plain[0].target.scores, plain[1].target.scores)
    assert not np.array_equal(known[0].target.scores, known[1].target.scores)


def test_what_is_pinned_and_was_no_candidate_is_out_of_reach(logged):
    placement = placed(sources=(), kinds=(), filter="genre <> 'horror'")
    decision, world = logged("d1", placement)
    target = placed(pins=(PinSettings(position=1, item="horror5"),), explore=0.0)
    found = rewalked(decision, placement, target, world)
    assert found.target.out_of_reach == {0}
    assert found.target.at_position(0, "d1")[0].sum() == 0
    assert found.target.at_position(0, "d1")[1].sum() == 1


def test_a_filter_of_the_policy_closes_logged_candidates(logged):
    decision, world = logged("d1", placed())
    found = rewalked(decision, placed(), placed(filter="genre = 'comedy'"), world)
    ids = np.array(decision.candidate_features.item_ids)
    open_to_it = found.target.at_position(0, "d1").sum(axis=0) > 0
    assert {item_id.rstrip("0123456789") for item_id in ids[open_to_it]} == {"comedy"}


def test_weights_at_a_position_are_right_on_average_however_few_the_walks(monkeypatch):
    """All slates of two of four, each as often as the policy makes it: the mean weighted reward is the true one."""
    monkeypatch.setattr("bespeak.decide.trying.rewalk.N_WALKS", 3)
    scores, worth = np.array([1.0, 0.6, 0.3, 0.0]), np.array([0.2, 0.9, 0.4, 0.7])
    walk = Walk(scores, Constraints(), Exploration(0.3, temperature=0.5), 2)
    wanted = np.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]])
    means = []
    for draw in range(150):
        total = np.zeros(2)
        for shown in permutations(range(4), 2):
            given = walk.after(shown)[[0, 1], list(shown)]
            at = walk.at_position(draw, f"d{shown}", shown)[[0, 1], list(shown)]
            total += given.prod() * wanted[[0, 1], list(shown)] / at * worth[list(shown)]
        means.append(total)
    error = np.std(means, axis=0) / np.sqrt(len(means))
    assert np.mean(means, axis=0)[0] == pytest.approx(wanted[0] @ worth)
    assert abs(np.mean(means, axis=0)[1] - wanted[1] @ worth) < 4 * error[1]
    assert error[1] < 0.01
