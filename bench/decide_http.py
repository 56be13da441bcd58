"""Decisions over HTTP: latency with and without ingest beside it, throughput, and how soon a change is seen.

    python bench/decide_http.py [--items 10000] [--people 2000] [--requests 600] [--rounds 3] [--load 1000]

10,000 items with eight facets, 2,000 people with 25 events each, seven trained models, 500 candidates, ten items with
reasons. Latency is that of one connection at a time to one worker, client included. "Beside ingest" is the same while
another process sends events at a pace, each acknowledged. Throughput is that of 8 connections, beside /health/live of
the same server, which does nothing, and beside `parts/top_k_server.py`, which gives the best ten of one model and no
more. The first decision of a worker is timed beside those that follow, in workers that were each started anew and have
said that they are ready. Then two workers: a purchase of the item on top must be gone from the next decision of the
other worker, and an item that is taken off sale must be gone from both within a second.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bespeak.engine import Engine
from bespeak.engine.project import NewKeys
from parts.figures import emit, options, ratio, spread, tell
from parts.server import Door, doors, serving
from parts.shop import fill, iso, make_project, quick_models
from parts.top_k_server import top_k_server
from parts.traffic import steady

EVENTS_EACH = 25
CONNECTIONS = 8
PATIENCE_SECONDS = 10.0


def set_up(folder: Path, given: argparse.Namespace) -> tuple[NewKeys, dict[str, int]]:
    """Makes the project, its history and its models; returns the keys and the shape of a decision."""
    keys = make_project(folder, given.items)
    with Engine.open(folder) as engine:
        fill(engine, given.people * EVENTS_EACH, given.people, given.items)
        tell("the history is in")
        header = engine.models.train(candidates=quick_models()).header
        tell("trained")
        decision = engine.decide("home", user_id="u1").decision
    shape = {
        "items": given.items,
        "people": given.people,
        "events": given.people * EVENTS_EACH,
        "models": len(header.models),
        "candidates": decision.n_candidates,
    }
    return keys, shape


def question(user_id: str, **more: Any) -> bytes:
    """Returns the body of a decision at `home`."""
    return json.dumps({"placement": "home", "userId": user_id, "count": 10, **more}).encode()


class Latency:
    """Milliseconds of decisions under one condition, and how many were the fallback."""

    def __init__(self) -> None:
        self.taken: list[float] = []
        self.n_fallback = 0

    def add(self, door: Door, rng: random.Random, given: argparse.Namespace) -> None:
        for _ in range(given.requests):
            self.ask(door, rng, given)

    def ask(self, door: Door, rng: random.Random, given: argparse.Namespace) -> None:
        body = question(f"u{rng.randrange(given.people)}")
        started = time.perf_counter()
        answer = door.ask("POST", "/api/decide", body)
        self.taken.append((time.perf_counter() - started) * 1000)
        self.n_fallback += b'"mode":"fallback"' in answer

    def summary(self) -> dict[str, float]:
        return {**spread(self.taken), "fallback_share": round(self.n_fallback / len(self.taken), 4)}


def per_second(url: str, key: str, seconds: float, ask: Callable[[Door, random.Random], object]) -> float:
    """Returns answers per second over `CONNECTIONS` new connections at once: a server closes those that lie idle."""
    started = time.perf_counter()

    def client(place: int) -> int:
        rng = random.Random(place)
        n_answers = 0
        with Door(url, key) as door:
            while time.perf_counter() - started < seconds:
                ask(door, rng)
                n_answers += 1
        return n_answers

    with ThreadPoolExecutor(CONNECTIONS) as clients:
        n_answers = sum(clients.map(client, range(CONNECTIONS)))
    return n_answers / (time.perf_counter() - started)


def fresh_worker(project: Path, keys: NewKeys, given: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds of the first decision of a worker that has just got ready, and of the ones after it."""
    rng = random.Random(2)
    first, later = Latency(), Latency()
    for _ in range(given.starts):
        with serving(project, 1) as url, Door(url, keys.secret_key) as door:
            first.ask(door, rng, given)
            for _ in range(given.later):
                later.ask(door, rng, given)
    return {"median_ms": first.summary()["p50_ms"], "max_ms": round(max(first.taken), 3), "later": later.summary()}


