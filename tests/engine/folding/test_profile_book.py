"""The profiles of a batch: kept between batches, and never folded onto once somebody else has written them."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import msgspec
import pytest

from bespeak.engine.folding.profile_book import WAITING_BYTES, ProfileBook
from bespeak.engine.views.queries import Queries
from bespeak.profiles.codec import encode
from bespeak.profiles.observation import Observation
from bespeak.profiles.stored import MAX_WAITING, position_of
from bespeak.profiles.sums import all_keys
from bespeak.signals.events import Context
from bespeak.signals.ids import IdKey
from bespeak.storage.tables import log, people


def view(item: str, user: str = "u1", **more: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Product Viewed", "userId": user, "properties": {"product_id": item}, **more}


def waiting(engine, user: str = "u1") -> int:
    """Returns how many events wait in the log for a person's stored profile."""
    person = engine.profiles.find(user)
    with engine.core.store.read() as session:
        row = people.profiles(session, [person])[person]
        return len(log.positions_behind(session, {person: position_of(row.body)}).get(person, ()))


def version(engine, user: str = "u1") -> int:
    person = engine.profiles.find(user)
    with engine.core.store.read() as session:
        ((found,),) = session.rows("SELECT version FROM profiles WHERE person_id = ?", (person,))
    return found


def test_a_batch_writes_a_profile_once_and_leaves_it_alone_until_enough_events_wait(engine):
    engine.track([view("p1"), view("p2")], source="backend")
    engine.track([view("p3"), view("x", "u2")], source="backend")
    assert (version(engine), version(engine, "u2")) == (1, 1)
    engine.track([view(f"q{n}") for n in range(MAX_WAITING - 1)], source="backend")
    assert version(engine) == 1
    engine.track([view("last")], source="backend")
    assert version(engine) == 2
    assert waiting(engine) == 0
    assert engine.profiles.get("u1").n_events == MAX_WAITING + 3


def test_what_another_engine_wrote_counts_among_what_waits(make):
    first, second = make(), make()
    first.track([view("p1")], source="backend")
    for n in range(MAX_WAITING):
        (second if n % 2 else first).track([view(f"q{n}")], source="backend")
    assert (version(first), waiting(first)) == (1, MAX_WAITING)
    first.track([view("last")], source="backend")
    assert (version(first), waiting(first)) == (2, 0)
    assert second.profiles.get("u1").n_events == MAX_WAITING + 2
    assert first.profiles.differing() == []


def test_a_profile_that_was_stored_without_a_position_is_made_whole_by_the_next_event(make):
    first, second = make(), make()
    first.track([view("p1")], source="backend")
    person = first.profiles.find("u1")
    with first.core.people_write() as tx:
        row = people.profiles(tx, [person])[person]
        people.put_profiles(tx, [msgspec.structs.replace(row, version=2, body=row.body[9:])])
    assert second.profiles.get("u1").n_events == 1
    second.track([view("p2")], source="backend")
    assert version(second) == 3
    first.track([view("p3")], source="backend")
    assert (version(second), first.profiles.get("u1").n_events) == (3, 3)
    assert second.profiles.differing() == []


def test_what_a_rebuild_wrote_is_what_the_next_event_is_folded_into(engine):
    engine.track([view("p1")], source="backend")
    person = engine.profiles.find("u1")
    engine.profiles.rebuild([person])
    engine.track([view("p2")], source="backend")
    assert engine.profiles.get("u1").n_events == 2
    assert engine.profiles.differing() == []


def test_what_another_engine_folded_in_between_is_not_lost(make):
    first, second = make(), make()
    first.track([view("p1")], source="backend")
    for n in range(3):
        second.track([view(f"a{n}"), view(f"b{n}", "u2")], source="backend")
        first.track([view(f"c{n}"), view(f"d{n}", "u2")], source="backend")
    assert first.profiles.get("u1").n_events == 7
    assert second.profiles.get("u2").n_events == 6
    assert first.profiles.differing() == []


@pytest.mark.parametrize("other", ["event", "rebuild", "merge", "erase"])
def test_no_kept_profile_is_folded_onto_after_another_engine_changed_the_person(make, other):
    first, second = make(), make()
    first.track([view("p1"), view("p2", None, anonymousId="d")], source="backend")
    before = version(first)
    if other == "event":
        second.track([view("p3")], source="backend")
    elif other == "rebuild":
        second.profiles.rebuild([second.profiles.find("u1")])
    elif other == "merge":
        second.track([view("p3", anonymousId="d")], source="backend")
    else:
        second.privacy.erase("u1")
        before = 0  # the next event makes another person
    assert other in ("event", "erase") or version(first) > before
    first.track([view("p4"), view("p5", None, anonymousId="d")], source="backend")
    assert other == "event" or version(first) > before
    assert first.profiles.differing() == []
    expected = {"event": 3, "rebuild": 2, "merge": 5, "erase": 1}
    assert first.profiles.get("u1").n_events == expected[other]


def test_an_event_that_waits_for_its_profile_is_seen_by_every_reader(make):
    first, second = make(), make()
    first.track([view("p1")], source="backend")
    first.track([view("p2", properties={"product_id": "p2", "category": "audio"})], source="backend")
    assert waiting(first)
    for engine in (first, second):
        assert engine.profiles.get("u1").n_events == 2
        assert all_keys(dict(engine.profiles.all())[engine.profiles.find("u1")].items) == {"p1", "p2"}
        person = engine.decisions.person([IdKey("user_id", "u1")], Context(), engine.core.now_ms(), "backend")
        assert set(person.items) == {"p1", "p2"}
        (exported,) = engine.privacy.export("u1")["profile"]
        assert exported["n_events"] == 2
        assert Queries(engine.core).recent_people(5)[0].n_events == 2
    assert first.profiles.differing() == []


