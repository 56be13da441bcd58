"""Weights and the decision log: a true improvement is taken over, a false one is refused, and silence decides nothing.

Half of the items came out lately. Which half people like, and how likely they look at each position, is known, so the
value of every policy is a sum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bespeak.decide.rankers.score import Weights
from bespeak.decide.trying.rewalk import rewalked
from bespeak.engine.clock import VirtualClock, iso
from bespeak.engine.engine import Engine
from bespeak.engine.logged.slate_log import SlateLog
from bespeak.engine.training.exposures import CLICKED, DAY_MS
from bespeak.engine.training.policy_values import WeightsValue, weights_values
from bespeak.engine.training.promotion import tried_on_log
from bespeak.engine.worlds.weights import WeightsReport
from bespeak.learn.rankers.weights import LearnedWeights
from bespeak.learn.replay.slates import replay
from bespeak.models.popular.popularity import Popularity
from bespeak.signals.purposes import IMPROVE, MEASURE
from bespeak.storage.tables import records

N_PEOPLE, COUNT = 40, 3
LIKED, OTHER = 0.5, 0.1
EXAMINED = np.array([1.0, 0.7, 0.6])
HOME: dict[str, Any] = {
    "hide_seen": {},
    "explore": 0.4,
    "temperature": 0.3,
    "record_features": 1.0,
    "one_per_group": False,
    "facets": ["category"],
    "exclude_cart": False,
    "launch": 0.0,
    "count": COUNT,
}


def event(name: str, user: str, at_ms: int, number: str, **properties: Any) -> dict[str, Any]:
    about = {"messageId": f"{name}-{user}-{number}", "properties": properties, "timestamp": iso(at_ms)}
    return {"type": "track", "event": name, "userId": user, **about}


def stocked(engine: Engine, clock: VirtualClock) -> None:
    now_ms = clock.now_ms()
    born = [iso(now_ms - (2 if n % 2 else 300) * DAY_MS) for n in range(12)]
    engine.items.put([{"id": f"p{n}", "title": "x", "publishedAt": born[n]} for n in range(12)])
    views = [event("Product Viewed", f"u{n}", now_ms, "0", product_id=f"p{n % 12}") for n in range(N_PEOPLE)]
    engine.track(views, source="backend")
    engine.models.train(candidates=[Popularity()])


def lived(
    engine: Engine, clock: VirtualClock, rounds: range, *, likes_new: bool, hides_new: bool = False
) -> list[dict[str, Any]]:
    """Everybody comes once a round; with `hides_new`, the site reports new items as seen only if they are clicked."""
    rng = np.random.default_rng(rounds.start + 1)
    happened = []
    for turn in rounds:
        clock.advance(DAY_MS // 8)
        at_ms = clock.now_ms()
        for user in (f"u{n}" for n in range(N_PEOPLE)):
            slate = engine.decide("home", user_id=user, decision_id=f"{user}-{turn}")
            seen = []
            for place, item in enumerate(slate.item_ids):
                is_new = int(item[1:]) % 2 == 1
                is_clicked = rng.random() < EXAMINED[place] * (LIKED if is_new == likes_new else OTHER)
                if is_clicked:
                    about = {"product_id": item, "decision_id": f"{user}-{turn}"}
                    happened.append(event("Product Clicked", user, at_ms + 1_000, f"{turn}-{item}", **about))
                if is_clicked or not (hides_new and is_new):
                    seen.append({"item_id": item, "position": place + 1})
            about = {"decision_id": f"{user}-{turn}", "items": seen}
            happened.append(event("Recommendation Viewed", user, at_ms, f"{turn}", **about))
    engine.track(happened, source="backend")
    clock.advance(2 * DAY_MS)
    engine.core.drain()
    return happened


def truth(engine: Engine, weights: Weights, *, likes_new: bool, n: int = 50) -> float:
    """What a decision brings under weights: the chances of every item at every position times how it is liked."""
    world = engine.core.world
    home = world.placement("home")
    tried = replace(world, learned={"home": weights} if weights.learned else {})
    with engine.core.store.read() as session:
        latest = records.placement_page(session, "home", None, n)
    found = []
    for decision in latest:
        again = rewalked(decision, home, home, tried)
        if again is None or decision.candidate_features is None:  # a preview
            continue
        is_liked = np.array([(int(item[1:]) % 2 == 1) == likes_new for item in decision.candidate_features.item_ids])
        chances = again.target.at_position(1, decision.decision_id)
        found.append(float((EXAMINED[:, None] * chances * np.where(is_liked, LIKED, OTHER)).sum()))
    return float(np.mean(found))


def trained(engine: Engine) -> WeightsReport:
    (report,) = engine.models.train(candidates=[Popularity()]).header.weights
    return report


def value_now(engine: Engine) -> WeightsValue:
    return next(one for one in weights_values(engine.core) if one.is_in_use)


def test_a_true_improvement_is_taken_over_keeps_what_was_predicted_and_is_flagged_once_it_does_not(
    make: Callable[..., Engine], clock: VirtualClock
) -> None:
    engine = make({"placements": {"home": HOME}})
    stocked(engine, clock)
    lived(engine, clock, range(26), likes_new=True)
    before = truth(engine, Weights(), likes_new=True)
    report = trained(engine)
    said = report.prediction
    assert report.is_in_use, report.sentences
    assert said is not None, report.sentences
    assert any("they would have won" in sentence for sentence in report.sentences)
    clock.advance(1_000)
    engine.decide("home", user_id="u0", is_preview=True)
    after = truth(engine, engine.core.world.weights_of("home"), likes_new=True)
    assert after > before + 0.05
    assert said.interval[0] < after < said.interval[1]
    assert said.difference_interval[0] > 0

    waiting = value_now(engine)
    assert (waiting.prediction, waiting.online, waiting.n_decisions) == (said, None, 0)
    assert "no decision" in waiting.sentence
    lived(engine, clock, range(26, 31), likes_new=True)
    held = value_now(engine)
    assert held.n_decisions == 5 * N_PEOPLE
    assert held.online is not None
    assert held.online.low < after < held.online.high
    assert not held.is_off
    assert "as predicted" in held.sentence
    lived(engine, clock, range(31, 39), likes_new=False)  # from now on people like what is old
    held = value_now(engine)
    assert held.is_off
    assert "less than predicted" in held.sentence


def test_a_false_improvement_is_refused(
    make: Callable[..., Engine], clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The site reports new items only where they are clicked, so that in what was seen they look best.

    That the held-out comparison falls for it too is made so here.
    """
    monkeypatch.setattr(LearnedWeights, "is_better", property(lambda _: True))
    engine = make({"placements": {"home": HOME}})
    stocked(engine, clock)
    lived(engine, clock, range(23), likes_new=False, hides_new=True)
    report = trained(engine)
    assert report.signals["fresh"].learned > report.signals["fresh"].usual
    assert not report.is_in_use
    assert any("they would have lost" in sentence for sentence in report.sentences)
    assert report.sentences[0].endswith("those in use stay.")
    assert report.prediction is not None
    assert engine.decide("home", user_id="u0", is_preview=True).decision.weights_version == 0
    loved = Weights(learned={"fresh": 3.0})
    gap = truth(engine, loved, likes_new=False) - truth(engine, Weights(), likes_new=False)
    assert gap < -0.05
    home, now_ms = engine.core.world.placement("home"), clock.now_ms()
    trial = tried_on_log(engine.core, home, loved, loved, CLICKED, now_ms - 3 * DAY_MS, now_ms)
    assert trial.has_lost
    assert trial.prediction is not None
    low, high = trial.prediction.difference_interval
    assert low < gap < high


