"""Trained sets as holders of personal data.

Most models hold item-side parameters only, so they hold nobody. One that must keep people says so in its header and is
rewritten without whoever is erased.
"""

from __future__ import annotations

from typing import Any

import msgspec

from bespeak.engine.worlds.trained_set import MODEL_SET, SetHeader
from bespeak.errors import BespeakError
from bespeak.models.artefact import load, overwrite, read_header
from bespeak.models.base import Model
from bespeak.signals.subjects import ReceiptLine, Subject
from bespeak.storage.base import Transaction
from bespeak.storage.blobs import Blobs
from bespeak.storage.tables import records


class ModelHolder:
    """Every stored version of every model."""

    name = "models"

    def __init__(self, tx: Transaction, blobs: Blobs) -> None:
        self._tx = tx
        self._blobs = blobs

    def _keeping_people(self) -> list[str]:
        """Returns the folders of models that hold people."""
        return [
            stored.blob_key
            for version in records.models(self._tx, name=MODEL_SET)
            for stored in msgspec.json.decode(version.header, type=SetHeader).models
            if self._holds_people(stored.blob_key)
        ]

    def _holds_people(self, blob_key: str) -> bool:
        try:
            return read_header(self._blobs.place(blob_key)).holds_people
        except BespeakError:
            return False  # a damaged version serves nobody, and must not stand in the way of an erasure

    def _without(self, blob_key: str, subject: Subject) -> Model | None:
        """Returns a model that has forgotten the person, None where it never knew them."""
        model = load(self._blobs.place(blob_key)).model
        forgotten = model.forget(str(person) for person in subject.people)
        before, after = ({name: array.shape for name, array in one.arrays().items()} for one in (model, forgotten))
        return forgotten if before != after else None

    def holds(self, subject: Subject) -> int:
        """Returns how many stored models hold the person in their arrays."""
        return sum(self._without(blob_key, subject) is not None for blob_key in self._keeping_people())

    def export(self, subject: Subject) -> list[dict[str, Any]]:
        """Returns nothing: what a model holds of a person is drawn from their events, which are exported."""
        del subject
        return []

    def erase(self, subject: Subject) -> ReceiptLine:
        """Rewrites the models that hold the person, and has every process load them again.

        The others hold item-side parameters only; they are fitted anew without the person by the next training.
        """
        n_rewritten = 0
        for blob_key in self._keeping_people():
            forgotten = self._without(blob_key, subject)
            if forgotten is not None:
                overwrite(forgotten, self._blobs.place(blob_key))
                n_rewritten += 1
        if n_rewritten:
            records.bump(self._tx, "models")
        return ReceiptLine(
            holder=self.name,
            n_held=n_rewritten,
            n_rewritten=n_rewritten,
            note="item-side parameters are refitted without the person by the next training",
        )
