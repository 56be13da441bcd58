"""The days of a world: who comes, what they are shown, what they do, and what it does to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bespeak.simulate.crowd.choice import MEMORY, Visits
from bespeak.simulate.crowd.identities import MOBILE, SHARED
from bespeak.simulate.crowd.memory import Memory, by_visit
from bespeak.simulate.crowd.people import CONSENTS, Consent
from bespeak.simulate.doing.acts import Act, ActLog, Acts, Stage
from bespeak.simulate.doing.browsing import Looks
from bespeak.simulate.doing.buying import Orders, joined
from bespeak.simulate.doing.errands import Errands
from bespeak.simulate.doing.mailing import FOLLOWS, UNSUBSCRIBES, Mailing, mail_everybody, send_newsletter
from bespeak.simulate.draws import Purpose
from bespeak.simulate.policies import Policy, Slates
from bespeak.simulate.world import World

CAMPAIGNS: tuple[tuple[dict[str, str] | None, str, float], ...] = (
    (None, "", 0.55),
    (None, "https://www.google.com/", 0.2),
    ({"source": "instagram", "medium": "social", "name": "new-season"}, "https://www.instagram.com/", 0.13),
    ({"source": "google", "medium": "cpc", "name": "brand"}, "https://www.google.com/", 0.12),
)
"""What brings a visit here: campaign, referrer, share."""
NEWSLETTER = len(CAMPAIGNS)
"""The campaign of a visit that a newsletter began."""
NOBODY = -1
"""The device of what happens without one: a mail that is delivered."""
UNKNOWN = 2**30
"""Place in a visit that is never reached: the person stays anonymous."""

_SURVEY_SHARE = 0.2
_USUAL_VISIT = 0.3  # satisfaction above which attachment grows
_HABIT = 0.05  # how fast attachment goes back to 1


@dataclass(frozen=True, eq=False)
class Day:
    """All that happened on one day.

    Attributes:
        number: from 0.
        visits: usual visits by time, then errands, then mails that were delivered.
        n_usual: how many of the visits are usual ones; `slates` has a row for each of those.
        slates: what the policy showed.
        candidates: what it could show.
        expected_clicks: exact expected number of clicks on each slate, given what the visit met, float64[n_usual].
        acts: what was done; what lies outside of the world's time is left out.
        orders: the carts that acts refer to.
        known_from: the key of acts from which on a visit's person is known to the site, int64[n_visits].
        left: who left for ever after this day.
    """

    number: int
    visits: Visits
    n_usual: int
    slates: Slates
    candidates: NDArray[np.int64]
    expected_clicks: NDArray[np.float64]
    acts: Acts
    orders: Orders
    known_from: NDArray[np.int64]
    left: NDArray[np.int64]


def play(world: World, policy: Policy, mailing: Mailing = mail_everybody) -> Iterator[Day]:
    """Plays a world under one policy; each day happens when it is asked for.

    Args:
        world: the world.
        policy: what fills the placement.
        mailing: who gets the newsletter.
    """
    life = _Life(world, policy, mailing)
    for number in range(world.n_days):
        yield life.day(number)


class _Life:
    """The days of one run."""

    def __init__(self, world: World, policy: Policy, mailing: Mailing) -> None:
        self._world = world
        self._policy = policy
        self._mailing = mailing
        self._memory = Memory(world.people_truth)
        self._errands = Errands()

    def day(self, number: int) -> Day:
        world, memory = self._world, self._memory
        log = ActLog()
        mailed = send_newsletter(number, self._mailing, world.people_truth, memory, world.draws, self._errands)
        people, at_ms, hours = world.calendar.visitors(
            number, memory.attachment, number - memory.mailed_day, memory.stays
        )
        usual = self._visits(number, people, at_ms, hours)
        candidates = world.stock.on_offer(max(world.calendar.midnight_ms(number), world.start_ms))
        slates = self._policy(usual, candidates, world.behaviour.slate_size)
        known_from = np.where(usual.is_logged_in, 0, UNKNOWN)
        self._open_visit(usual, log, 0)
        self._tell_arm(usual, slates, log)
        log.add(Act.PAGE, np.arange(len(usual)), Stage.PAGE)
        looks, expected = world.browsing.looks(usual, slates, candidates, memory, log)
        self._log_in(usual, log, known_from)
        orders = world.funnel.after(usual, looks, memory, log, self._errands)
        self._log_in_at_checkout(usual, orders, log, known_from)
        self._remember(usual, looks)
        busy = np.zeros(len(memory.stays), dtype=np.bool_)
        busy[people] = True
        errands, errand_orders, errand_known = self._run_errands(number, busy, log, len(usual), len(orders.person))
        mails = self._delivered(number, mailed, log, len(usual) + len(errands))
        visits = _stacked(usual, errands, mails)
        acts = log.finished(visits.at_ms, visits.person, number, world.draws)
        left = world.calendar.leavers(number, memory.attachment, memory.stays)
        memory.stays[left] = False
        if world.has_subscriptions:
            quits = left[memory.is_known[left] & world.people_truth.pays(left)]
            self._errands.plan(np.full(len(quits), number + 1), Act.CANCELLED, quits)
        return Day(
            number=number,
            visits=visits,
            n_usual=len(usual),
            slates=slates,
            candidates=candidates,
            expected_clicks=expected,
            acts=_until(acts, world.end_ms),
            orders=joined(orders, errand_orders),
            known_from=np.concatenate([known_from, errand_known, np.zeros(len(mails), dtype=np.int64)]),
            left=left,
        )

    def _visits(
        self, day: int, people: NDArray[np.int64], at_ms: NDArray[np.int64], hours: NDArray[np.float64]
    ) -> Visits:
        world = self._world
        device = world.identities.device_on(day, people)
        epoch = world.identities.epoch(day, people, device)
        return Visits(
            day=day,
            person=people,
            at_ms=at_ms,
            hour=hours,
            device=device,
            is_mobile=world.identities.kind[people, device] == MOBILE,
            campaign=world.draws.choice([row[-1] for row in CAMPAIGNS], Purpose.CONTEXT, people, day),
            recent=self._memory.recent[people],
            epoch=epoch,
            is_logged_in=(device != SHARED) & (self._memory.login_epoch[people, device] == epoch),
        )

    def _open_visit(self, visits: Visits, log: ActLog, first_row: int) -> None:
        """What people say about consent: on every device once, and again when they change their mind."""
        consent = self._world.people_truth.consent_on(visits.day)[visits.person]
        says = visits.epoch * 8 + consent
        told = self._memory.told[visits.person, visits.device]
        speaks = np.flatnonzero((told != says) & (consent != CONSENTS.index(Consent.UNSPOKEN)))
        self._memory.told[visits.person[speaks], visits.device[speaks]] = says[speaks]
        log.add(Act.CONSENT, first_row + speaks, Stage.CONSENT)

    def _tell_arm(self, visits: Visits, slates: Slates, log: ActLog) -> None:
        """The first visit in an experiment says which arm the person is in."""
        if slates.arm is not None:
            new = np.flatnonzero(~self._memory.is_assigned[visits.person])
            self._memory.is_assigned[visits.person[new]] = True
            log.add(Act.ASSIGNED, new, Stage.PAGE + 1, value=slates.arm[new])

    def _log_in(self, visits: Visits, log: ActLog, known_from: NDArray[np.int64]) -> None:
        people = self._world.people_truth
        luck = self._world.draws.uniform(Purpose.LOGIN, visits.person, visits.day)
        wants = people.has_account[visits.person] & (luck < people.login_habit[visits.person])
        self._identify(visits, np.flatnonzero(wants & ~visits.is_logged_in), Stage.LOGIN, log, known_from)

    def _log_in_at_checkout(self, visits: Visits, orders: Orders, log: ActLog, known_from: NDArray[np.int64]) -> None:
        order = np.argsort(visits.person)
        rows = order[np.searchsorted(visits.person, orders.person, sorter=order)]
        has_account = self._world.people_truth.has_account[orders.person]
        rows = rows[has_account & (known_from[rows] == UNKNOWN)]
        self._identify(visits, rows, Stage.CHECKOUT - 10, log, known_from)

    def _identify(
        self, visits: Visits, rows: NDArray[np.int64], key: int, log: ActLog, known_from: NDArray[np.int64],
        first_row: int = 0,
    ) -> None:  # fmt: skip
        memory, draws = self._memory, self._world.draws
        person, device = visits.person[rows], visits.device[rows]
        known_from[rows] = key
        memory.login_epoch[person, device] = visits.epoch[rows]
        log.add(Act.LOGGED_IN, first_row + rows, key, seconds=12)
        is_new = ~memory.is_known[person]
        memory.is_known[person] = True
        rows, person = first_row + rows[is_new], person[is_new]
        if self._world.has_subscriptions:
            log.add(Act.JOINED, rows[self._world.people_truth.pays(person)], key + 1, seconds=40)
        subscribes = memory.subscribed[person]
        log.add(Act.SUBSCRIBED, rows[subscribes], key + 2, seconds=5)
        answers = draws.uniform(Purpose.LOGIN, person, 0, 1) < _SURVEY_SHARE
        log.add(Act.ANSWERED, rows[answers], key + 3, seconds=18)

    def _remember(self, visits: Visits, looks: Looks) -> None:
        """What was looked at stays in mind, and a good visit brings people back."""
        memory, person = self._memory, visits.person
        latest = by_visit(looks.visit, looks.item, len(visits), MEMORY)
        n_new = (latest >= 0).sum(axis=1, keepdims=True)
        place = np.arange(MEMORY)
        older = np.take_along_axis(memory.recent[person], np.maximum(place - n_new, 0), axis=1)
        memory.recent[person] = np.where(place < n_new, latest, older)
        liked = np.zeros(len(visits), dtype=np.bool_)
        liked[looks.visit[looks.is_on_slate]] = True
        attachment = memory.attachment[person]
        attachment += self._world.behaviour.loyalty * (liked - _USUAL_VISIT) + _HABIT * (1.0 - attachment)
        memory.attachment[person] = np.clip(attachment, 0.3, 2.0)

    def _run_errands(
        self, day: int, busy: NDArray[np.bool_], log: ActLog, first_row: int, first_order: int
    ) -> tuple[Visits, Orders, NDArray[np.int64]]:
        world, memory = self._world, self._memory
        kind, person, item, number = self._errands.due(day, busy, memory.stays)
        hours = 9.0 + 11.0 * world.draws.uniform(Purpose.HOUR, person, day, 9)
        at_ms = world.calendar.midnight_ms(day) + (hours * 3_600_000).astype(np.int64)
        visits = self._visits(day, person, at_ms, hours)
        mail = np.flatnonzero(kind == Act.OPENED)
        visits.campaign[:] = 0
        visits.campaign[mail] = NEWSLETTER
        known_from = np.where(visits.is_logged_in, 0, UNKNOWN)
        self._open_visit(visits, log, first_row)
        enters = world.people_truth.has_account[person] & ~visits.is_logged_in
        self._identify(visits, np.flatnonzero(enters), Stage.CONSENT + 5, log, known_from, first_row)
        log.add(Act.OPENED, first_row + mail, Stage.MAIL, seconds=1)
        follows = mail[number[mail] == FOLLOWS]
        log.add(Act.FOLLOWED, first_row + follows, Stage.MAIL + 1, seconds=20)
        log.add(Act.PAGE, first_row + follows, Stage.PAGE, seconds=2)
        stops = mail[number[mail] == UNSUBSCRIBES]
        log.add(Act.UNSUBSCRIBED, first_row + stops, Stage.MAIL + 1, seconds=15)
        memory.subscribed[person[stops]] = False
        quits = np.flatnonzero(kind == Act.CANCELLED)
        log.add(Act.CANCELLED, first_row + quits, Stage.END, seconds=30)
        orders = world.funnel.errand(
            visits, kind, item, number, memory, log, self._errands, first_row=first_row, first_order=first_order
        )
        return visits, orders, known_from

    def _delivered(self, day: int, mailed: NDArray[np.int64], log: ActLog, first_row: int) -> Visits:
        """Mails that arrive, at eight; they have a person and no device."""
        at_ms = np.full(len(mailed), self._world.calendar.midnight_ms(day) + 8 * 3_600_000)
        none = np.zeros(len(mailed), dtype=np.int64)
        inside = at_ms >= self._world.start_ms
        log.add(Act.MAILED, first_row + np.flatnonzero(inside), Stage.MAIL)
        return Visits(
            day=day,
            person=mailed,
            at_ms=at_ms,
            hour=np.full(len(mailed), 8.0),
            device=none + NOBODY,
            is_mobile=none > 0,
            campaign=none,
            recent=np.full((len(mailed), MEMORY), -1, dtype=np.int64),
            epoch=none,
            is_logged_in=none == 0,
        )


def _stacked(*parts: Visits) -> Visits:
    names = ("person", "at_ms", "hour", "device", "is_mobile", "campaign", "recent", "epoch", "is_logged_in")
    return Visits(day=parts[0].day, **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def _until(acts: Acts, end_ms: int) -> Acts:
    """The acts before the end of the world's time; the last visits may reach over it."""
    if not len(acts) or int(acts.at_ms.max()) < end_ms:
        return acts
    inside = acts.at_ms < end_ms
    return Acts(**{name: column[inside] for name, column in vars(acts).items()})
