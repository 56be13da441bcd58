"""The facade: what goes in, what comes out, and what it does when the store is away."""

from __future__ import annotations

from typing import Any

import pytest

from bespeak.engine.clock import VirtualClock, iso
from bespeak.engine.engine import Engine
from bespeak.errors import ConfigError, InvalidInput, RuleError, StoreError, StoreUnavailable, UnknownName
from bespeak.signals.events import Event
from bespeak.storage.tables import log

DAY_MS = 86_400_000


def view(item: str = "p1", **more: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Product Viewed", "properties": {"product_id": item}, **more}


def typed(engine: Engine, message_id: str, item: str, **more: Any) -> Event:
    now_ms = engine.core.clock.now_ms()
    given: dict[str, Any] = {"user_id": "u1", "is_vouched": True, "name": "Product Viewed", **more}
    return Event(
        message_id=message_id,
        type="track",
        time_ms=now_ms,
        received_ms=now_ms,
        properties={"product_id": item},
        **given,
    )


def test_typed_and_plain_events_keep_their_order_and_count_for_the_source(engine):
    events = [
        view("p1", userId="u1"),
        typed(engine, "m2", "p2", source="elsewhere"),
        {"type": "x"},
        view("p3", userId="u1"),
    ]
    tracked = engine.track(events, source="backend")
    assert (tracked.written.n_accepted, tracked.written.n_rejected) == (3, 1)
    assert [place for place, _, _ in tracked.rejected] == [2]
    with engine.core.store.read() as session:
        entries = log.follow(session, 0, 10)
    assert [entry.body.event.properties["product_id"] for entry in entries] == ["p1", "p2", "p3"]
    assert {entry.source for entry in entries} == {"backend"}


def test_what_json_cannot_carry_is_rejected_alone(engine):
    tracked = engine.track([view(userId="u1", context={"x": object()}), view(userId="u1")], source="backend")
    assert (tracked.written.n_accepted, tracked.written.n_rejected) == (1, 1)
    assert tracked.rejected[0][0] == 0


def test_tracking_nothing_writes_nothing(engine):
    assert engine.track([], source="backend").written.n_accepted == 0


def test_a_source_that_does_not_exist_is_refused_with_those_that_do(engine):
    with pytest.raises(UnknownName, match="backend"):
        engine.track([view(userId="u1")], source="backnd")


def test_the_next_decision_knows_what_was_just_seen(engine):
    engine.items.put([{"id": f"p{n}", "title": "x", "attributes": {"genre": "ab"[n % 2]}} for n in range(10)])
    before = engine.decide("home", user_id="u1", count=5)
    assert before.decision.mode == "anonymous"
    engine.track([view(f"p{n}", userId="u1") for n in (0, 2, 4)], source="backend")
    after = engine.decide("home", user_id="u1", count=5)
    assert after.decision.mode == "profiled"
    assert not {"p0", "p2", "p4"} & set(after.item_ids)
    assert set(after.item_ids[:2]) == {"p6", "p8"}


def test_a_decision_creates_nobody(engine):
    engine.decide("home", user_id="u1", anonymous_id="a1")
    engine.core.drain()
    with engine.core.store.read() as session:
        assert session.rows("SELECT * FROM persons") == session.rows("SELECT * FROM links") == []


def test_a_repeated_decision_id_keeps_the_first_record(engine):
    engine.items.put([{"id": "p1", "title": "x"}])
    first = engine.decide("home", decision_id="d1")
    engine.items.put([{"id": "p2", "title": "x"}])
    engine.decide("home", decision_id="d1")
    engine.core.drain()
    assert [item.item_id for item in engine.decision("d1").items] == first.item_ids


def test_a_person_who_refused_everything_gets_an_answer_that_is_recorded_for_nobody(engine, clock):
    engine.track([view(userId="u1")], source="backend")
    clock.advance(1)
    engine.track([view(userId="u1", context={"consent": {"categoryPreferences": {}}})], source="backend")
    slate = engine.decide("home", user_id="u1")
    assert (slate.decision.mode, slate.decision.person) == ("non_profiled", None)


def test_a_statement_in_the_request_counts_for_the_request(engine):
    engine.track([view(userId="u1")], source="backend")
    refused = engine.decide("home", user_id="u1", context={"consent": {"categoryPreferences": {}}})
    assert refused.decision.mode == "non_profiled"
    assert engine.decide("home", user_id="u1").decision.mode == "profiled"


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({"placement": "hom"}, UnknownName),
        ({"placement": "home", "filter": "price <"}, RuleError),
        ({"placement": "home", "filter": "prize < 3"}, RuleError),
        ({"placement": "home", "count": 0}, InvalidInput),
        ({"placement": "home", "market": "nowhere"}, UnknownName),
        ({"placement": "home", "items": []}, InvalidInput),
    ],
)
def test_bad_input_is_refused_whatever_else_fails(engine, request_, error):
    with pytest.raises(error):
        engine.decide(**request_)


def test_a_store_that_is_away_gives_the_fallback_and_tracking_says_so(make):
    engine = make()
    engine.items.put([{"id": "p1", "title": "x"}])
    engine.decide("home")
    engine.core.drain()
    engine.core.store.close()
    slate = engine.decide("home", user_id="u1")
    assert (slate.decision.mode, slate.item_ids) == ("fallback", ["p1"])
    with pytest.raises(StoreUnavailable):
        engine.track([view(userId="u1")], source="backend")


