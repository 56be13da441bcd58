"""What a few items pull in: the neighbours of seeds, by people's behaviour where it is known, else by content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.decide.model_set import ModelSet

Int32s: TypeAlias = npt.NDArray[np.int32]
Float32s: TypeAlias = npt.NDArray[np.float32]

TABLES = ("item_neighbours", "content")
CONTENT_FACTOR = 0.7
SEED_DECAY = 0.85


@dataclass(frozen=True, eq=False)
class Pull:
    """How strongly seeds pull every item of the catalogue.

    Attributes:
        values: float32[n], 0..1.
        via: int32[n], the seed that pulls most, -1 where none does.
        by_people: bool[n], whether that comes from people's behaviour rather than from content.
    """

    values: Float32s
    via: Int32s
    by_people: npt.NDArray[np.bool_]


def pull(models: ModelSet, seeds: Sequence[int], n_items: int, tables: Sequence[str] = TABLES) -> Pull:
    """The strongest pull of any seed: table score, times `SEED_DECAY` per place of the seed, content a bit less.

    Args:
        models: where the tables of neighbours are.
        seeds: catalogue indices, the most important first.
        n_items: size of the catalogue.
        tables: models to ask; those that are not loaded are left out.
    """
    values = np.zeros(n_items, np.float32)
    via = np.full(n_items, -1, np.int32)
    by_people = np.zeros(n_items, np.bool_)
    for name in tables:
        model = models.named(name)
        table = model.neighbours if model is not None else None
        if model is None or table is None:
            continue
        factor = 1.0 if name == "item_neighbours" else CONTENT_FACTOR
        for place, seed in enumerate(seeds):
            rows, scores = table.index[seed], table.scores[seed] * np.float32(factor * SEED_DECAY**place)
            better = (rows >= 0) & (scores > values[rows])
            chosen = rows[better]
            values[chosen], via[chosen] = scores[better], seed
            by_people[chosen] = model.loaded.shows_people
    return Pull(values, via, by_people)
