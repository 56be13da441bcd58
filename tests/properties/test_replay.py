"""Whatever comes in, in whatever batches: replaying the log gives the live profiles, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bespeak.engine import Engine
from bespeak.engine.project import create
from bespeak.web.tokens import make_token_key

START_MS = 1_767_225_600_000
EVENTS = [
    "Product Viewed",
    "Product Added",
    "Product Removed",
    "Order Completed",
    "Products Searched",
    "Product Reviewed",
]
_numbers = count()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("replay") / "p"
    segments = {"keen": "count('view', 30) >= 2", "buyers": "orders >= 1"}
    create(folder, token_key=make_token_key(), settings={"segments": segments})
    with Engine.open(folder) as opened:
        opened.items.put(
            [{"id": f"p{n}", "title": "x", "attributes": {"genre": ["a", "b"][: n % 3]}} for n in range(5)]
        )
        yield opened


def product() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"product_id": st.sampled_from([f"p{n}" for n in range(8)])},
        optional={"price": st.floats(0, 1e4), "category": st.sampled_from(["x", "y"]), "rating": st.integers(1, 5)},
    )


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["track", "track", "track", "page", "identify", "alias", "group"]))
    event: dict[str, Any] = {
        "type": kind,
        "userId": draw(st.sampled_from([None, "u1", "u2", "u3"])),
        "anonymousId": draw(st.sampled_from(["a1", "a2", "a3", None])),
        "timestamp": START_MS + draw(st.integers(0, 200 * 86_400_000)),
    }
    if kind == "track":
        event["event"] = draw(st.sampled_from(EVENTS))
        item = draw(product())
        event["properties"] = {"order_id": "o", "products": [item]} if event["event"] == "Order Completed" else item
    elif kind == "identify":
        event["traits"] = {"plan": draw(st.sampled_from(["a", "b", None])), "age": draw(st.integers(1, 99))}
    elif kind == "alias":
        event["previousId"] = draw(st.sampled_from(["a1", "a2", "u1", "u2"]))
    elif kind == "group":
        event["groupId"] = "g1"
    if draw(st.integers(0, 9)) == 0:
        granted = draw(st.dictionaries(st.sampled_from(["personalize", "measure", "improve"]), st.booleans()))
        event["context"] = {"consent": {"categoryPreferences": granted}}
    return event


def renamed(event: dict[str, Any], run: int) -> dict[str, Any]:
    """Gives every example people of its own, so that one store serves all."""
    keys = ("userId", "anonymousId", "previousId")
    return {**event, **{key: f"{run}-{event[key]}" for key in keys if event.get(key)}}


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(batches=st.lists(st.lists(events(), min_size=1, max_size=6), min_size=1, max_size=6))
def test_a_replay_of_the_log_equals_the_live_profiles(engine: Engine, batches: list[list[dict[str, Any]]]) -> None:
    run = next(_numbers)
    persons = set()
    for batch in batches:
        engine.track([renamed(event, run) for event in batch], source="backend")
        for name in ("u1", "u2", "u3", "a1", "a2", "a3"):
            person = engine.profiles.find(f"{run}-{name}")
            persons.add(person)
    differing = [p for p in persons if p is not None and engine.profiles.is_differing(p)]
    assert differing == []
