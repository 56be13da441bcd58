"""What goes wrong between people and their report is caught: from the write path through log and lake to the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bespeak.decide.trying.foreign import ForeignItem
from bespeak.engine import Engine
from bespeak.engine.checks import PASS, WARN, intake, tastes
from bespeak.engine.clock import VirtualClock, iso
from bespeak.engine.logged.lake_feed import feed
from bespeak.engine.project import create
from bespeak.engine.views.experiments import experiment_report
from bespeak.engine.views.report import build_report
from bespeak.signals.ids import ANONYMOUS_ID, USER_ID, IdKey
from bespeak.simulate import Behaviour, Faults, ShopWorld, Slates, play
from bespeak.simulate.events import EventWriter
from bespeak.simulate.faults import with_faults
from bespeak.simulate.offer.stock import DAY_MS
from bespeak.simulate.truth import truth_of
from bespeak.simulate.world import World
from bespeak.storage.tables import assignments

END_MS = 1_750_032_000_000  # a midnight
N_PEOPLE, N_DAYS, DRIFT_DAY, FROM_DAY = 900, 25, 9, 17
BOTH_SHOWN_BY_THE_SITE = {"popular": {"incumbent": True}, "oracle": {"incumbent": True}}
PLAN = {
    "metrics": {"clicked": {"of": "class = 'click'"}},
    "experiments": {
        "taste": {"placement": "home", "variants": BOTH_SHOWN_BY_THE_SITE, "primary": "clicked"},
        "rivals": {"placement": "similar", "variants": {"theirs": {"incumbent": True}, "ours": {}}},
    },
}


@dataclass
class Shown:
    """A site that asks the engine who is in which arm, and shows the arm's slates itself.

    Its app for phones is old: at `similar` it never asks, and logs what it always showed.
    """

    world: World
    engine: Engine
    clock: VirtualClock
    arm_of: dict[int, str] = field(default_factory=dict)

    def __call__(self, visits: Any, candidates: Any, size: int) -> Slates:
        popular, oracle = (policy(visits, candidates, size) for policy in (self.world.popular, self.world.oracle))
        if visits.day < FROM_DAY:
            return popular
        self.clock.set(int(visits.at_ms[0]))  # all of the day's first: time that stands makes decisions quick
        is_oracle = np.zeros(len(visits), bool)
        for row, person in enumerate(visits.person.tolist()):
            ids = self._ids(visits, row)
            slate = self.engine.decide("home", **ids, count=size)
            if slate.decision.experiment is not None:
                self.arm_of.setdefault(person, slate.decision.experiment["variant"])
                is_oracle[row] = slate.decision.experiment["variant"] == "oracle"
            if visits.is_mobile[row]:
                keys = [IdKey({"user_id": USER_ID}.get(kind, ANONYMOUS_ID), value) for kind, value in ids.items()]
                self.engine.log_slate("similar", [ForeignItem(id=self.world.stock.ids[0])], keys)
            else:
                self.engine.decide("similar", **ids, count=1)
        items = np.where(is_oracle[:, None], oracle.items, popular.items)
        return Slates(items, np.where(is_oracle[:, None], oracle.propensity, popular.propensity))

    def _ids(self, visits: Any, row: int) -> dict[str, str]:
        person, device = int(visits.person[row]), int(visits.device[row])
        ids = {"user_id": self.world.people_truth.user_id(person)} if visits.is_logged_in[row] else {}
        return {**ids, "anonymous_id": self.world.identities.anonymous_id(person, device, int(visits.epoch[row]))}


@pytest.fixture(scope="module")
def world() -> World:
    planted = Behaviour(drift_day=DRIFT_DAY, join_share=0.1, household_share=0.0, leave_hazard=0.0)
    return ShopWorld(17, N_PEOPLE, 96, N_DAYS, end_ms=END_MS, behaviour=planted)


@pytest.fixture(scope="module")
def site(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    folder = tmp_path_factory.mktemp("faults") / "shop"
    create(folder, token_key=("private", ""), settings=PLAN)
    clock = VirtualClock(world.start_ms)
    with Engine.open(folder, clock=clock) as engine:
        engine.items.put(world.items())
        site, writer = Shown(world, engine, clock), EventWriter(world)
        for day in play(world, site):
            clock.set(max(clock.now_ms(), world.calendar.midnight_ms(day.number) + DAY_MS))
            assert not engine.track(writer.events(day), source="backend").rejected
        engine.core.drain()
        feed(engine.core)
        yield site


def test_what_the_report_says_covers_the_truth_of_those_who_took_part(site: Shown, world: World) -> None:
    report = experiment_report(site.engine.core, "taste")
    assert not report.is_broken
    assert sum(arm.n_assigned for arm in report.arms) == pytest.approx(len(site.arm_of), rel=0.1)
    found = report.metrics[0].variants[0]
    truth = truth_of(world, {"popular": world.popular, "oracle": world.oracle}, "popular", from_day=FROM_DAY)
    took_part = sorted(site.arm_of)
    of = {name: outcomes.values["engaged"][took_part].mean() for name, outcomes in truth.outcomes.items()}
    low, high = found.difference_interval
    assert low < of["oracle"] - of["popular"] < high
    assert found.difference > 0


def test_an_app_that_never_asks_breaks_the_assignment_and_blocks_the_report(site: Shown) -> None:
    report = experiment_report(site.engine.core, "rivals")
    assert report.is_broken
    assert report.metrics == []
    assert "assignment or recording is broken" in report.sentences[0]
    with site.engine.core.store.read() as session:
        arms = Counter(one.variant for one in assignments.assigned_to(session, "rivals"))
    assert arms["ours"] < 0.8 * arms["theirs"]  # people of phones alone are missing


def test_the_day_on_which_tastes_turned_is_named(site: Shown, world: World) -> None:
    found = tastes.drift(site.engine.core)
    assert found.status == WARN
    assert f"since {iso(world.calendar.midnight_ms(DRIFT_DAY))[:10]}" in found.message
    assert "category" in found.message


def test_robots_duplicates_and_late_events_change_no_figure(tmp_path: Path) -> None:
    planted = Behaviour(household_share=0.0, withdraw_share=0.0)
    world = ShopWorld(5, 60, 48, 12, end_ms=END_MS, behaviour=planted)
    clean = list(world.events())
    faulty = list(with_faults(world, clean, Faults(bots=0.1, duplicates=0.1, late=0.2)))
    assert len(faulty) > 1.1 * len(clean)
    told = []
    for name, events in (("clean", clean), ("faulty", faulty)):
        create(tmp_path / name, token_key=("private", ""))
        with Engine.open(tmp_path / name, clock=VirtualClock(END_MS)) as engine:
            engine.items.put(world.items())
            engine.track(events, source="backend")
            report, bots = build_report(engine.core), intake.bots(engine.core)
            assert tastes.drift(engine.core).status == PASS
            known = sorted((p.orders.n, p.n_events) for _, p in engine.profiles.all() if p.n_events)  # robots have none
            told.append((report.by_class, report.lift, known))
    assert told[0] == told[1]
    assert not bots.message.startswith("0.0%")
