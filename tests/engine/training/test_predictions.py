"""Predictions of people: learned by training, read from the live profile, in rules, and not where nobody may read."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from bespeak.engine.clock import VirtualClock, iso
from bespeak.engine.engine import Engine
from bespeak.engine.project import create
from bespeak.engine.segments import segment_members, settle_segments
from bespeak.engine.settings import PredictionSettings
from bespeak.engine.worlds.predictors import StoredPrediction, predictors_of
from bespeak.errors import ConfigError
from bespeak.models.popular.popularity import Popularity
from bespeak.signals.items import Item
from bespeak.web.tokens import make_token_key

START_MS = 1_767_225_600_000
DAY_MS = 86_400_000
DAYS, N_PEOPLE = 130, 160
SETTINGS = {
    "predictions": {
        "churn": {"kind": "churn", "within_days": 14, "among_days": 40},
        "buys": {"kind": "propensity", "of": "purchase", "within_days": 14},
        "lifetime_value": {"kind": "lifetime_value", "within_days": 90},
    },
    "segments": {"leaving": "prediction.churn > 0.5"},
    "placements": {"home": {"crosses": ["prediction.churn * category", "prediction.lifetime_value * category"]}},
}


def event(user: str, day: float, name: str = "Product Viewed", **properties):
    return {
        "type": "track",
        "event": name,
        "userId": user,
        "timestamp": iso(int(START_MS - (DAYS - day) * DAY_MS)),
        "properties": {"product_id": "p1", **properties},
    }


def bought(user: str, day: float, price: float):
    line = {"product_id": "p1", "price": price, "quantity": 1}
    return {
        **event(user, day, "Order Completed"),
        "properties": {"order_id": f"{user}-{day}", "revenue": price, "currency": "EUR", "products": [line]},
    }


def visits(seed: int = 3):
    """People come every other day or so until they leave for good; a third of their visits end in an order."""
    draw = np.random.default_rng(seed)
    found = []
    for person in range(N_PEOPLE):
        left, usual = draw.integers(5, 260), draw.gamma(6, 5)
        for day in np.flatnonzero(draw.random(DAYS) < 0.3):
            if day < left:
                found.append(event(f"u{person}", day + 0.3))
                if draw.random() < 0.3:
                    found.append(bought(f"u{person}", day + 0.4, round(usual * draw.gamma(8, 1 / 8) + 1, 2)))
    return found


@pytest.fixture(scope="module")
def trained_folder(tmp_path_factory):
    """A project that was trained once; each test gets a copy."""
    root = tmp_path_factory.mktemp("shop") / "project"
    create(root, token_key=make_token_key(), settings=SETTINGS)
    with Engine.open(root, clock=VirtualClock(START_MS)) as engine:
        engine.items.put([Item(id="p1", title="P 1"), Item(id="p2", title="P 2", attributes={"category": "new"})])
        stays = [event("stays", day + 0.5) for day in range(DAYS - 60, DAYS)]
        left = [event("left", day + 0.5) for day in range(DAYS - 60, DAYS - 25)]
        orders = [bought("stays", DAYS - day, 200.0) for day in (50, 30, 5, 1)]
        engine.track([*visits(), *stays, *left, *orders], source="backend")
        engine.models.train(candidates=[Popularity()])
    return root


@pytest.fixture
def trained(trained_folder, tmp_path, make):
    shutil.copytree(trained_folder, tmp_path / "project")
    return make()


def test_training_says_what_was_found_and_how_well_calibrated(trained):
    (_, header), *_ = trained.models.versions()
    told = {line.partition(":")[0]: line for line in header.sentences}
    assert "people held back. AUC" in told["churn"]
    assert "probabilities are off by" in told["churn"]
    assert "a purchase within 14 days" in told["buys"]
    assert "purchases were expected of" in told["lifetime_value"]
    table = {one.name: one.quality for one in header.predictions}["churn"]["table"]
    assert [sorted(row) for row in table[:1]] == [["high", "low", "n", "observed", "predicted"]]


def test_a_profile_shows_what_is_foretold_of_it(trained):
    stays, left = (trained.profiles.readable(user)["predictions"] for user in ("stays", "left"))
    assert set(stays) == {"churn", "buys", "lifetime_value"}
    assert stays["churn"] < 0.4 < 0.8 < left["churn"]
    assert stays["lifetime_value"] > 5_000  # several orders of 200 euros, in cents, pulled towards everybody
    assert "lifetime_value" not in left


def test_an_event_counts_at_once(trained):
    before = trained.profiles.readable("left")["predictions"]["churn"]
    trained.track([event("left", DAYS - 0.1)], source="backend")
    assert trained.profiles.readable("left")["predictions"]["churn"] < before - 0.2


def crossed(engine: Engine, user: str) -> set[str]:
    slate = engine.decide("home", user_id=user, is_preview=True)
    return {name for item in slate for name in item.features if name.startswith("cross.")}


def test_what_is_foretold_is_a_signal_crossed_with_what_is_shown(trained):
    churns, is_worth = (f"cross.prediction.{name}={{}}*category=new" for name in ("churn", "lifetime_value"))
    assert crossed(trained, "stays") == {churns.format("low"), is_worth.format("high")}
    assert crossed(trained, "left") == {churns.format("high")}  # never ordered: no value is foretold
    assert crossed(trained, "nobody") == set()
    refusal = {**event("stays", DAYS - 0.05), "context": {"consent": {"categoryPreferences": {"personalize": False}}}}
    trained.track([refusal], source="backend")
    assert crossed(trained, "stays") == set()


def test_a_third_of_the_people_lies_on_each_level(trained):
    levels = [
        cross.partition("=")[2].partition("*")[0]
        for user in (f"u{n}" for n in range(N_PEOPLE))
        for cross in crossed(trained, user)
        if cross.startswith("cross.prediction.churn")
    ]
    assert all(0.2 < levels.count(level) / len(levels) < 0.47 for level in ("low", "medium", "high"))


def test_a_cross_with_what_nobody_asked_for_is_refused(make):
    with pytest.raises(ConfigError, match=r"placements\.home\.crosses") as refused:
        make({"placements": {"home": {"crosses": ["prediction.churn * popular"]}}})
    assert "[predictions]" in str(refused.value)


def test_a_segment_follows_the_prediction(trained):
    settle_segments(trained.core)
    members = {member.id for member in segment_members(trained.core, "leaving", 500)}
    assert "left" in members
    assert "stays" not in members
    trained.track([event("left", DAYS - 0.1 * n) for n in range(1, 10)], source="backend")
    assert "left" not in {member.id for member in segment_members(trained.core, "leaving", 500)}


def test_time_alone_moves_people_into_a_segment(trained, clock):
    settle_segments(trained.core)
    clock.advance(30 * DAY_MS)
    trained.core.refresh()
    settle_segments(trained.core)
    assert "stays" in {member.id for member in segment_members(trained.core, "leaving", 500)}


def test_who_refuses_or_is_erased_or_unknown_has_none(trained):
    refusal = {**event("stays", DAYS - 0.05), "context": {"consent": {"categoryPreferences": {"personalize": False}}}}
    trained.track([refusal], source="backend")
    assert "predictions" not in trained.profiles.readable("stays")
    trained.privacy.erase("left")
    assert trained.profiles.readable("left") is None
    trained.track([event("new", DAYS - 0.01)], source="backend")
    assert "churn" in trained.profiles.readable("new")["predictions"]


def test_parameters_of_the_population_are_all_that_is_stored(trained):
    (_, header), *_ = trained.models.versions()
    text = json.dumps([one.quality for one in header.predictions])
    assert "stays" not in text
    assert "left" not in text
    assert {one.name for one in header.predictions} == set(SETTINGS["predictions"])


def test_a_prediction_that_is_asked_otherwise_waits_for_the_next_training(trained):
    (_, header), *_ = trained.models.versions()
    asked = {"churn": PredictionSettings(kind="churn", within_days=15, among_days=40)}
    assert predictors_of(header.predictions, asked) == {}
    assert predictors_of([StoredPrediction(name="churn", settings=asked["churn"])], asked) == {}


def test_too_little_data_is_said_and_stops_nothing(make):
    engine = make(SETTINGS)
    engine.items.put([Item(id="p1", title="P 1")])
    engine.track([event(f"u{n}", DAYS - n % 3) for n in range(20)], source="backend")
    report = engine.models.train(candidates=[Popularity()])
    told = [line for line in report.header.sentences if "not foretold" in line]
    assert len(told) == 3
    assert "The log tells of" in told[0]
    assert "There are no orders" in told[2]
    assert report.header.predictions == []
