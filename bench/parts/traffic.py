"""Traffic: encoded batches of events sent over kept connections, as fast as they are acknowledged or at a pace."""

from __future__ import annotations

import json
import multiprocessing
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

from parts.server import Door
from parts.shop import event

_SEEDS = count(1)


def bodies(n: int, size: int, n_people: int, n_items: int, seed: int, key: str) -> list[bytes]:
    """Returns `n` encoded batches of `size` events each; no two seeds share a message id."""
    rng = random.Random(seed)
    now_ms = time.time_ns() // 1_000_000
    first = seed * 100_000_000
    return [
        json.dumps(
            {
                "batch": [event(rng, first + b * size + i, n_people, n_items, now_ms) for i in range(size)],
                "writeKey": key,
            }
        ).encode()
        for b in range(n)
    ]


def flood(
    by_worker: Mapping[str, Sequence[Door]], batches: Sequence[bytes], seconds: float
) -> tuple[float, dict[str, float]]:
    """Sends batches over every connection at once, each as soon as the one before it is acknowledged.

    Returns:
        Acknowledged events per second, in all and per worker.
    """
    lock = threading.Lock()
    waiting = iter(batches)
    accepted = dict.fromkeys(by_worker, 0)
    failures: list[BaseException] = []
    started = time.perf_counter()

    def client(worker: str, door: Door) -> None:
        try:
            while time.perf_counter() - started < seconds:
                with lock:
                    body = next(waiting, None)
                if body is None:
                    return
                n = json.loads(door.ask("POST", "/v1/batch", body))["accepted"]
                with lock:
                    accepted[worker] += n
        except BaseException as error:
            failures.append(error)

    threads = [
        threading.Thread(target=client, args=(worker, door)) for worker, held in by_worker.items() for door in held
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = time.perf_counter() - started
    if failures:
        raise failures[0]
    return sum(accepted.values()) / taken, {worker: n / taken for worker, n in sorted(accepted.items())}


@contextmanager
def steady(url: str, key: str, per_second: int, n_people: int, n_items: int) -> Iterator[list[float]]:
    """Sends events at a pace from a process of its own; the list gets the rate that was acknowledged."""
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe()
    seed = 1_000 + next(_SEEDS)
    process = context.Process(target=_send, args=(url, key, per_second, n_people, n_items, seed, send))
    process.start()
    receive.recv()  # encoded, connected and about to send
    rate: list[float] = []
    try:
        yield rate
    finally:
        receive.send("stop")
        rate.append(receive.recv())
        process.join(20)


def _send(url: str, key: str, per_second: int, n_people: int, n_items: int, seed: int, pipe: Any) -> None:
    size = 20
    batches = iter(bodies(per_second * 90 // size, size, n_people, n_items, seed, key))
    n_accepted = 0
    with Door(url) as door:
        pipe.send("ready")
        started = due = time.perf_counter()
        while not pipe.poll(max(0.0, due - time.perf_counter())):
            body = next(batches, None)
            if body is None:
                break
            n_accepted += json.loads(door.ask("POST", "/v1/batch", body))["accepted"]
            due += size / per_second
        pipe.send(n_accepted / (time.perf_counter() - started))
