"""Weights end to end: decided, seen, clicked, learned, swapped in; and switched off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bespeak.decide.rankers.forest import TREES, Forest
from bespeak.engine.clock import VirtualClock, iso
from bespeak.engine.engine import Engine
from bespeak.engine.training.exposures import DAY_MS
from bespeak.engine.worlds.weights import StoredForest, StoredWeights, WeightsReport, put_weights
from bespeak.models.popular.popularity import Popularity

N_PEOPLE = 40
N_ROUNDS = 8
COUNT = 6
HOME = {"hide_seen": {}, "explore": 0.3, "one_per_group": False, "facets": ["category"], "exclude_cart": False}


def event(name: str, user: str, clock: VirtualClock, **properties: Any) -> dict[str, Any]:
    at = iso(clock.now_ms())
    return {"type": "track", "event": name, "userId": user, "timestamp": at, "properties": properties}


def lived(engine: Engine, clock: VirtualClock, n_rounds: int = N_ROUNDS) -> None:
    """Everybody likes new things, whatever is popular: half of the items came out lately, the others sell."""
    rng = np.random.default_rng(0)
    now_ms = clock.now_ms()
    items = [
        {
            "id": f"p{n}",
            "title": f"Thing {n}",
            "attributes": {"category": f"c{n % 5}"},
            "publishedAt": iso(now_ms - (2 if n % 2 else 300) * DAY_MS),
        }
        for n in range(40)
    ]
    engine.items.put(items)
    people = [f"u{n}" for n in range(N_PEOPLE)]
    views = [event("Product Viewed", u, clock, product_id=f"p{2 * int(rng.integers(20) ** 2 // 20)}") for u in people]
    engine.track(views, source="backend")
    engine.models.train(candidates=[Popularity()])
    for turn in range(n_rounds):
        clock.advance(DAY_MS // 4)
        happened = []
        for user in people:
            slate = engine.decide("home", user_id=user, count=COUNT, decision_id=f"{user}-{turn}")
            shown = [{"item_id": item, "position": place} for place, item in enumerate(slate.item_ids, 1)]
            decision_id = slate.decision.decision_id
            happened.append(event("Recommendation Viewed", user, clock, decision_id=decision_id, items=shown))
            for place, item in enumerate(slate.item_ids, 1):
                chance = place**-0.5 * (0.5 if int(item[1:]) % 2 else 0.05)
                if rng.random() < chance:
                    happened.append(event("Product Clicked", user, clock, product_id=item, decision_id=decision_id))
        engine.track(happened, source="backend")
    clock.advance(2 * DAY_MS)
    engine.core.drain()


def trained(engine: Engine) -> list[WeightsReport]:
    return engine.models.train(candidates=[Popularity()]).header.weights


def test_weights_are_learned_taken_over_and_explained(make: Callable[..., Engine], clock: VirtualClock) -> None:
    engine, other = make({"placements": {"home": HOME}}), make()
    lived(engine, clock)
    before = engine.decide("home", user_id="u0", is_preview=True)
    (report,) = trained(engine)
    assert report.is_in_use, report.sentences
    assert report.n_shown == N_PEOPLE * N_ROUNDS * COUNT
    assert report.signals["fresh"].learned > 2 * report.signals["fresh"].usual
    assert "they are taken over" in report.sentences[0]
    assert report.sentences[0] in engine.models.versions()[0][1].sentences

    clock.advance(1_000)
    for process in (engine, other):  # another process takes them over at its next decision
        slate = process.decide("home", user_id="u0", is_preview=True, explain=True)
        assert slate.decision.weights_version == 1
        assert all(int(item[1:]) % 2 for item in slate.item_ids)
        for item in slate:
            assert sum(reason.contribution for reason in item.reasons) == pytest.approx(item.score, abs=1e-12)
            top = item.reasons[0]
            assert top.weight == report.signals[top.signal.partition("=")[0]].learned
    assert before.decision.weights_version == 0

    clock.advance(1_000)
    (again,) = trained(engine)  # nothing was shown since: those in use stay
    assert not again.is_in_use
    assert again.sentences[0].endswith(
        "not learned anew yet, more outcomes since those in use were learned are missing."
    )
    assert engine.decide("home", user_id="u0").decision.weights_version == 1


def test_a_placement_may_switch_learning_off(make: Callable[..., Engine], clock: VirtualClock) -> None:
    engine = make({"placements": {"home": HOME}})
    lived(engine, clock)
    assert trained(engine)[0].is_in_use
    config = engine.core.folder.config_path
    config.write_text(config.read_text().replace("[placements.home]", "[placements.home]\nlearn = false"))
    engine.core.apply()
    clock.advance(1_000)
    assert engine.decide("home", user_id="u0").decision.weights_version == 0
    assert trained(engine) == []


def test_too_little_says_what_is_missing(make: Callable[..., Engine], clock: VirtualClock) -> None:
    engine = make({"placements": {"home": HOME}})
    lived(engine, clock, n_rounds=1)
    (report,) = trained(engine)
    assert not report.is_learned
    assert report.sentences[0].startswith("home: the weights are not learned yet, 760 shown items and ")
    assert engine.decide("home", user_id="u0").decision.weights_version == 0


def test_what_was_decided_but_brought_nothing_says_what_counts(
    make: Callable[..., Engine], clock: VirtualClock
) -> None:
    engine = make({"placements": {"home": {**HOME, "objective": {"wishlist": 1}}}})
    lived(engine, clock, n_rounds=1)
    (report,) = trained(engine)
    assert any("none of wishlist came" in sentence for sentence in report.sentences)


def test_without_a_decision_nothing_is_said(make: Callable[..., Engine], clock: VirtualClock) -> None:
    engine = make()
    engine.track([event("Product Viewed", "u0", clock, product_id="p1")], source="backend")
    assert trained(engine) == []


def test_click_rates_of_items_reach_decisions(make: Callable[..., Engine], clock: VirtualClock) -> None:
    engine = make({"placements": {"home": HOME}})
    lived(engine, clock)
    trained(engine)
    clock.advance(1_000)
    rates = engine.core.world.click_rates["home"]
    odd = np.array([int(item[1:]) % 2 == 1 for item in engine.core.world.catalogue.item_ids])
    assert rates[odd].mean() > 0 > rates[~odd].mean()
    engine.items.put([{"id": "fresh", "title": "Fresh"}])  # a new catalogue keeps the rates of its items
    clock.advance(1_000)
    slate = engine.decide("home", user_id="u0", is_preview=True)
    assert engine.core.world.click_rates["home"][:-1].tolist() == rates.tolist()
    assert all("click_rate" in item.features for item in slate if item.item_id != "fresh")


@pytest.mark.outside
def test_trees_are_one_term_at_decision_time_and_told_by_signal_from_the_record(
    make: Callable[..., Engine], clock: VirtualClock
) -> None:
    engine = make({"placements": {"home": {**HOME, "ranker": "trees"}}})
    lived(engine, clock)
    (report,) = trained(engine)
    assert "home: boosted trees need more outcomes on more days." in report.sentences

    rng = np.random.default_rng(0)  # trees that this small shop would not have been given
    forest = Forest(
        names=("fresh", "popular"),
        features=rng.integers(0, 2, (5, 3)),
        thresholds=rng.random((5, 3)),
        leaves=rng.normal(size=(5, 4)),
        covers=np.ones((5, 4)),
    )
    given = StoredWeights(
        version=0, created_ms=0, table={"fresh": 2.0, TREES: 0.5}, intercept=0, slope=1, forest=StoredForest.of(forest)
    )
    with engine.core.store.write() as tx:
        put_weights(tx, {"home": given}, {})
    clock.advance(1_000)
    slate = engine.decide("home", user_id="u0", is_preview=True, explain=True)
    for item in slate:
        assert sum(reason.contribution for reason in item.reasons) == pytest.approx(item.score, abs=1e-12)
        row = np.array([[item.features.get("fresh", 0.0), item.features.get("popular", 0.0)]])
        assert item.features[TREES] == forest.scores(("fresh", "popular"), row)[0]
    engine.core.drain()
    record = engine.decision(slate.decision.decision_id)
    assert record is not None
    for item in record.items:
        assert sum(reason.contribution for reason in item.reasons) == pytest.approx(item.score, abs=1e-12)
        assert {"fresh", "popular"} & {reason.signal for reason in item.reasons}
