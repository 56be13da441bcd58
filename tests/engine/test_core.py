"""The core of an open project: what a sweep removes and what it leaves."""

from __future__ import annotations

from pathlib import Path

from bespeak.engine.clock import VirtualClock
from bespeak.engine.core import YOUNG_MODEL_MS
from bespeak.engine.engine import Engine
from bespeak.engine.worlds.trained_set import MODEL_SET
from bespeak.storage.tables import records


def begun_training(engine: Engine, number: int) -> Path:
    """What a training leaves that is killed while it stores: a whole model, half of another, half a table."""
    key = f"models/{engine.core.clock.now_ms()}-{number}"
    engine.core.blobs.put(f"{key}/popularity/header.json", b"{}")
    folder = engine.core.blobs.place(key)
    (folder / ".ease.unfinished").mkdir()
    (folder / ".ease.unfinished" / "weights.npy").write_bytes(b"half")
    (folder / "ease-similar").mkdir()
    (folder / "ease-similar" / ".index.npy.1.2.part").write_bytes(b"half")
    return folder


def test_what_a_killed_training_left_is_swept_when_it_is_old(engine: Engine, clock: VirtualClock) -> None:
    left, kept = begun_training(engine, 1), begun_training(engine, 2)
    with engine.core.store.write() as tx:
        records.add_model(tx, MODEL_SET, clock.now_ms(), f"models/{kept.name}", b'{"models":[],"sentences":[]}')
    clock.advance(YOUNG_MODEL_MS + 1)
    young = begun_training(engine, 3)
    engine.core.sweep_blobs()
    assert not left.exists()
    assert kept.is_dir()
    assert young.is_dir()
