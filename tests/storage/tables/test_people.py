"""Persons, links, claims and consents on both stores."""

from __future__ import annotations

from bespeak.signals.ids import ANONYMOUS_ID, DEVICE_PROFILE_ID, PROFILE_ID, USER_ID, IdKey
from bespeak.storage.base import Store
from bespeak.storage.tables import people
from bespeak.storage.tables.people import ConsentChange, NewLink, ProfileRow

U1, U2, A1, A2 = IdKey(USER_ID, "u1"), IdKey(USER_ID, "u2"), IdKey(ANONYMOUS_ID, "a1"), IdKey(ANONYMOUS_ID, "a2")


def linked(store: Store, links: dict[IdKey, int], *, is_shared: bool = False) -> None:
    with store.write() as tx:
        people.link(tx, {key: NewLink(person, is_shared, "web") for key, person in links.items()}, 100)


def made(store: Store, n: int) -> list[int]:
    with store.write() as tx:
        return people.create(tx, n, 100)


def word(person: int, purpose: str, is_granted: bool, time_ms: int, message_id: str = "m") -> ConsentChange:
    return ConsentChange(
        person_id=person,
        purpose=purpose,
        is_granted=is_granted,
        time_ms=time_ms,
        received_ms=5,
        message_id=message_id,
        source="web",
        proof="categoryPreferences",
    )


def test_ids_lead_to_the_person_they_were_linked_to_last(store):
    one, two = made(store, 2)
    linked(store, {U1: one, A1: one})
    linked(store, {A1: two}, is_shared=True)
    with store.read() as session:
        found = people.resolve(session, [U1, A1, A2])
        assert found.links == {U1: one, A1: two}
        assert found.shared == {A1}
        assert people.resolve(session, []).links == {}
        assert people.links_of(session, [one, two]) == {one: [U1], two: [A1]}
        assert people.ids_of(session, [one, two]) == [A1, U1]
        assert people.user_ids(session, [one, two]) == {one: "u1"}
        assert people.user_ids(session, [one, two], ANONYMOUS_ID) == {two: "a1"}


def test_a_merge_joins_everything_that_says_whose_a_row_is(store):
    root, absorbed, third = made(store, 3)
    linked(store, {U1: root, A1: absorbed, A2: third})
    with store.write() as tx:
        people.claim(tx, [(U2, absorbed, "web"), (U2, root, "web"), (IdKey("crm", "7"), absorbed, "web")], 100)
        people.add_consents(tx, [word(absorbed, "measure", True, 1)])
        people.put_profiles(tx, [ProfileRow(root, 1, 0, b"r"), ProfileRow(absorbed, 1, 0, b"a")])
        people.merge(tx, absorbed, third)
        people.merge(tx, root, absorbed)
    with store.read() as session:
        assert people.resolve(session, [U1, A1, A2]).links == {U1: root, A1: root, A2: root}
        assert people.members(session, root) == (root, absorbed, third)
        assert people.roots(session) == {absorbed: root, third: root}
        assert people.claims_of(session, [root, absorbed]) == {root: [IdKey("crm", "7"), U2]}
        assert [change.person_id for change in people.consents_of(session, [root])] == [root]
        assert set(people.profiles(session, [root, absorbed])) == {root}
        assert people.count(session) == 1


def test_a_claim_is_recorded_once_and_links_nothing(store):
    (one,) = made(store, 1)
    for _ in range(2):
        with store.write() as tx:
            people.claim(tx, [(U1, one, "web"), (U1, one, "web")], 100)
    with store.read() as session:
        assert people.claimants(session, [U1, U2]) == {one: [U1]}
        assert people.resolve(session, [U1]).links == {}


def test_household_ids_are_found_under_their_account_and_device_exactly(store):
    (one,) = made(store, 1)
    kid, device_kid = IdKey(PROFILE_ID, "u1\x1fkid"), IdKey(DEVICE_PROFILE_ID, "a1\x1fkid")
    others = [IdKey(PROFILE_ID, "u10\x1fkid"), IdKey(PROFILE_ID, "U1\x1fkid"), IdKey(PROFILE_ID, "a1\x1fkid")]
    linked(store, dict.fromkeys([kid, *others], one))
    with store.write() as tx:
        people.claim(tx, [(device_kid, one, "web")], 100)
    with store.read() as session:
        assert people.household_ids(session, [U1, IdKey("crm", "u1")]) == {kid}
        assert people.household_ids(session, [A1]) == {device_kid}
        assert people.household_ids(session, [IdKey(USER_ID, "u_"), IdKey(USER_ID, "%")]) == set()


def test_profiles_are_read_by_person_and_walked_in_order(store):
    with store.write() as tx:
        people.put_profiles(tx, [ProfileRow(n, 1, 7, bytes([n])) for n in (3, 1, 2)])
        people.put_profiles(tx, [ProfileRow(2, 2, 8, b"new")])
    linked(store, {U1: 2, A1: 9})
    with store.read() as session:
        assert people.profiles(session, [2, 5]) == {2: ProfileRow(2, 2, 8, b"new")}
        assert [row.person_id for row in people.profile_batch(session, 1, 5)] == [2, 3]
        assert people.profile_of(session, U1) == (2, b"new")
        assert people.profile_of(session, A1) == (9, None)
        assert people.profile_of(session, U2) is None


def test_consents_come_back_in_the_order_of_recording_with_their_proof(store):
    changes = [word(1, "measure", True, 50), word(1, "measure", False, 10), word(2, "share", True, 1)]
    with store.write() as tx:
        people.add_consents(tx, changes)
        people.add_consents(tx, [])
    with store.read() as session:
        assert people.consents_of(session, [1]) == changes[:2]


def test_the_latest_word_by_its_time_decides_who_refuses(store):
    with store.write() as tx:
        people.add_consents(
            tx,
            [
                word(1, "improve", False, 50),
                word(1, "improve", True, 10),
                word(2, "improve", False, 10),
                word(2, "improve", True, 50),
                word(3, "measure", False, 10),
            ],
        )
    with store.read() as session:
        assert people.refusing(session, "improve") == {1}


def test_roots_are_those_who_are_there_and_were_not_joined_into_another(store):
    one, two, three = made(store, 3)
    with store.write() as tx:
        people.merge(tx, one, two)
    with store.read() as session:
        assert people.are_roots(session, [])
        assert people.are_roots(session, [one, three, one])
        assert not people.are_roots(session, [one, two])
        assert not people.are_roots(session, [one, 999])


def test_the_edition_rises_with_each_change_that_the_log_does_not_tell_of(store):
    with store.read() as session:
        before = people.edition(session)
    with store.write() as tx:
        people.raise_edition(tx)
        people.raise_edition(tx)
    with store.read() as session:
        assert people.edition(session) == before + 2
