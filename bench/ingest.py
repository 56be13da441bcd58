"""Durable events per second through HTTP, beside the floor: the same rows in such transactions without HTTP and fold.

    python bench/ingest.py [--seconds 8] [--rounds 3]

Prints one line per round and a JSON summary of medians. One client process sends batches of 100 events of 5,000 people
(product views and orders of 2,000 items, each with three facets) over 8 connections, bodies encoded beforehand.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import random
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bespeak.engine import Engine
from bespeak.engine.project import create
from bespeak.privacy.pseudonyms import pseudonym
from bespeak.serve.run import serve
from bespeak.storage import log, people
from bespeak.storage.log import Entry, EntryBody
from bespeak.storage.open import open_store
from bespeak.storage.people import ProfileRow
from bespeak.web.tokens import make_token_key

N_PEOPLE, N_ITEMS, BATCH, CONNECTIONS = 5_000, 2_000, 100, 8


def event(rng: random.Random, number: int) -> dict[str, Any]:
    item = rng.randrange(N_ITEMS)
    properties = {"product_id": f"p{item}", "price": 9.9, "currency": "EUR", "quantity": 1}
    return {
        "type": "track",
        "event": "Product Viewed" if rng.random() < 0.9 else "Product Added",
        "userId": f"u{rng.randrange(N_PEOPLE)}",
        "messageId": f"m{number}",
        "timestamp": "2026-01-02T03:04:05.000Z",
        "properties": properties,
        "context": {"library": {"name": "bench"}},
    }


def make_project(folder: Path) -> str:
    keys = create(folder, token_key=make_token_key())
    with Engine.open(folder) as engine:
        engine.items.put(
            [
                {
                    "id": f"p{n}",
                    "title": f"Item {n}",
                    "price": 9.9,
                    "currency": "EUR",
                    "attributes": {
                        "category": f"c{n % 20}",
                        "brand": f"b{n % 50}",
                        "tags": [f"t{n % 7}", f"t{n % 11}"],
                    },
                }
                for n in range(N_ITEMS)
            ]
        )
    return keys.server_key


def start_server(project: Path, workers: int) -> tuple[multiprocessing.Process, str]:
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=run_server, args=(project, workers, send))
    process.start()
    url = receive.recv()
    wait_ready(url)
    return process, url


def run_server(project: Path, workers: int, pipe: Any) -> None:
    serve(project, host="127.0.0.1", port=0, workers=workers, with_jobs=False, announce=pipe.send)


def wait_ready(url: str) -> None:
    host = urlsplit(url).netloc
    for _ in range(300):
        try:
            connection = http.client.HTTPConnection(host, timeout=5)
            connection.request("GET", "/health/ready")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the server did not get ready")


def load(url: str, key: str, seconds: float, seed: int) -> float:
    """Returns acknowledged events per second."""
    rng = random.Random(seed)
    bodies = [
        json.dumps({"batch": [event(rng, seed * 10_000_000 + b * BATCH + n) for n in range(BATCH)], "writeKey": key})
        for b in range(int(seconds * 300))
    ]
    place, done, lock = 0, 0, threading.Lock()
    end = time.perf_counter() + seconds

    def client() -> None:
        nonlocal place, done
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        while time.perf_counter() < end:
            with lock:
                if place >= len(bodies):
                    return
                body, place = bodies[place], place + 1
            connection.request("POST", "/v1/batch", body)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise SystemExit(f"{answer.status} {text[:200]!r}")
            with lock:
                done += json.loads(text)["accepted"]

    started = time.perf_counter()
    threads = [threading.Thread(target=client) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done / (time.perf_counter() - started)


def floor(folder: Path, seconds: float) -> float:
    """Returns rows per second of the same tables, in transactions of as many events as the writer gathers."""
    store = open_store(folder / "floor.db", migrate=True)
    per_transaction = BATCH * CONNECTIONS
    profile = random.Random(0).randbytes(3_000)
    filler = {"pad": ["x" * 20] * 3}
    rng = random.Random(1)
    number, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        keys = [pseudonym(b"k" * 32, f"m{number + n}") for n in range(per_transaction)]
        people_now = {rng.randrange(N_PEOPLE) for _ in range(per_transaction)}
        with store.write() as tx:
            log.new_messages(tx, keys, 0)
            people.profiles(tx, people_now)
            ids = tx.reserve("events", per_transaction)
            log.append(
                tx,
                [
                    Entry(
                        log_id=i,
                        person_id=1,
                        kind="event",
                        time_ms=0,
                        received_ms=0,
                        name="Product Viewed",
                        purposes=15,
                        is_bot=False,
                        fold_version=1,
                        source="backend",
                        message_key=key,
                        body=EntryBody(facets={"p1": filler}),
                    )
                    for i, key in zip(ids, keys, strict=True)
                ],
            )
            people.put_profiles(tx, [ProfileRow(p, 1, 0, profile) for p in people_now])
        number += per_transaction
    rate = number / (time.perf_counter() - started)
    store.close()
    return rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    figures: dict[str, list[float]] = {"floor": [], "one worker": [], "two workers": []}
    for number in range(options.rounds):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            figures["floor"].append(floor(folder, options.seconds / 2))
            for label, workers in (("one worker", 1), ("two workers", 2)):
                project = folder / label.replace(" ", "-")
                key = make_project(project)
                process, url = start_server(project, workers)
                try:
                    load(url, key, 1.0, 100 + number)
                    figures[label].append(load(url, key, options.seconds, number))
                finally:
                    process.terminate()
                    process.join(20)
        print({label: round(values[-1]) for label, values in figures.items()}, file=sys.stderr)
    medians = {label: statistics.median(values) for label, values in figures.items()}
    summary = {
        "events_per_second": {label: round(value) for label, value in medians.items()},
        "one_worker_to_floor": round(medians["one worker"] / medians["floor"], 3),
        "two_workers_to_one": round(medians["two workers"] / medians["one worker"], 3),
    }
    print(json.dumps(summary, indent=2))


if __name__ == "__main__":
    main()
