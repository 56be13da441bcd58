"""The closed loop: worlds against a real engine in this process, and against a real server."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bespeak.engine import Engine
from bespeak.engine.clock import VirtualClock
from bespeak.engine.project import create
from bespeak.errors import InvalidInput, StoreUnavailable, UnknownName
from bespeak.simulate import ShopWorld
from bespeak.simulate.events import Event
from bespeak.simulate.loop import run_loop
from bespeak.simulate.sites import Decided, InProcess, OverHttp, VirtualServer
from bespeak.web.tokens import make_token_key
from server_fixtures import Server, project, serve, server

__all__ = ["project", "serve", "server"]

END_MS = 1_750_000_000_000


def test_people_meet_an_engine_and_what_they_do_reaches_it(tmp_path: Path) -> None:
    world = ShopWorld(5, n_people=60, n_items=60, days=16, end_ms=END_MS)
    create(tmp_path / "shop", token_key=make_token_key())
    clock = VirtualClock(world.start_ms)
    with Engine.open(tmp_path / "shop", clock=clock) as engine:
        engine.items.put(world.items())
        report = run_loop(world, InProcess(engine, clock), from_day=10, days=14)
        values = report.outcomes.values
        treated = report.experiment.arm(np.arange(60)) == 1
        assert report.n_decisions == values["visits"][treated].sum() > 5
        assert engine.models.versions()
        profiles = [profile for _, profile in engine.profiles.all()]
        assert sum(profile.orders.n for profile in profiles) > 0
        assert sum(profile.n_events for profile in profiles) > report.n_events / 2
        assert clock.now_ms() >= world.calendar.midnight_ms(14)
    assert report.outcomes.before["visits"].sum() > 0
    assert report.difference("visits") == pytest.approx(
        values["visits"][treated].mean() - values["visits"][~treated].mean()
    )


class Remembering:
    """A site that shows the first items, and remembers what it was told; it stands where an engine would."""

    def __init__(self, world: ShopWorld, shown: Sequence[str] | None = None) -> None:
        self.shown = shown or world.stock.ids[:2]
        self.events: list[Event] = []
        self.asked: list[tuple[int, Mapping[str, str]]] = []
        self.trained_after: list[int] = []

    def decide(self, at_ms: int, ids: Mapping[str, str], context: Mapping[str, Any], count: int) -> Decided:
        self.asked.append((at_ms, ids))
        return Decided(f"d{len(self.asked)}", self.shown, [0.5] * len(self.shown))

    def send(self, events: Sequence[Event], until_ms: int) -> None:
        self.events += events

    def train(self) -> None:
        self.trained_after.append(len(self.events))


def test_exposures_and_clicks_name_the_decision_and_what_was_shown() -> None:
    world = ShopWorld(5, n_people=60, n_items=24, days=12, end_ms=END_MS)
    site = Remembering(world)
    report = run_loop(world, site, share=1.0, from_day=4, train_every_days=3)
    assert len(site.trained_after) == 3  # before it decides, and after three and six days of deciding
    assert site.asked == sorted(site.asked, key=lambda asked: asked[0])
    shown = [e["properties"] for e in site.events if e.get("event") == "Recommendation Viewed"]
    decided = [properties for properties in shown if "decision_id" in properties]
    assert sorted(p["decision_id"] for p in decided) == sorted(f"d{n + 1}" for n in range(report.n_decisions))
    assert all([item["item_id"] for item in p["items"]] == list(site.shown) for p in decided)
    assert len(shown) > len(decided)  # what came before the engine decided
    clicks = [e["properties"] for e in site.events if e.get("event") == "Product Clicked"]
    assert {p["product_id"] for p in clicks if "decision_id" in p} == set(site.shown)
    assert report.outcomes.values["slots"].sum() == 2 * report.n_decisions
    assert not any(event.get("event") == "Experiment Viewed" for event in site.events)  # all of them are treated


def test_an_experiment_tells_each_person_their_arm_once() -> None:
    world = ShopWorld(5, n_people=60, n_items=24, days=12, end_ms=END_MS)
    site = Remembering(world)
    report = run_loop(world, site, from_day=4)
    told = {
        int(event["messageId"].split("-")[1]) - 1: event["properties"]["variation_name"]
        for event in site.events
        if event.get("event") == "Experiment Viewed"
    }
    assert len(told) == sum(event.get("event") == "Experiment Viewed" for event in site.events) > 20
    arm = report.experiment.arm(np.arange(60))
    assert told == {person: report.experiment.ARMS[arm[person]] for person in told}
    assert set(told) == set(np.flatnonzero(report.outcomes.values["visits"] > 0).tolist())


def test_an_item_that_the_world_does_not_have_is_refused_by_name() -> None:
    world = ShopWorld(5, n_people=60, n_items=24, days=6, end_ms=END_MS)
    with pytest.raises(UnknownName, match="p9999"):
        run_loop(world, Remembering(world, ["p9999"]), share=1.0)


def test_visitors_of_a_server_get_its_slates(server: Server) -> None:
    end_ms = int(time.time() * 1000)
    world = ShopWorld(11, n_people=25, n_items=96, days=4, end_ms=end_ms)
    with server.secret() as client:
        assert client.put("/api/items", json={"items": world.items()}).status_code == 200
    site = OverHttp(server.url, server.project.keys.secret_key)
    report = run_loop(world, site, share=1.0)
    site.close()
    assert report.n_decisions > 5
    assert sum(server.counts().values()) == report.n_events
    assert report.outcomes.values["slots"].sum() > 5 * report.n_decisions


def test_a_server_that_refuses_or_is_not_there_says_so(server: Server) -> None:
    wrong_key = OverHttp(server.url, "sk_wrong")
    with pytest.raises(InvalidInput, match="status 401"):
        wrong_key.decide(END_MS, {"anonymousId": "a"}, {}, 3)
    wrong_key.close()
    with pytest.raises(StoreUnavailable, match="did not answer"):
        OverHttp("http://127.0.0.1:9", "sk").send([{"type": "track"}], END_MS)
    for address in ("shop.example", "ftp://shop.example", "http://shop.example:99999", "http://["):
        with pytest.raises(InvalidInput, match="no address"):
            OverHttp(address, "sk")


def test_a_server_in_real_time_has_no_clock_to_set(server: Server) -> None:
    assert server.secret().put("/api/clock", json={"nowMs": END_MS}).status_code == 404
    assert "/api/clock" not in server.secret().get("/api/openapi.json").json()["paths"]
    with pytest.raises(InvalidInput, match="real time"):
        VirtualServer(server.url, server.project.keys.secret_key)
