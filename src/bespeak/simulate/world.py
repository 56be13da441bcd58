"""The parts that make a world: its items, its people, and the laws by which they live."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from bespeak.errors import InvalidInput
from bespeak.simulate.behaviour import Behaviour, Weights
from bespeak.simulate.crowd.calendar import Calendar
from bespeak.simulate.crowd.choice import MEMORY, Appeal, Visits, examination
from bespeak.simulate.crowd.identities import make_identities
from bespeak.simulate.crowd.memory import Memory
from bespeak.simulate.crowd.people import Person, make_people
from bespeak.simulate.doing.acts import ActLog
from bespeak.simulate.doing.browsing import Browsing, Looks
from bespeak.simulate.doing.buying import Orders
from bespeak.simulate.doing.errands import Errands
from bespeak.simulate.draws import Draws
from bespeak.simulate.offer.stock import DAY_MS, Stock
from bespeak.simulate.policies import Experiment, OraclePolicy, Policy, PopularPolicy, RandomPolicy


class Funnel(Protocol):
    """What follows from a look: orders in a shop, watching in a streaming service."""

    def after(self, visits: Visits, looks: Looks, memory: Memory, log: ActLog, errands: Errands) -> Orders:
        """Plays what follows from the looks of a day's usual visits."""
        ...

    def errand(
        self, visits: Visits, kind: NDArray[np.int64], item: NDArray[np.int64], number: NDArray[np.int64],
        memory: Memory, log: ActLog, errands: Errands, *, first_row: int, first_order: int,
    ) -> Orders:  # fmt: skip
        """Plays the errands that belong to this kind of world."""
        ...


class World:
    """A world with known truth: everything follows from the arguments, and nothing else is ever drawn.

    Use `ShopWorld` or `StreamingWorld`. Person 7 is the same in a world of 10 and of 10,000 people, and two policies
    that meet them on one day meet the same luck.

    Attributes:
        name: `shop` or `streaming`.
        seed, start_ms, end_ms, n_days: as given; days are calendar days in UTC that the time touches.
        behaviour: the planted values.
        weights: the planted weights of the choice model.
        draws: the random numbers.
        stock: the items with the hidden numbers behind them; row order is that of `items()`.
        people_truth: the hidden truth about everybody.
        identities: devices and the ids they carry.
        appeal: the choice model.
        has_subscriptions: people subscribe, and may cancel; a household shares one account, with a profile for each.
        WEIGHTS: of the choice model, unless the behaviour brings its own.
    """

    name: str
    has_subscriptions: bool
    WEIGHTS: ClassVar[Weights]

    def __init__(
        self, seed: int, n_people: int = 400, n_items: int = 240, days: int = 60, *, end_ms: int,
        behaviour: Behaviour | None = None,
    ) -> None:  # fmt: skip
        bounds = (("seed", seed, 0), ("n_people", n_people, 1), ("n_items", n_items, 1), ("days", days, 1))
        for label, value, least in bounds:
            if value < least:
                raise InvalidInput(f"{label} is {value}.", hint=f"It must be at least {least}.")
        if end_ms < days * DAY_MS:
            raise InvalidInput("end_ms lies before the history could begin.", hint="Give milliseconds since 1970 UTC.")
        self.seed = seed
        self.end_ms = end_ms
        self.start_ms = end_ms - days * DAY_MS
        self.n_days = (end_ms - 1) // DAY_MS - self.start_ms // DAY_MS + 1
        self.behaviour = behaviour = behaviour or Behaviour()
        self.weights = behaviour.weights or self.WEIGHTS
        self.draws = Draws(seed)
        self.stock = self._make_stock(np.random.default_rng([seed]), n_items)
        if set(self.weights.facets) != set(self.stock.facets):
            raise InvalidInput(
                f"The weights name the facets {sorted(self.weights.facets)}.",
                hint=f"This world has {sorted(self.stock.facets)}.",
            )
        self.people_truth = make_people(
            self.draws, n_people, self.stock, behaviour, self.n_days, shares_accounts=self.has_subscriptions
        )
        self.identities = make_identities(self.draws, n_people, behaviour)
        self.calendar = Calendar(self.draws, self.people_truth, behaviour, self.start_ms, end_ms)
        self.appeal = Appeal(self.stock, self.people_truth, behaviour, self.weights)
        self.browsing = Browsing(self.stock, self.people_truth, self.appeal, self.draws, behaviour.position_exponent)
        self.funnel = self._make_funnel()

    def _make_stock(self, rng: np.random.Generator, n_items: int) -> Stock:
        raise NotImplementedError

    def _make_funnel(self) -> Funnel:
        raise NotImplementedError

    def items(self) -> list[dict[str, Any]]:
        """The catalogue records, as `PUT /api/items` takes them; a fresh copy each time."""
        return deepcopy(list(self.stock.records))

    def people(self) -> list[Person]:
        """Everybody, in words."""
        return [self.person(index) for index in range(len(self.people_truth))]

    def person(self, index: int) -> Person:
        """One person, in words."""
        return self.people_truth.person(index, self.stock, self.n_days)

    @property
    def position_curve(self) -> NDArray[np.float64]:
        """The planted chance that each position of the slate is looked at, float64[slate_size]."""
        return examination(self.behaviour.slate_size, self.behaviour.position_exponent)

    @property
    def random(self) -> Policy:
        """Shows random items, with exact propensities."""
        return RandomPolicy(self.draws)

    @property
    def popular(self) -> Policy:
        """Shows the most popular items to everybody."""
        return PopularPolicy(self.stock)

    @property
    def oracle(self) -> Policy:
        """Shows everybody what they really like best."""
        return OraclePolicy(self.appeal)

    def experiment(
        self, treated: Policy, control: Policy | None = None, *, share: float = 0.5, from_day: int = 0,
        broken_assignment: float = 0.0,
    ) -> Experiment:  # fmt: skip
        """Randomises people between two policies; the control is `popular` unless given."""
        uses_phone = self.identities.kind[np.arange(len(self.people_truth)), self.identities.share.argmax(axis=1)] == 0
        return Experiment(
            treated,
            control or self.popular,
            self.draws,
            share=share,
            from_day=from_day,
            moved=broken_assignment,
            uses_phone=uses_phone,
        )

    def visit_of(self, person: int, *, day: int = 0, hour: float = 12.0, is_mobile: bool = False) -> Visits:
        """One visit as people would make it who remember nothing: the argument of `appeal` and of policies.

        Example:
            >>> from bespeak.simulate import ShopWorld
            >>> world = ShopWorld(7, n_people=3, n_items=24, days=30, end_ms=1_750_000_000_000)
            >>> slate = world.oracle(world.visit_of(0), np.arange(24), 3).items
            >>> chance = world.appeal.click_probability(world.visit_of(0), slate)[0]
            >>> bool(chance[0] > chance[2])
            True
        """
        one = np.array([person])
        none = np.zeros(1, dtype=np.int64)
        return Visits(
            day=day,
            person=one,
            at_ms=np.array([self.calendar.midnight_ms(day) + int(hour * 3_600_000)]),
            hour=np.array([hour]),
            device=none,
            is_mobile=np.array([is_mobile]),
            campaign=none,
            recent=np.full((1, MEMORY), -1, dtype=np.int64),
            epoch=none,
            is_logged_in=np.array([False]),
        )
