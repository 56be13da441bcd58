"""Why an item is not in a slate: the rules that keep it out, or by how much others score more.

unknown           the catalogue has no such item
unavailable       not sold, not in stock, or outside of its dates in this market
used_up           an offer whose codes or whose budget are used up
itself            the slate is about this item
kind              the placement shows other kinds
placement_filter  the placement's filter
filter            the request's filter
not_listed        not in the caller's list
no_match          does not match the query
excluded          the request excludes it
cart              in the person's cart
seen              touched too recently in a class that the placement hides
cooling_off       shown to the person too often lately
stock             fewer in stock than the placement wants
old               came out too long ago for the placement
value             does not have the value that the slate is about
not_candidate     no source proposed it
min_score         scores less than the placement's least
group             an item of its group stands before it
cap.NAME          as many items with its value of NAME stand before it, or around the positions it would take, as may
share.NAME        as many of the share's items stand before it as may
pinned            scores enough, but the positions that it would take are kept for others
owed.NAME         scores enough, but the positions that it would take go to a share that is to have at least so many
diversity         scores enough, but is too like what stands before it
outscored         others score more

Where a placement shows the next best action:

not_eligible      its own rule `eligible` does not hold now
not_readable      its own rule `eligible` cannot be read
too_soon          shown to the person less than `repeat_days` ago
too_often         shown to the person `max_times` in a year
not_worth_it      even the most that it may cause is worth less than it costs
below_cost        is expected to bring no more than it costs

The slate is the one without exploration and outside of every experiment, as in a preview.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

import msgspec
import numpy as np

from bespeak.decide.choosing.actions import considered
from bespeak.decide.decide import Prepared, Ranked, prepare, scored_of
from bespeak.decide.occasion import Occasion
from bespeak.decide.request import DecideRequest
from bespeak.decide.scoring.features import compute
from bespeak.decide.settings.parts import ActionSettings
from bespeak.decide.settings.placements import Placement
from bespeak.decide.situation import Situation
from bespeak.decide.slates.slate import Bools, Choice, Float64s, Slate, best, build
from bespeak.decide.subjects import Subject

_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "unknown": "the catalogue has no such item",
        "unavailable": "it is not sold, not in stock, or outside of its dates in this market",
        "used_up": "its codes or its budget are used up",
        "itself": "the slate is about this item",
        "kind": "the placement shows other kinds of items",
        "placement_filter": "the placement's filter does not let it pass",
        "filter": "the request's filter does not let it pass",
        "not_listed": "it is not in the list to be ranked",
        "no_match": "it does not match the query",
        "excluded": "the request excludes it",
        "cart": "it is in the person's cart",
        "seen": "the person touched it too recently in a class that the placement hides (`hide_seen`)",
        "cooling_off": "the person was shown it so often lately that it rests (`cooling_off`)",
        "stock": "there are fewer in stock than the placement wants (`min_stock`)",
        "old": "it came out longer ago than the placement's `new_days`",
        "value": "it does not have the value that this slate is about",
        "not_candidate": "no source proposed it",
        "min_score": "it scores less than the placement's `min_score`",
        "pinned": "it scores enough, but the positions that it would take are kept for others (`pins`)",
        "not_eligible": "its own rule (`eligible`) does not hold now",
        "not_readable": "its own rule (`eligible`) cannot be read: `bespeak doctor` says why",
        "too_soon": "the person was shown it less than its `repeat_days` ago",
        "too_often": "the person was shown it as often as it may be in a year (`max_times`)",
        "not_worth_it": "even the most that it may cause is worth less than it costs",
        "below_cost": "it is expected to bring no more than it costs",
        "diversity": "it scores enough, but is too like what stands before it",
        "outscored": "others score more",
    }
)
_OF_PLACEMENT = {
    "kind": "kinds",
    "placement_filter": "filter",
    "cart": "exclude_cart",
    "seen": "hide_seen",
    "cooling_off": "cooling_off",
    "stock": "min_stock",
    "old": "new_days",
}
_OF_REQUEST = {"filter": "filter", "not_listed": "items", "no_match": "query", "excluded": "exclude"}


class WhyNot(msgspec.Struct, frozen=True, kw_only=True):
    """Why an item is not in a slate.

    Attributes:
        item_id: the item.
        rules: every rule that keeps it out by itself; empty when it is shown.
        position: where it is shown, None when it is not.
        score: what it scores, None when it is not scored because it may not be shown.
        needed: the least score of what is shown by its score, None when all is pinned or nothing is shown.
        text: the same as a sentence.
    """

    item_id: str
    rules: tuple[str, ...] = ()
    position: int | None = None
    score: float | None = None
    needed: float | None = None
    text: str


def why_not(occasion: Occasion, item_id: str) -> WhyNot:
    """Says why an item is not in the slate of an occasion; errors as `decide`."""
    placement = occasion.world.placement(occasion.request.checked().placement)
    if placement.actions is not None:
        return _why_no_action(Situation.of(occasion, placement), placement.actions, item_id)
    prepared = prepare(occasion)
    ranked = prepared.ranked()
    row = occasion.world.catalogue.index.get(item_id, -1)
    if row < 0:
        return _kept_out(item_id, "unknown")
    removed_by = tuple(_removed_by(ranked.situation, row))
    if removed_by:
        return _kept_out(item_id, *removed_by)
    place = int(np.searchsorted(ranked.candidates.rows, row))
    is_candidate = place < len(ranked.candidates) and ranked.candidates.rows[place] == row
    needed = _needed(ranked)
    if not is_candidate:
        alone = np.array([row], np.int32)
        score = float(scored_of(ranked.situation, compute(ranked.situation, alone)).scores[0])
        text = f"Not shown: {_TEXTS['not_candidate']}{_beside(score, needed)}."
        return WhyNot(item_id=item_id, rules=("not_candidate",), score=score, needed=needed, text=text)
    score = float(ranked.scored.scores[place])
    for position, choice in enumerate(ranked.slate.chosen, 1):
        if choice.candidate == place:
            text = f"It is shown at position {position}."
            return WhyNot(item_id=item_id, position=position, score=score, needed=needed, text=text)
    rule, said = _lost(prepared, ranked.slate, place)
    text = f"Not shown: {said}{_beside(score, needed)}."
    return WhyNot(item_id=item_id, rules=(rule,), score=score, needed=needed, text=text)


def _why_no_action(situation: Situation, settings: ActionSettings, item_id: str) -> WhyNot:
    """The same where one action is shown, by what each is worth."""
    row = situation.world.catalogue.index.get(item_id, -1)
    removed_by = ("unknown",) if row < 0 else tuple(_removed_by(situation, row))
    if removed_by:
        return _kept_out(item_id, *removed_by)
    known, ruled_out = considered(situation, settings)
    if item_id in ruled_out:
        return _kept_out(item_id, ruled_out[item_id])
    best = max(known, key=lambda one: one.total)
    score = next(one.total for one in known if one.item_id == item_id)
    if best.item_id == item_id and score > 0:
        return WhyNot(item_id=item_id, position=1, score=score, needed=score, text="It is shown at position 1.")
    rule, needed = ("below_cost", None) if score <= 0 else ("outscored", best.total)
    text = f"Not shown: {_TEXTS[rule]}{_beside(score, needed)}."
    return WhyNot(item_id=item_id, rules=(rule,), score=score, needed=needed, text=text)


def _kept_out(item_id: str, *rules: str) -> WhyNot:
    text = f"Not shown: {'; '.join(_TEXTS[rule] for rule in rules)}."
    return WhyNot(item_id=item_id, rules=rules, text=text)


def _removed_by(situation: Situation, row: int) -> Iterator[str]:
    """The rules that remove an item before anything is scored. Each is asked alone, by the code that decisions use."""
    if situation.eligible[row]:
        return
    request, placement, world = situation.request, situation.placement, situation.world
    if not world.catalogue.available(situation.market, situation.now_ms)[row]:
        yield "unavailable"
        return
    if world.catalogue.item_ids[row] in world.used_up:
        yield "used_up"
        return
    if row == situation.about:
        yield "itself"
        return
    if situation.subject.value is not None:
        facet, code = situation.subject.value
        if not (world.catalogue.facets[facet].codes[row] == code).any():
            yield "value"
    asked = msgspec.structs.replace(request, filter="", items=None, query="", exclude=(), value="")
    nothing = Placement()
    bare = msgspec.structs.replace(placement, **{name: getattr(nothing, name) for name in _OF_PLACEMENT.values()})
    bare = msgspec.structs.replace(bare, kinds=(world.catalogue.items[row].kind,))

    def removes(request: DecideRequest, placement: Placement) -> bool:
        occasion = replace(situation.occasion, request=request)
        tried = Situation.of(occasion, placement, reading=situation.reading, subject=Subject())
        return not tried.eligible[row]

    for rule, setting in _OF_PLACEMENT.items():
        if removes(asked, msgspec.structs.replace(bare, **{setting: getattr(placement, setting)})):
            yield rule
    for rule, setting in _OF_REQUEST.items():
        if rule == "no_match" and request.items is not None:
            continue
        if removes(msgspec.structs.replace(asked, **{setting: getattr(request, setting)}), bare):
            yield rule


def _needed(ranked: Ranked) -> float | None:
    """The least score among the positions that no pin decided."""
    pinned = {pin.position for pin in ranked.situation.placement.pins} - set(ranked.slate.unmet)
    scores = [
        float(ranked.scored.scores[choice.candidate])
        for position, choice in enumerate(ranked.slate.chosen, 1)
        if position not in pinned
    ]
    return min(scores, default=None)


def _lost(prepared: Prepared, slate: Slate, place: int) -> tuple[str, str]:
    """(rule, in words) of what kept a candidate out while the slate was built."""
    ids = prepared.situation.world.catalogue.item_ids
    for rule, closed, cause in slate.closings:
        if closed[place]:
            other = ids[prepared.candidates.rows[cause]] if cause >= 0 else ""
            if rule == "group":
                return rule, f"{other} of the same group stands before it"
            if rule.startswith("share."):
                return rule, f"the share `{rule.removeprefix('share.')}` has as many as it may"
            if rule.startswith("cap."):
                return rule, f"the cap on `{rule.removeprefix('cap.')}` is reached with {other}"
            return rule, _TEXTS[rule]
    return _passed_over(prepared, place)


def _passed_over(prepared: Prepared, place: int) -> tuple[str, str]:
    """(rule, in words) of what gave the positions to others, of a candidate that no rule closed.

    The positions are gone through once more: at the first where it scores more than what was taken, either it was not
    among what the position could take, or it counted less for being like what stands before.
    """
    scores, constraints = prepared.scored.scores, prepared.constraints
    taken: list[tuple[int, int, bool]] = []

    def watched(values: Float64s, is_open: Bools, position: int) -> Choice:
        choice = best(values, is_open, position)
        taken.append((position, choice.candidate, bool(is_open[place])))
        return choice

    slate = build(scores, prepared.situation.count, constraints, watched)
    for position, chosen, is_offered in taken:
        if scores[place] <= scores[chosen]:
            continue
        if is_offered:
            return "diversity", _TEXTS["diversity"]
        pin = next((pin for pin in constraints.pins if pin.position == position), None)
        if pin is not None and pin.allowed[chosen]:
            return "pinned", _TEXTS["pinned"]
        for share in constraints.shares:
            if share.least and share.members[chosen] and not share.members[place]:
                said = f"it scores enough, but the positions go to the share `{share.name}`, which is owed them"
                return f"owed.{share.name}", said
        break  # only a cap within a window is left
    else:
        if len(slate.chosen) == prepared.situation.count:
            return "outscored", _TEXTS["outscored"]
    name = next((cap.name for cap in constraints.caps if cap.window), "")
    said = f"the cap on `{name}` is reached around the positions that it would take"
    return (f"cap.{name}", said) if name else ("outscored", _TEXTS["outscored"])


def _beside(score: float, needed: float | None) -> str:
    """Its score beside that of the last which is shown by its score."""
    if needed is None:
        return f" (it scores {score:.3f})"
    gap = f", {needed - score:.3f} more" if needed > score else ""
    return f" (it scores {score:.3f}, the least that is shown {needed:.3f}{gap})"
