"""The read path: profile + context -> candidates -> features -> score -> build the slate -> explain.

Nothing here reads a clock, a store or a random generator: the same occasion gives the same decision.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from bespeak.catalogue.counters import DAY_MS
from bespeak.decide.candidates import BUDGET, Candidates, gather
from bespeak.decide.filters import passing
from bespeak.decide.headings import about_of, heading_of
from bespeak.decide.launch import Assigned
from bespeak.decide.occasion import Occasion
from bespeak.decide.person import PersonView
from bespeak.decide.rankers.score import Scored, linear
from bespeak.decide.reading import Reading
from bespeak.decide.reasons.explain import Explainer
from bespeak.decide.request import context_record
from bespeak.decide.scoring.adjust import adjusted
from bespeak.decide.scoring.features import FeatureMatrix, compute
from bespeak.decide.serving.best import first_eligible
from bespeak.decide.settings.placements import Placement
from bespeak.decide.situation import Situation
from bespeak.decide.slates.constraints import Pinned, constraints_of, pinned, wanted, with_wanted
from bespeak.decide.slates.exploration import Exploration, numbers_of
from bespeak.decide.slates.recording import with_candidates
from bespeak.decide.slates.slate import Bools, Choice, Constraints, Slate, build
from bespeak.decide.slates.walk import best_candidates, best_slate
from bespeak.decide.subjects import Subject
from bespeak.decide.trial import Policy
from bespeak.decide.world import World
from bespeak.signals.decisions import Decision, Mode, ShownItem

Int32s: TypeAlias = npt.NDArray[np.int32]

MAX_KEPT_CANDIDATES = 200
UNKNOWN_PERSON = "Nothing is known about this person yet: what is popular, rising and new is shown."
TRAITS_ALONE = "Of this person only what they told of themselves is known, nothing that they did."
NOT_PROFILED = "Personalization is not allowed for this person: nothing about them was read."
IN_CONTROL = "Part of an experiment: nothing about this person was read, to learn what personalization is worth."
SHORT_SLATE = "Fewer items than asked for may be shown."
NO_ITEMS = "No item may be shown ({})."
UNMET_PIN = "At position {} stands nothing that it is kept for: none of it may be shown there."

UNMET_SHARE = "Fewer items of the share '{}' are shown than it is to have at least: no more of them may stand here."


def decide(occasion: Occasion, policy: Policy | None = None) -> Decision:
    """Makes one decision.

    Args:
        occasion: what is asked, for whom, with which snapshot, when.
        policy: what decides in place of the placement's own.

    Returns:
        The complete record. `duration_us` is left at 0: the caller has the clock.

    Raises:
        UnknownName: there is no such placement.
        RuleError: the request's filter is wrong.
        InvalidInput: another value of the request is out of bounds.
    """
    ranked = rank(occasion, policy)
    decision = recorded(ranked, policy)
    if occasion.draw and exploration_of(ranked.situation, ranked.candidates.rows) is not None:
        decision = with_candidates(decision, ranked.situation, ranked.candidates.rows, ranked.matrix, ranked.scored)
    return decision if occasion.assigned is None else under(occasion.assigned, decision)


def recorded(ranked: Ranked, policy: Policy | None = None) -> Decision:
    """The complete record of a ranked slate, with its reasons; `policy` as in `decide`."""
    situation, slate = ranked.situation, ranked.slate
    limit = None if situation.request.explain else situation.placement.n_reasons
    chosen = [choice.candidate for choice in slate.chosen]
    explainer = Explainer(situation, ranked.candidates.rows, ranked.matrix, ranked.scored, chosen, limit)
    paid = paid_items(situation)
    shown = tuple(
        shown_item(choice, position, ranked.candidates, ranked.scored, explainer, situation.world, paid)
        for position, choice in enumerate(slate.chosen, 1)
    )
    decision = record(situation, shown, ranked.candidates, ranked.scored, slate)
    return decision if policy is None else msgspec.structs.replace(decision, policy=policy.name)


@dataclass(frozen=True, eq=False)
class Ranked:
    """What a decision is made of before it is explained and recorded."""

    situation: Situation
    candidates: Candidates
    matrix: FeatureMatrix
    scored: Scored
    slate: Slate

    def items(self) -> list[tuple[str, float]]:
        """(item id, score), in the order of the slate."""
        ids = self.situation.world.catalogue.item_ids
        return [
            (ids[self.candidates.rows[choice.candidate]], float(self.scored.scores[choice.candidate]))
            for choice in self.slate.chosen
        ]


@dataclass(frozen=True, eq=False)
class Proposed:
    """What a slate is chosen from, before it is scored."""

    situation: Situation
    candidates: Candidates
    pins: Sequence[Pinned]

    def prepared(self, beside: Int32s | None = None) -> Prepared:
        """Scores the candidates; `beside` as in `compute`."""
        situation, rows = self.situation, self.candidates.rows
        matrix = compute(situation, rows, beside)
        matrix, scored = adjusted(situation, rows, matrix, scored_of(situation, matrix))
        return Prepared(situation, self.candidates, matrix, scored, constraints_of(situation, rows, self.pins))


@dataclass(frozen=True, eq=False)
class Prepared:
    """Everything that a slate is built from."""

    situation: Situation
    candidates: Candidates
    matrix: FeatureMatrix
    scored: Scored
    constraints: Constraints

    def ranked(self, draw: str = "", constraints: Constraints | None = None) -> Ranked:
        """Builds the slate.

        Args:
            draw: the decision that positions are drawn for where the placement explores; "" takes the best.
            constraints: in place of the placement's own.
        """
        situation, scored = self.situation, self.scored
        demanded = constraints or self.constraints
        exploration = exploration_of(situation, self.candidates.rows) if draw else None
        if exploration is None:
            slate = best_slate(scored.scores, scored.best_first, situation.count, demanded)
        else:
            numbers = numbers_of(situation.world.seed, situation.request.placement, draw, situation.count)
            slate = build(scored.scores, situation.count, demanded, exploration.chooser(numbers))
        return Ranked(situation, self.candidates, self.matrix, scored, slate)

    def best(self, constraints: Constraints) -> list[int]:
        """The candidates of the slate without a draw, in order, under other constraints than the placement's own."""
        scored = self.scored
        return best_candidates(scored.scores, scored.best_first, self.situation.count, constraints)


