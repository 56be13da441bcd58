"""A decision by the policy that whom it is for gets: an experiment's arm, a roll-out's, or the placement's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import msgspec

from bespeak.decide.decide import decide, prepare, under
from bespeak.decide.occasion import Occasion
from bespeak.decide.request import context_record
from bespeak.decide.settings.placements import Placement
from bespeak.decide.situation import rule_of_request
from bespeak.decide.trial import INCUMBENT, Policy, Trial
from bespeak.decide.trying.interleave import interleaved
from bespeak.decide.variants.settings import VariantPlacement
from bespeak.signals.decisions import Decision
from bespeak.signals.ids import ANONYMOUS_ID

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


def deciding(occasion: Occasion) -> Policy | None:
    """The policy that whom it is for gets in place of the placement's own: of their arm, or before a roll-out."""
    return _held_back(occasion) if _trial(occasion) is None else policy_for(occasion)


def shadowed(decision: Decision, occasion: Occasion, decide_by: Callable[[Occasion, Policy], Decision]) -> Decision:
    """The record of one variant or action with what a shadow would have shown.

    Args:
        decision: what was decided.
        occasion: for whom, with which snapshot, when.
        decide_by: makes the decision by a policy.
    """
    shadow = _shadow(occasion)
    if shadow is None:
        return decision
    would = decide_by(replace(occasion, is_preview=True, assigned=None), shadow)
    shown = tuple((one.item_id, one.score) for one in would.items)
    return msgspec.structs.replace(decision, shadow_policy=shadow.name, shadow=shown)


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
    before = rollout.before
    by_device = isinstance(before.settings, VariantPlacement) and before.settings.settings.sticky == "device"
    ids = [key.value for key in occasion.ids if key.kind == ANONYMOUS_ID or not by_device]
    return before if rollout.holds_back(placement, ids) else None


def _with_shadow(decision: Decision, occasion: Occasion) -> Decision:
    """The record with what a shadow would have shown."""
    shadow = _shadow(occasion)
    if shadow is None:
        return decision
    would = prepare(occasion, shadow).ranked().items()
    return msgspec.structs.replace(decision, shadow_policy=shadow.name, shadow=tuple(would))


def _shadow(occasion: Occasion) -> Policy | None:
    """The policy that decides beside."""
    if occasion.is_preview or occasion.is_unread:
        return None
    return occasion.world.shadows.get(occasion.request.placement)


def _of_both(trial: Trial, occasion: Occasion) -> Decision:
    teams = {
        variant: (policy.name, policy.settings)
        for variant, policy in trial.arms.items()
        if policy is not None and isinstance(policy.settings, Placement)
    }
    return interleaved(occasion, teams)


def _of_another(occasion: Occasion) -> Decision:
    request, person, world = occasion.request, occasion.person, occasion.world
    rule_of_request(request, world)  # what is wrong is refused whatever arm somebody is in
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
