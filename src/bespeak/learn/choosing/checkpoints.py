"""Where a training leaves what it found so far, so that one that was killed goes on instead of beginning again.

Kept are the lists that each candidate gave on each cut, and the state of a fit that makes many passes. Both are arrays
by position: they name nobody. They stand under the fingerprint of everything they follow from (the log, the content,
the settings of training and the code), so what is found there is what would be computed again, bit for bit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from hashlib import blake2b
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bespeak.learn.leaderboard import Stopwatch
from bespeak.models.base import Interactions, ItemContent, Model

Arrays = Mapping[str, npt.NDArray[Any]]

_SECONDS_BETWEEN_PASSES = 5.0
"""A state of passes is written at most so often."""
WORTH_KEEPING_SECONDS = 0.2
"""What took less is found again as fast as it is written and read."""
_READS = ("learn", "models")
_LIBRARIES = ("numpy", "scipy", "implicit", "torch")


class Checkpoints(Protocol):
    """A place for arrays by key. Losing them costs time only, so nothing here raises."""

    def begin(self, run: str) -> None:
        """Says whose arrays are meant from now on; those of any other run may go."""

    def load(self, key: str) -> Arrays | None:
        """What was saved under a key, if it is still there and whole."""

    def save(self, key: str, arrays: Arrays) -> None:
        """Keeps arrays, if there is room."""


class NoCheckpoints:
    """Keeps nothing."""

    def begin(self, run: str) -> None:
        """See `Checkpoints.begin`."""

    def load(self, key: str) -> Arrays | None:
        """See `Checkpoints.load`."""
        return None

    def save(self, key: str, arrays: Arrays) -> None:
        """See `Checkpoints.save`."""


class KeptPasses:
    """See `bespeak.models.fits.Passes`: the state of one fit, kept in checkpoints.

    Args:
        checkpoints: where.
        key: of this fit.
        stopwatch: a state is not written more often than every few seconds.
        tell: told the share of the passes that is done.
    """

    def __init__(self, checkpoints: Checkpoints, key: str, stopwatch: Stopwatch, tell: Callable[[float], None]) -> None:
        self._checkpoints = checkpoints
        self._key = f"{key}.passes"
        self._stopwatch = stopwatch
        self._tell = tell
        self._saved = stopwatch()

    def latest(self) -> Arrays | None:
        """The state of the last pass that was saved."""
        return self._checkpoints.load(self._key)

    def passed(self, share: float, state: Callable[[], Arrays]) -> None:
        """Tells the share; saves the state now and then, and at the end."""
        self._tell(share)
        if share >= 1 or self._stopwatch() - self._saved >= _SECONDS_BETWEEN_PASSES:
            self._checkpoints.save(self._key, state())
            self._saved = self._stopwatch()


def key_of(model: Model, where: str) -> str:
    """The key of a model's result at a place of the training: small letters, digits, dots."""
    said = json.dumps([model.name, model.settings()], sort_keys=True, default=str)
    return f"{where}.{blake2b(said.encode(), digest_size=12).hexdigest()}"


def fingerprint(log: Interactions, content: ItemContent | None, options: Sequence[object]) -> str:
    """Of everything that a training's findings follow from; tells nothing of it.

    Example:
        >>> logs = [Interactions.from_events(["a"], [item]) for item in "xxy"]
        >>> first, again, other = (fingerprint(log, None, [1]) for log in logs)
        >>> first == again, first == other, first == fingerprint(logs[0], None, [2])
        (True, False, False)
    """
    digest = blake2b(digest_size=16)
    for array in (log.user_index, log.item_index, log.weights, log.times_ms, log.source_rows, log.class_index):
        digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes() + b"|")
    told: list[object] = [*options, log.is_ordered, list(log.class_names), list(log.item_ids), log.n_users, _code()]
    if log.traits is not None:
        told.append(dict(log.traits.attributes))
    if content is not None:
        numbers = {name: np.asarray(column).tolist() for name, column in content.numbers.items()}
        told += [list(content.item_ids), list(content.texts), dict(content.attributes), numbers]
    digest.update(json.dumps(told, sort_keys=True, default=str).encode())
    return digest.hexdigest()


@cache
def _code() -> str:
    """A digest of the code that trains, and the versions of what it computes with."""
    digest = blake2b(digest_size=16)
    package = Path(__file__).parents[2]
    for part in _READS:
        for file in sorted((package / part).rglob("*.py")):
            digest.update(file.name.encode() + b"|" + file.read_bytes())
    for library in _LIBRARIES:
        try:
            digest.update(f"{library} {metadata.version(library)};".encode())
        except metadata.PackageNotFoundError:
            digest.update(f"{library} none;".encode())
    return digest.hexdigest()
