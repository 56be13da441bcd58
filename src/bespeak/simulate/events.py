"""Writes what happens in a world as Segment-shaped events, as its sites' clients would send them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from bespeak.simulate.crowd.people import CONSENTS, Person
from bespeak.simulate.doing.acts import Act
from bespeak.simulate.doing.mailing import Mailing, mail_everybody
from bespeak.simulate.life import CAMPAIGNS, NEWSLETTER, NOBODY, Day, play
from bespeak.simulate.policies import Policy
from bespeak.simulate.wording import Words, wording
from bespeak.simulate.world import World

Event = dict[str, Any]
"""One Segment event: `type`, `messageId`, ids, `timestamp`, `context` and what its type brings."""

PLACEMENT = "home"
"""The placement that a world's policy fills."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - formatting only: the zone is written out


def iso_time(at_ms: int) -> str:
    """Milliseconds since 1970 UTC as the ISO text that clients send; the width is fixed, so text order is time order.

    Example:
        >>> iso_time(1_700_000_000_000)
        '2023-11-14T22:13:20.000Z'
    """
    return f"{(_EPOCH + timedelta(milliseconds=at_ms)).isoformat(timespec='milliseconds')}Z"


class EventWriter:
    """Turns days into events.

    Args:
        world: the world.
        wrong_propensities: the fault of that name.
    """

    def __init__(self, world: World, *, wrong_propensities: float = 0.0) -> None:
        self._world = world
        self._words = wording(world)
        self._inflation = 1.0 + wrong_propensities
        self._people: dict[int, Person] = {}
        self._browsers: dict[tuple[int, int], tuple[int, str, str]] = {}
        self._origin = f"https://{world.name}.example"

    def events(self, day: Day) -> list[Event]:
        """The events of a day in the order of time."""
        acts = day.acts
        envelopes: dict[int, _Envelope] = {}
        consent = self._world.people_truth.consent_on(day.number)
        columns = (
            acts.visit.tolist(), acts.kind.tolist(), acts.item.tolist(), acts.position.tolist(), acts.value.tolist(),
            acts.order.tolist(), acts.key.tolist(), acts.at_ms.tolist(),
        )  # fmt: skip
        known_from = day.known_from.tolist()
        found: list[tuple[int, Event]] = []
        for visit, kind, item, position, value, order, key, at_ms in zip(*columns, strict=True):
            envelope = envelopes.get(visit)
            if envelope is None:
                envelope = envelopes[visit] = self._envelope(day, visit, int(consent[day.visits.person[visit]]))
            words = self._said(day, envelope, visit, Act(kind), item, position, value, order)
            found.append((at_ms, envelope.event(words, at_ms, is_known=key >= known_from[visit])))
        found.sort(key=lambda pair: pair[0])  # stable: acts of one visit keep their order
        return [event for _, event in found]

    def _said(
        self, day: Day, envelope: _Envelope, visit: int, act: Act, item: int, position: int, value: float, order: int
    ) -> Words:
        if act is Act.SHOWN:
            return Words("Recommendation Viewed", self._shown(day, visit))
        words = self._words.of(act, envelope.person, day, item, value, order)
        if position:
            words.properties["position"] = position
        if act is Act.CLICKED:
            words.properties.update(_placed(day, visit))
        return words

    def _shown(self, day: Day, visit: int) -> dict[str, Any]:
        slates = day.slates
        ids = self._world.stock.ids
        row = slates.items[visit].tolist()
        items: list[dict[str, Any]] = [
            {"item_id": ids[item], "position": place} for place, item in enumerate(row, start=1) if item >= 0
        ]
        if not slates.decision_ids or not slates.decision_ids[visit]:  # else the engine knows them better
            logged = np.minimum(slates.propensity[visit] * self._inflation, 1.0).tolist()
            for shown, propensity in zip(items, logged, strict=False):
                shown["propensity"] = propensity
        return {**_placed(day, visit), "items": items}

    def _envelope(self, day: Day, visit: int, consent: int) -> _Envelope:
        world, visits = self._world, day.visits
        index, device = int(visits.person[visit]), int(visits.device[visit])
        person = self._people.get(index)
        if person is None:
            person = self._people[index] = world.person(index)
        preferences = CONSENTS[consent].preferences
        context: dict[str, Any] = {"locale": person.locale, "timezone": person.timezone}
        if preferences is not None:
            context["consent"] = {"categoryPreferences": preferences}
        prefix = f"{world.name}{world.seed}-{index + 1}-{day.number}-{'v' if visit < day.n_usual else 'e'}{device % 9}"
        if device == NOBODY:
            context["library"] = {"name": "mailer", "version": "1"}
            return _Envelope(person, prefix, "", context, {})
        context["library"] = {"name": "bespeak.js", "version": "1"}
        campaign, referrer = _campaign(int(visits.campaign[visit]))
        if campaign is not None:
            context["campaign"] = campaign
        anonymous_id, context["userAgent"] = self._browser(index, device, int(visits.epoch[visit]))
        page = {"path": "/", "url": f"{self._origin}/", "title": "Home", "referrer": referrer}
        return _Envelope(person, prefix, anonymous_id, context, page)

    def _browser(self, person: int, device: int, epoch: int) -> tuple[str, str]:
        """The anonymous id and the user agent of a browser."""
        found = self._browsers.get((person, device))
        if found is None or found[0] != epoch:
            identities = self._world.identities
            found = epoch, identities.anonymous_id(person, device, epoch), identities.user_agent(person, device)
            self._browsers[person, device] = found
        return found[1:]


