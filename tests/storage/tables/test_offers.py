"""Codes of offers on both stores: each is issued once, also to many who ask at the same time."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from bespeak.storage.base import Store
from bespeak.storage.tables import offers


def filled(store: Store, n: int) -> None:
    with store.write() as tx:
        assert offers.add_codes(tx, "spring", [f"C{place:03}" for place in range(n)]) == n


def asked(store: Store, person: int) -> str | None:
    with store.write() as tx:
        found = offers.issue(tx, "spring", person, 10 + person)
    return None if found is None else found.code


def test_a_code_that_is_there_already_is_not_added_twice(store):
    filled(store, 2)
    with store.write() as tx:
        assert offers.add_codes(tx, "spring", ["C000", "NEW", "NEW"]) == 1
        assert offers.add_codes(tx, "autumn", ["C000"]) == 1
    with store.read() as session:
        assert [(pool.item_id, pool.n_codes, pool.n_issued) for pool in offers.pools(session)] == [
            ("autumn", 1, 0),
            ("spring", 3, 0),
        ]


def test_who_asks_again_gets_the_same_code_and_the_pool_ends(store):
    filled(store, 2)
    first = asked(store, 1)
    assert first is not None
    assert asked(store, 1) == first
    assert asked(store, 2) not in (None, first)
    assert asked(store, 3) is None


def test_what_is_issued_and_what_is_left_is_told_without_counting_the_pool(store):
    filled(store, 2)
    told = []
    for person in (1, 2):
        with store.read() as session:
            told.append((offers.n_issued(session, "spring"), offers.has_code_left(session, "spring")))
        asked(store, person)
    with store.read() as session:
        told.append((offers.n_issued(session, "spring"), offers.has_code_left(session, "spring")))
        assert (offers.n_issued(session, "none"), offers.has_code_left(session, "none")) == (0, False)
    assert told == [(0, True), (1, True), (2, False)]


def test_many_who_ask_at_once_get_a_code_each_and_no_code_is_issued_twice(store):
    filled(store, 30)
    with ThreadPoolExecutor(6) as pool:
        codes = list(pool.map(lambda n: asked(store, n % 40), range(80)))
    issued = Counter(code for code in codes if code is not None)
    assert len(issued) == 30
    holders = {(n % 40, code) for n, code in enumerate(codes) if code is not None}
    assert len(holders) == 30  # nobody holds two, and no code has two holders
    with store.read() as session:
        assert offers.pool(session, "spring").n_issued == 30


def test_a_merged_person_keeps_their_codes_and_a_forgotten_one_leaves_them_issued(store):
    filled(store, 2)
    code = asked(store, 2)
    with store.write() as tx:
        offers.merge(tx, 1, 2)
    with store.read() as session:
        assert [held.code for held in offers.codes_of(session, [1])] == [code]
    with store.write() as tx:
        assert offers.forget(tx, [1]) == 1
    with store.read() as session:
        assert offers.codes_of(session, [1]) == []
        assert offers.pool(session, "spring").n_issued == 1
    assert asked(store, 5) != code
