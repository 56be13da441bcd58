"""What goes wrong between a world and its events, on demand; the truth does not change."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from bespeak.simulate.behaviour import Faults
from bespeak.simulate.draws import Purpose
from bespeak.simulate.events import Event, iso_time
from bespeak.simulate.offer.stock import DAY_MS
from bespeak.simulate.wording import wording
from bespeak.simulate.world import World

BOT_AGENTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "python-requests/2.32.0",
)
BOT_PAGES = 40
"""How many pages a robot opens in one night, one each second."""
_LATEST_DAYS = 3.0

_CHUNK = 4_096
_BOT = 2**40  # behind every number of an event


def with_faults(world: World, events: Iterable[Event], faults: Faults) -> Iterator[Event]:
    """Delivers events as a site with these faults would: some twice, some late, and robots among them.

    The times that events carry stay those at which they happened; a late event comes later in the stream.
    `broken_assignment` and `wrong_propensities` happen before there are events: see `World.experiment`, `EventWriter`.

    Args:
        world: where the events come from.
        events: in the order of time.
        faults: what goes wrong.
    """
    if faults.bots:
        events = heapq.merge(events, robots(world, faults.bots), key=_time)
    if not faults.duplicates and not faults.late:
        yield from events
        return
    waiting: list[tuple[str, int, Event]] = []
    stream = iter(events)
    n_before = 0
    while some := list(islice(stream, _CHUNK)):
        numbers = np.arange(n_before, n_before + len(some))
        n_before += len(some)
        luck = world.draws.uniform(Purpose.FAULT, numbers[:, None], np.arange(3)).tolist()
        for number, event, (duplicate, late, delay) in zip(numbers.tolist(), some, luck, strict=True):
            while waiting and waiting[0][0] <= event["timestamp"]:
                yield heapq.heappop(waiting)[2]
            if late < faults.late:
                heapq.heappush(waiting, (_later(event, delay), number, event))
            else:
                yield event
            if duplicate < faults.duplicates:
                heapq.heappush(waiting, (_later(event, 1.0 - delay), -1 - number, event))
    while waiting:
        yield heapq.heappop(waiting)[2]


def robots(world: World, share: float) -> Iterator[Event]:
    """Robots that open page after page each night, in the order of time; they name themselves in the user agent.

    Args:
        world: whose items they look at.
        share: how many there are, as a share of the people; one at least.
    """
    words = wording(world)
    n = max(1, round(share * len(world.people_truth)))
    for day in range(world.n_days):
        begin_ms = world.calendar.midnight_ms(day) + 2 * 3_600_000
        offer = world.stock.on_offer(begin_ms)
        picks = world.draws.uniform(Purpose.FAULT, _BOT, day, np.arange(n)[:, None], np.arange(BOT_PAGES))
        for page in range(BOT_PAGES):
            at_ms = begin_ms + page * 1_000
            if not world.start_ms <= at_ms < world.end_ms or not len(offer):
                continue
            for robot in range(n):
                properties = words.described(int(offer[int(picks[robot, page] * len(offer))]))
                yield _crawled(world, robot, day, page, at_ms, properties)


def _crawled(world: World, robot: int, day: int, page: int, at_ms: int, properties: dict[str, Any]) -> Event:
    return {
        "messageId": f"{world.name}{world.seed}-bot{robot + 1}-{day}-{page}",
        "timestamp": iso_time(at_ms),
        "anonymousId": f"bot-{robot + 1}",
        "type": "track",
        "event": "Product Viewed",
        "properties": properties,
        "context": {
            "userAgent": BOT_AGENTS[robot % len(BOT_AGENTS)],
            "library": {"name": "bespeak.js", "version": "1"},
        },
    }


def _time(event: Event) -> str:
    return str(event["timestamp"])


def _later(event: Event, share: float) -> str:
    """The ISO time at which a late event arrives: minutes to days after it happened."""
    happened = np.datetime64(event["timestamp"][:-1], "ms").astype(np.int64)
    return iso_time(int(happened) + 60_000 + int(share**3 * _LATEST_DAYS * DAY_MS))
