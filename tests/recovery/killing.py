"""Kills writers of one project at seeded random moments, and prints as JSON what was acknowledged and what is stored.

Run as a script, so that children are forked from a process without threads: python killing.py PROJECT SEED KILLS.

Two workers write and acknowledge into a ledger of their own; beside them one child feeds the lake, swaps model versions
or imports. After each kill the workers start again and send their last batch once more, as a client does that saw no
answer.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from bespeak.engine import Engine
from bespeak.engine.lake_feed import feed
from bespeak.storage import log, postgres, records

PRELOADED = postgres  # a store imports its driver when it opens; forked children should not spend their life on that
START_MS = 1_767_225_600_000
N_PEOPLE = 30
N_ITEMS = 40


def batch_of(worker: int, number: int, seed: int) -> list[dict[str, object]]:
    """The same worker, number and seed give the same events, so that a batch can be sent again."""
    rng = random.Random(f"{seed}/{worker}/{number}")
    events: list[dict[str, object]] = []
    for place in range(rng.randint(1, 40)):
        person = rng.randrange(N_PEOPLE)
        event: dict[str, object] = {
            "messageId": f"w{worker}-{number}-{place}",
            "timestamp": START_MS + rng.randrange(90 * 86_400_000),
            "userId": f"u{person}" if rng.random() < 0.6 else None,
            "anonymousId": f"a{person}-{rng.randrange(3)}",
        }
        kind = rng.random()
        if kind < 0.1:
            event |= {"type": "identify", "userId": f"u{person}", "traits": {"plan": rng.choice("abc")}}
        else:
            name = rng.choice(["Product Viewed", "Product Added", "Order Completed", "Product Removed"])
            item = {"product_id": f"p{rng.randrange(N_ITEMS)}", "category": rng.choice(["x", "y"]), "price": 3.5}
            properties = {"order_id": f"o{place}", "products": [item]} if name == "Order Completed" else item
            event |= {"type": "track", "event": name, "properties": properties}
        events.append(event)
    return events


def write(project: Path, worker: int, seed: int, ledger: Path) -> None:
    """Sends batch after batch; a line in the ledger is an acknowledgement."""
    number = int(ledger.read_text().splitlines()[-1]) + 1 if ledger.exists() and ledger.stat().st_size else 0
    with Engine.open(project) as engine, ledger.open("a") as file:
        while True:
            engine.track(batch_of(worker, number, seed), source="backend")
            file.write(f"{number}\n")
            file.flush()
            number += 1


def disturb(project: Path, seed: int) -> None:
    """Feeds the lake, swaps model versions and imports, over and over."""
    rng = random.Random(seed)
    with Engine.open(project) as engine:
        while True:
            kind = rng.randrange(3)
            if kind == 0:
                feed(engine.core)
            elif kind == 1:
                with engine.core.store.write() as tx:
                    header = b'{"models":[],"sentences":[]}'
                    records.add_model(tx, "models", START_MS, f"models/{rng.random()}", header)
            else:
                engine.items.put([{"id": f"p{rng.randrange(N_ITEMS)}", "title": "x", "attributes": {"genre": ["g"]}}])
                engine.core.sweep_blobs()


def spawn(target: object, *arguments: object) -> int:
    """Forks a child that runs a function until it is killed."""
    child = os.fork()
    if child == 0:
        try:
            target(*arguments)  # type: ignore[operator]
        finally:
            os._exit(1)
    return child


def main(project: Path, seed: int, n_kills: int) -> dict[str, object]:
    """Runs all kills and returns the findings."""
    rng = random.Random(seed)
    ledgers = [project.parent / f"ledger-{worker}" for worker in range(2)]
    killed = 0
    while killed < n_kills:
        children = [spawn(write, project, worker, seed, ledger) for worker, ledger in enumerate(ledgers)]
        children.append(spawn(disturb, project, seed + killed))
        time.sleep(rng.uniform(0.3, 1.5))
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            killed += 1
    acknowledged = []
    for worker, ledger in enumerate(ledgers):
        numbers = [int(line) for line in ledger.read_text().splitlines()] if ledger.exists() else []
        assert numbers == list(range(len(numbers))), "a ledger has a gap"
        acknowledged += [str(e["messageId"]) for n in numbers for e in batch_of(worker, n, seed)]
    with Engine.open(project) as engine:
        feed(engine.core)
        with engine.core.store.read() as session:
            stored: Counter[str] = Counter()
            after = 0
            while entries := log.follow(session, after, 5_000):
                stored.update(e.body.event.message_id for e in entries if e.body.event is not None)
                after = entries[-1].log_id
        lake = engine.core.lake.read("signals", ("log_id", "signal", "item_id"))
        return {
            "kills": killed,
            "acknowledged": len(acknowledged),
            "missing": sorted(set(acknowledged) - stored.keys())[:5],
            "repeated": [message for message, n in stored.items() if n > 1][:5],
            "differing": engine.profiles.differing(),
            "lake_rows": lake.num_rows,
            "lake_distinct": len(set(zip(*lake.to_pydict().values(), strict=True))),
            "people": sum(1 for _ in engine.profiles.all()),
        }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
