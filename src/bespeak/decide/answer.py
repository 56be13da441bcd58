"""A decision at any placement: a slate of items, or one of declared variants."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bespeak.decide.by_policy import decide_by_policy, policy_for
from bespeak.decide.decide import fallback
from bespeak.decide.launch import Assigned
from bespeak.decide.person import PersonView
from bespeak.decide.request import DecideRequest
from bespeak.decide.variants.actions import decide_action
from bespeak.decide.variants.choose import decide_variant, default_variant
from bespeak.decide.variants.creatives import with_creatives
from bespeak.decide.world import World
from bespeak.signals.decisions import Decision
from bespeak.signals.ids import IdKey


def answer(
    request: DecideRequest,
    person: PersonView | None,
    world: World,
    now_ms: int,
    decision_id: str,
    assigned: Assigned | None = None,
    *,
    ids: Sequence[IdKey] = (),
    explores: bool = False,
) -> Decision:
    """Makes one decision; arguments, result and errors as `decide` and `decide_variant`."""
    if request.placement in world.variants:
        policy = policy_for(world, request.placement, assigned)
        return decide_variant(
            request, person, world, now_ms, decision_id, assigned, ids=ids, policy=policy, explores=explores
        )
    of_items = world.placements.get(request.placement)
    if of_items is not None and of_items.actions is not None:
        policy = policy_for(world, request.placement, assigned)
        return decide_action(request, person, world, now_ms, decision_id, assigned, policy=policy, explores=explores)
    units = [key.value for key in ids]
    made = decide_by_policy(request, person, world, now_ms, decision_id, assigned, ids=units, is_preview=not explores)
    is_unread = assigned is not None and assigned.is_unread
    return with_creatives(made, request, None if is_unread else person, world, explores=explores and not is_unread)


def answer_without(request: DecideRequest, world: World, now_ms: int, decision_id: str, note: str = "") -> Decision:
    """Makes the decision that needs no store: what is popular, or the default variant; errors as `answer`."""
    if request.placement in world.variants:
        return default_variant(request, world, now_ms, decision_id, note)
    of_items = world.placements.get(request.placement)
    if of_items is not None and of_items.actions is not None:
        made = decide_action(request, None, world, now_ms, decision_id, mode="fallback")
        return msgspec.structs.replace(made, notes=(*made.notes, note)) if note else made
    made = fallback(request, world, now_ms, decision_id, note)
    return with_creatives(made, request, None, world, explores=False)
