from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from bespeak.errors import EventRejected
from bespeak.profiles.identity import (
    DEVICE_PROFILE_ID,
    NEW,
    Group,
    IdentityLimits,
    Link,
    lookup_ids,
    plan,
)
from bespeak.signals.events import Event
from bespeak.signals.ids import IdKey

USER, DEVICE, MAIL = "user_id", "anonymous_id", "email"


def event(**fields: Any) -> Event:
    return Event(**{"message_id": "m", "type": "track", "time_ms": 0, "received_ms": 0, "is_vouched": True, **fields})


def user(value: str) -> IdKey:
    return IdKey(USER, value)


def device(value: str) -> IdKey:
    return IdKey(DEVICE, value)


def groups(linked: dict[IdKey, int]) -> dict[int, Group]:
    return {person: Group.of(key for key, of in linked.items() if of == person) for person in set(linked.values())}


def planned(fields: dict[str, Any], linked: dict[IdKey, int] | None = None, shared: set[IdKey] | None = None):
    held = linked or {}
    return plan(event(**fields), held, groups(held), shared or set())


def test_somebody_new_gets_one_person_for_all_ids():
    made = planned({"user_id": "u1", "anonymous_id": "a1", "external_ids": (IdKey(MAIL, "x@y"),)})
    assert made.person == NEW
    assert made.new_links == (Link(user("u1"), NEW), Link(IdKey(MAIL, "x@y"), NEW), Link(device("a1"), NEW))
    assert (made.root, made.absorbed, made.note) == (None, (), "")


def test_a_login_on_a_known_device_takes_the_device_along():
    made = planned({"user_id": "u1", "anonymous_id": "a1"}, {device("a1"): 7})
    assert (made.person, made.new_links, made.absorbed) == (7, (Link(user("u1"), 7),), ())


def test_a_login_of_a_known_user_absorbs_the_device_whoever_is_older():
    made = planned({"user_id": "u1", "anonymous_id": "a1"}, {user("u1"): 9, device("a1"): 3})
    assert (made.person, made.root, made.absorbed, made.new_links) == (9, 9, (3,), ())


def test_people_without_a_user_id_merge_into_the_smallest():
    mail = IdKey(MAIL, "x@y")
    made = planned({"anonymous_id": "a1", "external_ids": (mail,)}, {mail: 8, device("a1"): 5})
    assert (made.person, made.absorbed) == (5, (8,))


def test_two_users_of_one_device_never_merge_and_the_device_is_moved_away():
    made = planned({"user_id": "u2", "anonymous_id": "a1"}, {user("u1"): 1, device("a1"): 1, user("u2"): 2})
    assert made.person == 2
    assert made.ids == (user("u2"),)
    assert made.new_links == (Link(device("a1"), NEW, is_shared=True),)
    assert made.is_shared_device
    assert (made.absorbed, made.note) == ((), "shared_id")


def test_a_new_user_and_a_fresh_device_person_are_two_people():
    made = planned({"user_id": "u2", "anonymous_id": "a1"}, {user("u1"): 1, device("a1"): 1})
    assert made.person == NEW
    assert made.new_links == (Link(user("u2"), NEW), Link(device("a1"), -1, is_shared=True))


def test_each_shared_id_gets_a_person_of_its_own():
    mail = IdKey(MAIL, "family@y")
    held = {user("u1"): 1, mail: 1, user("u3"): 3, device("a3"): 3, user("u2"): 2}
    made = planned({"user_id": "u2", "anonymous_id": "a3", "external_ids": (mail,)}, held)
    assert made.new_links == (Link(mail, 0, is_shared=True), Link(device("a3"), -1, is_shared=True))


def test_a_shared_device_never_links_again():
    held = {user("u1"): 1, device("a1"): 5}
    made = planned({"user_id": "u1", "anonymous_id": "a1"}, held, {device("a1")})
    assert (made.person, made.new_links, made.absorbed, made.ids) == (1, (), (), (user("u1"),))
    alone = planned({"anonymous_id": "a1"}, held, {device("a1")})
    assert (alone.person, alone.is_shared_device) == (5, True)