def test_people_whose_events_wait_become_one_person_with_all_of_them(make):
    first, second = make(), make()
    for n in range(3):
        first.track([view(f"p{n}"), view(f"d{n}", None, anonymousId="d")], source="backend")
    assert waiting(first)
    assert waiting(first, "d")
    second.track([view("both", anonymousId="d")], source="backend")
    assert first.profiles.get("u1").n_events == 7
    assert first.profiles.differing() == []


def test_refusing_the_profile_takes_at_once_what_waited(engine):
    for n in range(3):
        engine.track([view(f"p{n}")], source="backend")
    assert waiting(engine)
    no = {"consent": {"categoryPreferences": {"personalize": False}}}
    engine.track([view("last", context=no)], source="backend")
    with engine.core.store.read() as session:
        (row,) = people.profiles(session, [engine.profiles.find("u1")]).values()
    assert b"p1" not in row.body
    assert engine.profiles.differing() == []


def asked_for(monkeypatch) -> list[int]:
    """The persons whose stored profiles are read from now on."""
    asked: list[int] = []
    real = people.profiles
    monkeypatch.setattr(people, "profiles", lambda session, ids: asked.extend(ids) or real(session, ids))
    return asked


def test_who_nobody_else_wrote_is_not_read_again(make, monkeypatch):
    first, second = make(), make()
    first.track([view("p1"), view("p2", "u2")], source="backend")
    second.track([view("p3")], source="backend")
    second.profiles.rebuild([second.profiles.find("u2")])
    asked = asked_for(monkeypatch)
    first.track([view("p4"), view("p5", "u2")], source="backend")
    assert asked == [first.profiles.find("u2")]


N_BATCHES, PER_BATCH = 40, 5
SENDER = """
import random, sys
from bespeak.engine import Engine

project, worker, n_batches, per_batch = sys.argv[1], *map(int, sys.argv[2:])
rng = random.Random(worker)
with Engine.open(project) as engine:
    print("open", flush=True)
    sys.stdin.readline()
    for number in range(n_batches):
        events = [
            {
                "type": "track",
                "event": "Product Viewed",
                "userId": f"u{rng.randrange(4)}" if rng.random() < 0.7 else None,
                "anonymousId": f"a{rng.randrange(6)}",
                "messageId": f"{worker}-{number}-{place}",
                "properties": {"product_id": f"p{rng.randrange(9)}"},
            }
            for place in range(per_batch)
        ]
        engine.track(events, source="backend")
"""


def test_two_processes_that_write_the_same_people_lose_nothing_of_each_other(engine):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SENDER, str(engine.core.folder.root), *map(str, (worker, N_BATCHES, PER_BATCH))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for worker in (1, 2)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()  # both begin at the same moment
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=120)
    assert [process.returncode for process in processes] == [0, 0]
    assert sum(profile.n_events for _, profile in engine.profiles.all()) == 2 * N_BATCHES * PER_BATCH
    assert engine.profiles.differing() == []


def test_a_batch_that_fails_leaves_nothing_in_memory(engine, monkeypatch):
    engine.track([view("p1")], source="backend")
    before = encode(engine.profiles.get("u1"))
    observer = engine.core.runtime.observer
    real = observer.observation
    monkeypatch.setattr(
        observer,
        "observation",
        lambda entry, signals=None: 1 / 0 if entry.body.event.message_id == "bad" else real(entry, signals),
    )
    written = engine.track([view("p2", messageId="good"), view("p3", messageId="bad")], source="backend").written
    assert (written.n_accepted, written.n_rejected) == (1, 1)
    monkeypatch.undo()
    assert encode(engine.profiles.get("u1")) != before
    assert all_keys(engine.profiles.get("u1").items) == {"p1", "p2"}
    assert engine.profiles.differing() == []


def test_somebody_new_is_not_looked_for_in_the_store(engine, monkeypatch):
    asked = asked_for(monkeypatch)
    engine.track([view("p1"), view("p2")], source="backend")
    assert asked == []
    assert engine.profiles.get("u1").n_events == 2


def test_those_who_were_active_last_are_kept_up_to_the_bound(engine, monkeypatch):
    for n in range(6):
        engine.track([view(f"p{k}", f"u{n}") for k in range(9)], source="backend")
    persons = [engine.profiles.find(f"u{n}") for n in range(6)]
    bound = len(encode(engine.profiles.get("u0"))) * 7 // 2 + WAITING_BYTES
    asked = asked_for(monkeypatch)
    book = ProfileBook(engine.core.runtime.observer, max_kept_bytes=bound)
    for expected in (range(6), (1, 2, 3)):
        asked.clear()
        with engine.core.store.write() as tx:
            book.begin(tx, is_alone=True)
            book.load(persons)
            book.fold(persons[0], Observation(time_ms=1, received_ms=1, message_id="m"))
            book.write(tx, 1, 1_000, returns_profiles=False)
        book.committed()
        assert asked == [persons[n] for n in expected]


def test_consent_that_a_batch_brought_holds_for_its_later_events(engine):
    no = {"consent": {"categoryPreferences": {"personalize": False}}}
    batch = [
        view(f"p{n}", messageId=f"m{n}", timestamp=f"2025-12-31T10:00:0{n}Z", context=no if n == 2 else {})
        for n in range(5)
    ]
    engine.track(batch[:4], source="backend")
    assert all_keys(engine.profiles.get("u1").items) == set()
    engine.track(batch[4:], source="backend")
    assert all_keys(engine.profiles.get("u1").items) == set()
    assert engine.profiles.differing() == []
