"""Assignments on both stores: the first holds, and of two persons that become one the earliest."""

from __future__ import annotations

from bespeak.storage.base import Store
from bespeak.storage.tables import assignments, people
from bespeak.storage.tables.assignments import Assignment


def given(store: Store, person: int, variant: str, first_ms: int, experiment: str = "e") -> None:
    with store.write() as tx:
        found = Assignment(person=person, experiment=experiment, variant=variant, first_ms=first_ms)
        assignments.assign(tx, [found])


def everybody(store: Store, experiment: str = "e") -> list[tuple[int, str, int, bool]]:
    with store.read() as session:
        return [(a.person, a.variant, a.first_ms, a.is_mixed) for a in assignments.assigned_to(session, experiment)]


def test_the_first_assignment_holds(store):
    given(store, 1, "a", 10)
    given(store, 1, "b", 20)
    assert everybody(store) == [(1, "a", 10, False)]
    with store.read() as session:
        assert assignments.variant_of(session, 1, "e") == "a"
        assert assignments.variant_of(session, 1, "other") is None


def test_a_merge_keeps_the_earliest_and_says_that_it_is_mixed(store):
    given(store, 1, "a", 20)
    given(store, 2, "b", 10)
    given(store, 2, "x", 30, "only theirs")
    with store.write() as tx:
        assignments.merge(tx, 1, 2)
    assert everybody(store) == [(1, "b", 10, True)]
    assert everybody(store, "only theirs") == [(1, "x", 30, False)]


def test_a_merge_of_equal_variants_is_not_mixed_and_mixed_stays_mixed(store):
    given(store, 1, "a", 20)
    given(store, 2, "a", 10)
    given(store, 3, "b", 5)
    with store.write() as tx:
        assignments.merge(tx, 1, 2)
    assert everybody(store) == [(1, "a", 10, False), (3, "b", 5, False)]
    with store.write() as tx:
        assignments.merge(tx, 1, 3)
        assignments.merge(tx, 1, 9)
    assert everybody(store) == [(1, "b", 5, True)]


def test_units_come_with_when_they_were_first_seen_and_experiments_with_their_sizes(store):
    with store.write() as tx:
        first, second = people.create(tx, 2, 5)
    given(store, second, "b", 10)
    given(store, first, "a", 20)
    given(store, first, "a", 30, "other")
    with store.read() as session:
        assert assignments.units(session, "e") == [(first, "a", 20, 0, 5), (second, "b", 10, 0, 5)]
        assert assignments.units(session, "nobody's") == []
        assert assignments.sizes(session) == {"e": 2, "other": 1}
