"""Trained sets as holders of personal data.

Models hold item-side parameters only, so they hold nobody; one that must keep people says so and is erased by key.
"""

from __future__ import annotations

from typing import Any

import msgspec

from bespeak.engine.worlds import MODEL_SET, SetHeader
from bespeak.errors import BespeakError
from bespeak.models.artefact import read_header
from bespeak.signals.subjects import ReceiptLine, Subject
from bespeak.storage import records
from bespeak.storage.base import Transaction
from bespeak.storage.blobs import Blobs


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

    def holds(self, subject: Subject) -> int:
        """Returns how many models were fitted with rows of people in their arrays."""
        del subject
        return len(self._keeping_people())

    def export(self, subject: Subject) -> list[dict[str, Any]]:
        """Returns nothing: a person's vectors are computed when asked for and never stored."""
        del subject
        return []

    def erase(self, subject: Subject) -> ReceiptLine:
        """Says that there is nothing to take out; models are fitted anew without the person at the next training."""
        return ReceiptLine(
            holder=self.name,
            n_held=self.holds(subject),
            note="item-side parameters only; refitted without the person by the next training",
        )