def test_an_alias_joins_two_users_on_purpose():
    made = planned({"type": "alias", "user_id": "u2", "previous_id": "u1"}, {user("u1"): 1, user("u2"): 2})
    assert (made.person, made.absorbed) == (1, (2,))


def test_an_alias_from_a_device_joins_the_device():
    made = planned({"type": "alias", "user_id": "u1", "previous_id": "a1"}, {user("u1"): 4, device("a1"): 2})
    assert (made.person, made.absorbed) == (4, (2,))


def test_an_alias_from_an_id_never_seen_links_it_as_whatever_it_turns_out_to_be():
    made = planned({"type": "alias", "user_id": "u1", "previous_id": "old"}, {user("u1"): 4})
    assert made.new_links == (Link(user("old"), 4), Link(device("old"), 4))


def test_an_alias_to_itself_is_an_ordinary_event():
    made = planned({"type": "alias", "user_id": "u1", "previous_id": "u1"}, {user("u1"): 4})
    assert (made.person, made.new_links, made.absorbed, made.note) == (4, (), (), "")


def test_an_alias_stops_at_the_limit_of_user_ids():
    held = {user(f"u{n}"): 1 for n in range(5)} | {user("x"): 2}
    made = planned({"type": "alias", "user_id": "u0", "previous_id": "x"}, held)
    assert (made.person, made.absorbed, made.note) == (1, (), "alias_full")
    unseen = planned({"type": "alias", "user_id": "u0", "previous_id": "unseen"}, held)
    assert [link.key.kind for link in unseen.new_links] == [DEVICE]


def test_a_full_group_stops_linking_and_merging_and_loses_nothing():
    full = {device(f"a{n}"): 1 for n in range(10)} | {user("u1"): 1}
    new = planned({"user_id": "u1", "anonymous_id": "a10"}, full)
    assert (new.person, new.new_links, new.note) == (1, (), "group_full")
    other = planned({"user_id": "u1", "anonymous_id": "a10"}, {**full, device("a10"): 2})
    assert (other.person, other.absorbed, other.note) == (1, (), "group_full")


@pytest.mark.parametrize("blocked", ["null", "0000-0000", "anonymous", ""])
def test_a_blocked_value_identifies_nobody(blocked):
    made = planned({"user_id": blocked, "anonymous_id": "a1"}, {device("a1"): 3})
    assert (made.person, made.new_links) == (3, ())
    with pytest.raises(EventRejected) as error:
        planned({"user_id": blocked, "anonymous_id": "0"})
    assert error.value.code == "missing_id"
    assert lookup_ids(event(user_id=blocked)) == []


# -- what only a browser says


def claimed(linked: dict[IdKey, int] | None = None, shared: set[IdKey] | None = None, **fields: Any):
    return planned({"is_vouched": False, **fields}, linked, shared)


def test_a_browser_s_user_id_is_a_claim_and_the_event_the_device_s():
    made = claimed({user("u1"): 1}, user_id="u1", anonymous_id="a1")
    assert (made.person, made.new_links, made.claims) == (NEW, (Link(device("a1"), NEW),), (user("u1"),))
    again = claimed({user("u1"): 1, device("a1"): 6}, user_id="u1", anonymous_id="a1")
    assert (again.person, again.new_links, again.claims, again.ids) == (6, (), (user("u1"),), (device("a1"),))


def test_a_browser_s_claim_is_recorded_once():
    made = plan(
        event(user_id="u1", anonymous_id="a1", is_vouched=False),
        {device("a1"): 6},
        {6: Group(counts=Counter({DEVICE: 1}), claims=frozenset({user("u1")}))},
    )
    assert made.claims == ()


def test_a_browser_of_a_confirmed_user_claims_nothing():
    made = claimed({user("u1"): 1, device("a1"): 1}, user_id="u1", anonymous_id="a1")
    assert (made.person, made.claims, made.new_links) == (1, (), ())


def test_a_browser_naming_another_user_than_the_device_s_moves_the_device_away():
    made = claimed({user("u1"): 1, device("a1"): 1}, user_id="u2", anonymous_id="a1")
    assert (made.person, made.new_links, made.claims) == (NEW, (Link(device("a1"), NEW, is_shared=True),), ())


