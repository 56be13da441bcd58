"""Subscriptions: who will cancel and what renewals will bring, learned from the log and read from the live profile."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from bespeak.engine.clock import VirtualClock, iso
from bespeak.engine.engine import Engine
from bespeak.engine.project import create
from bespeak.engine.settings import PredictionSettings
from bespeak.errors import ConfigError
from bespeak.models.popular.popularity import Popularity
from bespeak.signals.items import Item
from bespeak.web.tokens import make_token_key

START_MS = 1_767_225_600_000
DAY_MS = 86_400_000
DAYS, N_PEOPLE = 200, 150
SETTINGS = {
    "predictions": {
        "cancels": {"kind": "cancellation", "within_days": 30, "period_days": 30},
        "worth": {"kind": "subscription_value", "within_days": 90, "period_days": 30},
        "lapses": {"kind": "cancellation", "within_days": 30, "period_days": 30, "ends_by": "missed_renewal"},
    },
}


def event(user: str, day: float, name: str, **properties):
    at = iso(int(START_MS - (DAYS - day) * DAY_MS))
    return {"type": "track", "event": name, "userId": user, "timestamp": at, "properties": properties}


def paid(user: str, day: float, name: str = "Subscription Renewed", price: float = 9.99):
    return event(user, day, name, plan="standard", revenue=price, currency="EUR")


def lives(seed: int = 4):
    """People subscribe on some day, pay every 30 days, and mostly stop watching some days before they cancel."""
    draw = np.random.default_rng(seed)
    found = []
    for person in range(N_PEOPLE):
        user, first = f"u{person}", int(draw.integers(0, 150))
        leaves = first + 30 * int(draw.geometric(min(draw.beta(1.2, 3.0), 0.95)))
        for n, day in enumerate(range(first, min(leaves, DAYS), 30)):
            found.append(paid(user, day + 0.4, "Subscription Started" if n == 0 else "Subscription Renewed"))
        if leaves < DAYS:
            found.append(event(user, leaves + 0.4, "Subscription Cancelled", plan="standard"))
        loses_interest = leaves - int(draw.integers(5, 25))
        watched = [day for day in range(first, min(loses_interest, DAYS)) if draw.random() < 0.3]
        found += [event(user, day + 0.6, "Product Viewed", product_id="p1") for day in watched]
    return found


@pytest.fixture(scope="module")
def trained_folder(tmp_path_factory):
    """A project that was trained once; each test gets a copy."""
    root = tmp_path_factory.mktemp("paper") / "project"
    create(root, token_key=make_token_key(), settings=SETTINGS)
    with Engine.open(root, clock=VirtualClock(START_MS)) as engine:
        engine.items.put([Item(id="p1", title="P 1"), Item(id="p2", title="P 2")])
        reads = [event("reads", day + 0.5, "Product Viewed", product_id="p1") for day in range(DAYS - 70, DAYS)]
        sleeps = [event("sleeps", day + 0.5, "Product Viewed", product_id="p1") for day in range(DAYS - 70, DAYS - 25)]
        months = [paid(user, DAYS - day, price=19.99) for user in ("reads", "sleeps") for day in (70, 40, 10)]
        engine.track([*lives(), *reads, *sleeps, *months], source="backend")
        engine.models.train(candidates=[Popularity()])
    return root


@pytest.fixture
def trained(trained_folder, tmp_path, make):
    shutil.copytree(trained_folder, tmp_path / "project")
    return make()


def foretold(engine: Engine, user: str) -> dict[str, float]:
    return engine.profiles.readable(user).get("predictions", {})


def test_training_says_what_was_found(trained):
    (_, header), *_ = trained.models.versions()
    told = {line.partition(":")[0]: line for line in header.sentences}
    assert "the end of a subscription within 30 days came true for" in told["cancels"]
    assert "renewals were expected of" in told["worth"]
    assert "AUC" in told["lapses"]
    quality = {one.name: one.quality for one in header.predictions}
    assert quality["cancels"]["auc"] > 0.65
    assert quality["worth"]["predicted"] == pytest.approx(quality["worth"]["actual"], rel=0.3)


def test_who_stopped_coming_is_likelier_to_cancel_and_all_subscribers_are_worth_something(trained):
    reads, sleeps = foretold(trained, "reads"), foretold(trained, "sleeps")
    assert set(reads) == {"cancels", "worth", "lapses"}
    assert reads["cancels"] < sleeps["cancels"] - 0.15
    assert reads["lapses"] < sleeps["lapses"] - 0.15
    assert 1999 < reads["worth"] < 3 * 1999  # three renewals of 19.99 within 90 days, not all of them sure


def test_a_cancellation_silences_it_at_once_and_a_new_start_speaks_again(trained):
    trained.track([event("reads", DAYS - 0.2, "Subscription Cancelled")], source="backend")
    assert foretold(trained, "reads") == {}
    trained.track([paid("reads", DAYS - 0.1, "Subscription Started")], source="backend")
    assert set(foretold(trained, "reads")) == {"cancels", "worth", "lapses"}


def test_without_a_renewal_it_has_lapsed_only_where_that_is_said(trained, clock):
    clock.advance(40 * DAY_MS)  # the latest payment was 50 days ago, and 45 are a period and a half
    trained.core.refresh()
    assert set(foretold(trained, "reads")) == {"cancels", "worth"}


def test_who_never_subscribed_or_refuses_has_none(trained):
    trained.track([event("passer-by", DAYS - 0.1, "Product Viewed", product_id="p1")], source="backend")
    assert foretold(trained, "passer-by") == {}
    no = {"consent": {"categoryPreferences": {"personalize": False}}}
    trained.track([{**event("reads", DAYS - 0.1, "Product Viewed", product_id="p1"), "context": no}], source="backend")
    assert foretold(trained, "reads") == {}


def test_too_little_data_is_said_and_stops_nothing(make):
    engine = make(SETTINGS)
    engine.items.put([Item(id="p1", title="P 1")])
    engine.track([event(f"u{n}", DAYS - n % 9, "Product Viewed", product_id="p1") for n in range(30)], source="backend")
    told = [line for line in engine.models.train(candidates=[Popularity()]).header.sentences if "not foretold" in line]
    assert len(told) == 3
    assert all("There are no subscriptions" in line for line in told)


def test_subscriptions_without_a_price_have_a_risk_and_no_value(make):
    engine = make(SETTINGS)
    engine.items.put([Item(id="p1", title="P 1")])
    free = [{**one, "properties": {"plan": "standard", "product_id": "p1"}} for one in lives()]
    engine.track(free, source="backend")
    header = engine.models.train(candidates=[Popularity()]).header
    assert {one.name for one in header.predictions} == {"cancels", "lapses"}
    assert any("No subscription has an amount" in line for line in header.sentences)


@pytest.mark.parametrize("kind", ["cancellation", "subscription_value"])
def test_a_class_cannot_be_asked_of_a_subscription(make, kind):
    with pytest.raises(ConfigError, match="the subscription is meant"):
        make({"predictions": {"cancels": {"kind": kind, "of": "purchase"}}})
    assert PredictionSettings(kind=kind).period_days == 30.4375
