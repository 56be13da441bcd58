"""Flags: answers that are held, one record for each, and what was fetched ahead counts only once it was seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bespeak.engine.clock import VirtualClock
from bespeak.engine.deciding.flags import DAY_MS, HOUR_MS
from bespeak.engine.deciding.slates import Slate
from bespeak.engine.engine import Engine
from bespeak.errors import StoreUnavailable, UnknownName
from bespeak.signals.decisions import Decision
from bespeak.signals.events import Context
from bespeak.signals.ids import ANONYMOUS_ID, USER_ID, IdKey
from bespeak.storage.tables import records

ALL = ["essential", "personalize", "measure", "improve"]
PHONE = Context(device="mobile", local_hour=9)
SETTINGS: dict[str, Any] = {
    "placements": {
        "hero": {
            "kind": "variant",
            "variants": ["a", "b", "c"],
            "learn": "thompson",
            "explore": 0.9,
            "reward": {"click": 1.0},
            "window_minutes": 10,
        },
        "loyal": {"kind": "variant", "variants": {"no": False, "yes": True}, "when": ["views_7d >= 2 show yes"]},
        "half": {"kind": "variant", "variants": ["x", "y"], "split": {"y": 0.5}},
        "there": {"kind": "variant", "variants": ["x", "y"], "split": {"y": 0.5}, "sticky": "device"},
    },
    "sources": {"shop": {"kind": "import", "consent": ALL}},
}


@pytest.fixture
def engine(make: Callable[..., Engine]) -> Engine:
    return make(SETTINGS)


def seen(engine: Engine, user: str, name: str = "Product Viewed", **properties: Any) -> None:
    event = {"type": "track", "event": name, "userId": user, "properties": {"product_id": "p1", **properties}}
    engine.track([event], source="shop")


def asked(engine: Engine, key: str, user: str, *, is_ahead: bool = False, context: Context = PHONE) -> Slate:
    [found] = engine.flags.evaluate([key], [IdKey(USER_ID, user)], context, is_ahead=is_ahead)
    engine.core.drain()
    return found


def shown(slate: Slate) -> str:
    assert slate.variant is not None
    return slate.variant.id


def recorded(engine: Engine) -> list[Decision]:
    with engine.core.store.read() as session:
        return records.decisions(session, 0, 1000)


def test_what_was_drawn_is_held_for_an_hour(engine: Engine, clock: VirtualClock) -> None:
    users = [f"u{n}" for n in range(20)]
    first = [shown(asked(engine, "hero", user)) for user in users]
    assert len(set(first)) == 3
    clock.advance(HOUR_MS // 2)
    assert [shown(asked(engine, "hero", user)) for user in users] == first
    assert len(recorded(engine)) == 20
    clock.advance(HOUR_MS)
    assert [shown(asked(engine, "hero", user)) for user in users] != first
    assert len(recorded(engine)) == 40


def test_other_circumstances_are_drawn_for_anew_but_the_hour_is_not_one(engine: Engine) -> None:
    names = {
        asked(engine, "hero", "ann", context=context).decision.decision_id
        for context in (PHONE, Context(device="mobile", local_hour=10), Context(device="desktop"))
    }
    assert len(names) == 2


def test_what_was_drawn_ahead_is_what_is_shown_later_with_a_record_of_its_own(engine: Engine) -> None:
    for n in range(12):
        ahead, later = asked(engine, "hero", f"u{n}", is_ahead=True), asked(engine, "hero", f"u{n}")
        assert (shown(ahead), ahead.decision.is_ahead, later.decision.is_ahead) == (shown(later), True, False)
        assert ahead[0].propensity == later[0].propensity
        assert ahead.decision.decision_id != later.decision.decision_id
    assert len(recorded(engine)) == 24


def test_a_line_follows_the_person_at_once_with_a_record_for_each_answer(engine: Engine, clock: VirtualClock) -> None:
    answers = []
    for n in range(3):
        seen(engine, "ann", product_id=f"p{n}")
        answers += [shown(asked(engine, "loyal", "ann")) for _ in range(2)]
    assert answers == ["no", "no", "yes", "yes", "yes", "yes"]
    assert [one.items[0].item_id for one in recorded(engine)] == ["yes", "no"]
    clock.advance(DAY_MS)
    asked(engine, "loyal", "ann")
    assert len(recorded(engine)) == 3


def test_the_same_record_is_queued_once_however_often_it_is_asked_for(engine: Engine, monkeypatch: Any) -> None:
    queued: list[Decision] = []
    monkeypatch.setattr(engine.flags, "_log", queued.append)
    monkeypatch.setattr("bespeak.engine.deciding.flags.MAX_TOLD", 2)
    for user in ("ann", "ann", "bob", "ann", "cleo", "ann"):
        engine.flags.evaluate(["half"], [IdKey(USER_ID, user)], PHONE)
    assert len(queued) == 4, "only the latest are remembered"


def test_a_flag_that_shares_out_needs_to_know_whom(engine: Engine) -> None:
    user, device = IdKey(USER_ID, "ann"), IdKey(ANONYMOUS_ID, "d1")
    needs = engine.flags.needs_id
    assert [needs(key, []) for key in ("loyal", "half", "hero", "there")] == [False, True, True, True]
    assert [needs("half", [user]), needs("there", [user]), needs("there", [user, device])] == [False, True, False]
    with pytest.raises(UnknownName):
        needs("nowhere", [])


def test_only_what_was_seen_is_learned_from(engine: Engine, clock: VirtualClock) -> None:
    for user in ("ann", "bob", "cleo"):
        seen(engine, user)
    asked(engine, "hero", "ann")
    asked(engine, "hero", "bob", is_ahead=True)
    cleo = asked(engine, "hero", "cleo", is_ahead=True)
    clock.advance(60_000)
    seen(engine, "cleo", "Variant Viewed", decision_id=cleo.decision.decision_id, variant=shown(cleo), product_id=None)
    clock.advance(20 * 60_000)
    assert engine.learn() == {"hero": 2}


def test_a_store_that_is_away_gives_the_defaults_without_a_record(engine: Engine, monkeypatch: Any) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(engine.flags, "_person", away)
    found = engine.flags.evaluate(["hero", "half"], [IdKey(USER_ID, "ann")], PHONE)
    assert [(shown(slate), slate.decision.mode, slate.decision.decision_id) for slate in found] == [
        ("a", "fallback", ""),
        ("x", "fallback", ""),
    ]
    assert not recorded(engine)


def test_the_state_of_a_person_changes_with_what_they_do_and_with_nothing_else(engine: Engine) -> None:
    ann, bob = [IdKey(USER_ID, "ann")], [IdKey(USER_ID, "bob")]
    before = engine.flags.state_of(ann), engine.flags.state_of(bob), engine.flags.log_position()
    seen(engine, "ann")
    assert engine.flags.state_of(ann) != before[0]
    assert engine.flags.state_of(bob) == before[1]
    assert engine.flags.log_position() > before[2]
    held = engine.flags.state_of(ann)
    asked(engine, "hero", "ann")
    assert engine.flags.state_of(ann) == held
