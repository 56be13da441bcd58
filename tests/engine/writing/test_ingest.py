"""The write path: who may be remembered, under which purposes, and what a gated event leaves (a count)."""

from __future__ import annotations

from typing import Any

import pytest

from bespeak.engine.logged.lake_feed import feed
from bespeak.engine.writing.writer import Written
from bespeak.profiles.sums import all_keys
from bespeak.signals.ids import ANONYMOUS_ID, USER_ID, IdKey
from bespeak.storage.tables import log, people

ALL = {"personalize": True, "measure": True, "improve": True}
PEOPLE_TABLES = (
    "persons",
    "links",
    "claims",
    "profiles",
    "consents",
    "events",
    "segment_members",
    "exposures",
    "items",
    "item_counters",
    "rejected",
)


def view(item: str = "p1", *, says: dict[str, Any] | None = None, **ids: Any) -> dict[str, Any]:
    event = {"type": "track", "event": "Product Viewed", "properties": {"product_id": item, "genre": "a"}, **ids}
    if says is not None:
        event["context"] = {"consent": {"categoryPreferences": says}}
    return event


def rows(engine, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
    with engine.core.store.read() as session:
        return session.rows(f"SELECT {columns} FROM {table}")


def sizes(engine) -> dict[str, int]:
    return {table: len(rows(engine, table)) for table in PEOPLE_TABLES}


def purposes_of(engine, **ids: str) -> tuple[str, ...]:
    """The purposes that the newest event in the log came in with."""
    with engine.core.store.read() as session:
        (entry,) = log.latest(session, 1)
    return engine.core.config.purposes.names(entry.purposes)


def bodies(engine) -> bytes:
    return b"".join(row[0] for row in rows(engine, "events", "body"))


# -- what a gated event leaves -----------------------------------------------------------------------------------------
def test_a_browser_nobody_consented_in_leaves_a_typed_count_and_nothing_else(engine):
    written = engine.track([view(anonymousId="a1", userId="u1")], source="web").written
    assert written == Written(n_accepted=1, n_gated=1)
    assert sizes(engine) == dict.fromkeys(PEOPLE_TABLES, 0)
    assert rows(engine, "gated_counts", "source, reason, n") == [("web", "no_purpose", 1)]


def test_a_gated_event_that_names_somebody_known_leaves_no_device_and_no_claim(engine):
    engine.track([view(userId="u1")], source="backend")
    before = sizes(engine)
    assert engine.track([view(anonymousId="a9", userId="u1")], source="web").written.n_gated == 1
    assert sizes(engine) == before


def test_the_count_of_a_gated_event_never_holds_its_own_words(engine):
    engine.track([{"type": "track", "event": "Anna looked at x@y.example", "anonymousId": "a1"}], source="web")
    assert rows(engine, "gated_counts", "name") == [("track",)]


def test_an_event_that_only_sharing_is_granted_for_is_gated(engine):
    assert engine.track([view(anonymousId="a1", says={"share": True})], source="web").written.n_gated == 1
    assert rows(engine, "item_counters") == []
    assert b"p1" not in bodies(engine)


@pytest.mark.parametrize("is_known", [True, False])
def test_a_name_without_proof_or_device_is_gated_whether_it_is_known_or_not(engine, is_known):
    if is_known:
        engine.track([view(userId="u1")], source="backend")
    tracked = engine.track([view(userId="u1")], source="web")
    assert tracked.written.n_gated == 1
    assert rows(engine, "rejected") == []


def test_a_refused_event_of_somebody_who_consented_keeps_its_body_for_a_second_try(engine):
    engine.track([view(userId="u1", says=ALL)], source="web")
    ((body,),) = rows(engine, "rejected", "body")
    assert b"p1" in body


def test_of_a_withdrawal_only_who_when_and_what_was_said_is_kept(engine, clock):
    engine.track([view(anonymousId="a1", says=ALL)], source="web")
    clock.advance(1)
    event = view("secret-item", anonymousId="a1", userId="claimed-user", says={})
    event["event"] = "Secret Thing Done"
    event["context"] |= {"page": {"url": "https://x.example/secret-page"}, "traits": {"email": "s@x.example"}}
    assert engine.track([event], source="web").written == Written(n_accepted=1, n_gated=1, last_log_id=2)
    kept = bodies(engine)
    assert not [word for word in (b"secret", b"Secret", b"claimed-user", b"s@x.example") if word in kept]
    assert rows(engine, "events", "name")[-1] == ("",)
    assert rows(engine, "claims") == []
    words = {(p, bool(g)) for p, g in rows(engine, "consents", "purpose, is_granted")}
    assert {("personalize", False), ("personalize", True)} <= words


# -- whose word holds --------------------------------------------------------------------------------------------------
def test_a_refusal_in_the_browser_holds_for_the_backend_too(engine, clock):
    engine.track([view(userId="u1", anonymousId="a1")], source="backend")
    clock.advance(1)
    engine.track([view(anonymousId="a1", says={"measure": True})], source="web")
    engine.track([view("p2", userId="u1")], source="backend")
    assert purposes_of(engine) == ("essential", "measure")
    assert engine.profiles.get("u1").items == {}


def test_a_grant_on_the_backend_opens_the_browser(engine):
    engine.track([view(userId="u1", anonymousId="a1", says=ALL)], source="backend")
    assert engine.track([view("p2", anonymousId="a1")], source="web").written.n_gated == 0
    assert "p2" in all_keys(engine.profiles.get("u1").items)


def test_a_refusal_holds_for_every_id_that_is_proven_to_be_theirs(engine):
    engine.track([view(userId="u1", says={})], source="backend")
    assert engine.track([view(userId="u1", anonymousId="a7")], source="backend").written.n_gated == 1
    assert engine.track([view(anonymousId="a7")], source="backend").written.n_gated == 1
    assert engine.profiles.find("a7") == engine.profiles.find("u1")


def test_a_visitor_who_refuses_leaves_no_person_behind(engine):
    for n in range(3):
        engine.track([view(anonymousId=f"page-{n}", says=dict.fromkeys(ALL, False))], source="web")
    assert sizes(engine)["persons"] == 0


def test_a_statement_is_complete_what_it_does_not_grant_is_withdrawn(engine, clock):
    engine.track([view(anonymousId="a1", says=ALL)], source="web")
    assert engine.profiles.get("a1").items
    clock.advance(1)
    engine.track([view("p2", anonymousId="a1", says={"measure": True})], source="web")
    profile = engine.profiles.get("a1")
    assert profile.items == {}
    assert profile.affinities == {}
    clock.advance(1)
    engine.track([view("p3", anonymousId="a1", says=ALL)], source="web")
    assert all_keys(engine.profiles.get("a1").items) == {"p3"}


def test_a_late_older_statement_takes_back_nothing_that_was_said_since(engine, clock):
    engine.track([view(anonymousId="a1", says=ALL)], source="web")
    clock.advance(86_400_000)
    engine.track([view(anonymousId="a1", says={})], source="web")
    late = view("p9", anonymousId="a1", says=ALL, timestamp=clock.now_ms() - 3_600_000)
    assert engine.track([late], source="web").written.n_gated == 1
    assert "p9" not in all_keys(engine.profiles.get("a1").items)
    feed(engine.core)
    assert len(engine.models.interactions()) == 0


def test_a_row_trains_only_where_its_purpose_held_then_and_holds_now(engine, clock):
    engine.track([view("then", anonymousId="a1", says={"personalize": True})], source="web")
    engine.track([view("both", anonymousId="a2", says=ALL)], source="web")
    engine.track([view("now", anonymousId="a3", says=ALL)], source="web")
    clock.advance(1)
    engine.track([view(anonymousId="a3", says={"personalize": True})], source="web")
    engine.track([view(anonymousId="a1", says=ALL)], source="web")
    feed(engine.core)
    assert set(engine.models.interactions().item_ids) == {"both", "p1"}


def test_without_personalize_no_trait_is_kept(engine):
    identify = {"type": "identify", "anonymousId": "a1", "traits": {"email": "x@y.example"}}
    identify["context"] = {"consent": {"categoryPreferences": {"measure": True}}}
    engine.track([identify], source="web")
    assert b"x@y.example" not in bodies(engine)
    assert engine.profiles.get("a1").traits == {}


def test_global_privacy_control_alone_makes_nobody(engine):
    event = view(anonymousId="a1")
    event["context"] = {"gpc": True}
    engine.track([event], source="web")
    assert sizes(engine)["persons"] == 0


def test_an_exposure_is_recorded_only_where_measuring_is_granted(engine):
    shown = {"type": "track", "event": "Product List Viewed", "anonymousId": "a1"}
    shown["properties"] = {"decision_id": "d1", "products": [{"product_id": "p1", "position": 1}]}
    engine.track(
        [{**shown, "context": {"consent": {"categoryPreferences": {"personalize": True}}}}],
        source="web",
    )
    assert rows(engine, "exposures") == []


# -- claims ------------------------------------------------------------------------------------------------------------
def test_what_a_browser_only_claims_stays_out_of_the_log_and_links_nothing(engine):
    event = view(anonymousId="a1", userId="victim", says=ALL)
    event["context"]["externalIds"] = [{"type": "crm", "id": "victims-number"}]
    alias = {"type": "alias", "anonymousId": "a1", "userId": "victim", "previousId": "victims-old-id"}
    engine.track([event, alias], source="web")
    assert not [word for word in (b"victim", b"victims-number", b"victims-old-id") if word in bodies(engine)]
    with engine.core.store.read() as session:
        assert set(people.resolve(session, [IdKey(USER_ID, "victim"), IdKey(ANONYMOUS_ID, "a1")]).links) == {
            IdKey(ANONYMOUS_ID, "a1")
        }


# -- outcomes ----------------------------------------------------------------------------------------------------------
def test_every_event_sent_is_accepted_a_duplicate_or_rejected(engine):
    events = [
        view(userId="u1", messageId="m1"),
        view(userId="u1", messageId="m1"),
        view(userId="u2", messageId="m2"),
        {"type": "nonsense", "userId": "u1"},
        view(userId="null"),
    ]
    written = engine.track(events, source="backend").written
    assert (written.n_accepted, written.n_duplicate, written.n_rejected) == (2, 1, 2)
    again = engine.track(events, source="backend").written
    assert (again.n_accepted, again.n_duplicate, again.n_rejected) == (0, 4, 1)


def test_a_message_counts_once_over_requests_of_one_batch_and_over_sources(engine):
    event = view(userId="u1", messageId="m1")
    engine.track([event], source="backend")
    assert engine.track([event], source="import").written.n_duplicate == 1
    assert engine.profiles.get("u1").n_events == 1


def test_a_gated_message_stays_a_duplicate_after_consent(engine):
    engine.track([view(anonymousId="a1", messageId="m1")], source="web")
    assert engine.track([view(anonymousId="a1", messageId="m1", says=ALL)], source="web").written.n_duplicate == 1


# -- several writers ---------------------------------------------------------------------------------------------------
def test_two_engines_that_take_turns_fold_into_one_profile(make):
    first, second = make(), make()
    for n in range(6):
        (first, second)[n % 2].track([view(f"p{n}", userId="u1")], source="backend")
    assert first.profiles.get("u1").n_events == 6
    assert all_keys(second.profiles.get("u1").items) == {f"p{n}" for n in range(6)}
    assert first.profiles.differing() == []


def test_merges_chained_in_one_batch_leave_one_person_with_everything(engine):
    engine.track([view(f"p{n}", anonymousId=f"a{n}") for n in range(4)], source="backend")
    events = [view("q", userId="u1", anonymousId=f"a{n}") for n in (2, 0, 3, 1)]
    events.append({"type": "alias", "userId": "u1", "previousId": "u0"})
    engine.track(events, source="backend")
    (root,) = {engine.profiles.find(name) for name in ("u1", "u0", "a0", "a1", "a2", "a3")}
    assert all_keys(engine.profiles.of(root).items) == {"p0", "p1", "p2", "p3", "q"}
    assert engine.profiles.differing() == []
    with engine.core.store.read() as session:
        assert len(people.members(session, root)) == 4
        assert people.count(session) == 1


@pytest.mark.parametrize("profile", ["kid", "adult"])
def test_a_household_profile_is_kept_apart_from_its_account(engine, profile):
    engine.track([view("film", userId="u1", profileId=profile), view("news", userId="u1")], source="backend")
    assert all_keys(engine.profiles.get("u1").items) == {"news"}
    slate = engine.decide("home", user_id="u1", profile_id=profile)
    assert slate.decision.mode == "profiled"


def test_an_order_that_the_browser_and_the_server_tell_of_is_one_order(engine):
    def order(name: str, **properties: Any) -> dict[str, Any]:
        return {"type": "track", "event": name, "userId": "u1", "properties": properties}

    lines = [{"product_id": "p1", "price": 30, "quantity": 1}]
    told = order("Order Completed", order_id="o-1", currency="EUR", total=30, products=lines)
    engine.track([told, order("Order Updated", order_id="o-1", products=lines)], source="backend")
    engine.track([{**told, "properties": {**told["properties"], "orderId": 7, "order_id": None}}], source="backend")
    engine.track([told, order("Order Refunded", order_id="o-1", currency="EUR", total=10)], source="backend")
    orders = engine.profiles.get("u1").orders
    assert (orders.n, orders.money, orders.n_refunds, orders.refunded) == (2, {"EUR": 6000}, 1, {"EUR": 1000})
    assert sorted(orders.known) == ["7", "o-1"]
    assert engine.profiles.differing() == []
