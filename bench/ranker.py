"""What learned weights are worth in the simulated worlds, in exact clicks.

    python bench/ranker.py [--short] [--people 400] [--days 40] [--seeds 1]

The engine listens for a quarter of the days, trains, and decides for everybody with a tenth of each position drawn. It
trains again after half and after three quarters of the days, and learns the weights. In the last quarter every visit
is answered by several rankers from the same state: the weights in use, the default ones, the chosen model alone, and
what was learned last whether it was taken over or not. `clicks` is the exact expected number of clicks a visit under
each (no draws, nothing estimated); differences are paired by person. In `price` and `evening` people choose
otherwise than the default weights expect: by price; by the hour and the device.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from bespeak.decide.decide import rank
from bespeak.decide.occasion import Occasion
from bespeak.decide.rankers.score import Weights
from bespeak.decide.request import DecideRequest
from bespeak.decide.world import World as Snapshot
from bespeak.engine import Engine
from bespeak.engine.clock import VirtualClock
from bespeak.engine.project import create
from bespeak.intake.context import read_context
from bespeak.learn.intervals import difference_interval
from bespeak.signals.ids import ANONYMOUS_ID, USER_ID, IdKey
from bespeak.simulate import WORLDS, ShopWorld
from bespeak.simulate.behaviour import Behaviour
from bespeak.simulate.crowd.choice import Visits
from bespeak.simulate.crowd.identities import KINDS
from bespeak.simulate.events import PLACEMENT, EventWriter
from bespeak.simulate.life import play
from bespeak.simulate.loop import SitePolicy
from bespeak.simulate.offer.stock import DAY_MS
from bespeak.simulate.policies import Slates
from bespeak.simulate.sites import InProcess
from bespeak.simulate.world import World
from bespeak.web.tokens import make_token_key
from parts.figures import emit, options, tell

SEED = 11
END_MS = 1_750_000_000_000
N_ITEMS = 240
EXPLORE = 0.1
CROSSES = {
    "shop": ["daypart * category", "device * price_percentile"],
    "streaming": ["daypart * genre", "device * price_percentile"],
}


TASTES = {"category": 0.5, "brand": 0.25, "colour": 0.1}
CROWDS = {
    "": Behaviour(),
    "price": Behaviour(weights=replace(ShopWorld.WEIGHTS, price=2.0, facets=TASTES)),
    "evening": Behaviour(weights=replace(ShopWorld.WEIGHTS, evening=2.0, mobile_price=-1.0, facets=TASTES)),
}


class Judge:
    """A policy of three parts: popular, then the engine, then the engine beside what others would have shown."""

    def __init__(self, world: World, engine: Engine, clock: VirtualClock, days: int) -> None:
        self.last = Weights()
        self.clicks: dict[str, list[float]] = {}
        self.people: list[int] = []
        self._world, self._engine = world, engine
        self._decides_from, self._judges_from = days // 4, 3 * days // 4
        self._policy = SitePolicy(world, InProcess(engine, clock))
        self._index = {item_id: place for place, item_id in enumerate(world.stock.ids)}

    def __call__(self, visits: Visits, candidates: NDArray[np.int64], size: int) -> Slates:
        if visits.day < self._decides_from:
            return self._world.popular(visits, candidates, size)
        shown = self._policy(visits, candidates, size)
        if visits.day >= self._judges_from:
            for row in range(len(visits)):
                self._judge(visits.only(np.array([row])), size)
        return shown

    def _judge(self, visit: Visits, size: int) -> None:
        self.people.append(int(visit.person[0]))
        for name, items in self._answers(visit, size).items():
            slate = np.array([[self._index[item] for item in items]])
            chance = self._world.appeal.click_probability(visit, slate)
            self.clicks.setdefault(name, []).append(float(chance.sum()))

    def _answers(self, visit: Visits, size: int) -> dict[str, list[str]]:
        engine, now_ms = self._engine, int(visit.at_ms[0])
        person, device = int(visit.person[0]), int(visit.device[0])
        identities, truth = self._world.identities, self._world.person(person)
        keys = [IdKey(ANONYMOUS_ID, identities.anonymous_id(person, device, int(visit.epoch[0])))]
        if visit.is_logged_in[0] and truth.user_id is not None:
            keys.insert(0, IdKey(USER_ID, truth.user_id))
        told = {
            "device": KINDS[int(identities.kind[person, device])], "locale": truth.locale, "timezone": truth.timezone
        }  # fmt: skip
        context = read_context(told, time_ms=now_ms)
        request = DecideRequest(placement=PLACEMENT, count=size, context=context)
        view = engine.decisions.person(keys, context, now_ms, "")
        return {
            name: [item for item, _ in rank(Occasion(request, view, snapshot, now_ms)).items()]
            for name, snapshot in variants(engine.core.world, self.last).items()
        }


def variants(world: Snapshot, last: Weights) -> Mapping[str, Snapshot]:
    """The rankers that are compared; `last` are the weights that were learned last."""
    bare = {**world.placements, PLACEMENT: msgspec.structs.replace(world.placements[PLACEMENT], weights={})}
    alone = Weights({"model.best": 1.0, "popular": 1e-3})
    return {
        "in use": world,
        "learned": replace(world, learned={PLACEMENT: last}),
        "without crosses": replace(world, learned={PLACEMENT: uncrossed(last)}),
        "default": replace(world, learned={}),
        "best model": replace(world, learned={}, weights=alone, placements=bare),
    }


def learned_last(engine: Engine) -> Weights:
    """The weights of the latest training's report, taken over or not."""
    reports = engine.models.versions()[0][1].weights
    found = next((report for report in reports if report.placement == PLACEMENT), None)
    return Weights(learned={name: signal.learned for name, signal in found.signals.items()} if found else {})


