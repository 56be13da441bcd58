"""What a world works out from its parts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bespeak.catalogue.counters import ItemCounters
from bespeak.decide.world import World


def test_the_items_of_a_facet_value_come_most_popular_first_and_ties_by_index(world: World) -> None:
    popularity = world.counters.popularity
    assert len(set(popularity.tolist())) > 1
    for name, facet in world.catalogue.facets.items():
        items, starts = world.popular_of(name)
        plain, plain_starts = facet.items_of
        assert starts.tolist() == plain_starts.tolist()
        for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
            expected = sorted(plain[start:end].tolist(), key=lambda row: (-popularity[row], row))
            assert items[start:end].tolist() == expected


def test_new_counters_bring_a_new_order(world: World) -> None:
    before, _ = world.popular_of("genre")
    counts = [(item_id, "view", 20_000, float(place)) for place, item_id in enumerate(world.catalogue.item_ids)]
    counters = ItemCounters.build(counts, world.catalogue.index, {"view": 1.0}, world.counters.as_of_ms)
    after, starts = replace(world, counters=counters).popular_of("genre")
    assert before.tolist() != after.tolist()
    assert (np.diff(after[: starts[1]]) < 0).all()
