"""A decision by the policy that whom it is for gets: an experiment's arm, a roll-out's, or the placement's own."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bespeak.decide.decide import decide, mode_of, rank, under
from bespeak.decide.launch import Assigned
from bespeak.decide.person import PersonView
from bespeak.decide.request import DecideRequest, context_record
from bespeak.decide.settings.placements import Placement
from bespeak.decide.slates.interleave import interleaved
from bespeak.decide.trial import INCUMBENT, Policy, Trial
from bespeak.decide.world import World
from bespeak.signals.decisions import Decision

SHOW_YOURS = "Part of an experiment: show the slate of your other system, and log it with POST /api/decisions."


def decide_by_policy(
    request: DecideRequest,
    person: PersonView | None,
    world: World,
    now_ms: int,
    decision_id: str,
    assigned: Assigned | None = None,
    *,
    ids: Sequence[str] = (),
    is_preview: bool = False,
) -> Decision:
    """Makes one decision; arguments and errors as `decide`.

    Args:
        ids: ids of the request, the strongest first: what a roll-out goes by.
        is_preview: the newest policy decides, nothing is explored, and no shadow beside.

    Returns:
        The record. Its items are empty where the person is in an arm in which another system shows its own.
    """
    is_plain = is_preview or (assigned is not None and assigned.is_unread)
    trial = None if assigned is None else _trial(world, request.placement, assigned.experiment)
    policy = None if is_plain else _held_back(world, request, ids)
    if trial is not None and assigned is not None:
        if trial.kind == "interleave":
            return under(assigned, _of_both(trial, request, person, world, now_ms, decision_id))
        policy = trial.arms.get(assigned.variant)
        if policy is None:
            return under(assigned, _of_another(request, person, world, now_ms, decision_id))
    decision = decide(request, person, world, now_ms, decision_id, assigned, policy=policy, explores=not is_preview)
    return decision if is_plain else _with_shadow(decision, request, person, world)


def row_policy(
    world: World, placement: str, assigned: Assigned | None, ids: Sequence[str], *, is_preview: bool
) -> tuple[Assigned | None, Policy | None]:
    """What holds for a row of a page: the experiment that counts for it, and the policy, None for the placement's own.

    Two policies in one slate, and the slate of another system, are no rows: there the person is in no experiment.
    """
    trial = None if assigned is None else _trial(world, placement, assigned.experiment)
    if trial is None:
        is_plain = is_preview or (assigned is not None and assigned.is_unread)
        rollout = None if is_plain else world.rollouts.get(placement)
        held_back = rollout is not None and rollout.holds_back(placement, ids)
        return assigned, rollout.before if rollout is not None and held_back else None
    policy = trial.arms.get(assigned.variant) if assigned is not None and trial.kind != "interleave" else None
    return (None, None) if policy is None else (assigned, policy)


def policy_for(world: World, placement: str, assigned: Assigned | None) -> Policy | None:
    """The policy of somebody's arm; None where the placement's own decides."""
    trial = None if assigned is None else _trial(world, placement, assigned.experiment)
    return None if trial is None or assigned is None else trial.arms.get(assigned.variant)


def _trial(world: World, placement: str, experiment: str) -> Trial | None:
    return next((trial for trial in world.trials.get(placement, ()) if trial.name == experiment), None)


def _held_back(world: World, request: DecideRequest, ids: Sequence[str]) -> Policy | None:
    rollout = world.rollouts.get(request.placement)
    return rollout.before if rollout is not None and rollout.holds_back(request.placement, ids) else None


def _with_shadow(decision: Decision, request: DecideRequest, person: PersonView | None, world: World) -> Decision:
    """The record with what a shadow would have shown."""
    shadow = world.shadows.get(request.placement)
    if shadow is None:
        return decision
    would = rank(request, person, world, decision.time_ms, policy=shadow).items()
    return msgspec.structs.replace(decision, shadow_policy=shadow.name, shadow=tuple(would))


def _of_both(
    trial: Trial, request: DecideRequest, person: PersonView | None, world: World, now_ms: int, decision_id: str
) -> Decision:
    teams = {
        variant: (policy.name, policy.settings)
        for variant, policy in trial.arms.items()
        if policy is not None and isinstance(policy.settings, Placement)
    }
    return interleaved(request, person, world, now_ms, decision_id, teams)


def _of_another(
    request: DecideRequest, person: PersonView | None, world: World, now_ms: int, decision_id: str
) -> Decision:
    return Decision(
        decision_id=decision_id,
        time_ms=now_ms,
        placement=request.placement,
        mode=mode_of(person),
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
