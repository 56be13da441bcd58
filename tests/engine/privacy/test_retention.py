from __future__ import annotations

from pathlib import Path

import pytest

from bespeak.engine import Engine
from bespeak.engine.clock import VirtualClock
from bespeak.engine.logged.lake_feed import feed
from bespeak.engine.privacy.retention import sweep_retention
from bespeak.engine.project import create
from bespeak.engine.segments import settle_segments
from bespeak.profiles.codec import encode
from bespeak.profiles.profile import Profile
from bespeak.storage.tables import log, memberships
from bespeak.web.tokens import make_token_key

DAY_MS = 86_400_000
START_MS = 20_000 * DAY_MS


@pytest.fixture
def project(tmp_path: Path) -> Path:
    create(tmp_path / "p", token_key=make_token_key(), settings={"retention": {"log_days": 30}})
    return tmp_path / "p"


def view(user: str, item: str, **more: str) -> dict[str, object]:
    return {"type": "track", "event": "Product Viewed", "userId": user, "properties": {"product_id": item}, **more}


def test_a_profile_outlives_the_log_and_still_equals_its_rebuild(project: Path) -> None:
    clock = VirtualClock(START_MS)
    with Engine.open(project, clock=clock) as engine:
        engine.track([view("u1", "p1"), view("u1", "p2", anonymousId="a1"), {**view("", "p9"), "anonymousId": "a2"}])
        feed(engine.core)
        clock.advance(40 * DAY_MS)
        engine.track([view("u1", "p3"), view("u1", "p4", anonymousId="a2")])
        person = engine.profiles.find("u1")
        assert person is not None
        before = encode(engine.profiles.of(person))
        assert "3 events" in sweep_retention(engine.core)
        with engine.core.store.read() as session:
            assert log.count(session) == 2
        assert encode(engine.profiles.of(person)) == before
        assert engine.profiles.differing() == []
        assert engine.core.lake.read("signals", ("item_id",)).num_rows == 0
        engine.track([view("u1", "p5")])
        assert engine.profiles.differing() == []


def test_what_waits_in_the_log_is_folded_before_it_goes(project: Path) -> None:
    clock = VirtualClock(START_MS)
    with Engine.open(project, clock=clock) as engine:
        engine.track([view("u1", "p1")])
        engine.track([view("u1", "p2")])
        before = encode(engine.profiles.get("u1") or Profile())
        clock.advance(31 * DAY_MS)
        sweep_retention(engine.core)
        with engine.core.store.read() as session:
            assert log.count(session) == 0
        assert encode(engine.profiles.get("u1") or Profile()) == before
        engine.track([view("u1", "p3")])
        assert engine.profiles.differing() == []


def test_a_second_sweep_builds_on_the_first_baseline(project: Path) -> None:
    clock = VirtualClock(START_MS)
    with Engine.open(project, clock=clock) as engine:
        for _ in range(3):
            engine.track([view("u1", f"p{clock.now_ms() % 7}"), view("u2", "p1")])
            clock.advance(31 * DAY_MS)
            sweep_retention(engine.core)
            assert engine.profiles.differing() == []
        with engine.core.store.read() as session:
            assert log.count(session) == 0
        assert engine.privacy.erase("u1").n_removed() > 0
        assert engine.profiles.get("u1") is None


def test_segment_moves_go_with_the_log_and_gated_counts_after_their_days(tmp_path: Path) -> None:
    settings = {"retention": {"log_days": 30, "gated_days": 10}, "segments": {"keen": "views_7d >= 1"}}
    create(tmp_path / "p", token_key=make_token_key(), settings=settings)
    clock = VirtualClock(START_MS)
    refused = {"consent": {"categoryPreferences": {"personalize": False, "measure": False, "improve": False}}}
    with Engine.open(tmp_path / "p", clock=clock) as engine:
        person = None
        for _ in range(3):
            engine.track([view("u1", "p1"), view("u2", "p1", context=refused), view("u2", "p2")])
            person = engine.profiles.find("u1")
            clock.advance(12 * DAY_MS)
            settle_segments(engine.core)
        assert person is not None

        def held() -> tuple[list[bool], int]:
            with engine.core.store.read() as session:
                return [move.is_member for move in memberships.moves_of(session, [person])], log.gated_total(session)

        moves, n_gated = held()
        assert moves == [True, False] * 3
        assert n_gated >= 3
        assert "1 segment moves" in sweep_retention(engine.core)  # the one of 36 days ago; the next one is 24 old
        assert held() == ([False, True, False, True, False], 0)
        clock.advance(40 * DAY_MS)
        sweep_retention(engine.core)
        assert held() == ([], 0)