@pytest.mark.parametrize(
    ("home", "reason"),
    [
        ({"explore": 0.0, "temperature": 0.0, "record_features": None}, "does not explore"),
        ({"record_features": 0.0}, "no later decision kept its candidates"),
        ({}, "are needed"),
    ],
)
def test_a_log_that_cannot_tell_says_why(
    make: Callable[..., Engine], clock: VirtualClock, home: dict[str, Any], reason: str
) -> None:
    section = {key: value for key, value in {**HOME, **home}.items() if value is not None}
    engine = make({"placements": {"home": section}})
    stocked(engine, clock)
    lived(engine, clock, range(2), likes_new=True)
    placement = engine.core.world.placement("home")
    fresh = Weights(learned={"fresh": 2.0})
    trial = tried_on_log(engine.core, placement, fresh, fresh, CLICKED, 0, engine.core.now_ms())
    assert trial.prediction is None
    assert reason in trial.sentence("home")
    assert not trial.has_won
    assert not trial.has_lost


def test_what_is_kept_of_the_policy_of_the_log_changes_no_replay(
    make: Callable[..., Engine], clock: VirtualClock
) -> None:
    engine = make({"placements": {"home": HOME}})
    stocked(engine, clock)
    lived(engine, clock, range(1), likes_new=True)
    core = engine.core
    log = SlateLog(core, "home", CLICKED, 0, DAY_MS, (MEASURE, IMPROVE), core.now_ms())
    kept: dict[str, Any] = {}
    for weights in (Weights(learned={"fresh": 2.0}), Weights()):
        world = replace(core.world, learned={"home": weights})
        found, plain = (replay(log.scenes(), world.placement("home"), world, of_log=of_log) for of_log in (kept, None))
        assert len(kept) == found.n_used == N_PEOPLE
        for column in ("propensity", "target", "unsupported", "predicted", "expected"):
            assert np.array_equal(getattr(found.choices, column), getattr(plain.choices, column)), column
