"""Accounts that a household shares, against who was really there: no profile ever gets what another one did."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from bespeak.engine import Engine
from bespeak.engine.clock import VirtualClock
from bespeak.engine.project import create
from bespeak.signals.ids import PROFILE_ID, SEPARATOR, IdKey
from bespeak.simulate import Behaviour, Consent, ShopWorld, StreamingWorld
from bespeak.simulate.world import World
from bespeak.storage.tables import log, people

END_MS = 1_750_000_000_000


@pytest.fixture(scope="module")
def world() -> World:
    households = Behaviour(household_share=1.0, withdraw_share=0.0)
    return StreamingWorld(31, n_people=160, n_items=60, days=14, end_ms=END_MS, behaviour=households)


def owner(event: dict[str, Any]) -> int:
    """Who really did it."""
    return int(event["messageId"].split("-")[1]) - 1


def test_a_household_shares_an_account_where_there_are_subscriptions(world: World) -> None:
    accounts = defaultdict(list)
    for person in world.people():
        if person.profile_id is not None:
            accounts[person.user_id].append((person.index, person.profile_id))
    assert len(accounts) > 5
    for user_id, members in accounts.items():
        (first, _), (second, _) = members
        assert [profile for _, profile in members] == ["profile-1", "profile-2"]
        assert world.identities.household[first] == world.identities.household[second] >= 0
        assert user_id == f"u{first + 1:04d}"
    shop = ShopWorld(31, n_people=40, n_items=24, days=2, end_ms=END_MS, behaviour=Behaviour(household_share=0.8))
    assert all(person.profile_id is None for person in shop.people())


def test_profiles_of_one_account_are_never_mixed(world: World, tmp_path: Path) -> None:
    create(tmp_path / "service", token_key=("private", ""))
    with Engine.open(tmp_path / "service", clock=VirtualClock(END_MS)) as engine:
        engine.items.put(world.items())
        sent = list(world.events())
        engine.track(sent, source="backend")
        titles = defaultdict(set)
        for event in sent:
            if "profileId" in event["context"] and event.get("event") == "Video Content Started":
                titles[owner(event)].add(event["properties"]["asset_id"])
        n_alike = n_profiles = 0
        for person in world.people():
            if person.profile_id is None or person.consent not in (Consent.ALL, Consent.OURS):
                continue
            key = IdKey(PROFILE_ID, f"{person.user_id}{SEPARATOR}{person.profile_id}")
            with engine.core.store.read() as session:
                found = people.profile_of(session, key)
                if found is None:
                    continue  # never logged in
                events = [entry.body.event for entry in log.entries_of(session, [found[0]])]
            n_profiles += 1
            assert {owner({"messageId": event.message_id}) for event in events} == {person.index}
            held = {event.properties["asset_id"] for event in events if event.name == "Video Content Started"}
            assert held == titles[person.index]
            slate = engine.decide("home", user_id=person.user_id, profile_id=person.profile_id, count=5)
            assert slate.decision.mode == "profiled"
            assert slate.decision.person == found[0]
            other = engine.decide("home", user_id=person.user_id, profile_id="profile-3", count=5)
            assert other.decision.person is None  # a profile that nobody has used is nobody
            n_alike += slate.item_ids == other.item_ids
        assert n_profiles > 8
        assert n_alike < n_profiles / 2
