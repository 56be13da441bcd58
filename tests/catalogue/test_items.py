"""One item: checks, patches, stubs."""

from __future__ import annotations

import pytest

from bespeak.catalogue.items import MAX_ATTRIBUTES, checked, completed, item_json, patched
from bespeak.errors import InvalidInput, UnknownName
from bespeak.signals.items import Creative, Item, Market


def test_a_patch_merges_objects_removes_nulls_and_replaces_the_rest() -> None:
    item = Item(
        id="p1",
        title="Lamp",
        attributes={"colour": "red", "tags": ["a"]},
        markets={"default": Market(price=100, currency="EUR"), "us": Market(price=120, currency="USD")},
    )
    changed = patched(
        item,
        {
            "title": None,
            "attributes": {"colour": None, "tags": ["b", "c"], "watts": 9},
            "markets": {"us": {"available": False}},
        },
    )
    assert changed.title == ""
    assert changed.attributes == {"tags": ["b", "c"], "watts": 9.0}
    assert changed.markets["us"] == Market(price=120, currency="USD", is_available=False)
    assert changed.markets["default"] == item.markets["default"]


@pytest.mark.parametrize(
    ("patch", "names"),
    [({"colour": "red"}, ["colour", "attributes"]), ({"markets": {"us": {"cost": 3}}}, ["cost", "price", "available"])],
)
def test_an_unknown_key_is_refused_with_the_known_ones(patch: dict[str, object], names: list[str]) -> None:
    with pytest.raises(UnknownName) as refusal:
        patched(Item(id="p1"), patch)
    assert all(name in str(refusal.value) for name in names)


@pytest.mark.parametrize(
    "patch",
    [{"id": "p2"}, {"title": 3}, {"markets": {"us": {"price": "free"}}}, {"publishedAt": 5, "expiresAt": 4}],
)
def test_a_patch_that_does_not_fit_is_refused(patch: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        patched(Item(id="p1"), patch)


def test_of_creatives_with_one_id_the_last_holds() -> None:
    item = checked(Item(id="a", creatives=[Creative(id="w"), Creative(id="n"), Creative(id="w", title="x")]))
    assert [(one.id, one.title) for one in item.creatives] == [("w", "x"), ("n", "")]


@pytest.mark.parametrize(
    "item",
    [
        Item(id=""),
        Item(id="x" * 256),
        Item(id="a\x00b"),
        Item(id="a", group="\ud800"),
        Item(id="a", kind=""),
        Item(id="a", title="\ud800"),
        Item(id="a", title="x" * 9_000),
        Item(id="a", attributes={f"a{i}": 1.0 for i in range(MAX_ATTRIBUTES + 1)}),
        Item(id="a", attributes={"": 1.0}),
        Item(id="a", attributes={"size": float("nan")}),
        Item(id="a", creatives=[Creative(id="wide", attributes={"size": float("nan")})]),
        Item(id="a", creatives=[Creative(id="")]),
        Item(id="a", attributes={"size": float("inf")}),
        Item(id="a", attributes={"tags": ["x"] * 201}),
        Item(id="a", markets={"us": Market(price=-1)}),
        Item(id="a", markets={"us": Market(from_ms=2, until_ms=1)}),
        Item(id="a", texts={"de": {"title": "x" * 70_000}}),
    ],
)
def test_a_wrong_item_is_refused_without_repeating_its_values(item: Item) -> None:
    with pytest.raises(InvalidInput) as refusal:
        checked(item)
    assert len(str(refusal.value)) < 200


def test_a_written_item_completes_a_stub_and_keeps_the_day_it_was_first_seen() -> None:
    stub = Item(id="p1", attributes={"category": "audio"}, is_stub=True, first_seen_at=7)
    whole = completed(Item(id="p1", title="Lamp"), stub)
    assert not whole.is_stub
    assert (whole.title, whole.first_seen_at, whole.attributes) == ("Lamp", 7, {})


def test_json_uses_camel_case_and_leaves_defaults_out() -> None:
    item = Item(id="p1", image_url="/a.svg", published_at=3, markets={"us": Market(price=1, is_available=False)})
    assert item_json(item) == {
        "id": "p1",
        "imageUrl": "/a.svg",
        "publishedAt": 3,
        "markets": {"us": {"price": 1, "available": False}},
    }
