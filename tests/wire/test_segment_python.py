"""The unmodified Python client of Segment against a real server.

What it sends was looked at in captured exchanges; here it is only told our address. What arrived is read back from the
server itself: the answers' counts in /metrics, profiles, and the log once the server has stopped.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest
from segment.analytics.client import Client
from segment.analytics.request import APIError

from bespeak.engine.engine import Engine
from bespeak.storage.tables import log
from server_fixtures import Project, Server, make_project, project, serve, server

__all__ = ["project", "serve", "server"]  # a server of its own, which the last test stops

Make = Callable[..., Client]


@pytest.fixture
def make(server: Server, project: Project) -> Iterator[Make]:
    """Makes clients of a source; none may report an error."""
    clients: list[Client] = []
    problems: list[Any] = []

    def maker(key: str = project.keys.server_key, host: str = server.url, **options: Any) -> Client:
        options = {"on_error": lambda error, batch: problems.append(error), "upload_interval": 0.05, **options}
        clients.append(Client(key, host=host, **options))
        return clients[-1]

    yield maker
    for client in clients:
        if client.consumers:
            client.join()
    assert not problems


@pytest.fixture
def sent(server: Server) -> Callable[[], dict[str, int]]:
    """Tells how many events came in since the test began, by what became of them."""
    before = server.counts()
    return lambda: {name: n - before.get(name, 0) for name, n in server.counts().items()}


def profile(server: Server, user_id: str) -> dict[str, Any]:
    answer = server.secret().get(f"/api/profiles/{user_id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def viewed(found: dict[str, Any]) -> list[str]:
    return [step["item"] for step in found["recent"]]


# -- what arrives ------------------------------------------------------------------------------------------------------
def test_six_types_arrive(server, make, sent):
    client = make()
    client.identify("six", {"email": "six@example.com", "age": 34, "address": {"city": "Linz"}})
    client.track("six", "Product Viewed", {"product_id": "p0001", "price": 12.5})
    client.page("six", "Shop", "Lamp", {"url": "https://shop.example/lamp", "path": "/lamp"})
    client.screen("six", "Shop", "Lamp")
    client.group("six", "acme", {"plan": "pro"})
    client.alias("six-before", "six")
    client.flush()
    assert sent() == {"accepted": 6, "duplicate": 0, "rejected": 0}
    found = profile(server, "six")
    assert found["events"] == 6
    assert found["traits"]["email"]["value"] == "six@example.com"
    assert viewed(found) == ["p0001"]
    assert {"kind": "user_id", "value": "six"} in found["ids"]


@pytest.mark.parametrize("gzip", [False, True])
def test_sync_mode_returns_when_the_event_is_durable(server, make, sent, gzip):
    client = make(sync_mode=True, gzip=gzip)
    user_id = f"sync-{gzip}"
    client.track(user_id, "Product Viewed", {"product_id": "p0002", "title": "Größe 👩‍👧"})
    assert sent()["accepted"] == 1
    assert viewed(profile(server, user_id)) == ["p0002"]


def test_a_thousand_events_in_batches_arrive_once_each(server, make, sent):
    client = make(upload_interval=0.5, gzip=True)
    for number in range(1_000):
        client.track(f"many-{number % 20}", "Product Viewed", {"product_id": f"p{number % 90 + 1:04}"})
    client.flush()
    assert sent() == {"accepted": 1_000, "duplicate": 0, "rejected": 0}
    assert profile(server, "many-7")["events"] == 50


def test_a_batch_at_the_clients_own_limit_of_bytes_arrives(make, sent):
    client = make(upload_interval=2)
    for number in range(17):
        client.track("large", "Article Read", {"text": "x" * 30_000, "number": number})
    client.flush()
    assert sent() == {"accepted": 17, "duplicate": 0, "rejected": 0}


def test_numeric_ids_and_text_ids_are_one_person(server, make):
    client = make()
    client.identify(4711, {"age": 41})
    client.track("4711", "Product Viewed", {"product_id": "p0003"})
    client.track(4711, "Product Viewed", {"product_id": "p0004"}, anonymous_id=99)
    client.flush()
    found = profile(server, "4711")
    assert found["events"] == 3
    assert {(one["kind"], one["value"]) for one in found["ids"]} == {("user_id", "4711"), ("anonymous_id", "99")}


def test_the_explicit_nulls_of_the_client_are_nothing(server, make, sent):
    client = make()
    client.track(None, "Product Viewed", {"product_id": "p0005", "brand": None}, anonymous_id="null-device")
    client.page("null-user", None, None, {})
    client.flush()
    assert sent() == {"accepted": 2, "duplicate": 0, "rejected": 0}
    assert profile(server, "null-device")["ids"] == [{"kind": "anonymous_id", "value": "null-device"}]


def test_values_that_only_python_knows_arrive_as_json(server, make, sent):
    client = make()
    when = datetime.now(UTC) - timedelta(days=3)
    client.identify("python", {"born": datetime(1990, 5, 17, tzinfo=UTC), "score": 1.5}, timestamp=when)
    client.flush()
    assert sent()["accepted"] == 1
    found = profile(server, "python")
    assert found["traits"]["born"]["value"].startswith("1990-05-17")
    assert abs(datetime.fromisoformat(found["lastSeen"]) - when) < timedelta(seconds=30)


# -- duplicates and errors ---------------------------------------------------------------------------------------------
def test_the_same_message_twice_is_counted_once(server, make, sent):
    client = make()
    for _ in range(3):
        client.track("twice", "Product Viewed", {"product_id": "p0006"}, message_id="once-only")
        client.flush()
    assert sent() == {"accepted": 1, "duplicate": 2, "rejected": 0}
    assert profile(server, "twice")["events"] == 1


def test_a_wrong_key_is_dropped_after_one_attempt_and_the_client_is_told(make, server):
    failures: list[Any] = []
    client = make("sk_server_nobody", on_error=lambda error, batch: failures.append((error, len(batch))))
    client.track("stranger", "Product Viewed", {"product_id": "p0001"})
    client.flush()
    [(error, n)] = failures
    assert isinstance(error, APIError)
    assert (error.status, error.code, n) == (401, "not_allowed", 1)
    assert server.secret().get("/api/profiles/stranger").status_code == 404


def test_what_we_reject_is_not_sent_again(make, sent):
    client = make()
    client.track("rejected", "x" * 300)
    client.flush()
    assert sent() == {"accepted": 0, "duplicate": 0, "rejected": 1}


# -- retries, under real conditions ------------------------------------------------------------------------------------
def test_requests_that_time_out_are_sent_again_and_count_once(server, make, sent):
    """The server stands still and wakes again: it then reads the first delivery and its retries, with equal ids."""
    client = make(timeout=1)
    with standing_still(server):
        for number in range(3):
            client.track("patient", "Product Viewed", {"product_id": "p0007"}, message_id=f"patient-{number}")
        time.sleep(2.5)
    client.flush()
    _wait(lambda: sent()["duplicate"] >= 3)
    assert sent()["accepted"] == 3
    assert profile(server, "patient")["events"] == 3


def test_a_store_that_cannot_be_written_holds_the_answer_back_until_it_can(server, make, sent, project):
    """Another process holds the store's lock: nothing is acknowledged before it is durable, and nothing is lost."""
    client = make()
    with locked(project):
        client.track("locked", "Product Viewed", {"product_id": "p0009"}, message_id="locked-1")
        time.sleep(1)
        assert sent()["accepted"] == 0
    client.flush()
    assert sent() == {"accepted": 1, "duplicate": 0, "rejected": 0}
    assert viewed(profile(server, "locked")) == ["p0009"]


