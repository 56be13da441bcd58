"""The closed loop: a world's people meet a running engine, and what they do goes back to it.

Within a day the decisions of all visits come first, each at its own time, then the events of the day. Everybody visits
once a day at most, so a person's decision always knows all that they did before.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from itertools import islice
from typing import Any, Protocol
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from bespeak.engine import Engine
from bespeak.engine.clock import VirtualClock
from bespeak.errors import InvalidInput, StoreUnavailable, UnknownName
from bespeak.simulate.crowd.choice import Visits
from bespeak.simulate.crowd.identities import KINDS
from bespeak.simulate.doing.mailing import Mailing, mail_everybody
from bespeak.simulate.events import PLACEMENT, Event, EventWriter
from bespeak.simulate.life import Day, play
from bespeak.simulate.offer.stock import DAY_MS
from bespeak.simulate.policies import Experiment, Slates
from bespeak.simulate.truth import Outcomes, Tally
from bespeak.simulate.world import World

BATCH = 500
_TIMEOUT_SECONDS = 60.0

Told = Callable[[str, float], None]
"""Told (stage, share that is done)."""


@dataclass(frozen=True)
class Decided:
    """A slate as the engine gave it: item ids and propensities in the order shown."""

    decision_id: str
    item_ids: Sequence[str]
    propensities: Sequence[float]


class Site(Protocol):
    """Where an engine runs."""

    def decide(self, at_ms: int, ids: Mapping[str, str], context: Mapping[str, Any], count: int) -> Decided:
        """Asks for one slate.

        Args:
            at_ms: the visit's time.
            ids: `userId`, and `profileId` under it, if the site knows them, and `anonymousId`.
            context: device, locale, timezone.
            count: positions to fill.
        """
        ...

    def send(self, events: Sequence[Event], until_ms: int) -> None:
        """Delivers the events of a day, which ended at `until_ms`."""
        ...

    def train(self) -> None:
        """Trains on what has come in, where the site can be told to."""
        ...


class InProcess:
    """An engine opened in this process, with a virtual clock: months pass in minutes.

    Args:
        engine: opened with `clock`.
        clock: moved with the world's time.
        source: the project's source that events count for.
    """

    def __init__(self, engine: Engine, clock: VirtualClock, source: str = "backend") -> None:
        self._engine = engine
        self._clock = clock
        self._source = source

    def decide(self, at_ms: int, ids: Mapping[str, str], context: Mapping[str, Any], count: int) -> Decided:
        """Decides at the visit's time."""
        self._move_to(at_ms)
        slate = self._engine.decide(
            PLACEMENT,
            user_id=ids.get("userId", ""),
            anonymous_id=ids.get("anonymousId", ""),
            profile_id=ids.get("profileId", ""),
            count=count,
            context=context,
        )
        return Decided(slate.decision.decision_id, slate.item_ids, [item.propensity for item in slate])

    def send(self, events: Sequence[Event], until_ms: int) -> None:
        """Takes the events in through the write path; returns when they are durable and folded."""
        self._move_to(until_ms)
        for batch in _batches(events):
            tracked = self._engine.track(batch, source=self._source)
            if tracked.rejected:
                raise InvalidInput(f"The engine refused {len(tracked.rejected)} events: {tracked.rejected[0][1]}.")

    def train(self) -> None:
        """Trains now."""
        self._engine.train(as_of_ms=self._clock.now_ms())

    def _move_to(self, at_ms: int) -> None:
        if at_ms > self._clock.now_ms():
            self._clock.set(at_ms)


class OverHttp:
    """A server, spoken to as a site's backend does. Its clock is its own: decisions are made at the server's now.

    Args:
        url: the server's address.
        key: a secret key.
    """

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidInput("That is no address of a server.", hint="Write it like http://127.0.0.1:8787.")
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=_TIMEOUT_SECONDS)
        token = base64.b64encode(f"{key}:".encode()).decode()
        self._headers = {"authorization": f"Basic {token}", "content-type": "application/json"}

    def decide(self, at_ms: int, ids: Mapping[str, str], context: Mapping[str, Any], count: int) -> Decided:
        """Asks `POST /api/decide`."""
        body = {"placement": PLACEMENT, "count": count, "context": dict(context), **ids}
        answer = self._post("/api/decide", body)
        items = answer["items"]
        return Decided(answer["decisionId"], [i["id"] for i in items], [float(i["propensity"]) for i in items])

    def send(self, events: Sequence[Event], until_ms: int) -> None:
        """Sends batches to `POST /v1/batch`."""
        for batch in _batches(events):
            self._post("/v1/batch", {"batch": batch})

    def train(self) -> None:
        """Nothing: a server trains by its own jobs."""

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        try:
            self._connection.request("POST", path, json.dumps(body), self._headers)
            response = self._connection.getresponse()
            text = response.read()
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise StoreUnavailable(f"The server did not answer ({type(error).__name__}).") from error
        if response.status != 200:
            raise InvalidInput(f"The server answered {path} with status {response.status}: {text[:200].decode()}")
        return json.loads(text)


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


def _batches(events: Sequence[Event]) -> Iterator[Sequence[Event]]:
    for first in range(0, len(events), BATCH):
        yield events[first : first + BATCH]
