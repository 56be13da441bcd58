"""Memory stated before training starts: what the log and each family need, and who is left out where it is too much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bespeak.errors import InvalidInput
from bespeak.learn.choosing.ranked import DEPTH
from bespeak.learn.choosing.tuning import Space
from bespeak.learn.words import described
from bespeak.models.base import Interactions, Model

GIGA = 1e9
_LOG_BYTES_PER_EVENT = 200.0
"""Columns, the log cut in up to four parts, the matrices of each."""
_LOG_BYTES_PER_ID = 120.0
MOST_ASKED = 8_000
"""People asked when choosing."""
_STAND_INS = {
    "ease": "sparse_inverse",
    "slist": "session_links",
    "session_links": "sequence_rules",
    "sparse_inverse": "item_neighbours",
    "graph_filter": "item_neighbours",
    "implicit_mf": "item_neighbours",
    "transformer": "sequence_rules",
}


@dataclass(frozen=True, slots=True, eq=False)
class Fitting:
    """Which families fit into memory.

    Attributes:
        spaces: those that do.
        needed_bytes: at the top of the training.
        sentences: what it needs, and who was left out.
    """

    spaces: list[Space]
    needed_bytes: float
    sentences: list[str]


def log_bytes(log: Interactions) -> float:
    """What the log takes with the parts that it is cut into."""
    return _LOG_BYTES_PER_EVENT * len(log) + _LOG_BYTES_PER_ID * (log.n_users + log.n_items)


def lists_bytes(log: Interactions, n_families: int) -> float:
    """What the lists take that families are compared by: item and score of each place."""
    return 8.0 * DEPTH * min(log.n_users, MOST_ASKED) * n_families


def within(spaces: Sequence[Space], log: Interactions, limit_bytes: float | None) -> Fitting:
    """The families whose fit stays within a limit beside the log and the models that are kept in any case.

    What takes most goes first, until the rest fits. Without a limit nobody goes.

    Raises:
        InvalidInput: not even the smallest fits.

    Example:
        >>> from bespeak.models.item_weights.ease import Ease
        >>> from bespeak.models.popular.popularity import Popularity
        >>> log = Interactions.from_events(["a"], ["x"], item_ids=[str(i) for i in range(5_000)] + ["x"])
        >>> fitting = within([Space(Popularity()), Space(Ease())], log, 0.3e9)
        >>> [space.start.name for space in fitting.spaces]
        ['popularity']
        >>> fitting.sentences[1]
        'Left out: ease needs about 0.4 GB of memory beside the log, and the limit is 0.3 GB.'
    """
    kept = list(spaces)
    sentences = []
    while True:
        held = sum(_memory(space.start, log)[1] for space in kept if space.is_source)
        largest = max(kept, key=lambda space: _memory(space.start, log)[0])
        needed = log_bytes(log) + lists_bytes(log, len(kept)) + held + _memory(largest.start, log)[0]
        if limit_bytes is None or needed <= limit_bytes:
            break
        name = largest.start.name
        kept = [space for space in kept if space.start.name != name]
        if not kept:
            raise _too_little(needed, limit_bytes)
        sentences.append(_left_out(largest.start, kept, log, limit_bytes))
    limit = "" if limit_bytes is None else f" of the {_giga(limit_bytes)} that it may take"
    return Fitting(kept, needed, [f"Training needs about {_giga(needed)} of memory{limit}.", *sentences])


def require(model: Model, log: Interactions, limit_bytes: float | None) -> str:
    """What one named model needs, in a sentence.

    Raises:
        InvalidInput: it does not fit.
    """
    needed = log_bytes(log) + _memory(model, log)[0]
    if limit_bytes is not None and needed > limit_bytes:
        stand_in = _STAND_INS.get(model.name)
        raise InvalidInput(
            f"The model '{model.name}' needs about {_giga(needed)} of memory for this data, the limit is "
            f"{_giga(limit_bytes)}.",
            hint=f"Use {stand_in}." if stand_in else "Use a smaller model, or auto.",
        )
    return f"Fitting {described(model)} needs about {_giga(needed)} of memory."


def _memory(model: Model, log: Interactions) -> tuple[float, float]:
    memory = model.fit_memory(log.n_users, log.n_items, len(log))
    return memory.peak_bytes, memory.kept_bytes


def _left_out(model: Model, kept: Sequence[Space], log: Interactions, limit_bytes: float) -> str:
    said = (
        f"Left out: {model.name.replace('_', ' ')} needs about {_giga(_memory(model, log)[0])} of memory beside the "
        f"log, and the limit is {_giga(limit_bytes)}"
    )
    stand_in = _STAND_INS.get(model.name)
    if stand_in in {space.start.name for space in kept}:
        said += f"; {str(stand_in).replace('_', ' ')} stands in"
    return f"{said}."


def _too_little(needed: float, limit_bytes: float) -> InvalidInput:
    return InvalidInput(
        f"Training needs about {_giga(needed)} of memory for the log and the smallest model, the limit is "
        f"{_giga(limit_bytes)}.",
        hint="Raise `memory_limit_gb` under [train], free memory, or keep fewer days of events (`log_days`).",
    )


def _giga(n_bytes: float) -> str:
    return f"{max(0.1, n_bytes / GIGA):.1f} GB"
