"""What callers may ask."""

from __future__ import annotations

import pytest

from bespeak.decide.request import DecideRequest, Listed, listed_items
from bespeak.errors import InvalidInput


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"count": 0}, "count"),
        ({"count": 101}, "count"),
        ({"items": ()}, "items"),
        ({"items": (Listed("a", float("nan")),)}, "items"),
        ({"items": (Listed("a", float("inf")),)}, "items"),
        ({"query": "x" * 501}, "query"),
        ({"exclude": ("x",) * 10_001}, "exclude"),
        ({"item": "x" * 256}, "item"),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_name(asked: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput, match=f"`{field}`"):
        DecideRequest(placement="home", **asked).checked()  # type: ignore[arg-type]


def test_a_list_may_hold_ids_numbers_and_objects() -> None:
    assert listed_items(None) is None
    assert listed_items(["a", 3, {"id": 4}, {"id": "b", "relevance": 2}]) == (
        Listed("a"),
        Listed("3"),
        Listed("4"),
        Listed("b", 2.0),
    )


@pytest.mark.parametrize("entries", ["abc", 3, [None], [{}], [{"id": None}], [{"id": "a", "relevance": "high"}], [[]]])
def test_a_list_of_anything_else_is_refused(entries: object) -> None:
    with pytest.raises(InvalidInput, match="`items`"):
        listed_items(entries)
