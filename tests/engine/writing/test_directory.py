"""Who is who within a batch: however events are cut into batches, the same ids lead to the same persons."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bespeak.engine.writing.directory import Directory
from bespeak.profiles.identity import Group, IdentityLimits, lookup_ids, plan
from bespeak.signals.events import Event
from bespeak.signals.ids import IdKey
from bespeak.storage.base import Store
from bespeak.storage.open import open_store
from bespeak.storage.tables import people

_numbers = count(1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = open_store(tmp_path_factory.mktemp("directory") / "store.db", migrate=True)
    yield opened
    opened.close()


class Reference:
    """The same rules over plain dicts, one event at a time, nothing kept in between but links and claims."""

    def __init__(self) -> None:
        self.links: dict[IdKey, int] = {}
        self.shared: set[IdKey] = set()
        self.claims: dict[int, set[IdKey]] = {}
        self._next = count(1)

    def group(self, person: int) -> Group:
        keys = [key for key, owner in self.links.items() if owner == person]
        return Group.of(keys, self.claims.get(person, ()))

    def take(self, event: Event) -> tuple[int, tuple[IdKey, ...]]:
        linked = {key: self.links[key] for key in lookup_ids(event) if key in self.links}
        groups = {person: self.group(person) for person in set(linked.values())}
        made = plan(event, linked, groups, self.shared, IdentityLimits())
        new: dict[int, int] = {}

        def actual(person: int) -> int:
            return person if person > 0 else new.setdefault(person, next(self._next))

        person = actual(made.person)
        for link in made.new_links:
            self.links[link.key] = actual(link.person)
            if link.is_shared:
                self.shared.add(link.key)
        for absorbed in made.absorbed:
            for key, owner in self.links.items():
                if owner == absorbed:
                    self.links[key] = person
            self.claims.setdefault(person, set()).update(self.claims.pop(absorbed, ()))
        self.claims.setdefault(person, set()).update(made.claims)
        return person, made.ids


@st.composite
def events(draw: st.DrawFn) -> Event:
    user = draw(st.sampled_from(["", "u1", "u2", "u3"]))
    device = draw(st.sampled_from(["a1", "a2", "a3"]))
    is_alias = draw(st.integers(0, 5)) == 0 and user
    return Event(
        message_id="m",
        type="alias" if is_alias else "track",
        time_ms=0,
        received_ms=0,
        user_id=user,
        anonymous_id=device if draw(st.booleans()) or not user else "",
        previous_id=draw(st.sampled_from(["a1", "u2", "u3"])) if is_alias else "",
        profile_id=draw(st.sampled_from(["", "", "", "kid"])) if user else "",
        external_ids=tuple(IdKey("crm", v) for v in draw(st.sampled_from([(), (), ("c1",), ("c2",)]))),
        is_vouched=bool(not draw(st.booleans()) or is_alias or (user and draw(st.booleans()))),
        source="web",
    )


def renamed(event: Event, run: int) -> Event:
    """Gives every example ids of its own, so that one store serves all."""

    def name(value: str) -> str:
        return f"{run}-{value}" if value else ""

    return Event(
        message_id=event.message_id,
        type=event.type,
        time_ms=0,
        received_ms=0,
        user_id=name(event.user_id),
        anonymous_id=name(event.anonymous_id),
        previous_id=name(event.previous_id),
        profile_id=event.profile_id,
        external_ids=tuple(IdKey(key.kind, name(key.value)) for key in event.external_ids),
        is_vouched=event.is_vouched,
        source=event.source,
    )


def is_placeable(event: Event) -> bool:
    return event.is_vouched or bool(event.anonymous_id)


def same_people(first: dict[IdKey, int], second: dict[IdKey, int]) -> bool:
    """True when both say of the same ids that they are one person's; the numbers may differ."""
    if first.keys() != second.keys():
        return False
    pairs = {(first[key], second[key]) for key in first}
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


@settings(max_examples=150)
@given(batches=st.lists(st.lists(events().filter(is_placeable), min_size=1, max_size=7), min_size=1, max_size=4))
def test_batches_give_what_one_event_at_a_time_gives(store, batches):
    run = next(_numbers)
    reference = Reference()
    wanted: list[int] = []
    got: list[int] = []
    for batch in batches:
        named = [renamed(event, run) for event in batch]
        with store.write() as tx:
            directory = Directory(tx, named, 0, locks=False)
            for event, ids in zip(named, directory.ids, strict=True):
                person, own = reference.take(event)
                placed = directory.place(event, directory.look_up(event, ids))
                assert placed.ids == own
                wanted.append(person)
                got.append(placed.person)
            directory.flush()
    keys = set(reference.links)
    with store.read() as session:
        found = people.resolve(session, keys)
        claims = people.claims_of(session, set(found.links.values()))
        roots = people.roots(session)
    assert same_people(found.links, reference.links)
    assert found.shared == reference.shared
    person_of = {reference.links[key]: found.links[key] for key in keys}
    for person, claimed in reference.claims.items():
        if person in person_of:
            assert set(claims.get(person_of[person], ())) == claimed
    assert all(person_of.get(w, g) == roots.get(g, g) for w, g in zip(wanted, got, strict=True) if w in person_of)


def test_looking_up_changes_nothing(store):
    event = Event(
        message_id="m", type="track", time_ms=0, received_ms=0, user_id="only-looked-up", is_vouched=True, source="web"
    )
    with store.write() as tx:
        directory = Directory(tx, [event], 0, locks=False)
        directory.look_up(event, directory.ids[0])
        directory.flush()
        assert people.resolve(tx, lookup_ids(event)).links == {}
