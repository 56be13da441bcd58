from __future__ import annotations

from pathlib import Path

import numpy as np

from bespeak.decide.model_set import LoadedModel
from bespeak.engine.training.neighbour_tables import load_model, store_table
from bespeak.models.artefact import save
from bespeak.models.base import Interactions
from bespeak.models.item_neighbours import ItemNeighbours
from bespeak.models.popularity import Popularity
from bespeak.storage.blobs import Blobs


def log() -> Interactions:
    pairs = [(f"u{n}", f"p{(n + shift) % 7}") for n in range(40) for shift in (0, 1, 3)]
    return Interactions.from_events([user for user, _ in pairs], [item for _, item in pairs])


def test_a_stored_table_is_the_one_that_would_be_made(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    model = ItemNeighbours().fit(log())
    (tmp_path / "models").mkdir()
    save(model, blobs.place("models/a"))
    store_table(blobs, "models/a", model)
    loaded, made = load_model(blobs, "models/a", 3, is_best=True), LoadedModel.of(model)
    assert (loaded.version, loaded.is_best) == (3, True)
    assert loaded.neighbours is not None
    assert made.neighbours is not None
    np.testing.assert_array_equal(loaded.neighbours.index, made.neighbours.index)
    np.testing.assert_array_equal(loaded.neighbours.scores, made.neighbours.scores)
    assert isinstance(loaded.neighbours.index, np.memmap)


def test_a_model_without_a_table_and_a_set_stored_before_there_were_tables_load_as_well(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    (tmp_path / "models").mkdir()
    for name, model in (("pop", Popularity().fit(log())), ("near", ItemNeighbours().fit(log()))):
        save(model, blobs.place(f"models/{name}"))
    store_table(blobs, "models/pop", Popularity().fit(log()))
    assert load_model(blobs, "models/pop", 1, is_best=False).neighbours is None
    assert load_model(blobs, "models/near", 1, is_best=False).neighbours is not None
