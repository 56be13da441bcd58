from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bespeak.decide.serving.model_set import LoadedModel
from bespeak.engine.worlds import neighbour_tables
from bespeak.engine.worlds.neighbour_tables import load_model, missing_index, store_beside
from bespeak.models.artefact import save
from bespeak.models.base import Interactions
from bespeak.models.factors.implicit_mf import ImplicitMf
from bespeak.models.neighbours.item_neighbours import ItemNeighbours
from bespeak.models.popular.popularity import Popularity
from bespeak.models.vector_index import VectorIndex
from bespeak.storage.blobs import Blobs


def log() -> Interactions:
    pairs = [(f"u{n}", f"p{(n + shift) % 7}") for n in range(40) for shift in (0, 1, 3)]
    return Interactions.from_events([user for user, _ in pairs], [item for _, item in pairs])


def test_a_stored_table_is_the_one_that_would_be_made(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    model = ItemNeighbours().fit(log())
    (tmp_path / "models").mkdir()
    save(model, blobs.place("models/a"))
    store_beside(blobs, "models/a", model)
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
    store_beside(blobs, "models/pop", Popularity().fit(log()))
    assert load_model(blobs, "models/pop", 1, is_best=False).neighbours is None
    assert load_model(blobs, "models/near", 1, is_best=False).neighbours is not None


@pytest.mark.outside
def test_a_large_catalogue_gets_an_index_that_is_mapped_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = Blobs(tmp_path)
    model = ImplicitMf(factors=4).fit(log())
    (tmp_path / "models").mkdir()
    for name, smallest in (("large", 7), ("small", 8)):
        monkeypatch.setattr(neighbour_tables, "INDEX_FROM", smallest)
        save(model, blobs.place(f"models/{name}"))
        store_beside(blobs, f"models/{name}", model)
    index = load_model(blobs, "models/large", 1, is_best=True).index
    assert index is not None
    assert isinstance(index.vectors, np.memmap)
    assert sorted(index.items.tolist()) == list(range(7))
    assert load_model(blobs, "models/small", 1, is_best=True).index is None


def test_without_the_extra_a_large_catalogue_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbour_tables, "INDEX_FROM", 7)
    monkeypatch.setattr(VectorIndex, "can_build", staticmethod(lambda: False))
    models = [ImplicitMf(factors=4).fit(log()), Popularity().fit(log())]
    assert missing_index(models[1:]) == []
    assert ["implicit_mf" in said and "bespeak[ann]" in said for said in missing_index(models)] == [True]
    blobs = Blobs(tmp_path)
    (tmp_path / "models").mkdir()
    save(models[0], blobs.place("models/a"))
    store_beside(blobs, "models/a", models[0])
    assert load_model(blobs, "models/a", 1, is_best=True).index is None
