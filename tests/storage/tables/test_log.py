"""The event log on both stores."""

from __future__ import annotations

import pytest

from bespeak.errors import StoreError
from bespeak.signals.events import Context, Event
from bespeak.signals.ids import IdKey
from bespeak.storage.base import Store
from bespeak.storage.tables import log
from bespeak.storage.tables.log import DAY_MS, Entry, EntryBody, Reject


def entry(log_id: int, person: int = 1, *, kind: log.EntryKind = "event", **more: object) -> Entry:
    event = Event(
        message_id=f"m{log_id}",
        type="track",
        time_ms=log_id,
        received_ms=0,
        properties={"x": [1, 2.5, None, "é"], "y": {"z": True}},
        context=Context(consent={"a": True}, declared={"mood": "good"}),
        external_ids=(IdKey("crm", "7"),),
    )
    body = EntryBody(event=event, facets={"p1": {"genre": ["a"], "price": 2.0}}, ids=(IdKey("user_id", "u"),))
    given: dict[str, object] = {
        "log_id": log_id,
        "person_id": person,
        "kind": kind,
        "time_ms": log_id * 10,
        "received_ms": 5,
        "name": "Product Viewed",
        "purposes": 3,
        "is_bot": False,
        "fold_version": 1 << 62,
        "source": "web",
        "message_key": b"k" * 16,
        "body": body if kind == "event" else EntryBody(absorbed=9),
    }
    return Entry(**{**given, **more})  # type: ignore[arg-type]


def fill(store: Store, *entries: Entry) -> None:
    with store.write() as tx:
        tx.reserve("events", len(entries))
        log.append(tx, entries)


def test_an_entry_comes_back_as_it_was_written(store):
    written = [entry(1), entry(2, kind="merge", message_key=None, is_bot=True)]
    fill(store, *written)
    with store.read() as session:
        assert log.follow(session, 0, 10) == written


def test_following_goes_in_log_order_from_a_position(store):
    fill(store, entry(3), entry(1), entry(2))
    with store.read() as session:
        assert [e.log_id for e in log.follow(session, 1, 1)] == [2]
        assert [e.log_id for e in log.follow(session, 0, 10)] == [1, 2, 3]
        assert log.follow(session, 3, 10) == []
        assert [e.log_id for e in log.latest(session, 2)] == [3, 2]


def test_entries_of_persons_come_in_log_order_and_of_nobody_there_are_none(store):
    fill(store, entry(1, 1), entry(2, 2), entry(3, 3), entry(4, 1, kind="merge"))
    with store.read() as session:
        assert [e.log_id for e in log.entries_of(session, [1, 3, 1])] == [1, 3, 4]
        assert list(log.entries_of(session, [])) == []
        assert [e.log_id for e in log.latest_of(session, [1, 3], 5)] == [3, 1]
        assert log.latest_of(session, [], 5) == []


def test_entries_behind_a_position_of_each_person_come_in_log_order(store):
    fill(store, *(entry(n, 1 + n % 2) for n in range(1, 7)), entry(7, 3))
    with store.read() as session:
        behind = {1: 3, 2: 5, 3: 0, 4: 0}
        found = log.entries_behind(session, behind)
        assert {person: [e.log_id for e in entries] for person, entries in found.items()} == {1: [4, 6], 3: [7]}
        assert found[1] == list(log.entries_of(session, [1]))[1:]
        assert log.positions_behind(session, behind) == {1: [4, 6], 3: [7]}
        assert log.positions_behind(session, {}) == log.entries_behind(session, {}) == {}


def test_what_was_written_behind_a_position_tells_whom_it_is_about(store):
    fill(store, entry(1), entry(2, person=4), entry(3, kind="merge"), entry(4))
    with store.read() as session:
        assert log.written_behind(session, 1, 2) == [(2, 4, "event"), (3, 1, "merge")]
        assert log.written_behind(session, 4, 2) == []


def test_a_body_can_be_replaced(store):
    fill(store, entry(1))
    with store.write() as tx:
        log.rewrite(tx, 1, EntryBody(absorbed=4))
    with store.read() as session:
        assert log.follow(session, 0, 1)[0].body == EntryBody(absorbed=4)


def test_a_row_that_cannot_be_read_says_which(store):
    fill(store, entry(1))
    with store.write() as tx:
        tx.run("UPDATE events SET body = ?", (b"\xc1",))
    with store.read() as session, pytest.raises(StoreError, match="Log row 1"):
        log.follow(session, 0, 1)


def test_of_equal_messages_the_first_is_new_once(store):
    with store.write() as tx:
        assert log.new_messages(tx, [b"a", b"b", b"a"], 0) == [True, True, False]
    with store.write() as tx:
        assert log.new_messages(tx, [b"b", b"c"], DAY_MS) == [False, True]
        assert log.new_messages(tx, [], 0) == []


def test_rejects_are_listed_the_newest_first_and_counted_by_reason(store):
    made = [
        Reject(received_ms=n, source="s", reason="ab"[n % 2], detail="d", line_number=n, body=b"x") for n in range(3)
    ]
    with store.write() as tx:
        log.add_rejects(tx, made)
        log.add_rejects(tx, [])
    with store.read() as session:
        found = log.rejects(session, 2)
        assert [reject for _, reject in found] == [made[2], made[1]]
        assert log.reject_counts(session) == {"a": 2, "b": 1}
        assert log.rejects(session, 10, after=found[0][0]) == []


def test_gated_events_are_summed_by_day_source_name_and_reason(store):
    for n in (2, 3):
        with store.write() as tx:
            log.add_gated(tx, {(1, "web", "viewed", "no_purpose"): n, (2, "web", "viewed", "no_purpose"): 1})
    with store.read() as session:
        assert log.gated_total(session) == 7
        assert len(session.rows("SELECT * FROM gated_counts")) == 2


def test_counts_and_times_leave_out_merges_and_users(store):
    with store.read() as session:
        assert (log.count(session), log.time_range(session), log.gated_total(session)) == (0, None, 0)
    fill(store, entry(2), entry(3), entry(4, kind="merge"), entry(5, name="identify"))
    with store.read() as session:
        assert log.count(session) == 3
        assert log.time_range(session) == (20, 30)
