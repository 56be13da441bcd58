"""A server with a virtual clock: months of simulated people in minutes, and nobody real by mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from bespeak.engine import Engine
from bespeak.engine.clock import SharedClock, VirtualClock
from bespeak.engine.project import ProjectFolder, create
from bespeak.errors import InvalidInput
from bespeak.serve.virtual import clock_for
from bespeak.simulate import ShopWorld
from bespeak.simulate.loop import run_loop
from bespeak.simulate.sites import VirtualServer
from bespeak.storage.tables import records
from bespeak.web.tokens import make_token_key
from server_fixtures import Project, Serve, Server, serve

__all__ = ["serve"]

END_MS = 1_750_000_000_000


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project of simulated people who live in 2025."""
    root = tmp_path_factory.mktemp("virtual") / "shop"
    keys = create(root, token_key=make_token_key(), settings={"train": {"every": "6d"}})
    return Project(root, keys, ShopWorld(11, n_people=40, n_items=48, days=12, end_ms=END_MS))


@pytest.fixture(scope="module")
def virtual(simulated: Project, serve: Serve) -> Server:
    return serve(simulated, workers=2, virtual=True)


def test_a_world_visits_all_workers_at_its_own_time_and_the_jobs_keep_up(virtual: Server, simulated: Project) -> None:
    world = simulated.world
    site = VirtualServer(virtual.url, simulated.keys.secret_key)
    assert site.now_ms == 0
    site.move_to(world.start_ms)
    site.put_items(world.items())
    report = run_loop(world, site, share=1.0, from_day=8)
    site.close()
    assert report.n_decisions == report.outcomes.values["visits"].sum() > 20
    assert sum(virtual.counts().values()) == report.n_events
    assert SharedClock(ProjectFolder(simulated.root).clock).now_ms() == END_MS
    with Engine.open(simulated.root, clock=VirtualClock(END_MS)) as engine, engine.core.store.read() as session:
        jobs = {job.name: job for job in records.jobs(session)}
        models, decided = records.models(session), records.decisions(session, 0, 1_000)
    assert models
    assert all(world.start_ms < model.created_ms <= END_MS for model in models)
    assert jobs["train"].finished_ms > END_MS - 7 * 86_400_000
    assert jobs["lake"].finished_ms == END_MS
    assert len(decided) == report.n_decisions
    assert all(world.calendar.midnight_ms(8) <= one.time_ms <= END_MS for one in decided)
    assert {one.mode for one in decided} == {"profiled", "anonymous", "non_profiled"}


def test_the_clock_only_goes_forward_and_only_for_a_secret_key(virtual: Server, simulated: Project) -> None:
    admin = virtual.secret()
    now_ms = admin.get("/api/clock").json()["nowMs"]
    back = admin.put("/api/clock", json={"nowMs": now_ms - 1})
    assert (back.status_code, "only goes forward" in back.json()["message"]) == (400, True)
    for wrong in ({"nowMs": -1}, {"nowMs": "now"}, {"nowMs": 10**15}, {"nowMs": None}, {}, {"now_ms": now_ms}):
        assert admin.put("/api/clock", json=wrong).status_code == 400
    for key in (simulated.keys.write_key, simulated.keys.server_key):
        stranger = virtual.client(key)
        assert stranger.get("/api/clock").status_code == 403
        assert stranger.put("/api/clock", json={"nowMs": now_ms + 1}).status_code == 403
    assert virtual.client().put("/api/clock", json={"nowMs": now_ms + 1}).status_code == 401
    assert admin.get("/api/clock").json()["nowMs"] == now_ms
    assert "/api/clock" in admin.get("/api/openapi.json").json()["paths"]


def test_a_project_with_a_past_or_an_open_address_gets_no_virtual_clock(tmp_path: Path) -> None:
    create(tmp_path / "used", token_key=("private", ""))
    with pytest.raises(InvalidInput, match="reached from elsewhere"):
        clock_for(tmp_path / "used", "0.0.0.0")
    with Engine.open(tmp_path / "used") as engine:
        engine.track([{"type": "track", "event": "Product Viewed", "userId": "somebody", "messageId": "1"}])
    with pytest.raises(InvalidInput, match="lived in real time"):
        clock_for(tmp_path / "used", "127.0.0.1")
    assert not ProjectFolder(tmp_path / "used").clock.exists()
