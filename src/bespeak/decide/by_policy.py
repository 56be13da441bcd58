"""A decision by the policy that whom it is for gets: an experiment's arm, a roll-out's, or the placement's own."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from bespeak.decide.decide import decide, rank, under
from bespeak.decide.occasion import Occasion
from bespeak.decide.request import context_record
from bespeak.decide.settings.placements import Placement
from bespeak.decide.slates.interleave import interleaved
from bespeak.decide.trial import INCUMBENT, Policy, Trial
from bespeak.signals.decisions import Decision

SHOW_YOURS = "Part of an experiment: show the slate of your other system, and log it with POST /api/decisions."


def decide_by_policy(occasion: Occasion) -> Decision:
    """Makes one decision; errors as `decide`.

    Returns:
        The record. Its items are empty where the person is in an arm in which another system shows its own.
    """
    assigned, trial = occasion.assigned, _trial(occasion)
    policy = _held_back(occasion)
    if trial is not None and assigned is not None:
        if trial.kind == "interleave":
            return under(assigned, _of_both(trial, occasion))
        policy = trial.arms.get(assigned.variant)
        if policy is None:
            return under(assigned, _of_another(occasion))
    return _with_shadow(decide(occasion, policy), occasion)


def row_policy(occasion: Occasion) -> tuple[Occasion, Policy | None]:
    """What holds for a row of a page: its occasion, and the policy, None for the placement's own.

    Two policies in one slate, and the slate of another system, are no rows: there the person is in no experiment.
    """
    trial = _trial(occasion)
    if trial is None:
        return occasion, _held_back(occasion)
    policy = policy_for(occasion) if trial.kind != "interleave" else None
    return (replace(occasion, assigned=None), None) if policy is None else (occasion, policy)


def policy_for(occasion: Occasion) -> Policy | None:
    """The policy of somebody's arm; None where the placement's own decides."""
    assigned, trial = occasion.assigned, _trial(occasion)
    return None if trial is None or assigned is None else trial.arms.get(assigned.variant)


def _trial(occasion: Occasion) -> Trial | None:
    if occasion.assigned is None:
        return None
    trials = occasion.world.trials.get(occasion.request.placement, ())
    return next((trial for trial in trials if trial.name == occasion.assigned.experiment), None)


def _held_back(occasion: Occasion) -> Policy | None:
    """The policy before, where a roll-out leaves the person on it."""
    placement = occasion.request.placement
    rollout = occasion.world.rollouts.get(placement)
    if rollout is None or occasion.is_preview or occasion.is_unread:
        return None
    return rollout.before if rollout.holds_back(placement, [key.value for key in occasion.ids]) else None


def _with_shadow(decision: Decision, occasion: Occasion) -> Decision:
    """The record with what a shadow would have shown."""
    shadow = occasion.world.shadows.get(occasion.request.placement)
    if shadow is None or occasion.is_preview or occasion.is_unread:
        return decision
    would = rank(replace(occasion, is_preview=True), shadow).items()
    return msgspec.structs.replace(decision, shadow_policy=shadow.name, shadow=tuple(would))


def _of_both(trial: Trial, occasion: Occasion) -> Decision:
    teams = {
        variant: (policy.name, policy.settings)
        for variant, policy in trial.arms.items()
        if policy is not None and isinstance(policy.settings, Placement)
    }
    return interleaved(occasion, teams)


def _of_another(occasion: Occasion) -> Decision:
    request, person, world = occasion.request, occasion.person, occasion.world
    return Decision(
        decision_id=occasion.decision_id,
        time_ms=occasion.now_ms,
        placement=request.placement,
        mode=occasion.mode,
        policy=INCUMBENT,
        items=(),
        person=None if person is None else person.person,
        config_version=world.config_version,
        catalogue_version=world.catalogue.version,
        context=context_record(request.context),
        query=request.query,
        filter=request.filter,
        purposes=person.purposes if person is not None else 0,
        notes=(SHOW_YOURS,),
    )
