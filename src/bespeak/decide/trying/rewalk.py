"""A logged decision walked again, under the policy that made it and under another one.

The candidates, their features and their scores are those of the record. The other policy scores the same features with
its own weights and builds its slate of the same candidates under its own rules; what is no candidate in the record is
out of reach. Rules are looked up in the catalogue as it is now. A row of a page is walked given what stood above it,
which stays as it was.

Two kinds of probabilities come out, for the two assumptions of `measure.choices`: those *given what stands before*, of
each position after the prefix that was shown; and those *at the position*, whatever stands before. The second are means
over the walk that was logged and walks that are drawn anew, of the probabilities given each walk's prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from bespeak.decide.decide import exploration_of, scored_of
from bespeak.decide.occasion import Occasion
from bespeak.decide.rankers.forest import TREES
from bespeak.decide.request import DecideRequest
from bespeak.decide.scoring.adjust import BOOST, ROTATION, adjusted
from bespeak.decide.scoring.features import FeatureMatrix
from bespeak.decide.settings.placements import Placement
from bespeak.decide.situation import Situation
from bespeak.decide.slates.beside import Beside
from bespeak.decide.slates.constraints import constraints_of, pinned
from bespeak.decide.slates.exploration import Exploration, numbers_of
from bespeak.decide.slates.slate import Bools, Choice, Chooser, Constraints, best, build
from bespeak.decide.world import World
from bespeak.signals.decisions import CandidateFeatures, Decision, Mode

Float64s: TypeAlias = npt.NDArray[np.float64]
Int32s: TypeAlias = npt.NDArray[np.int32]

N_WALKS = 16
"""Few, because more only take out a little spread: see `Walk.at_position`."""
_PERSONAL_FAMILIES = frozenset(("affinity", "session", "fit"))
_PERSONAL_FEATURES = frozenset(
    ("just_viewed", "cart", "bought_with", "repeat", "fatigue", "viewed", "bought", "started", "next")
)
_PERSONAL_CIRCUMSTANCES = frozenset(("stage", "intent", "trait", "prediction"))
_OWN_TERMS = frozenset((TREES, ROTATION))
"""What the policy of the record added of its own."""
_SIEVES = ("kinds", "filter", "new_days")
_CLOSE = 1e-6


@dataclass(frozen=True, eq=False)
class Walk:
    """One policy on the candidates of one decision.

    Attributes:
        scores: float64[c].
        constraints: what the policy demands of a slate.
        exploration: how positions are drawn; None takes the best.
        n_positions: of the logged slate.
        out_of_reach: positions (from 0) that the policy keeps for items which are no candidates of the record.
    """

    scores: Float64s
    constraints: Constraints
    exploration: Exploration | None
    n_positions: int
    out_of_reach: frozenset[int] = frozenset()

    def first(self, n_positions: int) -> Walk:
        """The same walk as far as these positions; the whole one where pins or shares make them hang on later ones."""
        is_free = not self.constraints.pins and not self.constraints.shares
        return replace(self, n_positions=min(n_positions, self.n_positions)) if is_free else self

    def after(self, shown: Sequence[int]) -> Float64s:
        """float64[positions, c]: the probabilities at each position, given that `shown` (candidates) stands before.

        Beyond an item that this policy cannot show there, the rows say nothing that counts: its weight is 0.
        """
        found = np.zeros((self.n_positions, len(self.scores)))

        def follow(values: Float64s, is_open: Bools, position: int) -> Choice:
            found[position - 1] = self._chances(values, is_open)
            candidate = shown[position - 1]
            return Choice(candidate, float(found[position - 1, candidate]))

        self._fill(found, follow)
        return found

    def at_position(self, seed: int, decision_id: str, shown: Sequence[int] | None = None) -> Float64s:
        """float64[positions, c]: the probabilities of each candidate at each position; rows add up to 1 at most.

        Args:
            seed: of the project; with the decision's id it makes the draws.
            decision_id: of the record.
            shown: the logged slate, where this is the policy that made it: one more walk. The walk that was logged and
                those drawn anew are exchangeable, so that of 1 / probability nothing is too large on average, however
                few walks there are (the balance heuristic: Veach and Guibas 1995).
        """
        found = np.zeros((self.n_positions, len(self.scores)))
        if self.exploration is None:
            self._fill(found, best)
            return found
        total = found if shown is None else self.after(shown)
        numbers = numbers_of(seed, "replay", decision_id, N_WALKS * self.n_positions).reshape(N_WALKS, -1)
        for drawn in numbers:
            found = np.zeros_like(total)
            self._fill(found, self._drawing(drawn, found))
            total = total + found
        return total / (N_WALKS + (shown is not None))

    def _drawing(self, numbers: Float64s, found: Float64s) -> Chooser:
        """Draws as the policy does, and writes down the chances of all candidates."""

        def draw(values: Float64s, is_open: Bools, position: int) -> Choice:
            chances = found[position - 1] = self._chances(values, is_open)
            sums = np.cumsum(chances)
            candidate = int(np.searchsorted(sums, numbers[position - 1] * sums[-1], side="right"))
            return Choice(candidate, float(chances[candidate]))

        return draw

    def _chances(self, values: Float64s, is_open: Bools) -> Float64s:
        if self.exploration is not None:
            return self.exploration.probabilities(values, is_open)
        found = np.zeros(len(values))
        found[best(values, is_open, 0).candidate] = 1.0
        return found

    def _fill(self, found: Float64s, choose: Chooser) -> None:
        """Builds a slate; positions that the builder fills by itself are certain."""
        slate = build(self.scores, self.n_positions, self.constraints, choose)
        for place, choice in enumerate(slate.chosen):
            if not found[place].any():
                found[place, choice.candidate] = 1.0
        for place in self.out_of_reach:
            found[place] = 0.0


@dataclass(frozen=True, eq=False)
class Rewalked:
    """A logged decision under both policies.

    Attributes:
        shown: candidates, in the order of the slate.
        logged, target: the policy of the record, and the other one.
        is_faithful: whether the policy of the record gives the propensities of the record; else its rules, the
            catalogue or the code were others.
    """

    shown: tuple[int, ...]
    logged: Walk
    target: Walk
    is_faithful: bool


def rewalked(
    decision: Decision, placement: Placement, target: Placement, world: World, *, is_personal: bool = True
) -> Rewalked | None:
    """Walks a decision again; None where the record does not hold its candidates or the catalogue lacks one.

    Args:
        decision: the record.
        placement: as it was when the decision was made.
        target: the policy to evaluate.
        world: as it is now.
        is_personal: whether the target may use what was known of the person.

    Raises:
        InvalidInput, RuleError: the placement's or the record's request cannot be asked any more.
    """
    kept = decision.candidate_features
    if kept is None:
        return None
    rows = np.array([world.catalogue.index.get(item_id, -1) for item_id in kept.item_ids], np.int32)
    place = {item_id: candidate for candidate, item_id in enumerate(kept.item_ids)}
    if (rows < 0).any() or any(shown.item_id not in place for shown in decision.items):
        return None
    shown = tuple(place[item.item_id] for item in decision.items)
    scores = np.array(kept.scores)
    above = _above(decision, world)
    logged = _walk(_situation(decision, placement, world, decision.mode), scores, rows, len(shown), above)
    situation = _situation(decision, target, world, decision.mode if is_personal else "anonymous")
    own = _scores(kept, situation, rows, is_personal=is_personal)
    if any(getattr(target, rule) != getattr(placement, rule) for rule in _SIEVES):
        own = np.where(situation.eligible[rows], own, -np.inf)
    said = np.array([item.propensity for item in decision.items])
    found = logged.after(shown)[np.arange(len(shown)), list(shown)]
    is_faithful = bool((np.abs(found - said) <= _CLOSE * said).all())
    return Rewalked(shown, logged, _walk(situation, own, rows, len(shown), above), is_faithful)


def _above(decision: Decision, world: World) -> Beside | None:
    """What stood above a row of a page; None for a slate of its own."""
    if decision.page is None:
        return None
    found = Beside.nothing(world, decision.page.caps, one_per_group=decision.page.one_per_group)
    found.add(world.catalogue.index[item] for item in decision.page.above if item in world.catalogue.index)
    return found


def _walk(situation: Situation, scores: Float64s, rows: Int32s, n_positions: int, above: Beside | None) -> Walk:
    pins = pinned(situation)
    is_candidate = np.zeros(len(situation.eligible), np.bool_)
    is_candidate[rows] = True
    constraints = constraints_of(situation, rows, pins)
    return Walk(
        scores,
        constraints if above is None else above.constraints(constraints, rows),
        exploration_of(situation, rows),
        n_positions,
        frozenset(
            pin.position - 1
            for pin in pins
            if pin.position <= n_positions and pin.allowed.any() and not (pin.allowed & is_candidate).any()
        ),
    )


def _scores(kept: CandidateFeatures, situation: Situation, rows: Int32s, *, is_personal: bool) -> Float64s:
    """float64[c]: the logged features with the weights, trees, boosts and rotation of the situation's placement."""
    world, rotation = situation.world, situation.placement.rotation
    names = tuple(
        name
        for name in kept.columns
        if not name.startswith(BOOST) and name not in _OWN_TERMS and (is_personal or not _is_personal(name, world))
    )
    values = np.array([kept.columns[name] for name in names]).reshape(len(names), len(rows)).T
    forest = situation.weights.forest
    if forest is not None:
        names, values = (*names, TREES), np.column_stack([values, forest.scores(names, values)])
    matrix = FeatureMatrix(names, values, {})
    plain = scored_of(situation, matrix)
    scores = adjusted(situation, rows, matrix, plain)[1].scores
    if rotation is not None and is_personal and ROTATION in kept.columns:
        scores = scores - rotation.rate * float(np.ptp(plain.scores)) * np.array(kept.columns[ROTATION])
    return scores


def _situation(decision: Decision, placement: Placement, world: World, mode: Mode) -> Situation:
    """The situation of a decision as far as its rules go; nothing of the person is in it."""
    request = DecideRequest(placement=decision.placement, count=max(len(decision.items), 1))
    bare = msgspec.structs.replace(placement, needs_item=False, needs_cart=False, about_classes=(), about_facets=())
    return Situation.of(Occasion(request, None, world, decision.time_ms), bare, mode=mode)


def _is_personal(name: str, world: World) -> bool:
    """Whether a feature says anything of the person."""
    family, _, rest = name.partition(".")
    if family == "model":
        model = world.models.named(rest)
        return model is None or model.is_personal
    if family == "cross":
        when, _, what = rest.partition("*")
        return when.partition("=")[0].partition(".")[0] in _PERSONAL_CIRCUMSTANCES or _is_personal(what, world)
    return family in _PERSONAL_FAMILIES or name in _PERSONAL_FEATURES
