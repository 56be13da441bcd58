"""What only the PostgreSQL store does: positions behind older transactions, lost connections, silence about data."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from bespeak.errors import MissingExtra, StoreError, StoreUnavailable
from bespeak.storage import open as opening
from bespeak.storage.base import Transaction
from bespeak.storage.open import open_store
from bespeak.storage.postgres.sessions import FEW_ROWS, FORGET_EVERY
from bespeak.storage.postgres.sql import N_LOCKS_A_NAMESPACE, lock_numbers
from bespeak.storage.postgres.store import PostgresStore
from bespeak.storage.schema import BY_NAME

EVENT_COLUMNS = tuple(BY_NAME["events"].columns)[:12]
SECRET = "person@example.org"


@pytest.fixture
def url(postgres_server: Any) -> str:
    return str(postgres_server.with_tables())


@pytest.fixture
def store(url: str) -> Iterator[PostgresStore]:
    opened = PostgresStore(url, patience_seconds=5)
    yield opened
    opened.close()


def add_events(tx: Transaction, n: int) -> list[int]:
    ids = tx.reserve("events", n)
    tx.insert("events", EVENT_COLUMNS, [(i, 1, "t", 1, 1, "n", 3, 0, 1, "web", None, b"") for i in ids])
    return ids


def ceiling(store: PostgresStore) -> int:
    with store.read() as session:
        return session.log_ceiling()


# -- positions ---------------------------------------------------------------------------------------------------------
def test_positions_behind_an_older_transaction_wait_for_its_end(store: PostgresStore) -> None:
    with store.write() as tx:
        first = add_events(tx, 3)
    with store.write() as older:
        held = add_events(older, 3)
        with store.write() as tx:
            later = add_events(tx, 3)
        assert min(later) > max(held)
        assert ceiling(store) == first[-1]  # the later ones are there, but below them something may still come
    assert ceiling(store) == later[-1]


def test_positions_that_were_rolled_back_hold_nobody_up(store: PostgresStore) -> None:
    older = store.write()
    add_events(older.__enter__(), 3)
    with store.write() as tx:
        later = add_events(tx, 3)
    older.__exit__(ValueError, ValueError(), None)
    assert ceiling(store) == later[-1]


def test_a_transaction_with_a_smaller_id_that_draws_later_is_waited_for_as_well(store: PostgresStore) -> None:
    """The order of transaction ids is not the order of draws."""
    with store.write() as early_id:
        early_id.run("DELETE FROM cursors")
        with store.write() as tx:
            add_events(tx, 2)
        held = add_events(early_id, 2)
        with store.write() as tx:
            later = add_events(tx, 2)
        assert ceiling(store) < held[0]
    assert ceiling(store) == later[-1]


def test_a_reader_of_an_older_snapshot_reads_no_further_than_it(store: PostgresStore) -> None:
    with store.write() as tx:
        first = add_events(tx, 2)
    with store.write() as older:
        add_events(older, 2)
        with store.read() as session:
            assert session.log_ceiling() == first[-1]
            with store.write() as tx:
                add_events(tx, 2)
            older.run("DELETE FROM cursors")
            assert session.log_ceiling() == first[-1]


def test_notes_of_draws_do_not_pile_up(store: PostgresStore) -> None:
    for _ in range(3 * FORGET_EVERY):
        with store.write() as tx:
            last = tx.reserve("events", 1)[-1]
    with store.read() as session:
        row = session.row("SELECT count(*) FROM log_allocations")
        assert row is not None
        assert int(row[0]) <= FORGET_EVERY + 1  # type: ignore[arg-type]
        assert session.log_ceiling() == last


# -- connections -------------------------------------------------------------------------------------------------------
def drop_connections(url: str) -> None:
    other = PostgresStore(url)
    with other.write() as tx:
        tx.rows(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'bespeak'"
        )
    other.close()


def test_a_lost_connection_is_unavailable_and_heals_at_the_next_use(store: PostgresStore, url: str) -> None:
    def lose() -> None:
        with store.write() as tx:
            tx.insert("cursors", ("name", "position"), [("a", 1)])
            drop_connections(url)
            tx.row("SELECT 1")

    with pytest.raises(StoreUnavailable, match="ended the connection"):
        lose()
    with store.read() as session:
        assert session.rows("SELECT name FROM cursors") == []


def test_a_commit_that_does_not_get_through_is_unavailable(store: PostgresStore, url: str) -> None:
    def lose() -> None:
        with store.write() as tx:
            tx.run("DELETE FROM cursors")
            drop_connections(url)

    with pytest.raises(StoreUnavailable):
        lose()


def test_idle_connections_that_were_lost_are_replaced_unseen(store: PostgresStore, url: str) -> None:
    with store.read() as one, store.read() as two, store.read() as three:
        assert one.row("SELECT 1") == two.row("SELECT 1") == three.row("SELECT 1")
    drop_connections(url)
    with store.write() as tx:
        assert tx.row("SELECT 1") == (1,)


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        open_store("postgresql://nobody@localhost:1/none")


def test_a_database_that_does_not_exist_is_named_so(url: str) -> None:
    head, _, tail = url.partition("?")
    with pytest.raises(StoreUnavailable, match=r"no database|cannot be reached"):
        open_store(f"{head.rsplit('/', 1)[0]}/missing?{tail}")


def test_when_all_connections_are_in_use_the_next_waits(url: str) -> None:
    store = PostgresStore(url, max_connections=1, patience_seconds=0.05)
    with store.read(), pytest.raises(StoreUnavailable, match="in use"), store.read():
        pass
    with store.read() as session:
        assert session.row("SELECT 1") == (1,)
    store.close()


def test_waiting_for_a_lock_ends_in_unavailable(store: PostgresStore, url: str) -> None:
    hasty = PostgresStore(url, patience_seconds=0.05)
    with store.write() as tx:
        tx.lock_keys(["person:1"])
        with pytest.raises(StoreUnavailable, match="lock"), hasty.write() as other:
            other.lock_keys(["person:1"])
        with hasty.write() as other:
            other.lock_keys(["person:2"])
    hasty.close()


def test_of_two_transactions_that_wait_for_each_other_one_gives_way(store: PostgresStore) -> None:
    both_hold_one = threading.Barrier(2)
    outcomes: list[str] = []

    def work(first: str, second: str) -> None:
        try:
            with store.write() as tx:
                tx.lock_keys([first])
                both_hold_one.wait()
                tx.lock_keys([second])
            outcomes.append("done")
        except StoreUnavailable as error:
            outcomes.append(error.hint)

    threads = [threading.Thread(target=work, args=pair) for pair in (("a:1", "b:1"), ("b:1", "a:1"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["Retry.", "done"]


# -- values and messages -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("n_rows", [2, FEW_ROWS + 5])
def test_no_message_holds_what_was_in_a_row(store: PostgresStore, n_rows: int) -> None:
    rows: list[tuple[Any, ...]] = [(f"{SECRET} {n}", n) for n in range(n_rows)]
    with store.write() as tx:
        tx.insert("cursors", ("name", "position"), rows)
    wrong: list[tuple[Any, ...]] = [(SECRET, SECRET), (SECRET, None), (SECRET, 2**64), ("\ud800" + SECRET, 1)]
    for bad in ([*rows[:-1], rows[0]], *([*rows, row] for row in wrong)):
        with pytest.raises(StoreError) as caught, store.write() as tx:
            tx.insert("cursors", ("name", "position"), bad)
        assert SECRET not in str(caught.value)
        assert caught.value.__cause__ is None  # a traceback would print what the server said
        assert caught.value.__suppress_context__
    with pytest.raises(StoreError) as caught, store.read() as session:
        session.row("SELECT position FROM cursors WHERE position = ?", (SECRET,))
    assert SECRET not in str(caught.value)


def test_sums_and_truth_values_are_numbers_as_in_sqlite(store: PostgresStore) -> None:
    with store.write() as tx:
        tx.insert("cursors", ("name", "position"), [("a", 2), ("b", 3)])
        found = tx.row("SELECT sum(position), avg(position), max(position) > 2, count(*) FROM cursors")
    assert found == (5, 2.5, 1, 2)
    assert [type(value) for value in found] == [int, float, int, int]


def test_keys_of_different_kinds_never_wait_for_each_other() -> None:
    keys = [f"{kind}:{n}" for kind in ("id", "person", "job") for n in range(5_000)]
    numbers = {key: lock_numbers(key) for key in keys}
    assert len({number[0] for number in numbers.values()}) == 3
    assert len({numbers[f"person:{n}"] for n in range(5_000)}) <= N_LOCKS_A_NAMESPACE  # the server's room for locks
    assert lock_numbers("a:b:c") != lock_numbers("a:b:d")


def test_a_missing_driver_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"bespeak\[postgres\]"):
        open_store("postgresql://localhost/db")