def test_a_shared_device_claims_nothing():
    made = claimed({device("a1"): 5}, {device("a1")}, user_id="u2", anonymous_id="a1")
    assert (made.person, made.claims, made.is_shared_device) == (5, (), True)


def test_external_ids_of_a_browser_are_claims():
    mail = IdKey(MAIL, "x@y")
    made = claimed({mail: 1, user("u1"): 1}, anonymous_id="a1", external_ids=(mail,))
    assert (made.person, made.claims) == (NEW, (mail,))


@pytest.mark.parametrize("fields", [{"user_id": "u1"}, {"external_ids": (IdKey(MAIL, "x@y"),)}])
def test_a_browser_with_nothing_but_what_it_cannot_prove_is_refused(fields):
    with pytest.raises(EventRejected, match="anonymousId") as error:
        claimed({user("u1"): 1}, **fields)
    assert error.value.code == "unconfirmed_id"
    assert "u1" not in str(error.value)


def test_a_browser_s_alias_belongs_to_the_device_it_names():
    made = claimed({user("u1"): 1}, type="alias", user_id="u1", previous_id="a1")
    assert (made.person, made.new_links, made.claims) == (NEW, (Link(device("a1"), NEW),), (user("u1"),))
    victim = claimed({user("u1"): 1, user("u2"): 2}, type="alias", user_id="u1", previous_id="u2", anonymous_id="a1")
    assert (victim.person, victim.absorbed) == (NEW, ())


def test_claims_of_one_device_are_limited():
    many = frozenset(user(f"u{n}") for n in range(20))
    made = plan(
        event(user_id="x", anonymous_id="a1", is_vouched=False),
        {device("a1"): 6},
        {6: Group(counts=Counter({DEVICE: 1}), claims=many)},
        limits=IdentityLimits(),
    )
    assert (made.person, made.claims, made.note) == (6, (), "claims_full")


# -- households


def test_a_household_profile_is_a_person_of_its_own():
    made = planned({"user_id": "u1", "profile_id": "kid", "anonymous_id": "a1"}, {user("u1"): 1, device("a1"): 1})
    assert made.person == NEW
    assert [key.value for key in made.ids] == ["u1\x1fkid", "a1\x1fkid"]
    assert lookup_ids(event(user_id="u1", profile_id="kid")) == [IdKey("profile_id", "u1\x1fkid")]


def test_profiles_of_one_name_under_two_accounts_never_meet_on_a_device():
    kid, on_device = IdKey("profile_id", "u1\x1fkid"), IdKey(DEVICE_PROFILE_ID, "a1\x1fkid")
    held = {kid: 1, on_device: 1}
    made = planned({"user_id": "u2", "profile_id": "kid", "anonymous_id": "a1"}, held)
    assert made.new_links == (Link(IdKey("profile_id", "u2\x1fkid"), NEW), Link(on_device, -1, is_shared=True))
    browser = claimed(held, user_id="u2", profile_id="kid", anonymous_id="a1")
    assert (browser.person, browser.is_shared_device) == (NEW, True)


def test_an_unproven_household_profile_is_kept_per_device_until_it_is_proven():
    made = claimed(user_id="u1", profile_id="kid", anonymous_id="a1")
    on_device, kid = IdKey(DEVICE_PROFILE_ID, "a1\x1fkid"), IdKey("profile_id", "u1\x1fkid")
    assert (made.person, made.new_links, made.claims) == (NEW, (Link(on_device, NEW),), (kid,))
    proven = planned({"user_id": "u1", "profile_id": "kid", "anonymous_id": "a1"}, {on_device: 4})
    assert (proven.person, proven.new_links) == (4, (Link(kid, 4),))


def test_a_browser_cannot_reach_a_household_by_an_external_id():
    made = claimed(
        {IdKey("profile_id", "u1\x1fkid"): 1},
        anonymous_id="a1",
        external_ids=(IdKey("profile_id", "u1\x1fkid"), IdKey(DEVICE_PROFILE_ID, "a9\x1fkid")),
    )
    assert (made.ids, made.claims) == ((device("a1"),), ())
