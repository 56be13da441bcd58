"""Who is who after any sequence of events: nobody is lost, no two users are mixed."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bespeak.errors import EventRejected
from bespeak.profiles.identity import DEVICE_PROFILE_ID, Group, IdentityLimits, Plan, lookup_ids, plan
from bespeak.signals.events import Event
from bespeak.signals.ids import ANONYMOUS_ID, PROFILE_ID, USER_ID, IdKey

LIMITS = IdentityLimits(n_user_ids=3, n_others=4, n_claims=3)
MAIL = "email"


thorough = settings(max_examples=400)


@dataclass
class World:
    """The smallest store that carries plans out, and remembers which events each person holds."""

    links: dict[IdKey, int] = field(default_factory=dict)
    shared: set[IdKey] = field(default_factory=set)
    claims: dict[int, set[IdKey]] = field(default_factory=dict)
    events: dict[int, list[Event]] = field(default_factory=dict)
    absorbed: set[int] = field(default_factory=set)
    numbers: count[int] = field(default_factory=lambda: count(1))

    def group(self, person: int) -> Group:
        keys = [key for key, of in self.links.items() if of == person]
        return Group.of(keys, self.claims.get(person, ()))

    def take(self, event: Event) -> Plan:
        linked = {key: self.links[key] for key in lookup_ids(event) if key in self.links}
        groups = {person: self.group(person) for person in set(linked.values())}
        made = plan(event, linked, groups, self.shared, LIMITS)
        new: dict[int, int] = {}

        def actual(person: int) -> int:
            if person <= 0 and person not in new:
                new[person] = next(self.numbers)
            return new.get(person, person)

        person = actual(made.person)
        for link in made.new_links:
            self.links[link.key] = actual(link.person)
            if link.is_shared:
                self.shared.add(link.key)
        for other in made.absorbed:
            self.absorbed.add(other)
            self.links = {key: person if of == other else of for key, of in self.links.items()}
            self.events.setdefault(person, []).extend(self.events.pop(other, []))
            self.claims.setdefault(person, set()).update(self.claims.pop(other, set()))
        self.claims.setdefault(person, set()).update(made.claims)
        self.events.setdefault(person, []).append(event)
        return made


users = st.sampled_from(["", "u1", "u2", "u3", "null"])
devices = st.sampled_from(["", "a1", "a1", "a2", "a3", "a4", "a5", "a6", "0000"])
mails = st.lists(st.sampled_from(["m1", "m2"]).map(lambda value: IdKey(MAIL, value)), max_size=1).map(tuple)


def builds(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Event]:
    fixed = {name: st.just(value) for name, value in {"message_id": "m", "time_ms": 0, "received_ms": 0}.items()}
    return st.builds(Event, **{"type": st.just("track"), **fixed, **fields})


events = builds(
    type=st.sampled_from(["track", "identify", "alias"]),
    user_id=users,
    anonymous_id=devices,
    previous_id=st.sampled_from(["", "", "u1", "u2", "a1", "old", "null"]),
    profile_id=st.sampled_from(["", "", "", "kid", "null"]),
    external_ids=mails,
    is_vouched=st.booleans(),
)
families = builds(
    user_id=st.sampled_from(["", "u1", "u2"]),
    anonymous_id=st.sampled_from(["a1", "a2"]),
    is_vouched=st.sampled_from([True, True, False]),
)
collectors = builds(
    user_id=st.sampled_from(["", "u1"]),
    anonymous_id=st.sampled_from([f"a{n}" for n in range(1, 8)]),
    is_vouched=st.just(True),
)
kids = builds(
    user_id=st.sampled_from(["u1", "u2"]),
    anonymous_id=st.sampled_from(["a1", "a2"]),
    profile_id=st.sampled_from(["kid", "mum"]),
    is_vouched=st.booleans(),
)
sequences = st.one_of(
    *(st.lists(kind, max_size=30) for kind in (events, families, kids)), st.lists(collectors, min_size=10, max_size=30)
)


def run(sequence: list[Event]) -> World:
    world = World()
    for event in sequence:
        with suppress(EventRejected):
            world.take(event)
    return world


def is_household(event: Event) -> bool:
    return event.profile_id not in ("", "null")


@thorough
@given(sequences)
def test_every_event_stays_with_a_person_who_was_not_absorbed(sequence: list[Event]) -> None:
    world = World()
    n_taken = 0
    for event in sequence:
        try:
            world.take(event)
        except EventRejected:
            continue
        n_taken += 1
    assert sum(map(len, world.events.values())) == n_taken
    assert not world.absorbed & world.events.keys()
    assert not world.absorbed & set(world.links.values())


@thorough
@given(sequences)
def test_without_an_alias_no_person_has_two_users(sequence: list[Event]) -> None:
    world = run([event for event in sequence if event.type != "alias"])
    named = [of for key, of in world.links.items() if key.kind in (USER_ID, PROFILE_ID)]
    assert max(Counter(named).values(), default=0) <= 1
    for person, held in world.events.items():
        confirmed = {e.user_id for e in held if e.is_vouched and e.user_id not in ("", "null")}
        assert len(confirmed) <= 1, person


@thorough
@given(sequences)
def test_a_user_s_confirmed_events_are_all_with_one_person(sequence: list[Event]) -> None:
    world = run(sequence)
    for user in ("u1", "u2", "u3"):
        holders = {
            person
            for person, held in world.events.items()
            for e in held
            if e.is_vouched and e.user_id == user and not is_household(e)
        }
        assert len(holders) <= 1
        if holders:
            assert holders == {world.links[IdKey(USER_ID, user)]}


@thorough
@given(sequences)
def test_households_and_accounts_never_share_a_person(sequence: list[Event]) -> None:
    for held in run(sequence).events.values():
        assert len({is_household(e) for e in held}) == 1


@thorough
@given(sequences)
def test_a_browser_never_reaches_a_person_through_a_name(sequence: list[Event]) -> None:
    world = World()
    for event in sequence:
        known = dict(world.links)
        try:
            made = world.take(event)
        except EventRejected:
            continue
        if not event.is_vouched:
            assert not made.absorbed
            assert all(link.key.kind in (ANONYMOUS_ID, DEVICE_PROFILE_ID) for link in made.new_links)
            if made.person > 0:
                assert [known[key] for key in made.ids] == [made.person]
                named = world.group(made.person).user_ids
                assert not named or event.user_id in ("", "null", *named)
            assert not made.claims or not world.shared.intersection(made.ids)


@given(st.lists(kids, max_size=20))
def test_profiles_of_one_name_under_two_accounts_stay_two_people(sequence: list[Event]) -> None:
    for held in run(sequence).events.values():
        assert len({e.profile_id for e in held}) == 1
        proven = {e.user_id for e in held if e.is_vouched}
        assert len(proven) <= 1


@given(st.lists(st.sampled_from(["u1", "u2", "u3", "u4", "u5", "u6"]), max_size=30))
def test_a_device_claims_no_more_than_its_share(names: list[str]) -> None:
    world = run(
        [
            Event(message_id="m", type="track", time_ms=0, received_ms=0, user_id=name, anonymous_id="a1")
            for name in names
        ]
    )
    assert all(len(claims) <= LIMITS.n_claims for claims in world.claims.values())
    assert [len(held) for held in world.events.values()] == ([len(names)] if names else [])


@thorough
@given(sequences)
def test_a_shared_id_leads_to_a_person_without_a_name_and_stays_there(sequence: list[Event]) -> None:
    world = World()
    seen: dict[IdKey, int] = {}
    for event in sequence:
        try:
            world.take(event)
        except EventRejected:
            continue
        for key in world.shared:
            assert seen.setdefault(key, world.links[key]) == world.links[key]
            assert not world.group(world.links[key]).has_owner
            assert world.group(world.links[key]).counts == {key.kind: 1}


@thorough
@given(sequences)
def test_groups_and_claims_stay_within_their_limits(sequence: list[Event]) -> None:
    world = run(sequence)
    for person in set(world.links.values()):
        group = world.group(person)
        assert group.counts[USER_ID] <= LIMITS.n_user_ids
        assert all(n <= LIMITS.n_others for kind, n in group.counts.items() if kind != USER_ID)
        assert len(group.claims) <= LIMITS.n_claims


@given(st.lists(st.tuples(st.sampled_from("uvw"), st.integers(0, 2), st.booleans()), max_size=30))
def test_where_nothing_is_shared_people_are_the_connected_ids(sequence: list[tuple[str, int, bool]]) -> None:
    """Every user has devices of their own: the reference is plain union-find over the ids that came together."""
    world = World()
    parent: dict[IdKey, IdKey] = {}

    def find(key: IdKey) -> IdKey:
        while parent.setdefault(key, key) != key:
            key = parent[key]
        return key

    for user, n, is_login in sequence:
        device = IdKey(ANONYMOUS_ID, f"{user}{n}")
        world.take(
            Event(
                message_id="m",
                type="track",
                time_ms=0,
                received_ms=0,
                user_id=user if is_login else "",
                anonymous_id=device.value,
                is_vouched=is_login,
            )
        )
        find(device)
        if is_login:
            parent[find(device)] = find(IdKey(USER_ID, user))
    together = {frozenset(key for key in parent if find(key) == find(root)) for root in parent}
    by_person: dict[int, set[IdKey]] = {}
    for key, person in world.links.items():
        by_person.setdefault(person, set()).add(key)
    assert {frozenset(keys) for keys in by_person.values()} == together