def test_a_full_queue_is_429_with_a_pause_and_nothing_is_lost(tmp_path_factory, serve):
    small = make_project(
        tmp_path_factory.mktemp("small") / "shop", n_items=8, settings={"serve": {"max_waiting_events": 100}}
    )
    narrow = serve(small)
    clients = [Client(small.keys.server_key, host=narrow.url, upload_size=90, upload_interval=0.2) for _ in range(4)]
    with locked(small):
        for number, client in enumerate(clients):
            for place in range(90):
                client.track("crowd", "Product Viewed", {"product_id": "p0001"}, message_id=f"crowd-{number}-{place}")
        _wait(lambda: 'status="429"' in narrow.client().get("/metrics").text)
    _wait(lambda: narrow.counts().get("accepted", 0) == 4 * 90)
    for client in clients:
        client.flush()
        client.join()
    assert profile(narrow, "crowd")["events"] == 4 * 90


# -- consent and identity ----------------------------------------------------------------------------------------------
def test_consent_categories_decide_what_is_kept(server, make, sent):
    client = make()
    refused = {"consent": {"categoryPreferences": {"personalize": False, "measure": False, "improve": False}}}
    client.track("private", "Product Viewed", {"product_id": "p0010"}, context=refused)
    granted = {"consent": {"categoryPreferences": {"personalize": True, "measure": False}}}
    client.track("public", "Product Viewed", {"product_id": "p0010"}, context=granted)
    client.flush()
    assert sent()["accepted"] == 2
    private = profile(server, "private")
    assert not private.get("recent")
    assert not {"personalize", "measure", "improve"} & set(private["purposes"])
    public = profile(server, "public")
    assert viewed(public) == ["p0010"]
    assert "personalize" in public["purposes"]
    assert "measure" not in public["purposes"]
    assert public["consent"]["measure"]["granted"] is False


