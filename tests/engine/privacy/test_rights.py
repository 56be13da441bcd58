"""Export and erasure: all of one person, and nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from bespeak.engine.privacy.holders import values_in
from bespeak.engine.writing.writer import WriteRequest
from bespeak.errors import InvalidInput
from bespeak.intake.wire import SourceInfo
from bespeak.profiles.sums import all_keys
from bespeak.signals.decisions import Decision
from bespeak.signals.ids import ANONYMOUS_ID, USER_ID, IdKey
from bespeak.storage.tables import records
from bespeak.storage.tables.log import Reject

ALL = {"consent": {"categoryPreferences": {"personalize": True, "measure": True, "improve": True}}}


def view(item: str = "p1", **more: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Product Viewed", "properties": {"product_id": item}, **more}


def rows(engine, sql: str) -> list[tuple[Any, ...]]:
    with engine.core.store.read() as session:
        return session.rows(sql)


def reject(engine, body: bytes) -> None:
    one = Reject(received_ms=engine.core.clock.now_ms(), source="web", reason="invalid", detail="x", body=body)
    engine.core.submit(WriteRequest(rejects=[one])).result()


# -- who is meant ------------------------------------------------------------------------------------------------------
def test_erasing_a_device_leaves_whom_it_only_claimed_to_be(engine):
    engine.track([view(userId="victim")], source="backend")
    engine.track([view(anonymousId="a1", userId="victim", context=ALL)], source="web")
    engine.privacy.erase("a1")
    assert engine.profiles.find("a1") is None
    assert engine.profiles.get("victim").n_events == 1
    assert engine.core.ledger.erased_among([IdKey(USER_ID, "victim")], engine.core.ledger.hashes()) == {}


def test_erasing_a_person_takes_the_devices_that_claimed_to_be_them(engine):
    engine.track([view(anonymousId="a1", userId="u1", context=ALL)], source="web")
    engine.privacy.erase("u1")
    assert engine.profiles.find("a1") is None
    assert rows(engine, "SELECT * FROM claims") == []


def test_an_id_that_only_an_erased_device_named_goes_with_it(engine):
    engine.track([view(anonymousId="a1", userId="only-here", context=ALL)], source="web")
    reject(engine, b'{"userId": "only-here"}')
    engine.privacy.erase("a1")
    assert rows(engine, "SELECT body FROM rejected") == [(None,)]


def test_a_merged_person_goes_whole(engine):
    engine.track([view("p1", anonymousId="a1"), view("p2", anonymousId="a2"), view("p3", userId="u1")], "backend")
    engine.track([view("p4", userId="u1", anonymousId="a1"), view("p5", userId="u1", anonymousId="a2")], "backend")
    engine.privacy.erase("a2")
    for table in ("events", "persons", "links", "profiles"):
        assert rows(engine, f"SELECT * FROM {table}") == [], table


def test_the_profiles_of_a_household_go_with_the_account(engine):
    engine.track([view(userId="account-1", profileId="kid"), view(userId="account-10", profileId="kid")], "backend")
    engine.track([view(anonymousId="a1", userId="account-1", profileId="adult", context=ALL)], "web")
    engine.privacy.erase("account-1")
    left = [value for (value,) in rows(engine, "SELECT id_value FROM links UNION SELECT id_value FROM claims")]
    assert left == ["account-10\x1fkid"]


def test_an_export_of_an_account_leaves_its_household_out(engine):
    engine.track([view("film", userId="u1", profileId="kid"), view("news", userId="u1")], source="backend")
    exported = engine.privacy.export("u1")
    assert [event["properties"]["product_id"] for event in exported["events"]] == ["news"]


def test_nobody_can_be_asked_for_without_a_name(engine):
    with pytest.raises(InvalidInput):
        engine.privacy.erase("")


# -- export ------------------------------------------------------------------------------------------------------------
def test_an_export_of_somebody_unknown_is_empty(engine):
    exported = engine.privacy.export("who?")
    assert {name: held for name, held in exported.items() if name != "generated" and held} == {}


def test_an_export_never_holds_rejects_of_others(engine):
    identify = {"type": "identify", "userId": "2026", "traits": {"city": "Berlin", "plan": "premium"}}
    engine.track([identify], source="backend")
    reject(engine, b'{"userId": "somebody else", "traits": {"city": "Berlin"}, "timestamp": "2026-01-01"}')
    reject(engine, b'{"userId": 2026}')
    assert engine.privacy.export("2026")["rejected"] == [{"body": '{"userId": 2026}'}]


def test_an_export_tells_what_was_seen_and_which_segments_were_left(make):
    engine = make({"segments": {"viewers": "count('view', 30) >= 1"}})
    engine.track([view(userId="u1")], source="backend")
    with engine.core.store.write() as tx:
        person = engine.profiles.find("u1")
        tx.insert(
            "exposures", ("decision_id", "item_id", "position", "time_ms", "person_id"), [("d1", "p7", 1, 5, person)]
        )
    exported = engine.privacy.export("u1")
    assert exported["decisions"] == [
        {"seen": "p7", "position": 1, "decision": "d1", "time": "1970-01-01T00:00:00.005Z"}
    ]
    assert {"segment": "viewers", "moved": "in"}.items() <= exported["segments"][1].items()


# -- erase -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "body",
    [b'{"userId":"u1"}', b'{"userId":"other","context":{"externalIds":[{"id":"u1"}]}}', b"2026-01-01,u1,view,p1"],
)
def test_rejected_bodies_that_name_a_person_with_a_short_id_are_emptied(engine, body):
    engine.track([view(userId="u1")], source="backend")
    reject(engine, body)
    reject(engine, b'{"userId":"u12"}')
    engine.privacy.erase("u1")
    assert rows(engine, "SELECT body FROM rejected ORDER BY reject_id") == [(None,), (b'{"userId":"u12"}',)]


def test_values_of_a_body_are_compared_whole():
    assert values_in(b'[1, 2.0, 2.5, true, null, {"a": ["b c", {"d": ""}]}]') == {"1", "2", "b c", ""}
    assert values_in(b'{"broken": "u1", ') >= {"u1"}


def test_erasing_twice_removes_nothing_more_and_receipts_name_nobody(engine):
    engine.track([view(userId="margarete")], source="backend")
    first, second = engine.privacy.erase("margarete"), engine.privacy.erase("margarete")
    assert first.n_removed() > 0
    assert second.n_removed() == 0
    assert first.pseudonym == second.pseudonym
    assert "margarete" not in str(first)
    assert "margarete" not in str(rows(engine, "SELECT actor, action, detail FROM audit"))


def test_events_that_wait_for_the_writer_are_erased_too(engine):
    events = engine._decode(
        [view(f"p{n}", userId="u1") for n in range(50)], SourceInfo(name="backend", kind="server")
    ).events
    future = engine.core.submit(WriteRequest(events=events))
    engine.privacy.erase("u1")
    assert future.done()
    assert engine.profiles.find("u1") is None
    assert rows(engine, "SELECT * FROM events") == []


def test_a_decision_that_was_queued_before_an_erasure_is_not_kept_after_it(make):
    first, second = make(), make()
    first.track([view(userId="u1")], source="backend")
    person = first.profiles.find("u1")
    first.privacy.erase("u1")
    late = Decision(
        decision_id="d1", time_ms=0, placement="home", mode="profiled", policy="home@1", items=(), person=person
    )
    nobody = Decision(decision_id="d2", time_ms=0, placement="home", mode="anonymous", policy="home@1", items=())
    second.core.submit(WriteRequest(decisions=[late, nobody])).result()
    assert rows(second, "SELECT decision_id FROM decisions") == [("d2",)]


def test_another_engines_memory_of_an_erased_person_is_gone(make):
    first, second = make(), make()
    second.track([view("old", userId="u1")], source="backend")
    first.privacy.erase("u1")
    second.track([view("new", userId="u1")], source="backend")
    assert all_keys(second.profiles.get("u1").items) == {"new"}
    assert second.profiles.differing() == []


# -- after a restore ---------------------------------------------------------------------------------------------------
def test_a_restored_person_is_erased_again_and_counted_once(engine, clock):
    clock.advance(1000)
    engine.core.ledger.add([IdKey(USER_ID, "u1"), IdKey(ANONYMOUS_ID, "a1")], clock.now_ms() + 1000)
    engine.track([view(userId="u1", anonymousId="a1"), view(userId="u2")], source="backend")
    assert engine.privacy.reapply_ledger() == 1
    assert engine.profiles.find("u1") is None
    assert engine.profiles.find("u2") is not None
    assert engine.privacy.reapply_ledger() == 0


def test_whoever_came_back_after_their_erasure_stays(engine, clock):
    engine.track([view(userId="u1")], source="backend")
    engine.privacy.erase("u1")
    clock.advance(1000)
    engine.track([view(userId="u1")], source="backend")
    assert engine.privacy.reapply_ledger() == 0
    assert engine.profiles.find("u1") is not None


def test_repeating_the_ledger_keeps_the_time_at_which_a_person_asked(engine, clock):
    engine.core.ledger.add([IdKey(USER_ID, "u1")], clock.now_ms() + 10)
    engine.track([view(userId="u1")], source="backend")
    clock.advance(1_000_000)
    engine.privacy.reapply_ledger()
    held = engine.core.ledger.erased_among([IdKey(USER_ID, "u1")], engine.core.ledger.hashes())
    assert held == {IdKey(USER_ID, "u1"): clock.now_ms() - 1_000_000 + 10}


def test_every_request_stands_in_the_audit_log(engine):
    engine.privacy.export("u1")
    engine.privacy.erase("u1")
    with engine.core.store.read() as session:
        entries = records.audit(session, 10)
    assert [(actor, action) for _, actor, action, _ in entries] == [("privacy", "erase"), ("privacy", "export")]
