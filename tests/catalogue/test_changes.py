"""The catalogue in a real store: versions, stubs, counters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bespeak.catalogue import changes
from bespeak.catalogue.snapshot import CatalogueSnapshot
from bespeak.errors import InvalidInput, UnknownName
from bespeak.signals.items import Item
from bespeak.storage.base import Store
from bespeak.storage.open import open_store
from bespeak.storage.tables import items as table
from bespeak.storage.tables import records


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "shop.db", migrate=True)
    yield opened
    opened.close()


def test_every_write_is_a_new_version_and_since_tells_what_changed(store: Store) -> None:
    with store.write() as tx:
        first = changes.put(tx, [Item(id="b"), Item(id="a", title="A")], 10)
    with store.write() as tx:
        assert table.delete(tx, ["b", "nobody"], 11) == 1
        second = changes.patch(tx, {"a": {"title": "AA"}}, 12)
    with store.read() as session:
        assert [item.id for item in table.load_all(session).items] == ["a"]
        news = table.since(session, first)
        assert (news.version, [item.title for item in news.items], news.deleted) == (second, ["AA"], ("b",))
        assert table.since(session, second) == table.ItemChanges(second)
        assert table.page(session, "", 5)[0].id == "a"


def test_a_snapshot_that_follows_changes_equals_one_that_is_built_anew(store: Store) -> None:
    with store.write() as tx:
        changes.put(tx, [Item(id=f"p{i}", attributes={"category": f"c{i % 3}"}) for i in range(9)], 1)
    with store.read() as session:
        known = table.load_all(session)
    snapshot = CatalogueSnapshot.build(known.items, ("category",), version=known.version)
    with store.write() as tx:
        changes.patch(tx, {"p3": {"attributes": {"category": "new"}}}, 2)
        changes.put(tx, [Item(id="z")], 3)
        table.delete(tx, ["p0"], 4)
    with store.read() as session:
        followed = snapshot.updated(table.since(session, snapshot.version))
        anew = CatalogueSnapshot.build(table.load_all(session).items, ("category",))
    assert followed.version == table_version(store)
    assert set(followed.item_ids) == set(anew.item_ids)
    assert {i: followed.facets_of(i) for i in followed.item_ids} == {i: anew.facets_of(i) for i in anew.item_ids}


def table_version(store: Store) -> int:
    with store.read() as session:
        return table.version(session)


def test_stubs_are_added_once_and_never_touch_what_is_known_or_deleted(store: Store) -> None:
    with store.write() as tx:
        changes.put(tx, [Item(id="known", title="Known"), Item(id="gone")], 1)
        table.delete(tx, ["gone"], 2)
        seen = {"known": (3, {"category": ["x"]}), "gone": (3, {}), "new": (3, {"category": ["a", "b"], "price": 9.5})}
        assert table.stubs(tx, seen) == 1
        version = table.version(tx)
        assert table.stubs(tx, seen) == 0
        assert table.version(tx) == version
    with store.read() as session:
        held = table.get_items(session, ["known", "gone", "new"])
    assert held["known"].title == "Known"
    assert "gone" not in held
    assert held["new"] == Item(
        id="new", attributes={"category": ["a", "b"], "price": 9.5}, is_stub=True, first_seen_at=3
    )


@pytest.mark.parametrize("write", ["put", "patch"])
def test_an_api_write_completes_a_stub(store: Store, write: str) -> None:
    with store.write() as tx:
        table.stubs(tx, {"s": (5, {})})
        if write == "put":
            changes.put(tx, [Item(id="s", title="T")], 6)
        else:
            changes.patch(tx, {"s": {"title": "T"}}, 6)
        held = table.get_items(tx, ["s"])["s"]
    assert (held.is_stub, held.first_seen_at, held.title) == (False, 5, "T")


def test_a_refused_write_changes_nothing(store: Store) -> None:
    with pytest.raises(InvalidInput), store.write() as tx:
        changes.put(tx, [Item(id="fine"), Item(id="")], 1)
    with pytest.raises(UnknownName), store.write() as tx:
        changes.patch(tx, {"nobody": {"title": "x"}}, 1)
    assert table_version(store) == 0


def test_counters_add_up_and_old_days_can_go(store: Store) -> None:
    with store.write() as tx:
        table.add_counts(tx, {("a", "view", 10): 2.0, ("a", "view", 11): 1.0}, today=11)
        table.add_counts(tx, {("a", "view", 10): 1.5, ("b", "purchase", 11): 1.0}, today=11)
    with store.read() as session:
        assert sorted(table.counts(session, 10)) == [
            ("a", "view", 10, 3.5),
            ("a", "view", 11, 1.0),
            ("b", "purchase", 11, 1.0),
        ]
        assert len(table.counts(session, 11)) == 2
    with store.write() as tx:
        assert table.drop_counts(tx, 11) == 1


def test_a_change_of_an_older_day_shows_in_its_version_and_one_of_today_does_not(store: Store) -> None:
    with store.write() as tx:
        table.add_counts(tx, {("a", "view", 10): 1.0, ("a", "view", 11): 1.0}, today=11)
        assert not [name for name in records.versions(tx) if name.startswith("counts:")]
        table.add_counts(tx, {("a", "view", 9): 1.0, ("b", "view", 9): 1.0, ("a", "view", 10): 1.0}, today=11)
        assert records.versions(tx)[table.day_version(9)] == 1
