"""Trained sets as holders of personal data."""

from __future__ import annotations

from typing import Any

from bespeak.engine.logged.lake_feed import feed
from bespeak.models import Blend, Popularity, UserNeighbours
from bespeak.models.artefact import load
from bespeak.models.packing import unpack_strings


def view(n: int) -> dict[str, Any]:
    user, item = f"u{n % 12}", f"p{n * n % 7}"
    return {"type": "track", "event": "Product Viewed", "userId": user, "properties": {"product_id": item}}


def test_models_hold_nobody_and_the_receipt_says_so(engine):
    engine.track([view(n) for n in range(80)], source="backend")
    engine.models.train()
    (line,) = [line for line in engine.privacy.erase("u1").lines if line.holder == "models"]
    assert (line.n_held, line.n_removed) == (0, 0)
    assert "item-side" in line.note


def test_models_that_hold_people_are_rewritten_without_the_erased(engine):
    engine.track([view(n) for n in range(80)], source="backend")
    blend = Blend([{"name": "popularity"}, {"name": "user_neighbours"}], [0.5, 0.5])
    engine.models.train(candidates=[Popularity(), UserNeighbours(), blend])
    ((_, header),) = engine.models.versions()
    holding = [s.blob_key for s in header.models if s.name in ("user_neighbours", "blend")]
    assert len(holding) == 2
    before = held_people(engine, holding)
    gone, stays = str(engine.profiles.find("u1")), str(engine.profiles.find("u2"))
    assert all({gone, stays} <= people for people in before)
    line = next(line for line in engine.privacy.erase("u1").lines if line.holder == "models")
    assert (line.n_held, line.n_rewritten) == (2, 2)
    assert held_people(engine, holding) == [people - {gone} for people in before]
    engine.core.refresh()
    served = next(mapped for mapped in engine.core.world.models.models if mapped.name == "user_neighbours")
    assert gone not in unpack_strings("user_ids", served.loaded.model.arrays())


def held_people(engine, blob_keys: list[str]) -> list[set[str]]:
    found = []
    for key in blob_keys:
        arrays = load(engine.core.blobs.place(key)).model.arrays()
        prefix = next(name for name in arrays if name.endswith("user_ids_utf8")).removesuffix("_utf8")
        found.append(set(unpack_strings(prefix, arrays)))
    return found


def test_a_damaged_model_stands_in_the_way_of_no_erasure(engine):
    engine.track([view(n) for n in range(80)], source="backend")
    engine.models.train()
    ((_, header),) = engine.models.versions()
    for stored in header.models:
        (engine.core.blobs.place(stored.blob_key) / "header.json").write_bytes(b"{")
    assert engine.privacy.erase("u1").n_removed() > 0
    assert engine.profiles.find("u1") is None


def test_the_next_training_knows_nothing_of_an_erased_person(engine):
    engine.track([view(n) for n in range(80)], source="backend")
    engine.models.train()
    person = str(engine.profiles.find("u1"))
    assert person in engine.models.interactions().user_ids
    engine.privacy.erase("u1")
    feed(engine.core)
    assert person not in engine.models.interactions().user_ids
