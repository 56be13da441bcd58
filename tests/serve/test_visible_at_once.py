"""What a person does is in the very next decision, whichever worker makes it; nobody else's slate moves."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from segment.analytics.client import Client

from bespeak.engine.engine import Engine
from server_fixtures import Project, Serve, Server, make_project

N_PEOPLE = 100
N_WORKERS = 2


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    # Counters of items move with what anybody does, and are read anew every minute. The claim is about persons.
    still = {"placements": {"home": {"weights": {"popular": 0.0, "trending": 0.0}}}}
    made = make_project(
        tmp_path_factory.mktemp("trained") / "shop", n_people=60, n_items=120, history=True, settings=still
    )
    with Engine.open(made.root) as engine:
        assert engine.models.train().version == 1
    return made


@pytest.fixture(scope="module")
def pair(trained: Project, serve: Serve) -> Server:
    return serve(trained, workers=N_WORKERS)


@pytest.fixture(scope="module")
def doors(pair: Server) -> list[httpx.Client]:
    """One kept connection to each worker."""
    found: dict[str, httpx.Client] = {}
    for _ in range(200):
        client = pair.secret()
        found.setdefault(client.get("/health/live").json()["worker"], client)
        if len(found) == N_WORKERS:
            return list(found.values())
    raise AssertionError(f"only {sorted(found)} answered")


@pytest.fixture
def tracker(pair: Server, trained: Project) -> Iterator[Client]:
    problems: list[Any] = []
    client = Client(
        trained.keys.server_key,
        host=pair.url,
        upload_size=3,  # full after three views, so that a flush does not wait for more
        on_error=lambda error, batch: problems.append(error),
    )
    yield client
    client.join()
    assert not problems


def slate(door: httpx.Client, user_id: str) -> list[dict[str, Any]]:
    answer = door.post("/api/decide", json={"placement": "home", "userId": user_id, "count": 10, "explain": True})
    assert answer.status_code == 200, answer.text
    assert answer.json()["mode"] != "fallback", answer.json()["notes"]
    items: list[dict[str, Any]] = answer.json()["items"]
    assert len(items) == 10
    return items


def _mode(door: httpx.Client, user_id: str) -> str:
    return str(door.post("/api/decide", json={"placement": "home", "userId": user_id}).json()["mode"])


def ids(items: list[dict[str, Any]]) -> list[str]:
    return [item["id"] for item in items]


def n_in(items: list[dict[str, Any]], category: str) -> int:
    return sum(item["properties"]["attributes"]["category"] == category for item in items)


def test_three_views_move_the_next_decision_of_every_worker(
    pair: Server, trained: Project, doors: list[httpx.Client], tracker: Client
):
    categories = sorted(name for name, n in _sizes(trained).items() if n >= 7)
    assert len(categories) >= 4
    agreed = [person.user_id for person in trained.world.people() if person.user_id and person.consent == "all"]
    known = next(user for user in agreed if _mode(doors[0], user) == "profiled")  # another slate never changes anyway
    moved = 0
    for number in range(N_PEOPLE):
        user_id, category = f"visitor-{number}", categories[number % len(categories)]
        # The first decision after the views goes to each worker in turn; whichever took the views, one of the two
        # answers below comes from another one.
        first, second = (doors[(number + place) % N_WORKERS] for place in range(2))
        before, others = slate(first, user_id), slate(second, known)
        seen = trained.items_of(category)[:3]
        for place, item_id in enumerate(seen):
            tracker.track(user_id, "Product Viewed", {"product_id": item_id}, message_id=f"{user_id}-{place}")
        tracker.flush()
        for door in (first, second):
            after = slate(door, user_id)
            assert n_in(after, category) > n_in(before, category), (user_id, category)
            assert not set(ids(after)) & set(seen), (user_id, category)
            said = {
                reason["text"]
                for item in after
                for reason in item["reasons"]
                if reason["signal"] == f"affinity.category={category}"
            }
            assert any(category in text and "3 items" in text for text in said), (user_id, category, said)
        assert ids(slate(second, known)) == ids(others)
        moved += 1
    assert moved == N_PEOPLE


def test_an_item_change_reaches_every_worker(doors: list[httpx.Client], trained: Project):
    gone = ids(slate(doors[0], "nobody-yet"))[0]
    assert doors[0].patch("/api/items", json={"items": {gone: {"markets": {"default": {"available": False}}}}}).json()
    deadline = time.monotonic() + 10  # a busy machine may be late; a change that never comes fails
    while any(gone in ids(slate(door, "nobody-yet")) for door in doors):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _sizes(project: Project) -> Counter[str]:
    groups = {(item["attributes"]["category"], item.get("group") or item["id"]) for item in project.world.items()}
    return Counter(category for category, _ in groups)
