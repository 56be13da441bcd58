"""The closed loop: a world's people meet a running engine, and what they do goes back to it.

Within a day the decisions of all visits come first, each at its own time, then the events of the day. Everybody visits
once a day at most, so a person's decision always knows all that they did before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from bespeak.errors import UnknownName
from bespeak.measure.comparison import Comparison, compare
from bespeak.measure.sums import Sums
from bespeak.simulate.crowd.choice import Visits
from bespeak.simulate.crowd.identities import KINDS
from bespeak.simulate.doing.mailing import Mailing, mail_everybody
from bespeak.simulate.events import EventWriter
from bespeak.simulate.life import Day, play
from bespeak.simulate.offer.stock import DAY_MS
from bespeak.simulate.policies import Experiment, Slates
from bespeak.simulate.sites import Decided, Site
from bespeak.simulate.truth import Outcomes, Tally
from bespeak.simulate.world import World

Told = Callable[[str, float], None]
"""Told (stage, share that is done)."""


class SitePolicy:
    """An engine as a policy.

    Args:
        world: whose people visit.
        site: where the engine runs.
    """

    def __init__(self, world: World, site: Site) -> None:
        self._world = world
        self._site = site
        self._index = {item_id: index for index, item_id in enumerate(world.stock.ids)}
        self.n_decisions = 0

    def __call__(self, visits: Visits, candidates: NDArray[np.int64], size: int) -> Slates:
        """Asks for one slate after the other.

        Raises:
            UnknownName: the engine showed an item that this world does not have.
        """
        items = np.full((len(visits), size), -1, dtype=np.int64)
        propensity = np.zeros((len(visits), size))
        decision_ids = []
        for row in range(len(visits)):
            decided = self._decide(visits, row, size)
            shown = len(decided.item_ids)
            items[row, :shown] = [self._place(item_id) for item_id in decided.item_ids]
            propensity[row, :shown] = decided.propensities
            decision_ids.append(decided.decision_id)
        self.n_decisions += len(visits)
        return Slates(items, propensity, tuple(decision_ids))

    def _decide(self, visits: Visits, row: int, size: int) -> Decided:
        index, device = int(visits.person[row]), int(visits.device[row])
        identities, person = self._world.identities, self._world.person(index)
        ids = {"anonymousId": identities.anonymous_id(index, device, int(visits.epoch[row]))}
        if visits.is_logged_in[row] and person.user_id is not None:
            ids["userId"] = person.user_id
            if person.profile_id is not None:
                ids["profileId"] = person.profile_id
        context = {
            "device": KINDS[int(identities.kind[index, device])],
            "locale": person.locale,
            "timezone": person.timezone,
        }
        return self._site.decide(int(visits.at_ms[row]), ids, context, size)

    def _place(self, item_id: str) -> int:
        if item_id not in self._index:
            raise UnknownName("item", item_id, self._world.stock.ids)
        return self._index[item_id]


@dataclass(frozen=True, eq=False)
class LoopReport:
    """What came of a closed loop.

    Attributes:
        outcomes: person by person; `before` is what they did before the engine decided.
        experiment: who was treated.
        n_events: sent.
        n_decisions: made by the engine.
    """

    outcomes: Outcomes
    experiment: Experiment
    n_events: int
    n_decisions: int

    def difference(self, metric: str) -> float:
        """Mean of the treated less mean of the control: the estimate of an experiment, without its interval.

        There must be people in both arms.
        """
        values = self.outcomes.values[metric]
        arm = self.experiment.arm(np.arange(len(values)))
        return float(values[arm == 1].mean() - values[arm == 0].mean())

    def compared(self, metric: str) -> Comparison | None:
        """What an experiment says that knows no truth: adjusted for the time before, and right at every look.

        None while the control has done nothing: nothing can be said.
        """
        values, before = self.outcomes.values[metric], self.outcomes.before[metric]
        is_treated = self.experiment.arm(np.arange(len(values))) == 1
        if not values[~is_treated].any():
            return None
        control, treated = (Sums.of(values[side], covariate=before[side]) for side in (~is_treated, is_treated))
        return compare(control, treated, is_sequential=True, tightest_at=len(values))


class Loop:
    """A world against an engine, day by day.

    Args:
        world, site, share, from_day, train_every_days, mailing: as in `run_loop`.

    Attributes:
        n_events: sent so far.
    """

    def __init__(
        self, world: World, site: Site, *, share: float = 0.5, from_day: int = 0, train_every_days: int = 0,
        mailing: Mailing = mail_everybody,
    ) -> None:  # fmt: skip
        self._world = world
        self._site = site
        self._from_day = from_day
        self._train_every_days = train_every_days
        self._mailing = mailing
        self._policy = SitePolicy(world, site)
        self._experiment = world.experiment(self._policy, share=share, from_day=from_day)
        self._tally = Tally(world, from_day)
        self.n_events = 0

    def days(self, n_days: int) -> Iterator[Day]:
        """Plays so many days; each happens, and its events are with the engine, when it is asked for."""
        world, writer = self._world, EventWriter(self._world)
        if self._from_day == 0:
            self._site.train()
        for day in islice(play(world, self._experiment, self._mailing), n_days):
            events = writer.events(day)
            self.n_events += len(events)
            midnight_ms = world.calendar.midnight_ms(day.number) + DAY_MS
            last_ms = int(day.acts.at_ms.max()) if len(day.acts) else midnight_ms
            self._site.send(events, min(max(midnight_ms, last_ms + 1), world.end_ms))
            self._tally.add(day)
            yield day
            if day.number + 1 < n_days and self._trains_after(day.number + 1):
                self._site.train()

    def _trains_after(self, done: int) -> bool:
        every, past = self._train_every_days, done - self._from_day
        return past == 0 or (every > 0 and past > 0 and past % every == 0)

    def report(self) -> LoopReport:
        """What came of the days so far."""
        return LoopReport(self._tally.outcomes(), self._experiment, self.n_events, self._policy.n_decisions)


def run_loop(
    world: World,
    site: Site,
    *,
    share: float = 0.5,
    from_day: int = 0,
    train_every_days: int = 0,
    days: int | None = None,
    mailing: Mailing = mail_everybody,
    told: Told | None = None,
) -> LoopReport:
    """Plays a world against an engine.

    Until `from_day` everybody sees the popular policy and the engine only listens; then it trains and decides for a
    share of the people, and the others go on seeing the popular policy.

    Args:
        world: the world; its items must be in the engine's catalogue.
        site: where the engine runs.
        share: of the people who are treated; 1 where the engine runs an experiment of its own.
        from_day: first day on which the engine decides.
        train_every_days: how often it trains again; 0 trains once, before it decides.
        days: stop after so many days; all of them unless given.
        mailing: who gets the newsletter.
        told: told how far it is.
    """
    loop = Loop(world, site, share=share, from_day=from_day, train_every_days=train_every_days, mailing=mailing)
    n_days = world.n_days if days is None else min(days, world.n_days)
    for done, _ in enumerate(loop.days(n_days), 1):
        if told is not None:
            told(f"day {done}, {loop.n_events:,} events", done / n_days)
    return loop.report()
