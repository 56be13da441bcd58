"""The columnar snapshot: what filters, features and replies read."""

from __future__ import annotations

import numpy as np
import pytest

from bespeak.catalogue.snapshot import CatalogueSnapshot
from bespeak.errors import RuleError
from bespeak.rules import parse
from bespeak.signals.items import Item, Market

NOW = 1_000_000

ITEMS = [
    Item(
        id="p1",
        title="Lamp",
        attributes={"category": "light", "tags": ["a", "b"], "size": 3.0, "eco": True},
        markets={"default": Market(price=1999, currency="EUR"), "us": Market(price=2500, currency="USD")},
        texts={"de": {"title": "Lampe"}, "de-AT": {"description": "A"}},
    ),
    Item(
        id="p2", attributes={"category": "light", "size": 5.0}, markets={"default": Market(price=500, currency="JPY")}
    ),
    Item(id="p3", attributes={"category": ["audio", "tv"], "kind": "odd"}, markets={"us": Market(price=100)}),
    Item(id="p4", kind="article", group="g", published_at=NOW + 1, attributes={"mixed": 3.0}),
    Item(id="p5", kind="article", group="g", expires_at=NOW, attributes={"mixed": "three"}),
    Item(id="p6", markets={"default": Market(is_available=False)}),
    Item(id="p7", markets={"default": Market(from_ms=NOW, until_ms=NOW + 5)}),
    Item(id="p8", is_stub=True, attributes={"price": 7.5}),
]


@pytest.fixture(scope="module")
def snapshot() -> CatalogueSnapshot:
    return CatalogueSnapshot.build(ITEMS, ("category", "tags"), ("price", "price_percentile", "size"), version=4)


def chosen(snapshot: CatalogueSnapshot, text: str, market: str = "default") -> list[str]:
    mask = parse(text, snapshot.schema).mask(snapshot.market(market).columns, NOW)
    return [snapshot.item_ids[i] for i in np.flatnonzero(mask)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("price < 20", ["p1", "p8"]),  # 19.99 EUR in major units; a stub's price is what its events carried
        ("price = 500", ["p2"]),  # the yen has no minor unit
        ("category = 'light' AND size >= 4", ["p2"]),
        ("category = 'tv'", ["p3"]),
        ("'b' = ANY(tags)", ["p1"]),
        ("eco", ["p1"]),
        ("kind = 'article'", ["p4", "p5"]),
        ("\"attributes.kind\" = 'odd'", ["p3"]),
        ("\"group\" = 'p1'", ["p1"]),
        ("mixed = '3'", ["p4"]),
        ("NOT available", ["p3", "p6"]),
        ("stub", ["p8"]),
        ("published_at > now()", ["p4"]),
        ("currency = 'EUR'", ["p1"]),
    ],
)
def test_filters_name_fixed_columns_and_every_attribute(
    snapshot: CatalogueSnapshot, text: str, expected: list[str]
) -> None:
    assert chosen(snapshot, text) == expected


def test_price_and_currency_follow_the_market(snapshot: CatalogueSnapshot) -> None:
    assert chosen(snapshot, "price = 25 AND currency = 'USD'", "us") == ["p1"]
    assert chosen(snapshot, "price = 19.99", "fr") == ["p1"]  # a market nobody named has the default's


def test_an_unknown_column_is_refused_with_the_known_names(snapshot: CatalogueSnapshot) -> None:
    with pytest.raises(RuleError) as refusal:
        parse("categry = 'light'", snapshot.schema)
    assert "category" in str(refusal.value)


def test_availability_joins_stock_publication_expiry_and_licence_window(snapshot: CatalogueSnapshot) -> None:
    ids = np.array(snapshot.item_ids)
    assert ids[snapshot.available("default", NOW)].tolist() == ["p1", "p2", "p7", "p8"]
    assert ids[snapshot.available("default", NOW + 5)].tolist() == ["p1", "p2", "p4", "p8"]
    assert ids[snapshot.available("us", NOW)].tolist() == ["p1", "p2", "p3", "p7", "p8"]


