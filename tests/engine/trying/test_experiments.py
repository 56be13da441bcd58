"""Launch experiments: who takes part, that the first assignment holds, and what the control reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from bespeak.decide.decide import IN_CONTROL, UNKNOWN_PERSON
from bespeak.engine.engine import Engine
from bespeak.storage.tables import assignments

HALF = {"placements": {"home": {"launch": 0.5}}}
ITEMS = [{"id": f"p{n}", "title": f"Item {n}", "attributes": {"category": f"c{n % 4}"}} for n in range(24)]
N_PEOPLE = 60


def view(item: str, **ids: str) -> dict[str, Any]:
    return {"type": "track", "event": "Product Viewed", "properties": {"product_id": item}, **ids}


@pytest.fixture
def shop(make: Callable[..., Engine]) -> Engine:
    engine = make(HALF)
    engine.items.put(ITEMS)
    engine.track([view(f"p{n % 24}", userId=f"u{n}") for n in range(N_PEOPLE)], source="backend")
    return engine


def variant(engine: Engine, **ids: Any) -> str | None:
    experiment = engine.decide("home", **ids).decision.experiment
    engine.core.drain()
    return None if experiment is None else experiment["variant"]


def in_variant(engine: Engine, wanted: str) -> str:
    return next(f"u{n}" for n in range(N_PEOPLE) if variant(engine, user_id=f"u{n}") == wanted)


def test_consenting_people_are_spread_and_keep_their_variant(shop, make):
    first = {f"u{n}": variant(shop, user_id=f"u{n}") for n in range(N_PEOPLE)}
    counts = Counter(first.values())
    assert set(counts) == {"control", "personalized"}
    assert min(counts.values()) > N_PEOPLE // 4
    shop.close()
    again = make()
    assert {user: variant(again, user_id=user) for user in first} == first


def test_a_project_without_a_launch_assigns_nobody(make):
    engine = make()
    engine.items.put(ITEMS)
    engine.track([view("p1", userId="u1")], source="backend")
    assert variant(engine, user_id="u1") is None


def test_a_preview_and_an_unknown_person_take_no_part(shop):
    controlled = in_variant(shop, "control")
    preview = shop.decide("home", user_id=controlled, is_preview=True).decision
    assert preview.experiment is None
    assert preview.mode == "profiled"
    assert variant(shop, anonymous_id="never seen") is None
    assert shop.decide("similar", user_id=controlled).decision.experiment is None


@pytest.mark.parametrize("refused", ["measure", "personalize"])
def test_who_refuses_a_purpose_takes_no_part(shop, refused):
    consent = {"consent": {"categoryPreferences": {refused: False}}}
    shop.track([{**view("p1", userId="u1"), "context": consent}], source="backend")
    assert variant(shop, user_id="u1") is None


def test_a_bot_takes_no_part(shop):
    agent = {"userAgent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}
    assert shop.decide("home", user_id="u1", context=agent).decision.experiment is None


def test_the_control_reads_nothing_and_says_why(shop):
    decision = shop.decide("home", user_id=in_variant(shop, "control")).decision
    assert decision.mode == "anonymous"
    assert IN_CONTROL in decision.notes
    assert UNKNOWN_PERSON not in decision.notes
    assert decision.person is not None
    nobody = shop.decide("home").decision
    assert [shown.item_id for shown in decision.items] == [shown.item_id for shown in nobody.items]
    treated = shop.decide("home", user_id=in_variant(shop, "personalized")).decision
    assert treated.mode == "profiled"


def test_of_two_devices_the_first_assignment_holds(shop, clock):
    wanted = {}
    for n in range(40):
        shop.track([view("p1", anonymousId=f"a{n}")], source="backend")
        wanted.setdefault(variant(shop, anonymous_id=f"a{n}"), f"a{n}")
        clock.advance(1000)
    early, late = sorted(wanted.items(), key=lambda entry: int(entry[1][1:]))
    for device in (early[1], late[1]):
        shop.track([view("p2", anonymousId=device, userId="both")], source="backend")
    assert variant(shop, user_id="both") == variant(shop, anonymous_id=late[1]) == early[0]
    with shop.core.store.read() as session:
        mixed = [a for a in assignments.assigned_to(session, "home-launch") if a.is_mixed]
    assert [a.variant for a in mixed] == [early[0]]


def test_once_decided_only_the_holdout_stays_and_was_in_the_control_before(shop):
    before = {f"u{n}": variant(shop, user_id=f"u{n}") for n in range(N_PEOPLE)}
    assert shop.experiments.end_launch("home-launch", shop.core.now_ms())
    assert not shop.experiments.end_launch("home-holdout", shop.core.now_ms())
    shop.core.refresh()
    decisions = {user: shop.decide("home", user_id=user).decision for user in before}
    assert {decision.experiment["name"] for decision in decisions.values()} == {"home-holdout"}
    held_out = {user for user, decision in decisions.items() if decision.experiment["variant"] == "control"}
    assert len(held_out) < N_PEOPLE // 4
    assert all(before[user] == "control" for user in held_out)


def test_an_erased_person_leaves_no_assignment(shop):
    user = in_variant(shop, "control")
    with shop.core.store.read() as session:
        n_before = len(assignments.assigned_to(session, "home-launch"))
    exported = shop.privacy.export(user)
    assert "home-launch" in str(exported)
    shop.privacy.erase(user)
    with shop.core.store.read() as session:
        assert len(assignments.assigned_to(session, "home-launch")) == n_before - 1