def test_a_withdrawn_consent_holds_for_the_next_decision(server, make):
    client = make()
    for number in range(3):
        client.track("undecided", "Product Viewed", {"product_id": f"p{number + 11:04}"})
    client.flush()
    body = {"placement": "home", "userId": "undecided"}
    assert server.secret().post("/api/decide", json=body).json()["mode"] == "profiled"
    no = {"consent": {"categoryPreferences": {"personalize": False}}}
    client.track("undecided", "Segment Consent Preference Updated", {}, context=no)
    client.flush()
    assert server.secret().post("/api/decide", json=body).json()["mode"] == "non_profiled"


def test_a_refusal_in_the_browser_holds_for_what_the_backend_sends(server, make, project):
    backend, banner = make(), make(project.keys.write_key)
    backend.track("refuser", "Product Viewed", {"product_id": "p0014"}, anonymous_id="refusers-device")
    backend.flush()
    body = {"placement": "home", "userId": "refuser"}
    assert server.secret().post("/api/decide", json=body).json()["mode"] == "profiled"
    no = {"consent": {"categoryPreferences": {"personalize": False, "measure": False, "improve": False}}}
    banner.track(None, "Segment Consent Preference Updated", {}, context=no, anonymous_id="refusers-device")
    banner.flush()
    backend.track("refuser", "Product Viewed", {"product_id": "p0015"})
    backend.flush()
    assert server.secret().post("/api/decide", json=body).json()["mode"] == "non_profiled"
    assert not profile(server, "refuser").get("recent")


def test_a_device_becomes_the_person_who_logs_in_on_it(server, make):
    client = make()
    client.track(None, "Product Viewed", {"product_id": "p0020"}, anonymous_id="phone")
    client.flush()
    client.identify("owner", {"age": 30}, anonymous_id="phone")
    client.track("owner", "Product Viewed", {"product_id": "p0021"}, anonymous_id="laptop")
    client.flush()
    found = profile(server, "owner")
    assert sorted(viewed(found)) == ["p0020", "p0021"]
    assert {one["value"] for one in found["ids"]} == {"owner", "phone", "laptop"}


def test_the_log_holds_what_was_acknowledged_and_replays_to_the_same_profiles(server, project):
    """Runs last: the server is stopped, then the folder is opened as it was left."""
    counts = server.counts()
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(30)
    with Engine.open(project.root) as engine:
        with engine.core.store.read() as session:
            rejects = session.row("SELECT count(*) FROM rejected")
            assert log.time_range(session) is not None
        assert rejects is not None
        assert rejects[0] == counts["rejected"]
        assert engine.profiles.differing() == []


@contextmanager
def locked(project: Project) -> Iterator[None]:
    """Holds the write lock of the project's store, as a backup or another process may."""
    holder = apsw.Connection(str(project.root / "data" / "bespeak.db"))
    holder.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        holder.execute("ROLLBACK")
        holder.close()


@contextmanager
def standing_still(server: Server) -> Iterator[None]:
    """Stops the server's worker processes for a while: connections are taken, nothing is answered."""
    pid = server.process.pid
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    for child in children:
        os.kill(child, signal.SIGSTOP)
    try:
        yield
    finally:
        for child in children:
            os.kill(child, signal.SIGCONT)


def _wait(is_done: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_done():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)
