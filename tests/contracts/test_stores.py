"""What every store does; runs on each of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bespeak.errors import StoreError, StoreTooNew, StoreUnavailable, UnknownName
from bespeak.storage.base import Store, Transaction
from bespeak.storage.open import open_store
from bespeak.storage.schema import SCHEMA_VERSION, TABLES

EVENT_COLUMNS = (
    "log_id",
    "person_id",
    "kind",
    "time_ms",
    "received_ms",
    "name",
    "purposes",
    "is_bot",
    "fold_version",
    "source",
    "message_key",
    "body",
)
BIGGEST = 2**63 - 1


def event(log_id: int, *, person: int = 1, key: bytes | None = None, body: bytes = b"{}") -> tuple[Any, ...]:
    return (log_id, person, "track", 1, 2, "Product Viewed", 3, 0, 1, "web", key, body)


def cursors(store: Store) -> dict[str, int]:
    with store.read() as session:
        return dict(session.rows("SELECT name, position FROM cursors"))  # type: ignore[arg-type]


# -- values ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("number", [0, -1, BIGGEST, -(2**63)])
def test_integers_keep_their_64_bits(store: Store, number: int) -> None:
    with store.write() as tx:
        tx.insert("cursors", ("name", "position"), [("a", number)])
    assert cursors(store) == {"a": number}


@pytest.mark.parametrize("number", [BIGGEST + 1, -(2**63) - 1])
def test_a_larger_integer_is_a_store_error(store: Store, number: int) -> None:
    with pytest.raises(StoreError), store.write() as tx:
        tx.insert("cursors", ("name", "position"), [("a", number)])
    assert cursors(store) == {}


TEXTS = ["", "Größe 👩‍👧 '\"; --", "100% ? %s $1 \\ :name", "\u202eabc", "a\nb\tc\r", "x" * 100_000]


@pytest.mark.parametrize("text", TEXTS)
def test_texts_come_back_as_they_are(store: Store, text: str) -> None:
    with store.write() as tx:
        tx.run("INSERT INTO settings (name, value) VALUES (?, ?)", (text[:200], b"x"))
        tx.insert(
            "config_versions", ("version", "created_ms", "author", "digest", "body"), [(1, 1, text[:9], "", text)]
        )
    with store.read() as session:
        assert session.row("SELECT name FROM settings WHERE name = ?", (text[:200],)) == (text[:200],)
        assert session.row("SELECT author, body FROM config_versions") == (text[:9], text)


@pytest.mark.parametrize("blob", [b"", b"\0", bytes(range(256)), b"\\x00\\N\t\n", b"\xff" * 5_000_000])
def test_blobs_come_back_as_they_are(store: Store, blob: bytes) -> None:
    with store.write() as tx:
        tx.insert("settings", ("name", "value"), [("a", blob)])
        tx.run("INSERT INTO settings (name, value) VALUES (?, ?)", ("b", blob))
    with store.read() as session:
        assert session.rows("SELECT value FROM settings ORDER BY name") == [(blob,), (blob,)]
        assert isinstance(session.rows("SELECT value FROM settings")[0][0], bytes)


def test_reals_and_nulls_come_back_as_they_are(store: Store) -> None:
    with store.write() as tx:
        tx.insert("item_counters", ("item_id", "signal_class", "day", "n"), [("i", "view", 1, 0.1 + 0.2)])
        tx.insert("events", EVENT_COLUMNS, [event(1, key=None)])
    with store.read() as session:
        assert session.row("SELECT n FROM item_counters") == (0.1 + 0.2,)
        assert session.row("SELECT message_key FROM events") == (None,)


def test_literals_in_the_text_of_a_query_are_left_alone(store: Store) -> None:
    with store.write() as tx:
        tx.insert("cursors", ("name", "position"), [("a?b", 1), ("50%", 2), ("it's", 3)])
    with store.read() as session:
        assert session.row("SELECT position FROM cursors WHERE name = 'a?b' AND position = ?", (1,)) == (1,)
        assert session.row("SELECT position FROM cursors WHERE name LIKE '%0%' AND position > ?", (0,)) == (2,)
        assert session.row("SELECT position % 2 FROM cursors WHERE name = 'it''s' AND position = ?", (3,)) == (1,)


def test_every_declared_column_can_be_read_by_its_name(store: Store) -> None:
    with store.read() as session:
        for table in TABLES:
            assert session.rows(f"SELECT {', '.join(table.columns)} FROM {table.name}") == []


def test_a_missing_value_is_refused_where_none_is_allowed(store: Store) -> None:
    with pytest.raises(StoreError), store.write() as tx:
        tx.insert("cursors", ("name", "position"), [("a", None)])


# -- sessions ----------------------------------------------------------------------------------------------------------
def test_a_block_that_raises_changes_nothing(store: Store) -> None:
    def fails(tx: Transaction) -> None:
        tx.insert("cursors", ("name", "position"), [("a", 1)])
        tx.insert_new("message_ids", ("message_key", "day"), [(b"k", 1)])
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"), store.write() as tx:
        fails(tx)
    assert cursors(store) == {}
    with store.write() as tx:
        assert tx.insert_new("message_ids", ("message_key", "day"), [(b"k", 1)]) == [True]


def test_a_transaction_sees_its_own_changes_and_readers_do_not(store: Store) -> None:
    with store.write() as tx:
        tx.insert("cursors", ("name", "position"), [("a", 1)])
        assert tx.row("SELECT position FROM cursors") == (1,)
        assert cursors(store) == {}
    assert cursors(store) == {"a": 1}


def test_a_reader_keeps_its_snapshot(store: Store) -> None:
    with store.read() as session:
        assert session.rows("SELECT name FROM cursors") == []
        with store.write() as tx:
            tx.insert("cursors", ("name", "position"), [("a", 1)])
        assert session.rows("SELECT name FROM cursors") == []
        assert session.lookup("cursors", ["name"], ["name"], [("a",)]) == []
    assert cursors(store) == {"a": 1}


def test_a_reader_cannot_write(store: Store) -> None:
    with store.read() as session, pytest.raises(StoreError):
        session.rows("INSERT INTO cursors (name, position) VALUES ('a', 1)")
    assert cursors(store) == {}


def test_a_session_ends_with_its_block(store: Store) -> None:
    with store.read() as session:
        pass
    with store.write() as tx:
        pass
    for ended in (session, tx):
        with pytest.raises(StoreError, match="ended"):
            ended.row("SELECT 1")
    with pytest.raises(StoreError, match="ended"):
        tx.insert("cursors", ("name", "position"), [("a", 1)])


def test_after_an_error_the_store_goes_on(store: Store) -> None:
    for _ in range(3):
        with pytest.raises(StoreError), store.write() as tx:
            tx.run("INSERT INTO nowhere (a) VALUES (1)")
        with pytest.raises(StoreError), store.read() as session:
            session.row("SELECT a FROM nowhere")
    with store.write() as tx:
        tx.insert("cursors", ("name", "position"), [("a", 1)])
    assert cursors(store) == {"a": 1}


def test_a_closed_store_is_unavailable(store: Store) -> None:
    store.check()
    store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        store.check()
    store.close()
    with pytest.raises(StoreUnavailable, match="closed"), store.read():
        pass
    with pytest.raises(StoreUnavailable, match="closed"), store.write():
        pass


# -- queries -----------------------------------------------------------------------------------------------------------
def test_row_is_the_first_one_or_none(store: Store) -> None:
    with store.write() as tx:
        tx.insert("cursors", ("name", "position"), [("a", 2), ("b", 1)])
    with store.read() as session:
        assert session.row("SELECT name FROM cursors ORDER BY position") == ("b",)
        assert session.row("SELECT name FROM cursors WHERE position > ?", (5,)) is None
        assert session.rows("SELECT name FROM cursors WHERE position > ?", (5,)) == []


def test_run_counts_what_it_changed(store: Store) -> None:
    with store.write() as tx:
        tx.insert("cursors", ("name", "position"), [("a", 1), ("b", 2), ("c", 3)])
        assert tx.run("UPDATE cursors SET position = position + 1 WHERE position >= ?", (2,)) == 2
        assert tx.run("DELETE FROM cursors WHERE name = ?", ("zzz",)) == 0
        assert tx.run("DELETE FROM cursors") == 3


def test_lookup_finds_by_one_key_and_by_two(store: Store) -> None:
    with store.write() as tx:
        tx.insert(
            "claims",
            ("id_kind", "id_value", "person_id", "source", "first_ms"),
            [("user", f"u{n}", n, "web", 1) for n in range(100)] + [("anonymous", "u1", 1000, "web", 1)],
        )
    with store.read() as session:
        one = session.lookup("claims", ["id_kind", "person_id"], ["id_value"], [("u1",), ("none",), ("u1",)])
        assert sorted(one) == [("anonymous", 1000), ("user", 1)]  # each row once, though asked for twice
        wanted = [("user", "u1"), ("user", "u7"), ("anonymous", "u7")]
        two = session.lookup("claims", ["id_value", "person_id"], ["id_kind", "id_value"], wanted)
        assert sorted(two) == [("u1", 1), ("u7", 7)]
        assert session.lookup("claims", ["person_id"], ["id_value"], []) == []


def test_lookup_after_finds_what_lies_behind_the_place_of_each_key(store: Store) -> None:
    columns = ("decision_id", "item_id", "position", "time_ms", "person_id")
    with store.write() as tx:
        tx.insert("exposures", columns, [(f"d{n}", f"p{k}", k, 10 * k, n) for n in range(3) for k in range(5)])
    with store.read() as session:
        wanted = [("d0", "p2"), ("d1", "p9"), ("d2", ""), ("none", "")]
        found = session.lookup_after("exposures", ["decision_id", "position"], "decision_id", "item_id", wanted)
        assert sorted(found) == [("d0", 3), ("d0", 4), *(("d2", k) for k in range(5))]
        assert session.lookup_after("exposures", ["position"], "decision_id", "item_id", []) == []
        with pytest.raises(UnknownName, match="position"):
            session.lookup_after("exposures", ["positon"], "decision_id", "item_id", [])


def test_lookup_takes_tens_of_thousands_of_keys(store: Store) -> None:
    keys = [n.to_bytes(4, "big") for n in range(40_000)]
    with store.write() as tx:
        tx.insert("message_ids", ("message_key", "day"), ((key, 1) for key in keys))
    with store.read() as session:
        found = session.lookup("message_ids", ["message_key"], ["message_key"], ((key,) for key in [*keys, b"none"]))
    assert sorted(found) == [(key,) for key in keys]


def test_unknown_names_are_refused_with_the_known_ones(store: Store) -> None:
    with store.write() as tx:
        with pytest.raises(UnknownName, match="cursors"):
            tx.insert("cursor", ("name",), [])
        with pytest.raises(UnknownName, match="position"):
            tx.insert("cursors", ("name", "positon"), [])
        with pytest.raises(UnknownName, match="position"):
            tx.lookup("cursors", ["positon"], ["name"], [])


# -- inserts -----------------------------------------------------------------------------------------------------------
def test_a_conflict_fails_unless_it_is_provided_for(store: Store) -> None:
    with store.write() as tx:
        tx.insert("cursors", ("name", "position"), [("a", 1)])
    with pytest.raises(StoreError) as caught, store.write() as tx:
        tx.insert("cursors", ("name", "position"), [("b", 1), ("a", 2)])
    assert caught.value.code == "store_conflict"
    assert cursors(store) == {"a": 1}


@pytest.mark.parametrize(("rule", "after"), [("ignore", 1.5), ("replace", 4.0), ("add", 5.5)])
def test_conflict_rules_act_on_the_columns_outside_the_key(store: Store, rule: Any, after: float) -> None:
    columns = ("item_id", "signal_class", "day", "n")
    with store.write() as tx:
        tx.insert("item_counters", columns, [("i", "view", 1, 1.5)])
        tx.insert("item_counters", columns, [("i", "view", 1, 4.0), ("i", "view", 2, 7.0)], on_conflict=rule)
        assert tx.rows("SELECT day, n FROM item_counters ORDER BY day") == [(1, after), (2, 7.0)]


def test_conflict_rules_leave_columns_alone_that_are_not_given(store: Store) -> None:
    everything = ("person_id", "version", "updated_ms", "body")
    with store.write() as tx:
        tx.insert("profiles", everything, [(1, 1, 10, b"old")])
        tx.insert("profiles", everything, [(1, 2, 20, b"new"), (2, 1, 20, b"two")], on_conflict="replace")
        assert tx.rows("SELECT version, body FROM profiles ORDER BY person_id") == [(2, b"new"), (1, b"two")]


@pytest.mark.parametrize("rule", ["ignore", "replace", "add"])
def test_one_insert_may_name_a_key_twice(store: Store, rule: Any) -> None:
    rows = [("i", "view", 1, 1.0), ("j", "view", 1, 1.0), ("i", "view", 1, 2.0)]
    with store.write() as tx:
        tx.insert("item_counters", ("item_id", "signal_class", "day", "n"), rows, on_conflict=rule)
        found = tx.row("SELECT n FROM item_counters WHERE item_id = 'i'")
    assert found == {"ignore": (1.0,), "replace": (2.0,), "add": (3.0,)}[rule]


def test_inserting_nothing_is_nothing(store: Store) -> None:
    with store.write() as tx:
        tx.insert("cursors", ("name", "position"), [])
        assert tx.insert_new("message_ids", ("message_key", "day"), []) == []
        assert tx.reserve("events", 0) == []
    assert cursors(store) == {}


def test_many_rows_come_from_an_iterator(store: Store) -> None:
    with store.write() as tx:
        tx.insert("cursors", ("name", "position"), ((f"n{n}", n) for n in range(5_000)))
        tx.insert("cursors", ("name", "position"), ((f"n{n}", 1) for n in range(5_000)), on_conflict="add")
    with store.read() as session:
        assert session.row("SELECT count(*), sum(position) FROM cursors") == (5_000, sum(range(5_000)) + 5_000)


def test_many_rows_twice_in_one_transaction_do_not_meet(store: Store) -> None:
    columns = ("message_key", "day")
    with store.write() as tx:
        for first in (0, 15):  # the second half of the first rows comes again
            rows = [(bytes([n]), 1) for n in range(first, first + 30)]
            is_new = tx.insert_new("message_ids", columns, rows)
            assert is_new == [n >= 30 for n in range(first, first + 30)] if first else all(is_new)
        for _ in range(2):
            tx.insert("cursors", ("name", "position"), [(f"n{n}", 1) for n in range(30)], on_conflict="add")
    with store.read() as session:
        assert session.row("SELECT count(*) FROM message_ids") == (45,)
        assert session.row("SELECT min(position), max(position) FROM cursors") == (2, 2)


def test_insert_new_tells_first_rows_from_repeated_ones(store: Store) -> None:
    columns = ("message_key", "day")
    with store.write() as tx:
        assert tx.insert_new("message_ids", columns, [(b"a", 1), (b"b", 1), (b"a", 2)]) == [True, True, False]
    with store.write() as tx:
        assert tx.insert_new("message_ids", columns, [(b"c", 3), (b"a", 3), (b"c", 4)]) == [True, False, False]
        assert tx.rows("SELECT day FROM message_ids ORDER BY message_key") == [(1,), (1,), (3,)]


# -- ids and positions -------------------------------------------------------------------------------------------------
def test_reserved_ids_ascend_from_one_and_are_never_drawn_twice(store: Store, open_again: Callable[[], Store]) -> None:
    with store.write() as tx:
        first = tx.reserve("events", 5)
        tx.insert("events", EVENT_COLUMNS, [event(log_id) for log_id in first])
    with store.write() as tx:
        tx.run("DELETE FROM events")
    store.close()
    with open_again().write() as tx:
        second = tx.reserve("events", 3)
        assert tx.reserve("persons", 1) == [1]  # each table has its own
    assert first == sorted(first)
    assert min(first) >= 1
    assert min(second) > max(first)
    assert len({*first, *second}) == 8


def test_a_table_that_draws_no_ids_says_so(store: Store) -> None:
    with pytest.raises(StoreError, match="draws no ids"), store.write() as tx:
        tx.reserve("cursors", 1)


def test_the_log_ceiling_follows_the_log(store: Store) -> None:
    with store.read() as session:
        assert session.log_ceiling() == 0
    with store.write() as tx:
        ids = tx.reserve("events", 10)
        tx.insert("events", EVENT_COLUMNS, [event(log_id) for log_id in ids])
        with store.read() as session:
            assert session.log_ceiling() == 0  # the transaction is still open
    with store.read() as session:
        assert session.log_ceiling() == ids[-1]


def test_the_log_ceiling_stays_with_the_snapshot(store: Store) -> None:
    with store.read() as session:
        assert session.log_ceiling() == 0
        with store.write() as tx:
            tx.insert("events", EVENT_COLUMNS, [event(log_id) for log_id in tx.reserve("events", 3)])
        assert session.log_ceiling() == 0


def test_a_transaction_counts_its_own_positions_as_open(store: Store) -> None:
    with store.write() as tx:
        done = tx.reserve("events", 2)
    with store.write() as tx:
        tx.reserve("events", 2)
        assert tx.log_ceiling() <= done[-1]


# -- several connections -----------------------------------------------------------------------------------------------
def test_the_change_token_differs_after_another_connection_commits(
    store: Store, open_again: Callable[[], Store]
) -> None:
    other = open_again()
    before = store.change_token()
    with other.write() as tx:
        tx.insert("cursors", ("name", "position"), [("a", 1)])
    after = store.change_token()
    assert after != before
    with store.write() as tx:
        assert isinstance(store.change_token(), int)  # also inside the transaction that it is meant for
        assert tx.row("SELECT position FROM cursors") == (1,)


# -- schema ------------------------------------------------------------------------------------------------------------
def test_a_store_without_tables_is_refused_unless_they_are_to_be_made(empty_url: str) -> None:
    with pytest.raises(StoreError, match=r"no store|no tables"):
        open_store(empty_url)
    open_store(empty_url, migrate=True).close()
    open_store(empty_url).close()
    open_store(empty_url, migrate=True).close()


def test_a_newer_schema_is_refused(store: Store, store_url: str) -> None:
    with store.write() as tx:
        tx.insert("schema_steps", ("number", "phase"), [(SCHEMA_VERSION + 1, "expand")])
    for migrate in (False, True):
        with pytest.raises(StoreTooNew, match=f"schema {SCHEMA_VERSION + 1}"):
            open_store(store_url, migrate=migrate)


def test_an_older_schema_is_refused_unless_it_is_to_be_migrated(store: Store, store_url: str) -> None:
    with store.write() as tx:
        tx.run("UPDATE schema_steps SET number = number - 1")
    with pytest.raises(StoreError, match="migrate=True"):
        open_store(store_url)


def test_a_store_opened_for_reading_refuses_to_write(store: Store, store_url: str) -> None:
    with store.write() as tx:
        tx.insert("cursors", ("name", "position"), [("a", 1)])
    reader = open_store(store_url, read_only=True)
    try:
        assert cursors(reader) == {"a": 1}
        with pytest.raises(StoreError, match="reading only"), reader.write():
            pass
    finally:
        reader.close()


# -- care --------------------------------------------------------------------------------------------------------------
def fill(store: Store) -> None:
    with store.write() as tx:
        ids = tx.reserve("events", 300)
        tx.insert("events", EVENT_COLUMNS, [event(n, key=n.to_bytes(16, "big"), body=b"\\x\0\t\n%") for n in ids])
        tx.insert("settings", ("name", "value"), [("Größe\t\\N\n", b"\0" * 100_000)])
        tx.insert("decisions", ("decision_id", "time_ms", "person_id", "placement", "mode", "policy", "body"), [
            ("d1", 1, None, "home", "anonymous", "home@1", b"")
        ])  # fmt: skip
        tx.insert("item_counters", ("item_id", "signal_class", "day", "n"), [("i", "view", 1, 1 / 3)])


def everything(store: Store) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    with store.read() as session:
        for table in TABLES:
            key = ", ".join([*table.columns][: table.n_key])
            found[table.name] = session.rows(f"SELECT {', '.join(table.columns)} FROM {table.name} ORDER BY {key}")
    return found


def test_a_backup_is_a_consistent_copy_and_restores_to_the_same(store: Store, tmp_path: Path) -> None:
    fill(store)
    before = everything(store)
    target = tmp_path / "copy"
    store.backup(target)
    assert target.is_file()
    with store.write() as tx:
        later = tx.reserve("events", 5)
        tx.insert("events", EVENT_COLUMNS, [event(n) for n in later])
        tx.run("DELETE FROM settings")
        tx.run("UPDATE item_counters SET n = 0")
    store.restore(target)
    assert everything(store) == before
    with store.read() as session:
        assert session.log_ceiling() == 300
    with store.write() as tx:
        assert min(tx.reserve("events", 1)) > 300  # goes on after the positions of the copy


def test_a_backup_is_taken_while_a_transaction_is_open(store: Store, tmp_path: Path) -> None:
    fill(store)
    before = everything(store)
    with store.write() as tx:
        tx.run("DELETE FROM events")
        store.backup(tmp_path / "copy")
    assert everything(store) != before
    store.restore(tmp_path / "copy")
    assert everything(store) == before


def test_a_backup_overwrites_nothing(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    target.write_bytes(b"precious")
    with pytest.raises(StoreError, match="exists"):
        store.backup(target)
    assert target.read_bytes() == b"precious"


def test_restore_is_refused_while_others_are_connected(
    store: Store, open_again: Callable[[], Store], tmp_path: Path
) -> None:
    fill(store)
    store.backup(tmp_path / "copy")
    with store.write() as tx:
        tx.run("DELETE FROM settings")
    before = everything(store)
    other = open_again()
    cursors(other)
    with pytest.raises(StoreUnavailable, match="connect"):
        store.restore(tmp_path / "copy")
    assert everything(store) == before
    assert everything(other) == before
    other.close()
    store.restore(tmp_path / "copy")
    assert everything(store) != before


@pytest.mark.parametrize("content", [b"", b"not a backup at all" * 1000])
def test_what_is_no_backup_is_not_restored(store: Store, tmp_path: Path, content: bytes) -> None:
    fill(store)
    before = everything(store)
    (tmp_path / "copy").write_bytes(content)
    with pytest.raises(StoreError):
        store.restore(tmp_path / "copy")
    with pytest.raises(StoreError, match="not there"):
        store.restore(tmp_path / "nothing")
    assert everything(store) == before


def test_scrub_keeps_what_is_there(store: Store) -> None:
    fill(store)
    with store.write() as tx:
        tx.run("DELETE FROM events WHERE log_id > 10")
    before = everything(store)
    store.scrub()
    assert everything(store) == before
    assert store.size_bytes() > 0
