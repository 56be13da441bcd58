"""The snapshot that decisions are made with: what another engine changes is seen, what is broken is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bespeak.engine.checks import run_checks
from bespeak.engine.clock import iso
from bespeak.engine.core import REFRESH_EVERY_MS
from bespeak.engine.worlds.trained_set import MODEL_SET
from bespeak.storage.tables import records


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


def viewed(user: str, item: str, at_ms: int) -> dict[str, Any]:
    """A view at a time that its message id depends on."""
    return {
        "type": "track",
        "event": "Product Viewed",
        "userId": user,
        "messageId": f"{user}-{item}-{at_ms}",
        "timestamp": iso(at_ms),
        "properties": {"product_id": item},
    }


def test_counters_that_are_kept_equal_those_of_an_engine_that_reads_all_of_them(make, clock):
    writer, reader = make(), make()
    day_ms = 86_400_000
    for day in range(12):
        now_ms = clock.now_ms()
        events = [viewed(f"u{n % 7}", f"p{(n + day) % 5}", now_ms - n * day_ms) for n in range(0, 9 + day, 3)]
        assert not writer.track(events, source="backend").rejected
        if day == 8:
            writer.privacy.erase("u3")
        clock.advance(day_ms if day % 4 else 3 * day_ms)
        reader.core.refresh_when_due()
        kept, read = counters_of(reader), counters_of(make())
        assert kept.keys() == read.keys()
        for item, figures in kept.items():
            assert figures == pytest.approx(read[item], rel=1e-12)
    assert any(figures[0] for figures in kept.values())


def counters_of(engine) -> dict[str, list[float]]:
    """Popularity, trend and the week's views of each item."""
    counters, ids = engine.core.world.counters, engine.core.world.catalogue.item_ids
    week = counters.week.get("view", [0.0] * len(ids))
    return {
        item: list(map(float, row)) for item, *row in zip(ids, counters.popularity, counters.trend, week, strict=True)
    }
