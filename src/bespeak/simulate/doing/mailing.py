"""The weekly newsletter: who is mailed, who opens it, and whom it makes come more or less often."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bespeak.simulate.crowd.memory import Memory
from bespeak.simulate.crowd.people import RESPONSES, People, Response
from bespeak.simulate.doing.acts import Act
from bespeak.simulate.doing.errands import Errands
from bespeak.simulate.draws import Draws, Purpose

EVERY_DAYS = 7
FIRST_DAY = 3
_OPEN_SHARE = 0.35
_FOLLOW_SHARE = 0.28  # of those who open it
_UNSUBSCRIBE_SHARES = np.array([0.01, 0.004, 0.05])  # by response: none, persuadable, sleeping dog
FOLLOWS, UNSUBSCRIBES = 1, 2
"""What a reader does besides opening: the number of their errand."""


class Mailing(Protocol):
    """Decides who of the subscribers gets a newsletter."""

    def __call__(self, people: NDArray[np.int64], day: int) -> NDArray[np.bool_]:
        """Returns whether each of them is mailed, bool[m]."""
        ...


def mail_everybody(people: NDArray[np.int64], day: int) -> NDArray[np.bool_]:
    """Every subscriber gets every newsletter."""
    return np.ones(len(people), dtype=np.bool_)


def mail_nobody(people: NDArray[np.int64], day: int) -> NDArray[np.bool_]:
    """No newsletter goes out."""
    return np.zeros(len(people), dtype=np.bool_)


class MailAtRandom:
    """A share of the people, the same ones each week: an experiment on the newsletter.

    Args:
        draws: the world's random numbers.
        share: of the people who are mailed.
    """

    def __init__(self, draws: Draws, share: float = 0.5) -> None:
        self._draws = draws
        self._share = share

    def __call__(self, people: NDArray[np.int64], day: int) -> NDArray[np.bool_]:
        """Draws by a hash of the person."""
        return self._draws.uniform(Purpose.ASSIGNMENT, people, 1) < self._share


class MailPersuadables:
    """Only those whom it makes come more often: the best there is.

    Args:
        people: the truth about everybody.
    """

    def __init__(self, people: People) -> None:
        self._response = people.response

    def __call__(self, people: NDArray[np.int64], day: int) -> NDArray[np.bool_]:
        """Looks at the hidden response."""
        return np.asarray(self._response[people] == RESPONSES.index(Response.PERSUADABLE))


def send_newsletter(
    day: int, mailing: Mailing, people: People, memory: Memory, draws: Draws, errands: Errands
) -> NDArray[np.int64]:
    """Sends the newsletter where it is due; returns who got it, and plans who reads it within two days."""
    if day % EVERY_DAYS != FIRST_DAY:
        return np.zeros(0, dtype=np.int64)
    subscribers = np.flatnonzero(memory.subscribed & memory.is_known & memory.stays)
    mailed = subscribers[mailing(subscribers, day)]
    memory.mailed_day[mailed] = day
    opens = draws.uniform(Purpose.MAIL, mailed, day, 1) < _OPEN_SHARE
    readers = mailed[opens]
    follows = draws.uniform(Purpose.MAIL, readers, day, 2) < _FOLLOW_SHARE
    leaves = draws.uniform(Purpose.MAIL, readers, day, 3) < _UNSUBSCRIBE_SHARES[people.response[readers]]
    answer = np.where(leaves, UNSUBSCRIBES, np.where(follows, FOLLOWS, 0))
    delay = (2 * draws.uniform(Purpose.MAIL, readers, day, 4)).astype(np.int64)
    errands.plan(day + delay, Act.OPENED, readers, number=answer)
    return mailed
