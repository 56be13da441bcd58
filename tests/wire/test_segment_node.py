"""The unmodified Node client of Segment against a real server."""

from __future__ import annotations

from typing import Any

import pytest

from node_fixtures import run_node
from server_fixtures import Project, Server

pytestmark = pytest.mark.outside

SCRIPT = """
const { Analytics } = require('@segment/analytics-node')
const [, host, writeKey, options, calls] = process.argv
const client = new Analytics({ host, writeKey, ...JSON.parse(options) })
const errors = []
client.on('error', (error) => errors.push(String(error.code) + ': ' + String(error.reason?.message ?? error.reason)))
for (const [name, body] of JSON.parse(calls)) client[name](body)
client.closeAndFlush({ timeout: 20000 }).then(() => console.log(JSON.stringify({ errors })))
"""


def run(server: Server, key: str, calls: list[tuple[str, dict[str, Any]]], **options: Any) -> list[str]:
    """Makes calls with the client, flushes it, and returns the errors it reported."""
    errors: list[str] = run_node(SCRIPT, server.url, key, options, calls)["errors"]
    return errors


def view(user_id: str, item_id: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return "track", {"userId": user_id, "event": "Product Viewed", "properties": {"product_id": item_id}, **more}


def sent(server: Server, before: dict[str, int]) -> dict[str, int]:
    return {name: n - before.get(name, 0) for name, n in server.counts().items()}


def test_six_types_arrive(server: Server, project: Project):
    before = server.counts()
    calls: list[tuple[str, dict[str, Any]]] = [
        ("identify", {"userId": "node", "traits": {"email": "node@example.com", "age": 28}}),
        view("node", "p0001"),
        ("page", {"userId": "node", "category": "Shop", "name": "Lamp", "properties": {"path": "/lamp"}}),
        ("screen", {"userId": "node", "name": "Lamp"}),
        ("group", {"userId": "node", "groupId": "acme", "traits": {"plan": "pro"}}),
        ("alias", {"userId": "node", "previousId": "node-before"}),
    ]
    assert run(server, project.keys.server_key, calls) == []
    assert sent(server, before) == {"accepted": 6, "duplicate": 0, "rejected": 0}
    found = server.secret().get("/api/profiles/node").json()
    assert found["events"] == 6
    assert found["traits"]["email"]["value"] == "node@example.com"
    assert [step["item"] for step in found["recent"]] == ["p0001"]


@pytest.mark.parametrize("flush_at", [1, 15])
def test_many_events_arrive_once_each_in_batches_of_any_size(flush_at, server: Server, project: Project):
    before = server.counts()
    calls = [view(f"node-{number % 5}", f"p{number % 50 + 1:04}") for number in range(120)]
    assert run(server, project.keys.server_key, calls, flushAt=flush_at) == []
    assert sent(server, before) == {"accepted": 120, "duplicate": 0, "rejected": 0}


def test_equal_message_ids_count_once(server: Server, project: Project):
    before = server.counts()
    calls = [view("node-twice", "p0002", messageId="node-once") for _ in range(3)]
    assert run(server, project.keys.server_key, calls) == []
    assert sent(server, before) == {"accepted": 1, "duplicate": 2, "rejected": 0}


def test_a_wrong_key_is_told_and_not_sent_again(server: Server):
    before = server.counts()
    errors = run(server, "sk_server_nobody", [view("node-stranger", "p0001")], maxRetries=3)
    assert errors
    assert "401" in errors[0] or "delivery" in errors[0].lower()
    assert sent(server, before) == dict.fromkeys(before, 0)
    assert server.secret().get("/api/profiles/node-stranger").status_code == 404


def test_refused_consent_keeps_nothing_of_the_event(server: Server, project: Project):
    no = {"consent": {"categoryPreferences": {"personalize": False, "measure": False, "improve": False}}}
    assert run(server, project.keys.server_key, [view("node-private", "p0003", context=no)]) == []
    assert not server.secret().get("/api/profiles/node-private").json().get("recent")
