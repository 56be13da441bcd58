"""What a few items pull in."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.decide.scoring.similarity import CONTENT_FACTOR, SEED_DECAY, TABLES, pull
from bespeak.decide.world import World


@pytest.mark.parametrize("tables", [TABLES, ("content",), ("nothing",)])
@pytest.mark.parametrize("seeds", [(), (3,), (3, 0, 7, 5, 3)])
def test_the_strongest_pull_of_any_seed_stays_and_of_equals_the_first(
    world: World, seeds: tuple[int, ...], tables: tuple[str, ...]
) -> None:
    n_items = len(world.catalogue)
    strongest: dict[int, tuple[np.float32, int, bool]] = {}
    for name in tables:
        model = world.models.named(name)
        if model is None or model.neighbours is None:
            continue
        factor = CONTENT_FACTOR if name == "content" else 1.0
        for place, seed in enumerate(seeds):
            weight = np.float32(factor * SEED_DECAY**place)
            pairs = zip(model.neighbours.index[seed].tolist(), model.neighbours.scores[seed] * weight, strict=True)
            for item, strength in pairs:
                if item >= 0 and strength > 0 and (item not in strongest or strength > strongest[item][0]):
                    strongest[item] = strength, seed, model.loaded.shows_people
    found = pull(world.models, seeds, n_items, tables)
    assert bool(strongest) == (bool(seeds) and "content" in tables)
    for item in range(n_items):
        expected = strongest.get(item, (np.float32(0), -1, False))
        assert (found.values[item], found.via[item], found.by_people[item]) == expected