def rank(occasion: Occasion, policy: Policy | None = None) -> Ranked:
    """The slate of a decision without its reasons and its record; arguments and errors as `decide`."""
    return prepare(occasion, policy).ranked(occasion.draw)


def prepare(occasion: Occasion, policy: Policy | None = None) -> Prepared:
    """Finds and scores the candidates of a decision; arguments and errors as `decide`."""
    return propose(occasion, policy).prepared()


def propose(
    occasion: Occasion,
    policy: Policy | None = None,
    *,
    reading: Reading | None = None,
    subject: Subject | None = None,
    budget: int = BUDGET,
) -> Proposed:
    """Finds the candidates of a decision.

    Arguments and errors as `decide` and `Situation.of`; `budget` is how many candidates are scored at most.
    """
    own = occasion.world.placement(occasion.request.checked().placement)
    placement = policy.settings if policy is not None and isinstance(policy.settings, Placement) else own
    situation = Situation.of(occasion, placement, reading=reading, subject=subject)
    pins = pinned(situation)
    return Proposed(situation, with_wanted(gather(situation, budget), wanted(situation, pins), occasion.world), pins)


def scored_of(situation: Situation, matrix: FeatureMatrix) -> Scored:
    """The scores of candidates whose features are known."""
    world, placement = situation.world, situation.placement
    return linear(matrix.values, situation.weights.of(matrix.names, world.models.best, placement.weights))


def exploration_of(situation: Situation, rows: Int32s) -> Exploration | None:
    """How the positions of a slate of the candidates `rows` are drawn; None where they are taken by the score.

    Whoever refused profiling gets the same as everybody who did, so nothing is tried on them; nor in a fallback.
    """
    placement = situation.placement
    if not placement.explore or situation.mode in ("non_profiled", "fallback"):
        return None
    may_try = None
    if placement.explore_new_days is not None:
        oldest_ms = situation.now_ms - int(placement.explore_new_days * DAY_MS)
        may_try = situation.world.catalogue.born_ms[rows] > max(oldest_ms, 0)
    return Exploration(placement.explore, placement.temperature, may_try)


def fallback(occasion: Occasion, note: str = "") -> Decision:
    """The popular slate, for when a full decision fails or takes too long: no person, no models, no features.

    Availability, exclusions, the placement's kinds and filter, the request's filter and one item per group still hold.

    Args:
        occasion: as in `decide`; of the person nothing is read.
        note: why, for the record.

    Raises:
        UnknownName, RuleError, InvalidInput: as `decide`; bad input is refused even then.
    """
    decision = recorded(prepare_fallback(occasion).ranked())
    return msgspec.structs.replace(decision, notes=(*decision.notes, note)) if note else decision


def prepare_fallback(occasion: Occasion) -> Prepared:
    """What `fallback` builds its slate from; errors as `decide`."""
    world = occasion.world
    placement = world.placement(occasion.request.checked().placement)
    nobody = Reading.of(None, world, occasion.now_ms)
    situation = Situation.of(occasion, placement, mode="fallback", reading=nobody)
    popular = np.sort(first_eligible(world.counters.by_popularity, situation.eligible, 10 * situation.count))
    pins = pinned(situation)
    candidates = Candidates(popular, np.ones(len(popular), np.int64), ("popular",))
    candidates = with_wanted(candidates, wanted(situation, pins), world)
    popularity = world.counters.popularity[candidates.rows][:, None]
    constraints = constraints_of(situation, candidates.rows, pins)
    return Prepared(
        situation,
        candidates,
        FeatureMatrix(("popular",), popularity, {}),
        linear(popularity, np.ones(1)),
        replace(constraints, min_score=None, diversity=None),
    )


