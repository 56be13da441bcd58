"""Which variant is shown: the first line that holds, else the split, else the default.

The propensity in the record is 1 for a line and for the default, and the share for a split. A split goes by a hash of
the visitor's id, so who comes again sees the same; a visitor without any id is drawn by the decision's id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec

from bespeak.decide.decide import mode_of, recorded_person, under
from bespeak.decide.launch import Assigned
from bespeak.decide.person import PersonView
from bespeak.decide.request import DecideRequest, context_record
from bespeak.decide.trial import Policy
from bespeak.decide.variants.settings import VariantPlacement
from bespeak.decide.variants.when import context_values, record_of
from bespeak.decide.world import World
from bespeak.errors import InvalidInput
from bespeak.profiles.profile import Profile
from bespeak.profiles.settings import FoldSettings
from bespeak.profiles.view import ProfileView
from bespeak.signals.decisions import Decision, Mode, Reason, ShownItem
from bespeak.signals.ids import ANONYMOUS_ID, IdKey

Source = Literal["rule", "split", "default"]


class Taken(NamedTuple):
    """One variant, how it was decided, with which probability, and why in words."""

    variant: str
    source: Source
    propensity: float
    text: str


def decide_variant(
    request: DecideRequest,
    person: PersonView | None,
    world: World,
    now_ms: int,
    decision_id: str,
    assigned: Assigned | None = None,
    *,
    ids: Sequence[IdKey] = (),
    policy: Policy | None = None,
) -> Decision:
    """Makes one decision at a variant placement.

    Args:
        request: what is asked; only placement, context and market are read.
        person: who it is for; None when nobody is recognised.
        world: the snapshot to decide with.
        now_ms: the moment.
        decision_id: of the record.
        assigned: the experiment that the person takes part in; its control gets the default.
        ids: the ids of the request, the best known first: what a split goes by.
        policy: what decides in place of the placement's own.

    Returns:
        The record: one shown "item", whose id is the variant's.

    Raises:
        UnknownName: there is no such placement.
        InvalidInput: the request asks for items.
    """
    placement = world.variant_placement(request.checked().placement)
    if policy is not None and isinstance(policy.settings, VariantPlacement):
        placement = policy.settings
    _refuse_lists(request)
    if assigned is not None and assigned.is_unread:
        taken = Taken(placement.settings.default, "default", 1.0, "the default, which the control gets")
        return under(assigned, _record(request, None, world, now_ms, decision_id, taken, of=person))
    taken = (
        _by_line(placement, request, person, world, now_ms)
        or _by_split(placement, ids, world, decision_id)
        or Taken(placement.settings.default, "default", 1.0, "the default")
    )
    decision = _record(request, person, world, now_ms, decision_id, taken, of=person)
    if policy is not None:
        decision = msgspec.structs.replace(decision, policy=policy.name)
    return decision if assigned is None else under(assigned, decision)


def default_variant(request: DecideRequest, world: World, now_ms: int, decision_id: str, note: str = "") -> Decision:
    """The default, for when a decision fails or takes too long; errors as `decide_variant`."""
    placement = world.variant_placement(request.checked().placement)
    _refuse_lists(request)
    taken = Taken(placement.settings.default, "default", 1.0, "the default")
    notes = (note,) if note else ()
    return _record(request, None, world, now_ms, decision_id, taken, of=None, mode="fallback", notes=notes)


def _refuse_lists(request: DecideRequest) -> None:
    asked = {"items": request.items is not None, "query": request.query, "filter": request.filter}
    for field, is_given in asked.items():
        if is_given:
            problem = f"`{field}` means nothing at '{request.placement}', which shows one of its variants."
            raise InvalidInput(problem, hint="Leave it out.")


def _by_line(
    placement: VariantPlacement, request: DecideRequest, person: PersonView | None, world: World, now_ms: int
) -> Taken | None:
    if not placement.lines:
        return None
    if person is None:
        view: ProfileView | None = ProfileView(
            Profile(), FoldSettings(classes=world.classes), now_ms, purposes=world.purposes.all
        )
    else:
        view = person.view
    record, context = record_of(view, placement.segments), context_values(request.context)
    for line in placement.lines:
        if line.rule.test(record, now_ms, context):
            return Taken(line.variant, "rule", 1.0, line.rule.text)
    return None


def _by_split(placement: VariantPlacement, ids: Sequence[IdKey], world: World, decision_id: str) -> Taken | None:
    split = placement.experiment(world.seed)
    if split is None:
        return None
    wanted = [key for key in ids if placement.settings.sticky == "person" or key.kind == ANONYMOUS_ID]
    unit = wanted[0].value if wanted else f"decision:{decision_id}"
    variant = split.variant_of(unit)
    if variant is None:  # shares whose sum is a rounding below 1 leave a gap at the end
        variant = placement.settings.default
    share = split.expected()[variant]
    return Taken(variant, "split", share, f"{share:.4g} of the visitors see it")


def _record(
    request: DecideRequest,
    person: PersonView | None,
    world: World,
    now_ms: int,
    decision_id: str,
    taken: Taken,
    *,
    of: PersonView | None,
    mode: Mode | None = None,
    notes: tuple[str, ...] = (),
) -> Decision:
    """The record of what was taken by what may be read of `person`, for `of`."""
    mode = mode or mode_of(person)
    reason = Reason(signal=taken.source, value=1.0, weight=0.0, contribution=0.0, text=taken.text)
    shown = ShownItem(
        item_id=taken.variant,
        position=1,
        score=0.0,
        propensity=taken.propensity,
        sources=(taken.source,),
        reasons=(reason,),
    )
    return Decision(
        decision_id=decision_id,
        time_ms=now_ms,
        placement=request.placement,
        kind="variant",
        mode=mode,
        policy=world.policy(request.placement),
        items=(shown,),
        person=recorded_person(of, mode, world),
        config_version=world.config_version,
        n_candidates=len(world.variant_placement(request.placement).settings.variants),
        context=context_record(request.context),
        purposes=of.purposes if of is not None else 0,
        notes=notes,
    )
