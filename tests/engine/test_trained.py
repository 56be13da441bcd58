"""Trained sets as holders of personal data."""

from __future__ import annotations

from typing import Any

from bespeak.engine.lake_feed import feed


def view(n: int) -> dict[str, Any]:
    user, item = f"u{n % 12}", f"p{n * n % 7}"
    return {"type": "track", "event": "Product Viewed", "userId": user, "properties": {"product_id": item}}


def test_models_hold_nobody_and_the_receipt_says_so(engine):
    engine.track([view(n) for n in range(80)], source="backend")
    engine.models.train()
    (line,) = [line for line in engine.privacy.erase("u1").lines if line.holder == "models"]
    assert (line.n_held, line.n_removed) == (0, 0)
    assert "item-side" in line.note


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
