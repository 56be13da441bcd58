"""Two workers that send batches and keep a ledger of what was acknowledged, as a client does."""

from __future__ import annotations

import random
from pathlib import Path

from bespeak.engine import Engine
from recovery.killing import Desk, Part

START_MS = 1_767_225_600_000
N_WORKERS = 2
PRELOADER, N_PRELOADED = 9, 60
N_PEOPLE = 30
N_ITEMS = 40
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


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
            "context": {"userAgent": BOT} if rng.random() < 0.1 else {},
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


def preload(project: Path, seed: int) -> None:
    """Sends some batches before anything is killed, so that no project is empty."""
    with Engine.open(project) as engine:
        for number in range(N_PRELOADED):
            engine.track(batch_of(PRELOADER, number, seed), source="backend")


def preloaded(seed: int) -> list[str]:
    """Returns the message ids of those batches."""
    return [str(event["messageId"]) for number in range(N_PRELOADED) for event in batch_of(PRELOADER, number, seed)]


def ledgers(project: Path) -> list[Path]:
    """Returns the workers' ledgers: a line is the number of an acknowledged batch."""
    return [project.parent / f"ledger-{worker}" for worker in range(N_WORKERS)]


def send(engine: Engine, worker: int, seed: int, ledger: Path, desk: Desk) -> None:
    """Sends batch after batch, for ever; starts with the one that no answer was seen for, and now and then repeats."""
    number = int(ledger.read_text().splitlines()[-1]) + 1 if ledger.exists() and ledger.stat().st_size else 0
    with ledger.open("a") as file:
        while True:
            events = batch_of(worker, number, seed)
            with desk.works("batch"):
                engine.track(events, source="backend")
            file.write(f"{number}\n")
            file.flush()
            if number % 5 == 0:  # a client may send again what was acknowledged
                with desk.works("repeated batch"):
                    engine.track(events, source="backend")
            number += 1


def write(project: Path, worker: int, seed: int, desk: Desk) -> None:
    """One worker's process."""
    with Engine.open(project) as engine:
        send(engine, worker, seed, ledgers(project)[worker], desk)


def workers(project: Path, seed: int) -> list[Part]:
    """Returns the two workers of a project."""
    return [lambda desk, worker=worker: write(project, worker, seed, desk) for worker in range(N_WORKERS)]