def one_worker(project: Path, keys: NewKeys, given: argparse.Namespace) -> dict[str, Any]:
    """Latency and throughput, each condition in turn in every round."""
    rng = random.Random(1)
    idle, busy, empty = Latency(), Latency(), []
    loads: list[float] = []
    rates: dict[str, list[float]] = {"decide": [], "empty": [], "top_k": []}
    top_k: list[float] = []
    with serving(project, 1) as url, top_k_server(given.people, given.items, EVENTS_EACH) as baseline:
        with Door(url, keys.secret_key) as door:
            for _ in range(30):
                door.ask("POST", "/api/decide", question(f"u{rng.randrange(given.people)}"))
        for _ in range(given.rounds):
            with Door(url, keys.secret_key) as door:
                idle.add(door, rng, given)
                for _ in range(given.requests):
                    started = time.perf_counter()
                    door.ask("GET", "/health/live")
                    empty.append((time.perf_counter() - started) * 1000)
                with steady(url, keys.server_key, given.load, given.people, given.items) as rate:
                    busy.add(door, rng, given)
            loads += rate
            for name, ask in (
                ("empty", lambda d, _: d.ask("GET", "/health/live")),
                ("decide", lambda d, r: d.ask("POST", "/api/decide", question(f"u{r.randrange(given.people)}"))),
            ):
                rates[name].append(per_second(url, keys.secret_key, given.seconds, ask))
            with Door(baseline) as door:
                for _ in range(given.requests):
                    started = time.perf_counter()
                    _best(door, rng, given)
                    top_k.append((time.perf_counter() - started) * 1000)
            rates["top_k"].append(per_second(baseline, "", given.seconds, lambda d, r: _best(d, r, given)))
            tell({"idle": idle.summary(), "beside ingest": busy.summary()})
    middle = {name: statistics.median(values) for name, values in rates.items()}
    return {
        "latency": {
            "alone": idle.summary(),
            "beside_ingest": busy.summary(),
            "empty_handler": spread(empty),
            "fastapi_top_k": spread(top_k),
        },
        "ingest_beside_events_per_second": round(statistics.median(loads)),
        "p50_beside_ingest_to_alone": ratio(busy.summary()["p50_ms"], idle.summary()["p50_ms"]),
        "decisions_per_second": round(middle["decide"], 1),
        "empty_answers_per_second": round(middle["empty"], 1),
        "decisions_to_empty_answers": ratio(middle["decide"], middle["empty"]),
        "fastapi_top_k_per_second": round(middle["top_k"], 1),
        "decisions_to_fastapi_top_k": ratio(middle["decide"], middle["top_k"]),
    }


def _best(door: Door, rng: random.Random, given: argparse.Namespace) -> bytes:
    body = json.dumps({"user_id": f"u{rng.randrange(given.people)}", "count": 10}).encode()
    return door.ask("POST", "/recommend", body)


def shown(door: Door, user_id: str, **more: Any) -> list[str]:
    answer = json.loads(door.ask("POST", "/api/decide", question(user_id, **more)))
    return [item["id"] for item in answer["items"]]


def two_workers(project: Path, keys: NewKeys, given: argparse.Namespace) -> dict[str, Any]:
    """How soon an event and an item change are in decisions of every worker."""
    n_at_once, until_seen, changes = 0, [], []
    with serving(project, 2) as url:
        deciding, tracking = (doors(url, 1, 2, key) for key in (keys.secret_key, keys.server_key))
        first, second = (held[0] for held in deciding.values())
        tracks = {held[0]: tracking[worker][0] for worker, held in deciding.items()}
        for n in range(given.repeats):
            here, there = (first, second) if n % 2 else (second, first)
            user_id = f"u{n}"
            top = shown(there, user_id)[0]
            order = {
                "type": "track",
                "event": "Order Completed",
                "userId": user_id,
                "messageId": f"order-{n}",
                "timestamp": iso(time.time_ns() // 1_000_000),
                "properties": {"order_id": f"o{n}", "products": [{"product_id": top, "price": 9.9}]},
            }
            started = time.perf_counter()
            tracks[here].ask_json("POST", "/v1/batch", {"batch": [order]})
            n_at_once += top not in shown(there, user_id)
            until_seen.append((time.perf_counter() - started) * 1000)
        for n in range(given.repeats):
            item_id = f"p{given.items - 1 - n}"
            off_sale = {"items": {item_id: {"markets": {"default": {"available": False}}}}}
            assert shown(first, "nobody", items=[item_id]) == [item_id]
            started = time.perf_counter()
            first.ask_json("PATCH", "/api/items", off_sale)
            while any(shown(door, "nobody", items=[item_id]) for door in (first, second)):
                if time.perf_counter() - started > PATIENCE_SECONDS:
                    raise SystemExit("an item change did not reach every worker")
                time.sleep(0.005)
            changes.append((time.perf_counter() - started) * 1000)
    return {
        "event_to_next_decision_of_another_worker": {**spread(until_seen), "seen_share": n_at_once / given.repeats},
        "item_change_to_all_workers": {**spread(changes), "max_ms": round(max(changes), 1)},
    }


def main() -> None:
    given = options(
        __doc__,
        items=(10_000, 1_000, "items"),
        people=(2_000, 200, "people with a history"),
        requests=(600, 50, "decisions per condition and round"),
        rounds=(3, 1, "rounds"),
        seconds=(4.0, 1.0, "seconds for each throughput"),
        load=(1_000, 200, "events per second sent beside"),
        repeats=(20, 4, "events and item changes followed"),
        starts=(5, 1, "workers started anew for their first decision"),
        later=(20, 5, "decisions that follow the first one of each"),
    )
    with tempfile.TemporaryDirectory() as name:
        project = Path(name) / "shop"
        keys, shape = set_up(project, given)
        fresh = fresh_worker(project, keys, given)
        alone = one_worker(project, keys, given)
        emit({"shape": shape, "first_decision": fresh, **alone, **two_workers(project, keys, given)})


if __name__ == "__main__":
    main()
