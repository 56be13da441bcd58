"""What is planted in a world: every number that behaviour depends on, readable, so that an estimate can be checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from bespeak.errors import InvalidInput

_SHARES = (
    "join_share", "household_share", "cookie_churn_share", "withdraw_share", "group_share", "group_gap",
    "persuadable_share", "sleeping_dog_share", "delayed_share", "drift_share",
)  # fmt: skip
_NOT_NEGATIVE = ("position_exponent", "loyalty", "leave_hazard", "delay_days")


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The planted linear weights: logit of a click on an item that is looked at = base + sum(weight * feature).

    Attributes:
        base: the intercept.
        facets: facet -> weight of the person's taste for the item's value.
        style: taste that no attribute shows.
        quality: hidden quality, which all agree on.
        popularity: centred log popularity.
        price: price sensitivity times (minus) price level; the feature is negative for dear things.
        evening: the item's evening lean, after 18 o'clock local time.
        mobile_price: price level on a small screen.
        fatigue: number of times the person looked at it lately (of their last eight looks).
    """

    base: float
    facets: Mapping[str, float]
    style: float = 0.6
    quality: float = 0.35
    popularity: float = 0.25
    price: float = 0.5
    evening: float = 0.4
    mobile_price: float = -0.25
    fatigue: float = -0.5

    def by_feature(self) -> dict[str, float]:
        """Feature -> weight, without the intercept.

        Example:
            >>> Weights(base=-2, facets={"genre": 1.1}).by_feature()["genre"]
            1.1
        """
        others = {field.name: getattr(self, field.name) for field in fields(self)[2:]}
        return {**self.facets, **others}


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How people live in a world. Shares are in [0, 1], days are days.

    Attributes:
        weights: of the choice model; None takes the world's own.
        position_exponent: attention at position k is k to the minus this.
        slate_size: positions of the placement that a policy fills.
        loyalty: how much a good or a bad visit moves the rate of later visits.
        leave_hazard: chance per day to leave for ever, at usual attachment.
        join_share: share of people who come for the first time after the first day.
        household_share: share of pairs of people who also share a device.
        cookie_churn_share: share of people whose browser forgets its anonymous id.
        cookie_days: after how many days it does.
        withdraw_share: share of those who allowed something and take it back later.
        group_share: share of the protected group (drawn more often in some places than in others).
        group_gap: how much weaker the tastes of the group are: 1 means that personalization does nothing for it.
        persuadable_share, sleeping_dog_share: people whom a newsletter makes come more, or less, often.
        mail_effect: the change of the log rate of visits in the three days after a mail; minus for sleeping dogs.
        delayed_share: share of abandoned checkouts that become orders later.
        delay_days: mean of that delay, beyond the first day.
        drift_day: day (from 0) on which tastes turn; None: never.
        drift_share: 1 exchanges the tastes for the first facet entirely, 0.5 half.
    """

    weights: Weights | None = None
    position_exponent: float = 0.8
    slate_size: int = 8
    loyalty: float = 0.06
    leave_hazard: float = 0.003
    join_share: float = 0.45
    household_share: float = 0.12
    cookie_churn_share: float = 0.2
    cookie_days: int = 14
    withdraw_share: float = 0.04
    group_share: float = 0.2
    group_gap: float = 0.0
    persuadable_share: float = 0.3
    sleeping_dog_share: float = 0.1
    mail_effect: float = 0.6
    delayed_share: float = 0.25
    delay_days: float = 2.0
    drift_day: int | None = None
    drift_share: float = 1.0

    def __post_init__(self) -> None:
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidInput(f"{name} is {getattr(self, name)}.", hint="It must be between 0 and 1.")
        for name in _NOT_NEGATIVE:
            if getattr(self, name) < 0:
                raise InvalidInput(f"{name} is {getattr(self, name)}.", hint="It must not be negative.")
        for name in ("slate_size", "cookie_days"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name} is {getattr(self, name)}.", hint="It must be at least 1.")
        if self.drift_day is not None and self.drift_day < 0:
            raise InvalidInput(f"drift_day is {self.drift_day}.", hint="Days count from 0.")
        if self.persuadable_share + self.sleeping_dog_share > 1:
            raise InvalidInput("persuadable_share and sleeping_dog_share are more than 1 together.")

    def to_json(self) -> dict[str, Any]:
        """The planted values, for the truth file; the weights stand apart from them."""
        return {name: value for name, value in asdict(self).items() if name != "weights"}


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What may go wrong between a world and its events; every value is a share in [0, 1], and 0 is no fault.

    Attributes:
        broken_assignment: share of the treated people with a phone whom the experiment moves to the control.
        bots: extra visitors that are robots, as a share of the people.
        duplicates: share of the events that are sent twice.
        late: share of the events that arrive hours or days after they happened.
        wrong_propensities: how much too high the logged propensities are: 0.5 logs one and a half times the true one.
    """

    broken_assignment: float = field(default=0.0, metadata={"usual": 0.3})
    bots: float = field(default=0.0, metadata={"usual": 0.02})
    duplicates: float = field(default=0.0, metadata={"usual": 0.03})
    late: float = field(default=0.0, metadata={"usual": 0.05})
    wrong_propensities: float = field(default=0.0, metadata={"usual": 0.5})

    def __post_init__(self) -> None:
        for one in fields(self):
            if not 0 <= getattr(self, one.name) <= 1:
                raise InvalidInput(
                    f"The fault {one.name} is {getattr(self, one.name)}.", hint="It must be between 0 and 1."
                )

    @classmethod
    def usual(cls) -> dict[str, float]:
        """Fault -> the share it has when only its name is given."""
        return {one.name: one.metadata["usual"] for one in fields(cls)}
