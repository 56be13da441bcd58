"""What decisions need of a trained set besides its models: tables of similar items, and how well known items are.

The tables are stored beside each model, as making them takes seconds and mapping them none.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np

from bespeak.decide.model_set import LoadedModel, Neighbours
from bespeak.decide.new_items import Lending
from bespeak.models.artefact import load
from bespeak.models.base import Interactions, Model
from bespeak.models.content import Content
from bespeak.models.new_items import people_of
from bespeak.storage.blobs import Blobs

_PARTS = ("index", "scores")


def store_table(blobs: Blobs, blob_key: str, model: Model) -> None:
    """Writes the table of a model that has one, beside the model's folder."""
    table = LoadedModel.of(model).neighbours
    if table is not None:
        for part in _PARTS:
            blobs.put(_key(blob_key, part), _encoded(getattr(table, part)))


def load_model(blobs: Blobs, blob_key: str, version: int, *, is_best: bool) -> LoadedModel:
    """Loads a stored model with its table, mapped; a set that was stored without one gets it made.

    Raises:
        StoreError: the folder holds no readable model.
    """
    model = load(blobs.place(blob_key)).model
    if not all(blobs.holds(_key(blob_key, part)) for part in _PARTS):
        return LoadedModel.of(model, version, is_best=is_best)
    index, scores = (np.load(blobs.path(_key(blob_key, part)), mmap_mode="r", allow_pickle=False) for part in _PARTS)
    return LoadedModel(model, version, is_best, Neighbours(index, scores))


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


def _encoded(array: np.ndarray[Any, Any]) -> bytes:
    buffer = BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
