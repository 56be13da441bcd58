"""Checkpoints of a training among the project's blobs: `checkpoints/RUN/KEY.npz`, one run at a time.

They hold arrays by position and name nobody, but they follow from single people's events: an erasure drops them, and a
training that still runs then writes no more of them.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from bespeak.errors import StoreError
from bespeak.storage.blobs import Blobs

FOLDER = "checkpoints"
_MOST_BYTES = 1_000_000_000


class BlobCheckpoints:
    """See `bespeak.learn.choosing.checkpoints.Checkpoints`.

    Args:
        blobs: of the project.
        most_bytes: what one run may keep; beyond it nothing is added.
    """

    def __init__(self, blobs: Blobs, most_bytes: int = _MOST_BYTES) -> None:
        self._blobs = blobs
        self._most_bytes = most_bytes
        self._n_bytes = 0
        self._run = ""

    def begin(self, run: str) -> None:
        """Goes on with what a run with the same fingerprint left; removes what any other did."""
        self._run = f"{FOLDER}/{run}"
        with suppress(StoreError):
            for folder in self._blobs.folders(FOLDER):
                if folder != self._run:
                    self._blobs.delete_folder(folder)
            self._blobs.put(self._begun, b"")
            self._blobs.sweep(self._run)
            held = self._blobs.list(f"{self._run}/")
            self._n_bytes = sum(self._blobs.path(key).stat().st_size for key in held)

    def load(self, key: str) -> Mapping[str, npt.NDArray[Any]] | None:
        """The arrays under a key; None where there are none, or none that can be read."""
        try:
            with np.load(self._blobs.path(self._key(key)), allow_pickle=False) as held:
                return {name: held[name] for name in held.files}
        except (StoreError, OSError, ValueError, KeyError, zipfile.BadZipFile):
            return None

    def save(self, key: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Keeps arrays, unless the run was dropped meanwhile or has kept enough."""
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        with suppress(StoreError):
            before = self._blobs.path(self._key(key)).stat().st_size if self._blobs.holds(self._key(key)) else 0
            grown = self._n_bytes + buffer.getbuffer().nbytes - before
            if grown <= self._most_bytes and self._blobs.holds(self._begun):
                self._blobs.put(self._key(key), buffer.getvalue())
                self._n_bytes = grown

    def clear(self) -> None:
        """The run is done."""
        drop_checkpoints(self._blobs)

    @property
    def _begun(self) -> str:
        return f"{self._run}/begun"

    def _key(self, key: str) -> str:
        return f"{self._run}/{key}.npz"


def drop_checkpoints(blobs: Blobs) -> None:
    """Removes every checkpoint; a training that runs goes on without."""
    blobs.delete_folder(FOLDER)
