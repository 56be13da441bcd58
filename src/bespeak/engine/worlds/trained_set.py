"""What is recorded of a trained set, in the header of its row."""

from __future__ import annotations

from typing import Any

import msgspec

from bespeak.engine.worlds.predictors import StoredPrediction
from bespeak.engine.worlds.weights import WeightsReport

MODEL_SET = "models"
"""Name of the sets among the stored models."""


class StoredModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model of a trained set: its name and its folder in the blob store."""

    name: str
    blob_key: str
    is_best: bool = False


class StoredRatings(msgspec.Struct, frozen=True, kw_only=True):
    """The model of a trained set that foretells ratings: its folder and its settings."""

    blob_key: str
    settings: dict[str, Any]


class SetHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What is recorded of a trained set.

    Attributes:
        models: the members, the chosen one marked.
        ratings: the model that foretells ratings; None where the log holds too few.
        sentences: what training found, in words.
        boards: leaderboards as plain values.
        trained_from_ms, trained_to_ms: window of the training events.
        n_events, n_people, n_items: size of the training data.
        purposes: purposes under which the data was used.
        lake_position: log position up to which the log was read.
        weights: what was found about the weights of each placement that showed anything.
        predictions: what is foretold of people.
    """

    models: list[StoredModel]
    sentences: list[str]
    boards: list[dict[str, Any]] = []
    metrics: dict[str, float] = {}
    trained_from_ms: int = 0
    trained_to_ms: int = 0
    n_events: int = 0
    n_people: int = 0
    n_items: int = 0
    seconds: float = 0.0
    purposes: list[str] = []
    lake_position: int = 0
    ratings: StoredRatings | None = None
    weights: list[WeightsReport] = []
    predictions: list[StoredPrediction] = []
