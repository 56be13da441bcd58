"""Made-up items, people and events: a shop with a few popular items, people with a taste, a history of days."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bespeak.engine import Engine
from bespeak.engine.project import EVERY_PURPOSE, NewKeys, create
from bespeak.models.base import Model
from bespeak.models.content import Content
from bespeak.models.factors.implicit_mf import ImplicitMf
from bespeak.models.neighbours.item_neighbours import ItemNeighbours
from bespeak.models.popular.popularity import Popularity
from bespeak.models.popular.recent_popularity import RecentPopularity
from bespeak.models.popular.trending import Trending
from bespeak.models.sequences.sequence_rules import SequenceRules
from bespeak.web.tokens import make_token_key

DAY_MS = 86_400_000
FACETS = {"category": 40, "brand": 300, "colour": 12, "style": 25, "maker": 800, "topic": 60, "season": 4, "tags": 400}
EVENTS = ("Product Viewed",) * 8 + ("Product Added", "Product Clicked")
BATCH = 1_000
HISTORY = "backend"


def items(n_items: int, seed: int = 1) -> list[dict[str, Any]]:
    """Returns items with a price, a title, a description and eight facets."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("abcdefghiklmnoprstuvw", k=rng.randrange(3, 9))) for _ in range(3_000)]
    made = []
    for n in range(n_items):
        attributes: dict[str, Any] = {
            name: f"{name}{int(size * rng.random() ** 2)}" for name, size in FACETS.items() if name != "tags"
        }
        attributes["category"] = f"category{n % FACETS['category']}"
        attributes["tags"] = [f"tag{rng.randrange(FACETS['tags'])}" for _ in range(4)]
        made.append(
            {
                "id": f"p{n}",
                "title": " ".join(rng.choices(words, k=4)),
                "description": " ".join(rng.choices(words, k=20)),
                "group": f"g{n // 2}",
                "price": rng.randrange(100, 99_999) / 100,
                "currency": "EUR",
                "attributes": attributes,
            }
        )
    return made


def choice(rng: random.Random, person: int, n_items: int) -> int:
    """Returns an item: popular ones more often, and three of four within the person's two categories."""
    item = int(n_items * rng.random() ** 3)
    if rng.random() < 0.75:
        category = (person * 7 + rng.randrange(2) * 13) % FACETS["category"]
        item = item - item % FACETS["category"] + category
    return min(item, n_items - 1)


def event(rng: random.Random, number: int, n_people: int, n_items: int, time_ms: int) -> dict[str, Any]:
    """Returns one Segment-shaped event of a random person."""
    person = rng.randrange(n_people)
    return {
        "type": "track",
        "event": rng.choice(EVENTS),
        "userId": f"u{person}",
        "messageId": f"m{number}",
        "timestamp": iso(time_ms),
        "properties": {"product_id": f"p{choice(rng, person, n_items)}", "price": 9.9, "currency": "EUR"},
        "context": {"library": {"name": "bench"}},
    }


def history(n_events: int, n_people: int, n_items: int, end_ms: int, *, days: int = 60) -> Iterator[dict[str, Any]]:
    """Yields events in order of time over the days before `end_ms`."""
    rng = random.Random(n_events)
    step = days * DAY_MS / max(1, n_events)
    for number in range(n_events):
        yield event(rng, number, n_people, n_items, int(end_ms - days * DAY_MS + number * step))


def iso(time_ms: int) -> str:
    """Returns a time as clients send it."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def write_csv(path: Path, n_rows: int, n_people: int, n_items: int, end_ms: int) -> None:
    """Writes a file of events: user, event, product, time, price."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(("user_id", "event", "product_id", "timestamp", "price", "currency"))
        for made in history(n_rows, n_people, n_items, end_ms):
            properties = made["properties"]
            writer.writerow(
                (made["userId"], made["event"], properties["product_id"], made["timestamp"], properties["price"], "EUR")
            )


def make_project(folder: Path, n_items: int, *, url: str = "") -> NewKeys:
    """Makes a project with all facets, its store elsewhere when an address is given, and its items."""
    settings: dict[str, Any] = {
        "profiles": {"facets": list(FACETS)},
        "sources": {"web": {"kind": "browser", "key": "wk_bench", "consent": EVERY_PURPOSE}},
    }
    if url:
        settings["storage"] = {"url": url}
    keys = create(folder, token_key=make_token_key(), settings=settings)
    with Engine.open(folder) as engine:
        engine.items.put(items(n_items))
    return keys


def fill(engine: Engine, n_events: int, n_people: int, n_items: int) -> None:
    """Takes in a history through the write path."""
    batch = []
    for made in history(n_events, n_people, n_items, engine.core.now_ms()):
        batch.append(made)
        if len(batch) == BATCH:
            engine.track(batch, source=HISTORY)
            batch = []
    engine.track(batch, source=HISTORY)


def quick_models() -> list[Model]:
    """Returns one model of each family that fits in seconds, so that decisions have all their features."""
    return [
        Popularity(),
        RecentPopularity(),
        Trending(),
        SequenceRules(),
        ItemNeighbours(),
        ImplicitMf(factors=32, rounds=5, seed=1),
        Content(),
    ]
