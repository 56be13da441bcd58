"""What other processes wrote about people: told by the log, or else everything is looked at again."""

from __future__ import annotations

from itertools import count

from bespeak.engine.folding import others
from bespeak.engine.folding.others import News, Others

NUMBERS = count()


def view(user: str | None, **more):
    properties = {"product_id": f"p{next(NUMBERS)}"}  # no two events are the same
    return {"type": "track", "event": "Product Viewed", "userId": user, "properties": properties, **more}


def news(engine, follower: Others) -> News | None:
    with engine.core.store.write() as tx:
        return follower.since(tx)


def positions(engine) -> list[int]:
    with engine.core.store.read() as session:
        return [row[0] for row in session.rows("SELECT log_id FROM events ORDER BY log_id")]


def test_the_first_look_knows_nothing_and_the_next_one_all_that_was_written_since(engine):
    engine.track([view("u1")], source="backend")
    follower = Others()
    assert news(engine, follower) is None
    assert news(engine, follower) == News({}, frozenset())
    engine.track([view("u1"), view("u2"), view("u1")], source="backend")
    _, a, b, c = positions(engine)
    u1, u2 = engine.profiles.find("u1"), engine.profiles.find("u2")
    assert news(engine, follower) == News({u1: [a, c], u2: [b]}, frozenset())
    assert news(engine, follower) == News({}, frozenset())


def test_what_this_process_wrote_is_no_news(engine):
    follower = Others()
    news(engine, follower)
    engine.track([view("u1")], source="backend")
    follower.wrote(positions(engine)[-1])
    assert news(engine, follower) == News({}, frozenset())


def test_a_merge_tells_who_is_gone(engine):
    engine.track([view("u1"), view(None, anonymousId="d")], source="backend")
    follower = Others()
    news(engine, follower)
    before = {engine.profiles.find("u1"), engine.profiles.find("d")}
    engine.track([view("u1", anonymousId="d")], source="backend")
    found = news(engine, follower)
    assert found is not None
    assert found.absorbed == before - {engine.profiles.find("u1")}


def test_what_the_log_does_not_tell_of_may_be_anything(engine):
    engine.track([view("u1")], source="backend")
    follower = Others()
    news(engine, follower)
    engine.profiles.rebuild([engine.profiles.find("u1")])
    assert news(engine, follower) is None
    assert news(engine, follower) == News({}, frozenset())


def test_more_than_can_be_followed_may_be_anything(engine, monkeypatch):
    monkeypatch.setattr(others, "MAX_FOLLOWED", 2)
    follower = Others()
    news(engine, follower)
    engine.track([view("u1"), view("u2"), view("u3")], source="backend")
    assert news(engine, follower) is None
    engine.track([view("u1"), view("u2")], source="backend")
    found = news(engine, follower)
    assert found is not None
    assert len(found.positions) == 2
