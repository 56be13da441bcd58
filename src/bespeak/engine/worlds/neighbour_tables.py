"""What decisions need of a trained set besides its models: tables of similar items, indexes, how well known items are.

Tables and indexes are stored beside each model, as making them takes seconds and mapping them none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from io import BytesIO
from typing import Any

import numpy as np

from bespeak.decide.serving.forms import indexed_vectors
from bespeak.decide.serving.model_set import LoadedModel, Neighbours
from bespeak.decide.serving.new_items import Lending
from bespeak.models.artefact import load
from bespeak.models.base import Interactions, Model
from bespeak.models.content import Content
from bespeak.models.new_items import people_of
from bespeak.models.vector_index import INDEX_FROM, VectorIndex
from bespeak.storage.blobs import Blobs

_PARTS = ("index", "scores")


def store_beside(blobs: Blobs, blob_key: str, model: Model) -> None:
    """Writes what a model brings besides its parameters, beside its folder: its table, its index."""
    table = LoadedModel.of(model).neighbours
    if table is not None:
        for part in _PARTS:
            blobs.put(_key(blob_key, part), _encoded(getattr(table, part)))
    vectors = indexed_vectors(model)
    if vectors is not None and gains_by_index(model) and VectorIndex.can_build():
        for part, array in VectorIndex.build(vectors).arrays().items():
            blobs.put(_index_key(blob_key, part), _encoded(array))


def missing_index(models: Iterable[Model]) -> list[str]:
    """Says which models decide more slowly because the extra for indexes is not installed."""
    names = [] if VectorIndex.can_build() else [model.name for model in models if gains_by_index(model)]
    if not names:
        return []
    return [
        f"Left out: an index of item vectors for {', '.join(names)}, with which a decision need not multiply all of "
        "them, needs the extra 'ann' (pip install 'bespeak[ann]')."
    ]


def gains_by_index(model: Model) -> bool:
    """Whether an index of item vectors makes decisions with this model faster."""
    return len(model.item_ids) >= INDEX_FROM and indexed_vectors(model) is not None


def load_model(blobs: Blobs, blob_key: str, version: int, *, is_best: bool) -> LoadedModel:
    """Loads a stored model with its table and its index, mapped; a set stored without a table gets it made.

    Raises:
        StoreError: the folder holds no readable model.
        InvalidInput: another release stored it in another form.
    """
    model = load(blobs.place(blob_key)).model
    index = _index(blobs, blob_key)
    if all(blobs.holds(_key(blob_key, part)) for part in _PARTS):
        similar, scores = (_mapped(blobs, _key(blob_key, part)) for part in _PARTS)
        loaded = LoadedModel(model, version, is_best, Neighbours(similar, scores), index)
    else:
        loaded = replace(LoadedModel.of(model, version, is_best=is_best), index=index)
    _ = loaded.serving  # made now: what cannot serve must fail here, where the old set stays in place
    return loaded


def _index(blobs: Blobs, blob_key: str) -> VectorIndex | None:
    keys = {field.name: _index_key(blob_key, field.name) for field in fields(VectorIndex)}
    if not all(blobs.holds(key) for key in keys.values()):
        return None
    return VectorIndex.from_arrays({part: _mapped(blobs, key) for part, key in keys.items()})


def store_people(blobs: Blobs, folder: str, interactions: Interactions) -> None:
    """Writes how many people turned to each item of a set, in the set's folder."""
    blobs.put(_people_key(folder), _encoded(people_of(interactions)))


def load_lending(blobs: Blobs, folder: str, models: Sequence[LoadedModel]) -> Lending:
    """What lets new items borrow scores; nothing from a set without a model of content."""
    content = next((loaded.model for loaded in models if isinstance(loaded.model, Content)), None)
    if not blobs.holds(_people_key(folder)):
        return Lending()
    return Lending(content, np.load(blobs.path(_people_key(folder)), allow_pickle=False))


def _people_key(folder: str) -> str:
    return f"{folder}/item_people.npy"


def _key(blob_key: str, part: str) -> str:
    return f"{blob_key}-similar/{part}.npy"


def _index_key(blob_key: str, part: str) -> str:
    return f"{blob_key}-index/{part}.npy"


def _mapped(blobs: Blobs, key: str) -> np.ndarray[Any, Any]:
    return np.asanyarray(np.load(blobs.path(key), mmap_mode="r", allow_pickle=False))


def _encoded(array: np.ndarray[Any, Any]) -> bytes:
    buffer = BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