def uncrossed(weights: Weights) -> Weights:
    """Learned weights without those of context crosses."""
    kept = {name: weight for name, weight in weights.learned.items() if not name.startswith("cross.")}
    return replace(weights, learned=kept)


def lived(kind: str, seed: int, n_people: int, days: int, settings: Mapping[str, Any]) -> dict[str, Any]:
    name, _, crowd = kind.partition(" ")
    world = WORLDS[name](seed, n_people, N_ITEMS, days, end_ms=END_MS, behaviour=CROWDS[crowd])
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / world.name
        create(project, token_key=make_token_key(), settings={"placements": {PLACEMENT: settings}})
        clock = VirtualClock(world.start_ms)
        with Engine.open(project, clock=clock) as engine:
            engine.items.put(world.items())
            judge, writer, site = Judge(world, engine, clock, days), EventWriter(world), InProcess(engine, clock)
            for day in play(world, judge):
                midnight_ms = world.calendar.midnight_ms(day.number) + DAY_MS
                last_ms = int(day.acts.at_ms.max()) if len(day.acts) else midnight_ms
                site.send(writer.events(day), min(max(midnight_ms, last_ms + 1), world.end_ms))
                if day.number + 1 in (days // 4, days // 2, 3 * days // 4):
                    site.train()
                    judge.last = learned_last(engine)
            report = next(w for w in engine.models.versions()[0][1].weights if w.placement == PLACEMENT)
    people = np.array(judge.people, np.int32)
    clicks = {name: np.array(values) for name, values in judge.clicks.items()}
    result: dict[str, Any] = {"clicks": {name: round(float(v.mean()), 4) for name, v in clicks.items()}}
    found = difference_interval(clicks["in use"], clicks["default"], np.random.default_rng(0), groups=people)
    base = clicks["default"].mean()
    result["in use over default"] = [round(float(v / base), 4) for v in (found.low, found.mean, found.high)]
    for other in ("default", "best model", "without crosses"):
        found = difference_interval(clicks["learned"], clicks[other], np.random.default_rng(0), groups=people)
        base = clicks[other].mean()
        result[f"learned over {other}"] = [round(float(v / base), 4) for v in (found.low, found.mean, found.high)]
    result["visits"] = len(people)
    result["sentences"] = report.sentences
    result["examination"] = {k: [round(v, 3) for v in c] for k, c in report.examination.items()}
    result["planted examination"] = world.position_curve.round(3).tolist()
    result["weights"] = {n: [round(s.usual, 3), round(s.learned, 3), round(s.standard_error, 3)]
                         for n, s in report.signals.items()}  # fmt: skip
    return result


def main() -> None:
    given = options(
        __doc__,
        people=(400, 60, "people in a world"),
        days=(40, 12, "days it lives"),
        seeds=(1, 1, "worlds of each kind"),
    )
    summary: dict[str, Any] = {}
    for kind in ("shop", "streaming", "shop price", "shop evening"):
        for seed in range(SEED, SEED + given.seeds):
            started = time.perf_counter()
            found = lived(
                kind, seed, given.people, given.days, {"explore": EXPLORE, "crosses": CROSSES[kind.split()[0]]}
            )
            found["seconds"] = round(time.perf_counter() - started)
            summary[f"{kind} {seed}"] = found
            tell(f"{kind} {seed}: {found}")
    emit(summary)


if __name__ == "__main__":
    main()
