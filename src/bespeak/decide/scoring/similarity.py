"""What a few items pull in, and which two items may be shown as a pair.

A pair, one item beside another in a list or in a sentence, is shown where at least `MIN_PEOPLE` distinct people stand
behind it, else where the two are alike by content. Behaviour that fewer people share could give one of them away, so it
only ranks. Both ways of showing pairs go by here: lists pull from tables that hold no other pair (`Neighbours`), and a
sentence that names an item asks `bond`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from bespeak.decide.serving.model_set import MIN_PEOPLE, MappedModel, ModelSet
from bespeak.decide.situation import Situation
from bespeak.models.neighbours.item_neighbours import ItemNeighbours

Int32s: TypeAlias = npt.NDArray[np.int32]
Float32s: TypeAlias = npt.NDArray[np.float32]

TABLES = ("item_neighbours", "content")
CONTENT_FACTOR = 0.7
SEED_DECAY = 0.85


Bond: TypeAlias = Literal["people", "content", ""]


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


def pull_of(situation: Situation, seeds: tuple[int, ...], tables: tuple[str, ...] = TABLES) -> Pull:
    """As `pull`, over the catalogue of a situation; worked out once for all rows of a page."""
    n_items = len(situation.eligible)
    return situation.reading.once(
        ("pull", seeds, tables), lambda: pull(situation.world.models, list(seeds), n_items, tables)
    )


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
    known = [model for name in tables if (model := models.named(name)) is not None]
    asked = [(model, model.neighbours) for model in known if model.neighbours is not None]
    if not asked or not len(seeds):
        return Pull(values, via, by_people)
    chosen = np.asarray(seeds, np.intp)
    decays = np.array([SEED_DECAY**place for place in range(len(seeds))])
    # Whatever is as strong as what stands already takes its place, so the first of equals comes last.
    for model, table in reversed(asked):
        factor = CONTENT_FACTOR if model.name == "content" else 1.0
        rows = table.index[chosen].ravel()
        scores = (table.scores[chosen] * (factor * decays).astype(np.float32)[:, None]).ravel()
        np.maximum.at(values, rows, scores)  # where the table has nothing, it has 0
        most = np.flatnonzero((scores == values[rows]) & (scores > 0))[::-1]
        pulled = rows[most]
        via[pulled], by_people[pulled] = chosen[most // table.index.shape[1]], model.loaded.shows_people
    return Pull(values, via, by_people)


def bond(models: ModelSet, item: int, other: int) -> Bond:
    """What lets two items be named together: enough people, else content; "" where nothing does.

    Args:
        models: what is known of pairs.
        item: its catalogue index; -1 has no bond.
        other: the same of the other item.
    """
    if item < 0 or other < 0:
        return ""
    neighbours, content = models.named("item_neighbours"), models.named("content")
    if neighbours is not None and isinstance(neighbours.loaded.model, ItemNeighbours):
        one, two = neighbours.items.from_catalogue[[item, other]].tolist()
        if one >= 0 and two >= 0 and neighbours.loaded.model.people_behind(one, two) >= MIN_PEOPLE:
            return "people"
    if content is not None and (_holds(content, item, other) or _holds(content, other, item)):
        return "content"
    return ""


def _holds(model: MappedModel, item: int, other: int) -> bool:
    table = model.neighbours
    return table is not None and bool((table.index[item] == other).any())
