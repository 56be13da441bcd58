"""Ids that are kept between batches lead where the store says, whatever others did meanwhile."""

from __future__ import annotations

from itertools import count

import pytest

from bespeak.engine.writing.known_links import KnownLinks
from bespeak.signals.ids import IdKey
from bespeak.storage.tables import people

NUMBERS = count()
A, B, C = (IdKey("user_id", value) for value in "abc")


def view(user: str | None, **more):
    properties = {"product_id": f"p{next(NUMBERS)}"}  # no two events are the same
    return {"type": "track", "event": "Product Viewed", "userId": user, "properties": properties, **more}


def test_what_is_known_is_found_until_its_person_is_gone():
    known = KnownLinks()
    known.keep({A: 1, B: 2})
    assert known.of([A, B, C]) == {A: 1, B: 2}
    known.absorbed([2])
    assert known.of([A, B, C]) == {A: 1}
    known.keep({B: 1})
    assert known.of([A, B]) == {A: 1, B: 1}


def test_beyond_the_bound_everything_is_forgotten():
    known = KnownLinks(max_kept=2)
    known.keep({A: 1, B: 2})
    known.keep({C: 3})
    assert known.of([A, B, C]) == {}


def test_the_ids_of_who_is_active_are_looked_up_once(engine, monkeypatch):
    asked: list[IdKey] = []
    real = people.resolve
    monkeypatch.setattr(people, "resolve", lambda session, ids: asked.extend(ids := set(ids)) or real(session, ids))
    engine.track([view("u1"), view("u2")], source="backend")
    asked.clear()
    engine.track([view("u1"), view("u3")], source="backend")
    assert [key.value for key in asked] == ["u3"]


@pytest.mark.parametrize("other", ["merge", "erase", "share"])
def test_an_id_that_another_process_moved_leads_to_its_new_person(make, other):
    first, second = make(), make()
    first.track([view("u1"), view("u2"), view(None, anonymousId="d")], source="backend")
    first.track([view(None, anonymousId="d")], source="backend")
    if other == "merge":
        second.track([view("u1", anonymousId="d")], source="backend")
    elif other == "erase":
        second.privacy.erase("d")
    else:
        second.track([view("u1", anonymousId="d")], source="backend")
        first.track([view(None, anonymousId="d")], source="backend")
        second.track([view("u2", anonymousId="d")], source="backend")  # two users: the device is nobody's from now on
    first.track([view(None, anonymousId="d")], source="backend")
    expected = {"merge": 5, "erase": 1, "share": 1}
    assert first.profiles.get("d").n_events == expected[other]
    assert first.profiles.differing() == []
