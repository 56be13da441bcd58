"""The next best action: of the actions that may be done for a person now, the one that is worth most.

A placement with `actions` shows one item of the catalogue, whose attributes say

    value          what success is worth
    cost           what the action costs, in the same unit; 0 when left out
    probability    how probable success is before anything was learned; .1 when left out
    uplift         how much more probable success is with the action than without; it counts in place of the probability
    eligible       a rule over the person and the circumstances, as lines of variants have it: for whom it may be done;
                   false keeps it from everybody, and what cannot be read does too
    repeat_days    not again so soon after it was shown
    max_times      not more often than this in a year

    worth = value * probability - cost

The probability is learned from what came of the action: `(successes + prior_rows * probability) / (times +
prior_rows)`. Nothing is shown where no action is worth its cost. Where the placement explores, that share of the
probability is spread evenly over the actions whose value is above their cost; the propensity is exact, and the record
keeps all that might have been done with its value, cost and probability (of people who may be measured).

That counts people who would have succeeded anyway. With `uplift = "learned"` the probability is what the action causes
(see `caused`), found by doing nothing for a share of people at random. An action that surely causes too little for its
cost, or harm, is not even tried. What is drawn holds for a person for as long as the window is, so that nobody is in
both halves of the comparison at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from bespeak.catalogue.columns import as_number
from bespeak.catalogue.counters import DAY_MS
from bespeak.decide.decide import recorded_person, under
from bespeak.decide.occasion import Occasion
from bespeak.decide.person import PersonView
from bespeak.decide.request import context_record
from bespeak.decide.settings.parts import ActionSettings
from bespeak.decide.settings.placements import Placement
from bespeak.decide.situation import Situation
from bespeak.decide.slates.exploration import numbers_of
from bespeak.decide.trial import Policy
from bespeak.decide.variants.caused import Caused, caused
from bespeak.decide.variants.creative_sums import CreativeSums
from bespeak.decide.variants.when import context_values, record_for
from bespeak.decide.world import World
from bespeak.errors import RuleError
from bespeak.rules import Rule
from bespeak.signals.decisions import CandidateFeatures, Decision, Mode, Reason, ShownItem
from bespeak.signals.events import Context
from bespeak.signals.items import Item

Bools = npt.NDArray[np.bool_]
Float64s = npt.NDArray[np.float64]

USUAL_PROBABILITY = 0.1
NOTHING_WORTH = "No action that may be done now is worth its cost."
NOTHING_ALLOWED = "No action may be done now."
UNREADABLE = "The rule of an action cannot be read; it is not shown."


@dataclass(frozen=True)
class Worth:
    """What one action is worth for somebody.

    Attributes:
        probability: of success, or the uplift where one is stated or learned.
        n_times: how often it was done, as far as it was learned from.
        caused: the uplift, where it is learned.
    """

    item_id: str
    value: float
    cost: float
    probability: float
    n_times: float
    caused: Caused | None = None

    @property
    def is_surely_not_worth_it(self) -> bool:
        """Whether even the upper end of what it may cause is too little."""
        return self.caused is not None and self.value * self.caused.high < self.cost

    @property
    def total(self) -> float:
        """The value that is expected, less the cost."""
        return self.value * self.probability - self.cost

    def reasons(self) -> tuple[Reason, ...]:
        """The terms of the worth."""
        text = f"succeeds with probability {self.probability:.3g}, by {self.n_times:,.0f} times before"
        if self.caused is not None:
            low, high, done, withheld = self.caused.low, self.caused.high, self.caused.n_done, self.caused.n_withheld
            text = f"raises success by {self.probability:.3g}, by {done:,.0f} times done and {withheld:,.0f} withheld"
            text += f" ({low:.3g} to {high:.3g})" if done else ", as the item states"
        gain = Reason(signal="value", value=self.probability, weight=self.value,
                      contribution=self.value * self.probability, text=text)  # fmt: skip
        cost = Reason(signal="cost", value=self.cost, weight=-1.0, contribution=-self.cost, text="what it costs")
        return (gain, cost) if self.cost else (gain,)


def decide_action(occasion: Occasion, policy: Policy | None = None, *, mode: Mode | None = None) -> Decision:
    """Makes one decision at a placement with actions; arguments and errors as `decide`.

    Args:
        occasion: what is asked, for whom, with which snapshot, when.
        policy: what decides in place of the placement's own.
        mode: in place of what is known of the person.
    """
    request, person, world = occasion.request.checked(), occasion.person, occasion.world
    own = world.placement(request.placement)
    placement = policy.settings if policy is not None and isinstance(policy.settings, Placement) else own
    settings = placement.actions or ActionSettings()
    situation = Situation.of(occasion, placement, mode=mode)
    removed: Counter[str] = Counter(situation.removed)
    notes = list(situation.notes)
    known, ruled_out = considered(situation, settings, notes)
    removed.update(ruled_out.values())
    draw = _draw(occasion, settings) if situation.mode in ("profiled", "anonymous") else ""
    explore, withheld = (settings.explore, settings.withheld) if draw else (0.0, 0.0)
    place, propensity, nothing = _taken(known, explore, withheld, world.seed, request.placement, draw)
    items: tuple[ShownItem, ...] = ()
    if place >= 0:
        items = (
            ShownItem(
                item_id=known[place].item_id,
                position=1,
                score=known[place].total,
                propensity=propensity,
                sources=("action" if draw else "best",),
                reasons=known[place].reasons(),
                features={"value": known[place].value, "probability": known[place].probability},
            ),
        )
    else:
        notes.append(NOTHING_WORTH if known else NOTHING_ALLOWED)
    decision = Decision(
        decision_id=occasion.decision_id,
        time_ms=occasion.now_ms,
        placement=request.placement,
        mode=situation.mode,
        policy=world.policy(request.placement) if policy is None else policy.name,
        items=items,
        person=recorded_person(person, situation.mode, world),
        config_version=world.config_version,
        catalogue_version=world.catalogue.version,
        n_candidates=len(known),
        candidates=tuple((one.item_id, one.total) for n, one in enumerate(known) if n != place),
        removed=dict(removed),
        context=context_record(request.context),
        filter=request.filter,
        purposes=person.purposes if person is not None else 0,
        notes=tuple(notes),
        withheld_propensity=nothing if draw and settings.withheld else 0.0,
    )
    if draw and (settings.explore or settings.withheld) and known and decision.purposes & world.purposes.measure:
        decision = msgspec.structs.replace(decision, candidate_features=_kept(known), candidate_features_rate=1.0)
    return decision if occasion.assigned is None else under(occasion.assigned, decision)


def considered(
    situation: Situation, settings: ActionSettings, notes: list[str] | None = None
) -> tuple[list[Worth], dict[str, str]]:
    """The actions that may be done now, in catalogue order; and item id -> rule of those that may not.

    Args:
        situation: for whom, with which snapshot, when.
        settings: of the placement.
        notes: takes in what the record is to say of actions that cannot be read.
    """
    may_do, ruled_out = _allowed(situation, [] if notes is None else notes)
    key = (situation.request.placement, settings.learning_digest())
    sums = situation.world.action_sums.get(key, CreativeSums())
    known = [_worth(item, sums, settings) for item in may_do]
    ruled_out |= {one.item_id: "not_worth_it" for one in known if one.is_surely_not_worth_it}
    return [one for one in known if not one.is_surely_not_worth_it], ruled_out


def chances_of(worths: Float64s, may_try: Bools, explore: float, withheld: float = 0.0) -> Float64s:
    """float64[c]: how likely each action is to be done; what is missing to 1 is the chance that none is.

    Args:
        worths: float64[c]; may_try: bool[c], those whose value is above their cost.
        explore: the share that is spread evenly over these.
        withheld: the share with which nothing is done.

    Example:
        >>> chances_of(np.array([2.0, -1.0]), np.array([True, True]), 0.2).tolist()
        [0.9, 0.1]
    """
    explore = explore if may_try.any() else 0.0
    chances = explore / max(int(np.count_nonzero(may_try)), 1) * may_try
    if len(worths) and worths.max() > 0:
        chances[int(np.argmax(worths))] += max(0.0, 1 - explore - withheld)
    return np.asarray(chances, np.float64)


def _draw(occasion: Occasion, settings: ActionSettings) -> str:
    """What is drawn by: the decision; the person and the span of time where it is learned what actions cause."""
    if not occasion.draw or occasion.person is None or settings.uplift == "stated":
        return occasion.draw
    return f"{occasion.person.person}:{occasion.now_ms // round(settings.window_minutes * 60_000)}"


def _taken(
    known: list[Worth], explore: float, withheld: float, seed: int, placement: str, draw: str
) -> tuple[int, float, float]:
    """(place in `known` or -1 where nothing is done, the probability of that, the probability of nothing)."""
    worths = np.array([one.total for one in known])
    best = int(np.argmax(worths)) if len(known) and worths.max() > 0 else -1
    tried = np.array([one.value > one.cost for one in known], bool)
    if not (explore and tried.any()) and not withheld:
        return best, 1.0, float(best < 0)
    chances = chances_of(worths, tried, explore, withheld)
    nothing = withheld if best >= 0 else max(0.0, 1 - float(chances.sum()))
    number = float(numbers_of(seed, placement, draw, 1)[0])
    place = int(np.searchsorted(np.cumsum(chances), number, side="right"))
    if place == len(known):
        place = -1 if nothing else best  # `best` only by a rounding below 1
    return place, float(chances[place]) if place >= 0 else nothing, nothing


def _kept(known: list[Worth]) -> CandidateFeatures:
    """All that may be done, with what it is worth by: what another policy is replayed on."""
    return CandidateFeatures(
        item_ids=tuple(one.item_id for one in known),
        scores=tuple(one.total for one in known),
        columns={name: tuple(getattr(one, name) for one in known) for name in ("value", "cost", "probability")},
    )


def _allowed(situation: Situation, notes: list[str]) -> tuple[list[Item], dict[str, str]]:
    """The items that may be shown at all, to this person, now; and item id -> rule of the others."""
    world, now_ms = situation.world, situation.now_ms
    items = [world.catalogue.items[row] for row in np.flatnonzero(situation.eligible).tolist()]
    rules = {text: readable_rule(text, world) for text in {eligible_text(item) for item in items}}
    readable = {text: rule for text, rule in rules.items() if rule is not None}
    if len(readable) < len(rules):
        notes.append(UNREADABLE)
    needed = world.names.needed(readable.values())
    record = record_for(situation.occasion.whom, needed, world.classes, world.purposes.all, now_ms)
    context = context_values(situation.request.context)
    holds = {text: rule.test(record, now_ms, context) for text, rule in readable.items()}
    shown: Mapping[str, tuple[int, ...]] = situation.person.shown if situation.person is not None else {}
    found: list[Item] = []
    ruled_out: dict[str, str] = {}
    for item in items:
        times = shown.get(item.id, ())
        repeat_days, max_times = number(item, "repeat_days"), number(item, "max_times")
        text = eligible_text(item)
        if text not in holds:
            ruled_out[item.id] = "not_readable"
        elif not holds[text]:
            ruled_out[item.id] = "not_eligible"
        elif repeat_days is not None and times and now_ms - times[-1] < repeat_days * DAY_MS:
            ruled_out[item.id] = "too_soon"
        elif max_times is not None and len(times) >= max_times:
            ruled_out[item.id] = "too_often"
        else:
            found.append(item)
    return found, ruled_out


def _worth(item: Item, sums: CreativeSums, settings: ActionSettings) -> Worth:
    held = sums.of_items.get(item.id, {})
    n_times, successes, _ = held.get("", (0.0, 0.0, 0.0))
    stated = number(item, "probability")
    prior = USUAL_PROBABILITY if stated is None else min(max(stated, 0.0), 1.0)
    learned = (successes + settings.prior_rows * prior) / (n_times + settings.prior_rows)
    uplift = number(item, "uplift")
    uplift = None if uplift is None else min(max(uplift, -1.0), 1.0)
    found = None
    if settings.uplift == "learned":
        found = caused(held, prior if uplift is None else uplift, settings.prior_rows)
        uplift = found.uplift
    return Worth(
        item_id=item.id,
        value=number(item, "value") or 0.0,
        cost=number(item, "cost") or 0.0,
        probability=learned if uplift is None else uplift,
        n_times=n_times,
        caused=found,
    )


def number(item: Item, name: str) -> float | None:
    """An attribute of an item as a finite number, also where it was sent as text; None where it is none."""
    return as_number(item.attributes.get(name))


def eligible_text(item: Item) -> str:
    """The rule for whom an action may be done, as text: `true` where it states none."""
    value = item.attributes.get("eligible")
    if value is None or value == "" or isinstance(value, bool):
        return "false" if value is False else "true"
    return value if isinstance(value, str) else ""


def is_eligible(item: Item, person: PersonView | None, world: World, context: Context, now_ms: int) -> bool:
    """Whether an item's own rule lets somebody have it in these circumstances; one that cannot be read lets nobody."""
    rule = readable_rule(eligible_text(item), world)
    if rule is None:
        return False
    record = record_for(person, world.names.needed([rule]), world.classes, world.purposes.all, now_ms)
    return rule.test(record, now_ms, context_values(context))


def readable_rule(text: str, world: World) -> Rule | None:
    """A rule over the person and the circumstances; None where it cannot be read."""
    try:
        return world.rule_about_people(text)
    except RuleError:
        return None