def test_a_store_that_is_gone_is_not_made_anew_beside_its_models(make):
    engine = make()
    engine.core.blobs.put("models/1-1/popularity/header.json", b"{}")
    engine.close()
    folder = engine.core.folder
    for path in (folder.root / "data").glob("bespeak.db*"):
        path.unlink()
    with pytest.raises(StoreError, match=r"no store at .*bespeak restore"):
        Engine.open(folder.root)
    assert (folder.blobs / "models" / "1-1" / "popularity" / "header.json").exists()
    assert not (folder.root / "data" / "bespeak.db").exists()


def test_a_folder_without_a_project_says_what_to_do(tmp_path):
    with pytest.raises(ConfigError, match="bespeak init"):
        Engine.open(tmp_path)


# -- time --------------------------------------------------------------------------------------------------------------
def test_an_event_from_the_future_is_clamped_to_five_minutes_after_its_receipt(engine, clock):
    engine.track([view(userId="u1", timestamp=iso(clock.now_ms() + 365 * DAY_MS))], source="backend")
    assert engine.profiles.get("u1").last_ms == clock.now_ms() + 300_000


def test_a_client_whose_clock_is_a_year_off_is_set_right_by_when_it_sent(engine, clock):
    off_ms = clock.now_ms() - 365 * DAY_MS
    event = view(userId="u1", originalTimestamp=iso(off_ms - 5000), sentAt=iso(off_ms))
    engine.track([event], source="backend")
    assert engine.profiles.get("u1").last_ms == clock.now_ms() - 5000


def test_time_can_stand_at_the_newest_event(make, clock):
    engine = make({"project": {"now": "data"}})
    assert engine.core.now_ms() == clock.now_ms()
    long_ago = clock.now_ms() - 1000 * DAY_MS
    engine.track([view(userId="u1", timestamp=iso(long_ago))])
    assert engine.core.now_ms() == long_ago
    assert engine.decide("home", user_id="u1").decision.time_ms == long_ago


def test_a_virtual_clock_only_goes_forward():
    clock = VirtualClock(100)
    clock.advance(5)
    assert clock.now_ms() == 105
    with pytest.raises(InvalidInput):
        clock.set(104)


def test_a_placement_explores_but_its_preview_does_not(make):
    engine = make({"placements": {"home": {"explore": 1.0}}})
    engine.items.put([{"id": f"p{n}", "title": "x"} for n in range(9)])
    drawn = {tuple(engine.decide("home", count=3).item_ids) for _ in range(10)}
    assert len(drawn) > 5
    repeated = {tuple(engine.decide("home", count=3, decision_id="d").item_ids) for _ in range(3)}
    assert len(repeated) == 1
    previews = [engine.decide("home", count=3, is_preview=True) for _ in range(5)]
    assert {tuple(slate.item_ids) for slate in previews} == {("p0", "p1", "p2")}
    assert all(item.propensity == 1.0 for slate in previews for item in slate)


def test_why_not_is_told_of_whatever_may_be_asked_for(engine):
    engine.items.put([{"id": f"p{n}", "title": "x", "attributes": {"genre": "jazz"}} for n in range(3)])
    engine.items.put([{"id": "q", "title": "x", "attributes": {"genre": "rock"}}])
    asked = {
        "not_listed": {"items": ["p0", {"id": "p2", "relevance": 3}]},
        "excluded": {"exclude": ["p1"]},
        "itself": {"item": "p1"},
        "no_match": {"query": "zebra"},
        "filter": {"filter": "genre = 'rock'"},
    }
    assert {rule: engine.why_not("home", "p1", **request).rules for rule, request in asked.items()} == {
        rule: (rule,) for rule in asked
    }
    assert engine.why_not("genres", "p1", value="rock").rules == ("value",)
    assert engine.why_not("genres", "p1", value="jazz").position is not None


def test_why_not_is_told_for_a_person_and_logs_nothing(engine):
    engine.items.put([{"id": f"p{n}", "title": "x"} for n in range(3)])
    engine.track([view("p1", userId="u1")], source="backend")
    assert engine.why_not("home", "p1", user_id="u1").rules == ("seen",)
    assert engine.why_not("home", "p1").position is not None
    with pytest.raises(UnknownName):
        engine.why_not("hom", "p1")
    engine.core.drain()
    with engine.core.store.read() as session:
        assert session.rows("SELECT * FROM decisions") == []


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"count": "3"}, "count"),
        ({"count": 2.5}, "count"),
        ({"count": True}, "count"),
        ({"exclude": "p1"}, "exclude"),
        ({"exclude": [None, ["p1"]]}, "exclude"),
        ({"items": "p1"}, "items"),
        ({"query": 7}, "query"),
        ({"market": 7}, "market"),
        ({"context": "mobile"}, "context"),
        ({"user_id": "u" * 256}, "user_id"),
        ({"user_id": ["u1"]}, "user_id"),
        ({"anonymous_id": "a\x00"}, "anonymous_id"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(engine, asked, said):
    with pytest.raises(InvalidInput, match=said):
        engine.decide("home", **asked)


def test_numbers_are_ids_as_they_are_where_events_come_in(engine):
    engine.items.put([{"id": number, "title": f"Item {number}"} for number in range(1, 5)])
    engine.track([view("1", userId=7)], source="backend")
    slate = engine.decide("home", user_id=7, exclude=[2], query=None, filter=None)
    assert slate.decision.mode == "profiled"
    assert set(slate.item_ids) == {"3", "4"}
