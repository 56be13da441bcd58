"""Whatever is sent to be tracked: never a 500, and every event is accepted, a duplicate or rejected. None vanishes."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bespeak.engine.engine import Engine
from server_fixtures import Project, Server

FUZZ = settings(
    max_examples=120,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
_numbers = count()

# Python's own encoder writes what JSON forbids (NaN, halves of surrogate pairs), and so do clients.
text = st.text(st.characters(), max_size=20)
huge = st.sampled_from([2**63, -(2**63) - 1, 2**64, 10**30, 1e308, float("nan"), float("inf"), float("-inf")])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | huge | text
anything = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4))
names = text | st.sampled_from(["product_id", "products", "price", "query", "email"])
objects = st.dictionaries(names, anything, max_size=6)
ids = st.sampled_from(["u1", "u2", "a1", 7, 7.0, "0", "null", "", "ü" * 200, "x" * 300]) | anything
times = st.sampled_from(["2026-01-01T00:00:00Z", "1970-01-01", 0, -1, 10**18, 10**30, "x"]) | anything
consent = st.fixed_dictionaries({"categoryPreferences": st.dictionaries(text, st.booleans()) | anything})
contexts = objects | st.fixed_dictionaries(
    {},
    optional={
        "consent": consent | anything,
        "page": objects | anything,
        "campaign": objects | anything,
        "userAgent": anything,
        "locale": anything,
        "timezone": st.sampled_from(["Europe/Vienna", "../etc", "x" * 500]) | anything,
        "ip": st.sampled_from(["127.0.0.1", "::1", "999"]) | anything,
        "externalIds": st.lists(objects) | anything,
        "traits": objects | anything,
        "personToken": anything,
        "groupId": anything,
        "profileId": anything,
        "direct": st.booleans(),
    },
)
likely = {
    "type": st.sampled_from(["identify", "track", "page", "screen", "group", "alias"]),
    "event": st.sampled_from(["Product Viewed", "Order Completed", "Video Playback Started", "Product Reviewed"]),
    "userId": ids,
    "anonymousId": ids,
    "previousId": ids,
    "groupId": ids,
    "profileId": ids,
    "messageId": st.integers(0, 40).map(str) | ids,
    "properties": objects,
    "traits": objects,
    "context": contexts,
    "timestamp": times,
    "originalTimestamp": times,
    "sentAt": times,
    "name": anything,
    "category": anything,
}
hostile = st.fixed_dictionaries({}, optional=likely)
# What a careless client might really send: sound ids, and JSON of any shape everywhere else.
sound = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=8,
)
careless = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["identify", "track", "page", "screen"]),
        "event": likely["event"],
        "userId": st.sampled_from(["u1", "u2", "u3", 7]),
    },
    optional={
        "anonymousId": st.sampled_from(["a1", "a2", "a3"]),
        "messageId": st.integers(0, 60).map(str),
        "properties": st.dictionaries(st.sampled_from(["product_id", "products", "price", "rating", "query"]), sound),
        "traits": st.dictionaries(st.sampled_from(["email", "age", "gender", "address", "birthday"]), sound),
        "context": st.dictionaries(st.sampled_from(["consent", "page", "campaign", "locale", "timezone", "ip"]), sound),
    },
)
events = st.one_of(careless, careless, hostile)
batches = st.lists(st.one_of(careless, careless, careless, hostile, anything), max_size=6)


@pytest.fixture(scope="module")
def post(server: Server, project: Project) -> Callable[..., httpx.Response]:
    client = server.client(project.keys.server_key)
    return lambda route, body: client.post(f"/v1/{route}", content=json.dumps(body).encode())


def rejected_in(project: Project) -> int:
    with Engine.open(project.root) as engine, engine.core.store.read() as session:
        row = session.row("SELECT count(*) FROM rejected")
    assert row is not None
    return int(row[0])  # type: ignore[call-overload]


def test_every_event_of_a_batch_is_accepted_a_duplicate_or_rejected(post, server, project):
    sent = 0
    told = {"accepted": 0, "duplicate": 0, "rejected": 0}
    before, held = server.counts(), rejected_in(project)

    @FUZZ
    @given(batch=batches, extra=st.fixed_dictionaries({}, optional={"context": contexts, "sentAt": times}))
    def send(batch: list[Any], extra: dict[str, Any]) -> None:
        nonlocal sent
        answer = post("batch", {"batch": batch, **extra})
        assert answer.status_code in (200, 400), answer.text
        if answer.status_code == 400:
            assert set(answer.json()) == {"code", "message"}
            return
        body = answer.json()
        assert body.pop("success") is True
        assert len(body.pop("rejects", [])) <= body["rejected"]
        assert sum(body.values()) == len(batch)
        sent += len(batch)
        for name, n in body.items():
            told[name] += n

    send()
    after = server.counts()
    assert {name: after[name] - before.get(name, 0) for name in told} == told
    assert sum(told.values()) == sent
    assert all(told.values()), f"a kind of outcome never came up: {told}"
    assert rejected_in(project) - held == told["rejected"]


@pytest.mark.parametrize("route", ["t", "i", "p", "s", "g", "a"])
def test_a_single_event_is_accepted_a_duplicate_or_rejected(route, post):
    @settings(FUZZ, max_examples=40)
    @given(event=events)
    def send(event: dict[str, Any]) -> None:
        answer = post(route, event)
        assert answer.status_code in (200, 400), answer.text
        if answer.status_code == 200:
            assert sum(answer.json()[name] for name in ("accepted", "duplicate", "rejected")) == 1

    send()


def test_bytes_that_are_no_json_are_refused(server, project):
    client = server.client(project.keys.server_key)

    @settings(FUZZ, max_examples=60)
    @given(body=st.binary(max_size=200) | anything.map(lambda value: json.dumps(value).encode()))
    def send(body: bytes) -> None:
        for path in ("/v1/batch", "/v1/t"):
            answer = client.post(path, content=body)
            assert answer.status_code in (200, 400), answer.text
            assert isinstance(answer.json(), dict)

    send()


def test_what_came_in_replays_to_the_live_profiles_and_adds_up(post, server, project):
    """Runs last: what was acknowledged is read from the folder that the stopped server left."""
    told = {"accepted": 0, "duplicate": 0, "rejected": 0}
    with Engine.open(project.root) as engine, engine.core.store.read() as session:
        before = [session.row(f"SELECT count(*) FROM {table}")[0] for table in ("message_ids", "rejected")]  # type: ignore[index]

    @settings(FUZZ, max_examples=40)
    @given(batch=batches)
    def send(batch: list[Any]) -> None:
        marked = [
            {**event, "messageId": f"last-{next(_numbers)}"} if isinstance(event, dict) else event for event in batch
        ]
        answer = post("batch", {"batch": marked})
        for name in told if answer.status_code == 200 else ():
            told[name] += answer.json()[name]

    send()
    assert server.stop() == 0
    with Engine.open(project.root) as engine:
        with engine.core.store.read() as session:
            after = [session.row(f"SELECT count(*) FROM {table}")[0] for table in ("message_ids", "rejected")]  # type: ignore[index]
        assert after[1] - before[1] == told["rejected"]
        # an id is kept for everything whose event could be read, so that a retry of any of it adds nothing
        assert told["accepted"] <= after[0] - before[0] <= told["accepted"] + told["rejected"]
        assert told["duplicate"] == 0
        assert engine.profiles.differing() == []
