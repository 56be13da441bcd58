"""A training by hand: one at a time, its end told also when it fails."""

from __future__ import annotations

import threading
import time

import msgspec
import pytest

from bespeak.engine.clock import VirtualClock
from bespeak.engine.engine import Engine
from bespeak.engine.project import create
from bespeak.engine.training.run import JOB, LEASE_MS, TrainingRun
from bespeak.storage.tables import records
from bespeak.web.tokens import make_token_key

START_MS = 1_750_000_000_000


@pytest.fixture
def engine(tmp_path):
    create(tmp_path / "my", token_key=make_token_key())
    with Engine.open(tmp_path / "my", clock=VirtualClock(START_MS)) as opened:
        yield opened


def ended(run: TrainingRun):
    deadline = time.monotonic() + 60
    while run.status().state == "running":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    for thread in [t for t in threading.enumerate() if t.name == "training"]:
        thread.join()
    return run.status()


def test_nothing_ran_yet(engine):
    assert TrainingRun(engine.core, engine.models).status().state == "idle"


def test_a_training_without_events_fails_in_words(engine):
    run = TrainingRun(engine.core, engine.models)
    assert run.start("test")
    status = ended(run)
    assert status.state == "failed"
    assert "nothing to train on" in status.stage


def test_a_training_makes_a_version(engine):
    engine.items.put([{"id": f"p{n}", "title": f"P {n}"} for n in range(8)])
    views = [{"userId": f"u{u}", "properties": {"product_id": f"p{(u + n) % 8}"}} for u in range(12) for n in range(4)]
    engine.track([{"type": "track", "event": "Product Viewed", **view} for view in views])
    run = TrainingRun(engine.core, engine.models)
    assert run.start("test")
    status = ended(run)
    assert (status.state, status.share) == ("done", 1.0)
    assert status.version == engine.models.versions()[0][0].version


def test_one_training_at_a_time_until_its_lease_ends(engine):
    with engine.core.store.write() as tx:
        held = records.job(tx, JOB)
        lease = START_MS + LEASE_MS
        records.put_job(tx, msgspec.structs.replace(held, state="running", lease_until_ms=lease, note="fitting"))
    run = TrainingRun(engine.core, engine.models)
    assert not run.start("test")
    assert run.status().stage == "fitting"
    engine.core.clock.advance(LEASE_MS + 1)
    assert run.status().state == "failed"
    assert run.start("test")
    ended(run)


def test_a_running_training_says_how_long_it_goes_on(engine):
    run = TrainingRun(engine.core, engine.models)
    said_ms = START_MS + 60_000  # a quarter was done after a minute: three more to come
    with engine.core.store.write() as tx:
        held = records.job(tx, JOB)
        lease = START_MS + LEASE_MS
        cursor = msgspec.json.encode({"share": 0.25, "said_ms": said_ms}).decode()
        running = msgspec.structs.replace(
            held, state="running", lease_until_ms=lease, started_ms=START_MS, cursor=cursor, note="fitting"
        )
        records.put_job(tx, running)
    engine.core.clock.advance(60_000)
    assert run.status().left == "about 3 min left"
    engine.core.clock.advance(60_000)
    assert run.status().left == "about 2 min left"
    engine.core.clock.advance(300_000)
    assert run.status().left == "less than a minute left"
