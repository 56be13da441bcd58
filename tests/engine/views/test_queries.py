"""What screens ask: the same figures as the log."""

from __future__ import annotations

import pytest

from bespeak.engine.clock import VirtualClock
from bespeak.engine.engine import Engine
from bespeak.engine.project import create
from bespeak.engine.views.queries import Queries
from bespeak.web.tokens import make_token_key

START_MS = 1_750_000_020_000


@pytest.fixture
def engine(tmp_path):
    create(tmp_path / "my", token_key=make_token_key())
    with Engine.open(tmp_path / "my", clock=VirtualClock(START_MS)) as opened:
        yield opened


def viewed(who: str, item: str, **more):
    return {"type": "track", "event": "Product Viewed", "userId": who, "properties": {"product_id": item}, **more}


def test_the_newest_events_come_first_and_carry_the_person_they_were_merged_into(engine):
    engine.track([{"type": "track", "event": "Seen", "anonymousId": "a1"}])
    engine.track([{"type": "identify", "userId": "u1"}, viewed("u1", "p1")])
    engine.track([{"type": "identify", "userId": "u1", "anonymousId": "a1"}])
    queries = Queries(engine.core)
    rows = queries.events(limit=10)
    assert [row.event.type for row in rows] == ["identify", "track", "identify", "track"]
    assert {row.person for row in rows} == {queries.find_person("u1")}
    assert queries.event(rows[0].log_id) == rows[0]
    assert queries.events_of(rows[0].person, 2) == rows[:2]


def test_a_person_is_found_by_any_of_their_ids(engine):
    external = {"externalIds": [{"id": "crm-7", "type": "crm", "collection": "users", "encoding": "none"}]}
    engine.track([viewed("u1", "p1", anonymousId="a1", context=external)])
    queries = Queries(engine.core)
    person = queries.find_person("u1")
    assert person is not None
    assert queries.find_person(" a1 ") == person
    assert queries.find_person("crm-7") == person
    assert queries.find_person("someone else") is None
    assert queries.labels([person]) == {person: "u1"}


def test_a_person_reads_as_the_profile_does(engine):
    engine.track([viewed("u1", "p1")])
    queries = Queries(engine.core)
    known = queries.person(queries.find_person("u1"))
    own = engine.profiles.readable("u1")
    assert {name: known[name] for name in own} == own
    assert queries.person(999) is None
    assert queries.events_of(999, 5) == []


def test_a_preview_is_the_slate_that_is_decided_and_leaves_no_record(engine):
    engine.items.put([{"id": f"p{n}", "title": f"P {n}", "attributes": {"category": "ab"[n % 2]}} for n in range(12)])
    engine.track([viewed("u1", "p1"), viewed("u1", "p3")])
    queries = Queries(engine.core)
    tried = queries.preview("home", queries.find_person("u1"), count=4)
    engine.core.drain()
    assert queries.totals().n_decisions == 0
    decided = engine.decide("home", user_id="u1", count=4, explain=True)
    assert tried.item_ids == decided.item_ids
    assert [item.reasons for item in tried] == [item.reasons for item in decided]


def test_totals_count_what_came_in(engine):
    engine.track([viewed("u1", "p1"), viewed("u2", "p1"), {"type": "track", "event": "Nobody"}])
    totals = Queries(engine.core).totals()
    assert (totals.n_events, totals.n_people, totals.n_rejects) == (2, 2, 1)
    assert totals.last_received_ms == START_MS
    assert Queries(engine.core).reject_counts() == {"missing_id": 1}
