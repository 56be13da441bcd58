"""Several facets as one array."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.catalogue.joined import JoinedFacets
from bespeak.catalogue.snapshot import FacetColumn

ROWS = {"tags": [["a", "b"], ["b"], []], "brand": [["x"], ["y"], ["x"]], "colour": [[], [], []]}


def test_a_number_of_every_value_is_found_where_the_facet_alone_has_it() -> None:
    facets = {name: FacetColumn.from_values(rows) for name, rows in ROWS.items()}
    joined = JoinedFacets.of(facets, 3)
    numbers = np.arange(len(joined.rarity), dtype=float)
    for name, facet in facets.items():
        own = numbers[joined.entries_of(name)]
        assert len(own) == len(facet.vocabulary) + 1
        assert own[facet.codes].tolist() == numbers[joined.codes[:, joined.columns[name]]].tolist()
        assert joined.rarity[joined.entries_of(name)].tolist() == facet.rarity.tolist()


@pytest.mark.parametrize(("entry", "found"), [(0, "brand"), (3, "colour"), (5, "tags")])
def test_which_facets_have_any(entry: int, found: str) -> None:
    joined = JoinedFacets.of({name: FacetColumn.from_values(rows) for name, rows in ROWS.items()}, 3)
    is_any = joined.are_any(np.arange(len(joined.rarity)) == entry)
    assert [name for name, has in zip(joined.facets, is_any, strict=True) if has] == [found]


def test_no_facets_have_no_entries() -> None:
    joined = JoinedFacets.of({}, 2)
    assert (joined.codes.shape, len(joined.rarity), len(joined.are_any(np.zeros(0, np.bool_)))) == ((2, 0), 0, 0)
