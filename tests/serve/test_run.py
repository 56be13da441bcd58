"""Workers, readiness and the graceful stop."""

from __future__ import annotations

import httpx
import pytest

from bespeak.engine.engine import Engine
from server_fixtures import Project, Serve, Server


@pytest.fixture(scope="module")
def pair(project: Project, serve: Serve) -> Server:
    return serve(project, workers=2, jobs=True)


def test_a_ready_server_says_what_it_serves(pair: Server, project: Project):
    answer = pair.client().get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["items"] == len(project.world.items())


def test_every_worker_answers(pair: Server):
    names: set[str] = set()
    for _ in range(200):
        with httpx.Client(base_url=pair.url, trust_env=False) as client:
            names.add(client.get("/health/live").json()["worker"])
        if len(names) == 2:
            break
    assert names == {"worker-1", "worker-2"}


def test_what_was_acknowledged_before_a_stop_is_there_after_it(project: Project, serve: Serve):
    first = serve(project)
    event = {"type": "track", "event": "Product Viewed", "userId": "kept", "messageId": "kept-1"}
    body = {"batch": [{**event, "properties": {"product_id": "p0001"}}]}
    assert first.client(project.keys.server_key).post("/v1/batch", json=body).json()["accepted"] == 1
    assert first.stop() == 0
    with Engine.open(project.root) as engine:
        assert engine.track(body["batch"], "backend").written.n_duplicate == 1
        found = engine.profiles.readable("kept")
    assert found is not None
    assert [step["item"] for step in found["recent"]] == ["p0001"]
