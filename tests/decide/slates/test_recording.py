"""Which decisions keep all candidates with their features, and that these are what the scores were made of."""

from __future__ import annotations

import msgspec
import pytest

from bespeak.decide.decide import decide
from bespeak.decide.occasion import Occasion
from bespeak.decide.request import DecideRequest
from bespeak.decide.settings.placements import HOME

REQUEST = DecideRequest(placement="home", count=4)


@pytest.fixture(scope="module")
def made(build_world, person, now_ms):
    """Decides with settings of home; the person may be measured."""

    def of(decision_id: str, *, is_preview: bool = False, granted=None, **settings):
        world = build_world(placements={"home": msgspec.structs.replace(HOME, **settings)})
        someone = person(("drama1", "view", 1.0), ("drama2", "click", 2.0), granted=granted)
        return decide(Occasion(REQUEST, someone, world, now_ms, decision_id, is_preview=is_preview)), world

    return of


def test_candidates_are_kept_with_the_features_that_make_their_scores(made):
    decision, world = made("d1", explore=0.2, record_features=1.0)
    kept = decision.candidate_features
    assert decision.candidate_features_rate == 1.0
    assert len(kept.item_ids) == len(kept.scores) == decision.n_candidates
    weights = world.weights.of(tuple(kept.columns), world.models.best, HOME.weights)
    for place, score in enumerate(kept.scores):
        terms = [weight * column[place] for weight, column in zip(weights, kept.columns.values(), strict=True)]
        assert sum(terms) == pytest.approx(score, abs=1e-9)
    for shown in decision.items:
        place = kept.item_ids.index(shown.item_id)
        assert kept.scores[place] == shown.score
        assert {name: column[place] for name, column in kept.columns.items() if column[place]} == shown.features


def test_a_tenth_of_the_decisions_that_explore_keeps_them_unless_said_otherwise(made):
    found = [made(f"d{n}", explore=0.2)[0] for n in range(60)]
    assert {decision.candidate_features_rate for decision in found} == {0.1}
    assert 1 <= sum(decision.candidate_features is not None for decision in found) <= 15


@pytest.mark.parametrize(
    "settings",
    [
        {"explore": 0.2, "record_features": 0.0},
        {"explore": 0.0},
        {"explore": 0.2, "record_features": 1.0, "is_preview": True},
        {"explore": 0.2, "record_features": 1.0, "granted": ("essential", "personalize")},
        {"explore": 0.2, "record_features": 1.0, "granted": ("essential", "measure")},
    ],
    ids=["switched off", "nothing drawn", "preview", "not to be measured", "not profiled"],
)
def test_nothing_is_kept_that_nobody_may_use(made, settings):
    decision, _ = made("d1", **settings)
    assert decision.candidate_features is None
    assert decision.candidate_features_rate == 0
