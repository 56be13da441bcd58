"""Devices, shared devices and forgotten cookies: the ids that a site sees, and who is really behind them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bespeak.simulate.behaviour import Behaviour
from bespeak.simulate.draws import Draws, Purpose, pick

SLOTS = 4
"""Devices a person may use: three of their own, and one that a household shares."""
SHARED = SLOTS - 1
SHARED_VISITS = 0.25
MOBILE, DESKTOP, TABLET = range(3)
KINDS = ("mobile", "desktop", "tablet")
_N_DEVICES = (0.55, 0.37, 0.08)

_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"
_WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5"
USER_AGENTS = (
    (
        f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) {_WEBKIT} Mobile/15E148 Safari/604.1",
        f"Mozilla/5.0 (Linux; Android 15; Pixel 9) {_CHROME} Mobile Safari/537.36",
    ),
    (
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36",
        f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_WEBKIT} Safari/605.1.15",
        "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
    ),
    (f"Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) {_WEBKIT} Mobile/15E148 Safari/604.1",),
)
"""Browsers of each kind of device."""


@dataclass(frozen=True, eq=False)
class Identities:
    """Which device each visit comes from and what anonymous id it carries; row `i` is person `i`.

    Persons 2j and 2j+1 may form a household, which shares one more tablet. A browser that forgets takes a new anonymous
    id every `cookie_days` days: its *epoch* counts them. People log out of shared devices when they leave.

    Attributes:
        draws: the world's random numbers.
        kind: kind of each device, int64[n, SLOTS].
        share: share of the visits that come from each device, rows sum to one, float64[n, SLOTS].
        household: number of the household, -1 for people on their own, int64[n].
        lifetime_days: after how many days the browsers forget; 0: never, int64[n].
        phase: days since the last time they forgot, on day 0, int64[n, SLOTS].
    """

    draws: Draws
    kind: NDArray[np.int64]
    share: NDArray[np.float64]
    household: NDArray[np.int64]
    lifetime_days: NDArray[np.int64]
    phase: NDArray[np.int64]

    def device_on(self, day: int, people: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which of their devices people use on a day, int64[m]."""
        return pick(self.share[people], self.draws.uniform(Purpose.DEVICE, people, 10, day))

    def epoch(self, day: int, people: NDArray[np.int64], device: NDArray[np.int64]) -> NDArray[np.int64]:
        """How often the device's browser has forgotten by a day, int64[m]; a shared device never does."""
        lifetime = self.lifetime_days[people]
        passed = (day + self.phase[people, device]) // np.maximum(lifetime, 1)
        return np.where((lifetime > 0) & (device != SHARED), passed, 0)

    def anonymous_id(self, person: int, device: int, epoch: int) -> str:
        """The id that the browser carries; nothing in it tells whose it is."""
        if device == SHARED:
            return f"a{int(self.draws.words(Purpose.HOUSEHOLD, self.household[person], 5)[0]):016x}"
        return f"a{int(self.draws.words(Purpose.DEVICE, person, 20 + device, epoch)[0]):016x}"

    def user_agent(self, person: int, device: int) -> str:
        """The browser of a device; one for everybody who shares it."""
        owner = int(self.household[person]) if device == SHARED else person
        agents = USER_AGENTS[int(self.kind[person, device])]
        return agents[int(self.draws.words(Purpose.DEVICE, owner, 30 + device)[0] % np.uint64(len(agents)))]

    def truth(self, n_days: int) -> dict[str, list[int]]:
        """Anonymous id -> the people behind it, for every id that a world of `n_days` days can show."""
        people_of: dict[str, list[int]] = {}
        for person in range(len(self.household)):
            for device in np.flatnonzero(self.share[person] > 0):
                first, last = (
                    int(self.epoch(day, np.array([person]), np.array([device]))[0]) for day in (0, n_days - 1)
                )
                for epoch in range(first, last + 1):
                    people_of.setdefault(self.anonymous_id(person, int(device), epoch), []).append(person)
        return people_of


def is_in_household(draws: Draws, people: NDArray[np.int64], behaviour: Behaviour) -> NDArray[np.bool_]:
    """Whether people form a household with their neighbour: 0 with 1, 2 with 3, and so on."""
    return draws.uniform(Purpose.HOUSEHOLD, people // 2, 0) < behaviour.household_share


def make_identities(draws: Draws, n: int, behaviour: Behaviour) -> Identities:
    """Draws everybody's devices and households."""
    index = np.arange(n)
    order = np.argsort(draws.uniform(Purpose.DEVICE, index[:, None], 1, np.arange(3)), axis=1)
    n_devices = 1 + draws.choice(_N_DEVICES, Purpose.DEVICE, index, 2)
    weight = draws.exponential(Purpose.DEVICE, index[:, None], 3, np.arange(3)) + 0.2
    weight = np.where(np.arange(3) < n_devices[:, None], weight, 0.0)
    own = weight / weight.sum(axis=1, keepdims=True)
    pair = index // 2
    is_shared = is_in_household(draws, index, behaviour)
    shared = np.where(is_shared, SHARED_VISITS, 0.0)[:, None]
    forgets = draws.uniform(Purpose.DEVICE, index, 4) < behaviour.cookie_churn_share
    phase = draws.uniform(Purpose.DEVICE, index[:, None], 5, np.arange(SLOTS)) * behaviour.cookie_days
    return Identities(
        draws=draws,
        kind=np.concatenate([order, np.full((n, 1), TABLET)], axis=1).astype(np.int64),
        share=np.concatenate([own * (1 - shared), shared], axis=1),
        household=np.where(is_shared, pair, -1),
        lifetime_days=np.where(forgets, behaviour.cookie_days, 0),
        phase=phase.astype(np.int64),
    )