def shown_item(
    choice: Choice,
    position: int,
    candidates: Candidates,
    scored: Scored,
    explainer: Explainer,
    world: World,
    paid: Bools | None = None,
) -> ShownItem:
    """One position of the record, with its reasons and features; `paid` as `paid_items` gives it."""
    row = int(candidates.rows[choice.candidate])
    return ShownItem(
        item_id=world.catalogue.item_ids[row],
        position=position,
        score=float(scored.scores[choice.candidate]),
        propensity=choice.propensity,
        sources=candidates.sources_of(choice.candidate),
        reasons=explainer.reasons(choice.candidate),
        features=explainer.features(choice.candidate),
        is_paid=paid is not None and bool(paid[row]),
    )


def paid_items(situation: Situation) -> Bools | None:
    """bool[n]: the items that are marked as paid; None where the placement marks none."""
    masks = [passing(share.filter, situation) for share in situation.placement.shares if share.paid]
    return np.asarray(np.any(masks, axis=0)) if masks else None


def record(
    situation: Situation,
    shown: Sequence[ShownItem],
    candidates: Candidates,
    scored: Scored,
    slate: Slate,
) -> Decision:
    """The record of a built slate."""
    world, request, person = situation.world, situation.request, situation.occasion.person
    return Decision(
        decision_id=situation.occasion.decision_id,
        time_ms=situation.now_ms,
        placement=request.placement,
        mode=situation.mode,
        policy=world.policy(request.placement),
        items=tuple(shown),
        person=recorded_person(person, situation.mode, world),
        config_version=world.config_version,
        catalogue_version=world.catalogue.version,
        models=world.models.versions(),
        weights_version=situation.weights.version,
        n_candidates=len(candidates),
        candidates=_others(candidates, scored, slate, world),
        removed={**situation.removed, **slate.removed},
        context=context_record(request.context),
        query=request.query,
        filter=request.filter,
        purposes=person.purposes if person is not None else 0,
        notes=_notes(situation, slate),
        heading=heading_of(situation),
        about=about_of(situation),
    )


def recorded_person(person: PersonView | None, mode: Mode, world: World) -> int | None:
    """Who stands in the record: a person who refused profiling only where measuring was granted."""
    if person is None:
        return None
    may_measure = bool(person.purposes & world.purposes.measure)
    return person.person if mode != "non_profiled" or may_measure else None


def _others(candidates: Candidates, scored: Scored, slate: Slate, world: World) -> tuple[tuple[str, float], ...]:
    """(id, score) of the best candidates that are not shown, up to the cap."""
    shown = {choice.candidate for choice in slate.chosen}
    best_first = scored.best_first[: MAX_KEPT_CANDIDATES + len(shown)].tolist()
    kept = [candidate for candidate in best_first if candidate not in shown][:MAX_KEPT_CANDIDATES]
    ids = map(world.catalogue.item_ids.__getitem__, candidates.rows[kept].tolist())
    return tuple(zip(ids, scored.scores[kept].tolist(), strict=True))


def _notes(situation: Situation, slate: Slate) -> tuple[str, ...]:
    notes = list(situation.notes)
    person = situation.person
    if situation.mode == "non_profiled":
        notes.append(NOT_PROFILED)
    elif situation.mode != "fallback" and (person is None or person.is_unknown) and slate.chosen:
        notes.append(UNKNOWN_PERSON)
    elif person is not None and situation.mode != "fallback" and not person.has_acted:
        notes.append(TRAITS_ALONE)
    if not slate.chosen:
        notes.append(NO_ITEMS.format(_why_empty(situation, slate)))
    elif len(slate.chosen) < situation.count:
        notes.append(SHORT_SLATE)
    notes += [UNMET_PIN.format(position) for position in slate.unmet]
    notes += [UNMET_SHARE.format(name) for name in slate.short]
    return tuple(notes)


def _why_empty(situation: Situation, slate: Slate) -> str:
    """What left nothing of the catalogue, by the names that `why_not` explains."""
    if not len(situation.world.catalogue):
        return "the catalogue is empty"
    removed = Counter(situation.removed)
    removed.update(slate.removed)
    by_rule = ", ".join(f"{n:,} by {rule}" for rule, n in removed.items() if n)
    if situation.match is not None and not situation.match.any():
        return "nothing matches the query"
    return f"left out: {by_rule}" if by_rule else "no source proposed any"


def under(assigned: Assigned, decision: Decision) -> Decision:
    """The record of a decision under an experiment; that of a launch's control does not say that nothing is known."""
    notes = decision.notes
    if assigned.is_unread:
        notes = (IN_CONTROL, *(note for note in notes if note != UNKNOWN_PERSON))
    experiment = {"name": assigned.experiment, "variant": assigned.variant}
    launch = None if assigned.launch is None else dict(zip(("name", "variant"), assigned.launch, strict=True))
    return msgspec.structs.replace(decision, experiment=experiment, launch=launch, notes=notes)
