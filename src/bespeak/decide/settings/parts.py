"""The parts of a placement's settings that are tables of their own."""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

MAX_COUNT = 100
MAX_HOURS = 24 * 365

Name = Annotated[str, Meta(min_length=1, max_length=100)]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table within a placement: unknown keys are refused."""


class SourceSettings(Part, frozen=True, kw_only=True):
    """One candidate source: how many items it may propose, and how early they come when the budget is short."""

    name: str
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    weight: Annotated[float, Meta(gt=0)] = 1.0


class PinSettings(Part, frozen=True, kw_only=True):
    """One position that is kept for an item, or for the items that a filter lets pass.

    Attributes:
        position: from 1; it is left out where fewer items are asked for.
        item: id of the item.
        filter: an expression of the rule language; of the items that fulfil it the best stands there.
    """

    position: Annotated[int, Meta(ge=1, le=MAX_COUNT)]
    item: str = ""
    filter: str = ""


class CreativeSettings(Part, frozen=True, kw_only=True):
    """With which of its creatives an item is shown.

    Attributes:
        when: lines `RULE show CREATIVE`, as of variants: the first that holds and whose creative the item has decides.
        choose: how else: the `first`; the one whose attributes the person likes most (`affinity`); or what earns most,
            learned for each item by itself (`thompson`, `linucb`, `epsilon`).
        explore: share of the probability that is spread evenly over the creatives while it is learned.
        width: how wide the margin of error counts for `thompson` and `linucb`.
        reward: signal class -> what it is worth when an event of it names the decision and the item.
        window_minutes: an outcome counts this long after the decision, in minutes.
        half_life_days: what happened this many days ago counts half; nothing fades when left out.
    """

    when: tuple[str, ...] = ()
    choose: Literal["first", "affinity", "thompson", "linucb", "epsilon"] = "first"
    explore: Annotated[float, Meta(gt=0, le=1)] = 0.01
    width: Annotated[float, Meta(gt=0, le=10)] = 0.5
    reward: dict[str, Annotated[float, Meta(ge=-1e6, le=1e6)]] = msgspec.field(default_factory=lambda: {"click": 1.0})
    window_minutes: Annotated[float, Meta(gt=0, le=129_600)] = 30.0
    half_life_days: Annotated[float, Meta(gt=0)] | None = None

    @property
    def learns(self) -> bool:
        """Whether creatives are drawn and learned from."""
        return self.choose not in ("first", "affinity")

    def learning_digest(self) -> str:
        """Returns a hash of what decides how rows are made: sums under another one say nothing."""
        return _digest((self.reward, self.window_minutes, self.half_life_days))


class ActionSettings(Part, frozen=True, kw_only=True):
    """That the placement shows the next best action: the item with the most value times probability, less cost.

    Attributes:
        success: signal classes: any of them by the person within the window makes an action a success.
        explore: share of the probability that is spread evenly over the actions whose value is above their cost.
        prior_rows: how many times an action must have been done for what was learned to count as much as the
            probability that the item states.
        uplift: what an action counts for beside its value: what its item states (`stated`), or how much more often
            success comes where it is done than where nothing is (`learned`). Until that is known the item's word holds.
        withhold: share of the probability with which nothing is done, where the uplift is learned.
        window_minutes: success counts this long after the action, in minutes.
        half_life_days: what happened this many days ago counts half; nothing fades when left out.
    """

    success: tuple[str, ...] = ("purchase",)
    explore: Annotated[float, Meta(ge=0, le=1)] = 0.05
    prior_rows: Annotated[float, Meta(gt=0)] = 20.0
    uplift: Literal["stated", "learned"] = "stated"
    withhold: Annotated[float, Meta(ge=0, le=0.5)] = 0.1
    window_minutes: Annotated[float, Meta(gt=0, le=129_600)] = 10_080.0
    half_life_days: Annotated[float, Meta(gt=0)] | None = None

    def learning_digest(self) -> str:
        """As of creatives."""
        return _digest((self.success, self.window_minutes, self.half_life_days, self.uplift))

    @property
    def withheld(self) -> float:
        """The share of the probability with which nothing is done."""
        return self.withhold if self.uplift == "learned" else 0.0


class CapSettings(Part, frozen=True, kw_only=True):
    """How many items may share a value of an attribute within a window of positions.

    Attributes:
        limit: so many.
        window: of any so many positions in a row.
    """

    limit: Annotated[int, Meta(ge=1)]
    window: Annotated[int, Meta(ge=2, le=MAX_COUNT)]


class ShareSettings(Part, frozen=True, kw_only=True):
    """Which part of the positions goes to the items that a filter lets pass: sponsored ones, those of a supplier.

    Attributes:
        name: of the share, in notes and in what was removed.
        filter: an expression of the rule language.
        at_least: share of the positions asked for, rounded up, as far as there are items that may stand there.
        at_most: share of the positions asked for, rounded down; more are never shown.
        paid: whether these items are marked as paid in the answer.
    """

    name: Name
    filter: str
    at_least: Annotated[float, Meta(ge=0, le=1)] = 0.0
    at_most: Annotated[float, Meta(ge=0, le=1)] = 1.0
    paid: bool = False


class BoostSettings(Part, frozen=True, kw_only=True):
    """What is added to the score of the items that a filter lets pass; it stands among the reasons as `boost.NAME`.

    Attributes:
        name: of the boost.
        filter: an expression of the rule language.
        add: so much, in units of the score; negative lowers.
        factor: adds (factor - 1) times the size of the score without boosts, so that above 1 always raises.
    """

    name: Name
    filter: str
    add: float = 0.0
    factor: Annotated[float, Meta(ge=0, le=100)] = 1.0


class CoolingSettings(Part, frozen=True, kw_only=True):
    """When an item that a person was shown rests, at whatever placement it was shown.

    Attributes:
        times: seen at least so often
        hours: within so many hours: then it is left out.
    """

    times: Annotated[int, Meta(ge=1, le=1000)] = 1
    hours: Annotated[float, Meta(gt=0, le=MAX_HOURS)]


class RotationSettings(Part, frozen=True, kw_only=True):
    """How much less an item counts that the person was shown lately.

    Attributes:
        rate: 0 changes nothing; 1 costs an item that was seen this moment as much as lies between the best and the
            last candidate.
        hours: the cost falls evenly to nothing within so many hours.
    """

    rate: Annotated[float, Meta(ge=0, le=1)]
    hours: Annotated[float, Meta(gt=0, le=MAX_HOURS)]


def _digest(read: tuple[object, ...]) -> str:
    return blake2b(msgspec.json.encode(read, order="deterministic"), digest_size=16).hexdigest()
