"""The tables of similar items, stored beside a trained model: making them takes seconds, mapping them none."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np

from bespeak.decide.model_set import LoadedModel, Neighbours
from bespeak.models.artefact import load
from bespeak.models.base import Model
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


def _key(blob_key: str, part: str) -> str:
    return f"{blob_key}-similar/{part}.npy"


def _encoded(array: np.ndarray[Any, Any]) -> bytes:
    buffer = BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
