"""The snapshot that decisions are made with: what another engine changes is seen, what is broken is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bespeak.engine.checks import run_checks
from bespeak.engine.core import REFRESH_EVERY_MS
from bespeak.engine.worlds import MODEL_SET
from bespeak.storage import records


def view(n: int) -> dict[str, Any]:
    user, item = f"u{n % 12}", f"p{n * n % 7}"
    return {"type": "track", "event": "Product Viewed", "userId": user, "properties": {"product_id": item}}


def train(engine) -> int:
    engine.track([view(n) for n in range(80)], source="backend")
    return engine.models.train().version


def test_an_item_written_by_another_engine_is_decided_with_within_a_second(make, clock):
    assert REFRESH_EVERY_MS <= 1000
    first, second = make(), make()
    second.decide("home")
    first.items.put([{"id": "p1", "title": "Lamp"}])
    clock.advance(REFRESH_EVERY_MS)
    assert second.decide("home").item_ids == ["p1"]
    first.items.delete(["p1"])
    clock.advance(REFRESH_EVERY_MS)
    assert second.decide("home").item_ids == []


def test_a_write_is_seen_at_once_by_the_engine_that_made_it(engine):
    engine.items.put([{"id": "p1", "title": "Lamp"}])
    assert engine.decide("home").item_ids == ["p1"]


def test_nothing_is_loaded_again_while_nothing_changes(engine):
    world = engine.core.world
    assert engine.core.runtime.keeper.refresh(engine.core.now_ms()) is False
    assert engine.core.world is world


def test_models_trained_elsewhere_are_taken_over(make, clock):
    first, second = make(), make()
    version = train(first)
    clock.advance(REFRESH_EVERY_MS)
    second.core.refresh_when_due()
    assert second.core.runtime.keeper.models_version == version
    assert second.core.world.models.best is not None


@pytest.mark.parametrize(
    "damage", ["truncated array", "no header", "header of something else", "array renamed", "folder gone"]
)
def test_a_broken_artefact_leaves_the_old_models_in_place(make, clock, damage):
    engine = make()
    old = train(engine)
    best = engine.core.world.models.best
    (version, header), *_ = engine.models.versions()
    keys = [f"broken/{stored.name}" for stored in header.models]
    for stored, key in zip(header.models, keys, strict=True):
        source, target = engine.core.blobs.place(stored.blob_key), engine.core.blobs.place(key)
        target.mkdir(parents=True)
        for file in source.iterdir():
            (target / file.name).write_bytes(file.read_bytes())
        if damage == "truncated array":
            for file in target.glob("*.npy"):
                file.write_bytes(file.read_bytes()[:40])
        elif damage == "no header":
            (target / "header.json").unlink()
        elif damage == "array renamed":
            _rename_an_array(target)
        elif damage == "header of something else":
            (target / "header.json").write_text('{"a": 1}')
        else:
            for file in target.iterdir():
                file.unlink()
            target.rmdir()
    raw = version.header
    for stored, key in zip(header.models, keys, strict=True):
        raw = raw.replace(stored.blob_key.encode(), key.encode())
    with engine.core.store.write() as tx:
        records.add_model(tx, MODEL_SET, clock.now_ms(), "broken", raw)
    clock.advance(REFRESH_EVERY_MS)
    engine.core.refresh_when_due()
    assert engine.core.runtime.keeper.models_version == old
    assert engine.core.world.models.best is best or engine.core.world.models.best == best
    assert engine.decide("home").decision.mode == "anonymous"
    (age,) = [found for found in run_checks(engine.core) if found.name == "model age"]
    assert age.status == "FAIL"
    assert "cannot be loaded" in age.message


def _rename_an_array(folder: Path) -> None:
    """As if another release had stored the model: an array bears another name."""
    path = folder / "header.json"
    header = json.loads(path.read_text())
    for name in [name for name in header["arrays"] if name.endswith("data")][:1]:
        header["arrays"][header["arrays"].index(name)] = f"old_{name}"
        (folder / f"{name}.npy").rename(folder / f"old_{name}.npy")
    path.write_text(json.dumps(header))


def test_a_decision_pins_the_versions_it_was_made_with(engine):
    engine.items.put([{"id": "p1", "title": "Lamp"}])
    decision = engine.decide("home").decision
    assert decision.config_version == engine.core.runtime.config_version
    assert decision.catalogue_version == engine.core.world.catalogue.version
    assert decision.policy == "home@1"
