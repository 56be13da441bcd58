"""Erasures while other processes write about the same people: nothing is left that belongs to nobody."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from bespeak.engine import Engine
from bespeak.engine.logged.lake_feed import feed
from bespeak.engine.project import create
from bespeak.errors import StoreUnavailable
from bespeak.web.tokens import make_token_key

OWNED = ("events", "profiles", "links", "claims", "consents", "decisions", "segment_members", "exposures")


@pytest.fixture
def project(tmp_path: Path, project_url: str) -> Path:
    settings = {"storage": {"url": project_url}, "segments": {"viewers": "count('view', 30) >= 1"}}
    create(tmp_path / "project", token_key=make_token_key(), settings=settings)
    return tmp_path / "project"


def view(n: int) -> dict[str, Any]:
    ids = {"userId": f"u{n % 3}", "anonymousId": f"a{n % 3}"}
    return {"type": "track", "event": "Product Viewed", "properties": {"product_id": f"p{n % 5}"}, **ids}


def test_what_comes_in_meanwhile_belongs_to_somebody_or_is_gone(project):
    numbers = count()
    stop = threading.Event()

    def send(engine: Engine) -> None:
        while not stop.is_set():
            try:
                engine.track([view(next(numbers)) for _ in range(5)], source="backend")
                engine.decide("home", user_id="u1")
                feed(engine.core)
            except StoreUnavailable:
                continue  # two transactions waited for each other: the client tries again

    with Engine.open(project) as first, Engine.open(project) as second:
        first.items.put([{"id": f"p{n}", "title": "x"} for n in range(5)])
        with ThreadPoolExecutor(2) as pool:
            senders = [pool.submit(send, engine) for engine in (first, second)]
            n_erased = 0
            while n_erased < 12 and not any(sender.done() for sender in senders):
                try:
                    first.privacy.erase(f"u{n_erased % 3}")
                    n_erased += 1
                except StoreUnavailable:
                    continue
            stop.set()
        for sender in senders:
            sender.result()
        second.core.drain()
        feed(first.core)
        with first.core.store.read() as session:
            known = {row[0] for row in session.rows("SELECT person_id FROM persons")}
            for table in OWNED:
                held = {row[0] for row in session.rows(f"SELECT person_id FROM {table}")} - {None}
                assert held <= known, table
        assert set(first.core.lake.read("signals", ("person_id",))["person_id"].to_pylist()) <= known
        assert first.profiles.differing() == []
