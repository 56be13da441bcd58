"""A simulated shop with known truth: its items, its people, what they did, and what they would do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bespeak.errors import InvalidInput, UnknownName
from bespeak.simulate.choice import Appeal
from bespeak.simulate.envelope import Event, Visit
from bespeak.simulate.goods import DAY_MS, Goods, make_goods
from bespeak.simulate.people import Person, make_person
from bespeak.simulate.response import respond
from bespeak.simulate.shopper import Shopper

# The first number after the world's seed in every generator's key: what the draws are for.
_GOODS, _PERSON, _HISTORY, _VISIT = range(4)


class ShopWorld:
    """A shop whose truth is known, so that claims about personalization can be checked.

    Everything follows from the constructor's arguments; two worlds made with the same ones are equal in every event.
    Each person has generators of their own: person 7 has the same tastes in a world of 10 and of 10,000 people.

    Args:
        seed: seed of all draws, not negative.
        n_people: how many people there are; a few may never visit.
        n_items: how many items (variants counted).
        days: length of the history in days.
        end_ms: end of the history (exclusive), milliseconds since 1970 UTC.

    Raises:
        InvalidInput: an argument is out of its range.

    Example:
        >>> world = ShopWorld(7, n_people=3, n_items=24, days=30, end_ms=1_750_000_000_000)
        >>> len(world.items()), len(world.people()), world.items()[0]["id"]
        (24, 3, 'p0001')
        >>> events = list(world.events())
        >>> events == list(world.events()), {"messageId", "timestamp", "type"} <= events[0].keys()
        (True, True)
    """

    def __init__(self, seed: int, n_people: int = 400, n_items: int = 240, days: int = 60, *, end_ms: int) -> None:
        bounds = (("seed", seed, 0), ("n_people", n_people, 1), ("n_items", n_items, 1), ("days", days, 1))
        for name, value, least in bounds:
            if value < least:
                raise InvalidInput(f"{name} is {value}.", hint=f"It must be at least {least}.")
        if end_ms < days * DAY_MS:
            raise InvalidInput("end_ms lies before the history could begin.", hint="Give milliseconds since 1970 UTC.")
        self.seed = seed
        self.end_ms = end_ms
        self.start_ms = end_ms - days * DAY_MS
        self._goods = make_goods(np.random.default_rng([seed, _GOODS]), n_items, self.start_ms, end_ms)
        self._people = tuple(
            make_person(np.random.default_rng([seed, _PERSON, index]), index) for index in range(n_people)
        )
        self._appeal = Appeal(self._goods)
        self._item_index = {item_id: index for index, item_id in enumerate(self._goods.ids)}

    @property
    def goods(self) -> Goods:
        """The items with the hidden numbers behind them; row order is that of `items()`."""
        return self._goods

    def items(self) -> list[dict[str, Any]]:
        """The catalogue records, as `PUT /api/items` takes them; a fresh copy each time."""
        return deepcopy(list(self._goods.records))

    def people(self) -> list[Person]:
        """The hidden truth about everybody."""
        return list(self._people)

    def events(self) -> Iterator[Event]:
        """The history: Segment-shaped events in time order, times in [start_ms, end_ms)."""
        events: list[Event] = []
        for person in self._people:
            shopper = Shopper(
                person,
                self._goods,
                self._appeal.utility(person),
                np.random.default_rng([self.seed, _HISTORY, person.index]),
                message_prefix=f"shop{self.seed}-{person.index + 1}",
            )
            events.extend(shopper.history(self.start_ms, self.end_ms))
        # ISO times of one width sort like numbers; a stable sort keeps each person's own order.
        events.sort(key=lambda event: str(event["timestamp"]))
        yield from events

    def preference(self, person: Person) -> NDArray[np.float64]:
        """How much `person` likes each item: the logit of a click once it is looked at, float64[n_items]."""
        return self._appeal.utility(person)

    def click_probability(self, person: Person, slate: Sequence[str]) -> NDArray[np.float64]:
        """Exact probability of a click at each position of a slate of item ids, float64[len(slate)]."""
        return self._appeal.click_probability(person, self._indices(slate))

    def visit(
        self,
        person: Person,
        slate: Sequence[str],
        at_ms: int,
        *,
        placement: str = "home",
        decision_id: str | None = None,
        device: int = 0,
    ) -> list[Event]:
        """What `person` does when `slate` is shown to them: `Recommendation Viewed`, clicks, views, cart, orders.

        Clicks follow `click_probability` exactly. The draws depend on the seed, the person and `at_ms` only, so two
        slates shown to one person at one time are compared under the same luck. The world keeps no memory of visits.

        Args:
            person: one of `people()`; they are logged in if they have an account.
            slate: item ids in the order shown.
            at_ms: begin of the visit, not negative.
            placement: goes into the events.
            decision_id: goes into exposure and clicks, and makes the message ids differ from another slate's.
            device: index into `person.devices`.

        Raises:
            UnknownName: the slate names an item that this world does not have.
        """
        indices = self._indices(slate)
        visit = Visit(
            person,
            person.devices[device],
            at_ms,
            message_prefix="-".join([f"shop{self.seed}-{person.index + 1}-{at_ms}-{placement}", decision_id or "none"]),
            logged_in=True,
        )
        rng = np.random.default_rng([self.seed, _VISIT, person.index, at_ms])
        utility = self._appeal.utility(person)
        respond(visit, self._goods, utility, indices, rng, placement=placement, decision_id=decision_id)
        return visit.events

    def _indices(self, slate: Sequence[str]) -> NDArray[np.int64]:
        for item_id in slate:
            if item_id not in self._item_index:
                raise UnknownName("item", item_id, self._goods.ids)
        return np.array([self._item_index[item_id] for item_id in slate], dtype=np.int64)