class _Envelope:
    """What all events of one visit share, and the page that is open.

    Who logged in to a shared account has chosen a profile: it travels in the context, as clients send it.
    """

    def __init__(
        self, person: Person, prefix: str, anonymous_id: str, context: dict[str, Any], page: dict[str, str]
    ) -> None:
        self.person = person
        self._prefix = prefix
        self._ids = {"anonymousId": anonymous_id} if anonymous_id else {}
        named = {"userId": person.user_id} if person.user_id else {}
        self._known_ids = {**self._ids, **named}
        self._context = context
        self._profile = {"profileId": person.profile_id} if person.profile_id else {}
        self._page = page
        self._n_events = 0

    def event(self, words: Words, at_ms: int, *, is_known: bool) -> Event:
        """One event; a known person's carries their user id."""
        context = self._context
        if self._page:
            if words.path and words.path != self._page["path"]:
                origin = self._page["url"].removesuffix(self._page["path"])
                self._page = {
                    "path": words.path, "url": origin + words.path, "title": words.title, "referrer": self._page["url"]
                }  # fmt: skip
            context = {**context, "page": dict(self._page)}
        event: Event = {
            "messageId": f"{self._prefix}-{self._n_events}",
            "timestamp": iso_time(at_ms),
            **(self._known_ids if is_known else self._ids),
        }
        self._n_events += 1
        if words.type == "identify":
            event |= {"type": "identify", "traits": words.properties}
        elif words.type == "page":
            event |= {"type": "page", "name": words.name, "properties": {**self._page, "name": words.name}}
        else:
            event |= {"type": "track", "event": words.name, "properties": words.properties}
        event["context"] = {**context, **self._profile} if is_known and self._profile else context
        return event


def events_of(world: World, policy: Policy | None = None, mailing: Mailing = mail_everybody) -> Iterator[Event]:
    """All events of a world in the order of time.

    Args:
        world: the world.
        policy: what fills the placement; the popular one unless given.
        mailing: who gets the newsletter.
    """
    writer = EventWriter(world)
    for day in play(world, policy or world.popular, mailing):
        yield from writer.events(day)


def _placed(day: Day, visit: int) -> dict[str, Any]:
    decision_ids = day.slates.decision_ids
    decision_id = decision_ids[visit] if decision_ids else ""
    return {"placement": PLACEMENT, **({"decision_id": decision_id} if decision_id else {})}


def _campaign(number: int) -> tuple[dict[str, str] | None, str]:
    if number == NEWSLETTER:
        return {"source": "newsletter", "medium": "email", "name": "weekly"}, ""
    campaign, referrer, _ = CAMPAIGNS[number]
    return (None if campaign is None else dict(campaign)), referrer