def test_replies_speak_the_nearest_language(snapshot: CatalogueSnapshot) -> None:
    assert snapshot.properties(0, "de-AT")["title"] == "Lampe"
    assert snapshot.properties(0, "de-AT")["description"] == "A"
    assert snapshot.properties(0, "fr")["title"] == "Lamp"
    assert snapshot.properties(1)["title"] == "p2"
    assert snapshot.properties(0, "", "us")["price"] == 2500
    assert "price" not in snapshot.properties(2)


def test_facets_are_what_an_events_log_row_keeps(snapshot: CatalogueSnapshot) -> None:
    assert snapshot.facets_of("p1") == {
        "category": ["light"],
        "tags": ["a", "b"],
        "price": 19.99,
        "price_percentile": 0.25,
        "size": 3.0,
    }
    assert snapshot.facets_of("nobody") == {}
    facet = snapshot.facets["category"]
    items, starts = facet.items_of
    code = facet.code_of["light"]
    assert items[starts[code] : starts[code + 1]].tolist() == [0, 1]


def test_variants_share_a_group_and_others_have_their_own(snapshot: CatalogueSnapshot) -> None:
    assert snapshot.groups[3] == snapshot.groups[4]
    assert len(set(snapshot.groups.tolist())) == len(ITEMS) - 1


def test_an_empty_catalogue_has_columns_and_no_rows() -> None:
    empty = CatalogueSnapshot.empty()
    assert len(empty) == 0
    assert not len(empty.available("default", 0))
    assert "price" in empty.schema.columns
    assert CatalogueSnapshot.build((), ("category",), ("price",)).facets["category"].vocabulary == ()


def test_made_up_markets_are_not_kept(snapshot: CatalogueSnapshot) -> None:
    for n in range(50):
        snapshot.market(f"made-up-{n}")
    assert len(snapshot._markets) <= 2


def test_the_markets_are_those_that_items_name_and_the_default(snapshot: CatalogueSnapshot) -> None:
    assert snapshot.markets == ("default", "us")
    assert CatalogueSnapshot.empty().markets == ("default",)


def test_the_values_of_any_attribute_are_a_table_that_is_made_once(snapshot: CatalogueSnapshot) -> None:
    kinds, tags = snapshot.values_of("kind"), snapshot.values_of("tags")
    assert kinds is not None
    assert [kinds.values_at(index) for index in (0, 3)] == [("product",), ("article",)]
    assert snapshot.values_of("kind") is kinds
    assert tags is snapshot.facets["tags"]
    assert snapshot.values_of("size") is None
    assert snapshot.values_of("made up") is None


def test_the_values_of_an_attribute_with_several_are_all_there() -> None:
    items = [Item(id="a", attributes={"flags": ["x", "y"]}), Item(id="b"), Item(id="c", attributes={"flags": ["y"]})]
    flags = CatalogueSnapshot.build(items, ()).values_of("flags")
    assert flags is not None
    assert [flags.values_at(index) for index in range(3)] == [("x", "y"), (), ("y",)]


def test_items_of_a_kind_are_found_once(snapshot: CatalogueSnapshot) -> None:
    articles = snapshot.is_kind(("article", "made up"))
    assert [snapshot.item_ids[index] for index in np.flatnonzero(articles)] == ["p4", "p5"]
    assert snapshot.is_kind(("article", "made up")) is articles
    assert not snapshot.is_kind(("made up",)).any()


def test_what_is_available_changes_at_the_very_moment_that_an_item_comes_or_goes(snapshot: CatalogueSnapshot) -> None:
    times = [NOW + 5, NOW - 1, NOW, NOW + 1, NOW + 4, NOW + 5, NOW, NOW + 1]
    view = snapshot.market("default")
    for now_ms in times:
        expected = view.in_stock & (view.from_ms <= now_ms) & (now_ms < view.until_ms)
        assert snapshot.available("default", now_ms).tolist() == expected.tolist()
    assert snapshot.available("default", NOW + 2) is snapshot.available("default", NOW + 4)


def test_what_is_available_cannot_be_written_to(snapshot: CatalogueSnapshot) -> None:
    with pytest.raises(ValueError, match="read-only"):
        snapshot.available("default", NOW)[0] = False
